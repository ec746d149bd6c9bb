/** What the queue of a source says to those around it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { CLEAN, fixture, push, shown } from "./support/queue.ts"

const FAILED = { tag: "DialFailed", message: "m" }
const BROKEN = {
  code: 1006,
  reason: "r",
  clean: false,
  unconfirmed: 3,
  error: { tag: "ConnectionClosed", message: "m" }
}

describe("the queue of a source", () => {
  it.effect("makes of what the connection tells events with all of it", () =>
    Effect.gen(function* () {
      const { queue, read, world } = yield* fixture({ capacity: 8 })
      world.now = 1000
      queue.dialFailed(FAILED, true, true)
      queue.opened(1, 4, "v2", read)
      queue.text("hi", 2, 7)
      queue.binary(Uint8Array.of(1, 2), 7)
      queue.ended(BROKEN, true, true)
      const taken = Array.from({ length: 6 }, () => queue.take())
      assert.isUndefined(queue.take())
      assert.deepStrictEqual(
        taken.map((event) => [event?.kind, event?.sequence, event?.epoch, event?.at, event?.origin.id]),
        [
          ["websocket_error", 1, 0, 1000, "1b2c3d4e"],
          ["websocket_open", 2, 1, 1000, "1b2c3d4e"],
          ["websocket_text", 3, 1, 7, "1b2c3d4e"],
          ["websocket_binary", 4, 1, 7, "1b2c3d4e"],
          ["websocket_error", 5, 1, 1000, "1b2c3d4e"],
          ["websocket_close", 6, 1, 1000, "1b2c3d4e"]
        ]
      )
      const url = "ws://h/?q"
      assert.deepStrictEqual<unknown>(
        taken.map((event) => event?.payload),
        [
          { url, error: FAILED, willReconnect: true },
          { url, attempts: 4, subprotocol: "v2" },
          { url, text: "hi" },
          { url, bytes: Uint8Array.of(1, 2) },
          { url, error: BROKEN.error, willReconnect: true },
          { url, code: 1006, reason: "r", clean: false, unconfirmed: 3, willReconnect: true }
        ]
      )
    })
  )

  it.effect("takes the kinds that the ingress lists and no others, and asks anew when it is enabled differently", () =>
    Effect.gen(function* () {
      const { limits, queue, read, world } = yield* fixture({ capacity: 8, kinds: ["websocket_close"] })
      const once = () => {
        queue.opened(1, 1, null, read)
        queue.text("x", 1, 0)
        queue.ended(BROKEN, false, true)
        queue.dialFailed(FAILED, false, true)
        const kinds: Array<string> = []
        for (let event = queue.take(); event !== undefined; event = queue.take()) kinds.push(event.kind)
        return kinds
      }
      assert.deepStrictEqual(once(), ["websocket_close"])
      assert.strictEqual(queue.ignoredText, 1)
      world.kinds = ["websocket_text", "websocket_error"]
      world.rules = { urgent: [], autoReplies: [{ text: "x", reply: "y" }] }
      queue.reconfigure(limits)
      assert.deepStrictEqual(once(), ["websocket_error", "websocket_error"])
      assert.strictEqual(queue.autoReplied, 1)
      world.kinds = ["websocket_open"]
      world.rules = null
      queue.reconfigure(limits)
      assert.deepStrictEqual(once(), ["websocket_open"])
      assert.strictEqual(queue.ignoredText, 2)
    })
  )

  it.effect("rule 3: keeps one error of failed dials at a time", () =>
    Effect.gen(function* () {
      const { accounting, queue } = yield* fixture({ capacity: 8 })
      const failed = (deliver = true) => queue.dialFailed(FAILED, true, deliver)
      failed()
      failed()
      assert.strictEqual(queue.waiting, 1)
      queue.timer("t")
      queue.take()
      failed()
      assert.strictEqual(queue.waiting, 2)
      queue.discard()
      // One that isn't delivered waits for nobody.
      failed(false)
      failed()
      failed()
      assert.deepStrictEqual(shown(queue.take()), { sequence: 5, frame: 0, droppedBefore: 3 })
      assert.deepInclude(accounting, { enqueued: 5, discarded: 3, queueDepth: 0 })
    })
  )

  it.effect("says when its oldest event happened, be it a text, an urgent one or a state event", () =>
    Effect.gen(function* () {
      const { queue, read, world } = yield* fixture({ capacity: 8, urgent: ["!"] })
      assert.isUndefined(queue.oldestAt)
      push(queue, "a", 50)
      assert.strictEqual(queue.oldestAt, 50)
      push(queue, "!b", 40)
      assert.strictEqual(queue.oldestAt, 40)
      world.now = 30
      queue.opened(1, 1, null, read)
      assert.strictEqual(queue.oldestAt, 30)
      assert.strictEqual(shown(queue.take())?.sequence, 2)
      assert.strictEqual(shown(queue.take())?.sequence, 1)
      assert.strictEqual(queue.oldestAt, 30)
      push(queue, "!c", 20)
      assert.strictEqual(queue.oldestAt, 20)
      queue.discard()
      assert.isUndefined(queue.oldestAt)
    })
  )

  it.effect("has a turn while something waits", () =>
    Effect.gen(function* () {
      const { queue, read, turns } = yield* fixture({ capacity: 8 })
      assert.isUndefined(turns.next())
      for (const add of [() => push(queue, "a"), () => queue.opened(1, 1, null, read), () => void queue.timer("t")]) {
        add()
        assert.strictEqual(turns.next(), queue)
        assert.isUndefined(turns.next())
      }
      queue.take()
      assert.strictEqual(turns.next(), queue)
      queue.take()
      queue.take()
      assert.isTrue(queue.inTurn)
      turns.next()
      assert.isUndefined(queue.take())
      assert.isFalse(queue.inTurn)
    })
  )

  it.effect("takes a timer's event back, and says of one that is gone that it doesn't wait", () =>
    Effect.gen(function* () {
      const { accounting, queue } = yield* fixture({ capacity: 8 })
      const [first, second, third] = [queue.timer("a"), queue.timer("b"), queue.timer("c")]
      assert.isTrue(second.waits)
      queue.withdraw(second)
      queue.withdraw(second)
      assert.isFalse(second.waits)
      assert.strictEqual(queue.take(), first)
      assert.isFalse(first.waits)
      queue.withdraw(first)
      queue.discard()
      assert.isFalse(third.waits)
      assert.deepInclude(accounting, { enqueued: 3, discarded: 2, queueDepth: 0 })
    })
  )

  it.effect("tells of epochs, and readies the connection where what waited for it is gone", () =>
    Effect.gen(function* () {
      const { queue, read, reports } = yield* fixture({ capacity: 8 })
      queue.opened(1, 1, null, read)
      assert.deepInclude(reports, { began: 1, ended: 0 })
      queue.ended(CLEAN, true, true)
      assert.deepInclude(reports, { began: 1, ended: 1, readied: 0 })
      queue.take()
      queue.take()
      queue.opened(2, 1, null, read)
      queue.take()
      assert.strictEqual(reports.readied, 0)
      queue.ended(CLEAN, true, true)
      queue.opened(3, 1, null, read)
      queue.timer("t")
      assert.isFalse(queue.ready())
      queue.revoked()
      assert.isTrue(queue.ready())
      assert.deepInclude(reports, { began: 3, ended: 3, readied: 1 })
      queue.discard()
      push(queue, "a")
      queue.discard()
      assert.strictEqual(reports.readied, 1)
    })
  )

  it.effect("rule 3: is ready whatever waits of one epoch, of failed dials before the first, and of timers", () =>
    Effect.gen(function* () {
      const { queue, read } = yield* fixture({ capacity: 8 })
      queue.dialFailed(FAILED, true, true)
      queue.opened(1, 1, null, read)
      assert.isTrue(queue.ready())
      queue.timer("t")
      queue.ended(BROKEN, true, true)
      queue.dialFailed(FAILED, true, true)
      assert.isTrue(queue.ready())
    })
  )

  it.effect("rule 3: is ready while a timer of the next epoch waits behind the end of the last one", () =>
    Effect.gen(function* () {
      const { queue, read } = yield* fixture({ capacity: 8, kinds: ["websocket_close"] })
      queue.opened(1, 1, null, read)
      queue.ended(CLEAN, true, true)
      queue.opened(2, 1, null, read)
      queue.timer("t")
      assert.isTrue(queue.ready())
      queue.ended(CLEAN, true, true)
      assert.isFalse(queue.ready())
    })
  )

  it.effect("evicts no more than it has to, also where what is left fits to the byte", () =>
    Effect.gen(function* () {
      for (const bounds of [{ bytes: 10 }, { hostBytes: 10 }]) {
        const { host, queue, read } = yield* fixture({ capacity: 100, patienceMs: 0, urgent: ["!"], ...bounds })
        queue.opened(1, 1, null, read)
        for (const text of ["!2345", "abc", "de"]) push(queue, text)
        assert.deepStrictEqual([queue.drops, queue.bytes, host.used], [0, 10, 10])
        push(queue, "fghij")
        assert.deepStrictEqual([queue.drops, queue.depth, queue.bytes], [2, 2, 10])
        push(queue, "123456")
        assert.deepStrictEqual([queue.drops, queue.depth, queue.bytes], [3, 2, 10])
      }
    })
  )

  it.effect("reports what slid out with the source and what the queue holds", () =>
    Effect.gen(function* () {
      const { overflows, queue, read } = yield* fixture({ capacity: 1, bytes: 5, patienceMs: 0 })
      assert.strictEqual(queue.capacity, 1)
      queue.opened(1, 1, null, read)
      push(queue, "a")
      push(queue, "b")
      assert.deepStrictEqual(overflows, [
        "the queue of ws://h/ was full (1 events or 5 bytes); its oldest event was dropped"
      ])
    })
  )
})

describe("backpressure", () => {
  it.effect("says when it paused, and asks somebody to end a pause that is too long", () =>
    Effect.gen(function* () {
      const { modes, queue, read, reports, world } = yield* fixture({ capacity: 4 })
      queue.opened(1, 1, null, read)
      push(queue, "a")
      assert.deepStrictEqual([queue.backpressure.flow, reports.paused], ["flowing", 0])
      world.monotonic = 70
      push(queue, "b")
      assert.deepStrictEqual([queue.backpressure.flow, reports.paused], ["paused", 1])
      assert.strictEqual(queue.backpressure.slidesAt, 1070)
      push(queue, "c")
      assert.deepStrictEqual([modes, reports.paused], [["off"], 1])
    })
  )

  it.effect("pauses at half of the bytes, too, and reads again at a quarter of both", () =>
    Effect.gen(function* () {
      const { modes, queue, read } = yield* fixture({ capacity: 100, bytes: 100, kinds: ["websocket_text"] })
      queue.opened(1, 1, null, read)
      push(queue, "x".repeat(24))
      push(queue, "x".repeat(25))
      assert.strictEqual(queue.backpressure.flow, "flowing")
      push(queue, "x")
      assert.strictEqual(queue.backpressure.flow, "paused")
      queue.take()
      assert.strictEqual(queue.backpressure.flow, "paused")
      queue.take()
      assert.strictEqual(queue.backpressure.flow, "flowing")
      assert.deepStrictEqual(modes, ["off", "full"])
    })
  )

  it.effect("slides at once where there is no patience", () =>
    Effect.gen(function* () {
      const { modes, queue, read, reports } = yield* fixture({ capacity: 2, patienceMs: 0 })
      queue.opened(1, 1, null, read)
      push(queue, "a")
      assert.deepStrictEqual([queue.backpressure.flow, modes, reports.paused], ["sliding", ["off", "slow"], 0])
    })
  )

  it.effect("rule 3: takes of what was read as much as one read can bring, headers included", () =>
    Effect.gen(function* () {
      const { queue, read } = yield* fixture({ capacity: 2, kinds: ["websocket_text"] })
      queue.opened(1, 1, null, read)
      push(queue, "pauses")
      for (let n = 0; n < 64; n++) push(queue, "x".repeat(1022))
      push(queue, "at 65,536 bytes")
      assert.deepStrictEqual([queue.depth, queue.drops], [66, 0])
      push(queue, "beyond")
      assert.deepStrictEqual([queue.depth, queue.drops], [2, 65])
    })
  )

  it.effect("slides out of a pause only", () =>
    Effect.gen(function* () {
      const { modes, queue, read } = yield* fixture({ capacity: 8 })
      queue.opened(1, 1, null, read)
      queue.backpressure.slide()
      assert.deepStrictEqual([queue.backpressure.flow, modes], ["flowing", []])
    })
  )

  it.effect(
    "begins a new epoch paused where the last one's texts fill half of the queue, and forgets the old socket",
    () =>
      Effect.gen(function* () {
        const { modes, queue, read } = yield* fixture({ capacity: 4, kinds: ["websocket_text"] })
        queue.opened(1, 1, null, read)
        push(queue, "a")
        push(queue, "b")
        queue.ended(CLEAN, true, true)
        assert.strictEqual(queue.backpressure.flow, "flowing")
        assert.deepStrictEqual(modes, ["off"])
        const other: Array<string> = []
        queue.opened(2, 1, null, (mode) => other.push(mode))
        assert.deepStrictEqual([queue.backpressure.flow, other], ["paused", ["off"]])
        queue.take()
        queue.ended(CLEAN, true, true)
        queue.opened(3, 1, null, read)
        queue.take()
        assert.deepStrictEqual([queue.backpressure.flow, modes, other], ["flowing", ["off"], ["off", "full"]])
      })
  )

  it.effect("rule 3: takes what the last read brought only as far as the host has room", () =>
    Effect.gen(function* () {
      const { host, queue, read } = yield* fixture({ capacity: 2, hostBytes: 10, kinds: ["websocket_text"] })
      queue.opened(1, 1, null, read)
      for (const text of ["a", "b", "c", "d"]) push(queue, text)
      assert.deepStrictEqual([queue.depth, queue.drops, host.used], [4, 0, 4])
      host.used += 6
      push(queue, "e")
      assert.deepStrictEqual([queue.depth, queue.drops, host.used], [2, 3, 8])
    })
  )
})
