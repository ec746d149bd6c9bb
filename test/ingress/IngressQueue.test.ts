import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import type { Accounting } from "../../src/ingress/Accounting.ts"
import type { IngressEvent, Timer } from "../../src/ingress/IngressEvent.ts"
import type { IngressQueue } from "../../src/ingress/IngressQueue.ts"
import { either, int, list, oneOf } from "../support/arbitraries.ts"
import { Model } from "./support/model.ts"
import { CLEAN, fixture, push, pushBinary, shown } from "./support/queue.ts"

const KIB = 1024
const READ_BYTES = 64 * KIB
const ABNORMAL = { code: 1006, reason: "", clean: false, unconfirmed: 0, error: null } as const
const ERROR = { tag: "DialFailed", message: "" }

type Step =
  | { readonly kind: "text"; readonly text: string; readonly times: number }
  | { readonly kind: "binary"; readonly bytes: number; readonly times: number }
  | { readonly kind: "take"; readonly times: number }
  | { readonly kind: "lend"; readonly times: number }
  | { readonly kind: "begin"; readonly times: number }
  | { readonly kind: "withdraw"; readonly index: number }
  | { readonly kind: "neighbour"; readonly bytes: number }
  | {
      readonly kind:
        | "open"
        | "end"
        | "silent"
        | "fail"
        | "timer"
        | "slide"
        | "reject"
        | "rejectBinary"
        | "discard"
        | "room"
        | "recall"
    }

const text = (beginning: string, length: number) => `${beginning}${"x".repeat(length)}`

const Text: Arbitrary.Arbitrary<string> = either(
  Arbitrary.map(int(0, 40), (length) => text(".", length)),
  Arbitrary.map(int(0, 40), (length) => text("!", length)),
  Arbitrary.map(int(0, 20), (length) => text("?\u{e9}\u{1f600}", length)),
  Arbitrary.map(int(0, 20), (length) => text("!\u{e9}", length)),
  oneOf("ping", "ping!", "!ping")
)

const texts: Arbitrary.Arbitrary<Step> = Arbitrary.all({ kind: oneOf("text"), text: Text, times: oneOf(1, 1, 2, 10) })
const binaries: Arbitrary.Arbitrary<Step> = Arbitrary.all({
  kind: oneOf("binary"),
  bytes: either(int(0, 40), int(250, 310)),
  times: oneOf(1, 1, 2, 10)
})
const loans: Arbitrary.Arbitrary<Step> = either<Step>(
  Arbitrary.all({ kind: oneOf("lend"), times: oneOf(1, 2, 5, 12) }),
  Arbitrary.all({ kind: oneOf("begin"), times: oneOf(1, 2, 5, 12) })
)
const takes: Arbitrary.Arbitrary<Step> = Arbitrary.all({ kind: oneOf("take"), times: oneOf(1, 2, 5, 12) })
const Step: Arbitrary.Arbitrary<Step> = either<Step>(
  texts,
  texts,
  binaries,
  binaries,
  takes,
  takes,
  loans,
  loans,
  Arbitrary.all({
    kind: oneOf("open", "end", "silent", "fail", "timer", "timer", "slide", "reject", "rejectBinary", "room")
  }),
  Arbitrary.all({ kind: oneOf("withdraw"), index: int(0, 5) }),
  Arbitrary.all({ kind: oneOf("neighbour"), bytes: oneOf(0, 50, 150, 400) }),
  Arbitrary.all({ kind: oneOf("discard", "room", "timer", "slide", "recall") })
)

const check = (
  queue: IngressQueue,
  accounting: Accounting,
  told: { handed: number; dropped: number },
  model: Model
) => {
  assert.strictEqual(queue.depth, model.frames.length)
  assert.strictEqual(queue.bytes, model.memory)
  assert.strictEqual(queue.waiting, model.waiting.length)
  assert.strictEqual(queue.drops, model.evicted)
  assert.strictEqual(queue.receivedText, model.received)
  assert.strictEqual(queue.autoReplied, model.autoReplied)
  assert.strictEqual(
    queue.receivedText,
    queue.enqueuedText + queue.rejectedText + queue.ignoredText + queue.autoReplied
  )
  assert.strictEqual(queue.receivedBinary, model.receivedBinary)
  assert.strictEqual(queue.receivedBinary, queue.enqueuedBinary + queue.rejectedBinary + queue.unsupportedBinary)
  assert.strictEqual(queue.backpressure.flow, model.flow)
  assert.deepInclude(accounting, { evicted: model.evicted, discarded: model.discarded, queueBytes: model.memory })
  assert.strictEqual(accounting.queueDepth, model.waiting.length)
  assert.strictEqual(
    accounting.enqueued,
    model.taken + accounting.evicted + accounting.discarded + accounting.queueDepth
  )
  assert.strictEqual(told.handed + told.dropped + queue.waiting + model.lost.size, model.sequence)
  const { oldestAt } = queue
  assert.strictEqual(oldestAt, model.waiting.length === 0 ? undefined : 0)
}

describe("IngressQueue", () => {
  it.effect.prop(
    "rules 2, 3 and 4: holds, overtakes, evicts, lends, hands over and tells what the reference list does",
    { capacity: int(1, 16), bytes: int(1, 300), hostBytes: oneOf(1_000_000, 400), steps: list(Step, 0, 80) },
    ({ bytes, capacity, hostBytes, steps }) =>
      Effect.gen(function* () {
        const { accounting, host, queue, read, replies, reports, world } = yield* fixture({
          capacity,
          bytes,
          hostBytes,
          urgent: ["!", "!p"],
          autoReplies: [{ text: "ping", reply: "pong" }]
        })
        const model = new Model(capacity, bytes, hostBytes)
        const timers: Array<Timer> = []
        const told = { handed: 0, dropped: 0 }
        /** To the reference an event that is lent waits like any other. */
        const lent: Array<IngressEvent> = []
        const recall = () => {
          while (lent.pop() !== undefined) queue.giveBack()
        }
        const handedOver = (event: IngressEvent | undefined) => {
          assert.deepStrictEqual(shown(event), model.take())
          told.handed += event === undefined ? 0 : 1
          told.dropped += event?.droppedBefore ?? 0
        }
        let epoch = 0
        const step = (one: Exclude<Step, { readonly times: number }>) => {
          switch (one.kind) {
            case "open":
              queue.opened(++epoch, 1, null, read)
              return model.opened()
            case "end":
              queue.ended(CLEAN, true, true)
              model.flow = "flowing"
              return model.state()
            case "silent":
              queue.ended(CLEAN, false, false)
              model.flow = "flowing"
              return model.silent()
            case "fail":
              queue.dialFailed(ERROR, true, true)
              if (!model.waiting.some((event) => event === model.dialError)) model.dialError = model.state()
              return undefined
            case "timer":
              timers.push(queue.timer("t"))
              return model.state("timer")
            case "withdraw": {
              const timer = timers.at(-1 - one.index)
              if (timer === undefined) return undefined
              queue.withdraw(timer)
              assert.isFalse(timer.waits)
              return model.withdraw(timer.sequence)
            }
            case "slide":
              queue.backpressure.slide()
              if (model.flow === "paused") model.flow = "sliding"
              return undefined
            case "reject":
              queue.rejected("text")
              model.received++
              return undefined
            case "rejectBinary":
              assert.isTrue(queue.rejected("binary"))
              model.receivedBinary++
              return undefined
            case "room":
              world.hasRoom = !world.hasRoom
              return undefined
            case "neighbour":
              host.used += one.bytes - model.neighbour
              model.neighbour = one.bytes
              return undefined
            case "recall":
              return recall()
            case "discard":
              queue.discard()
              assert.lengthOf(lent, 0)
              return model.discard()
          }
        }
        for (const one of steps) {
          if (one.kind === "text") {
            for (let time = 0; time < one.times; time++) {
              push(queue, one.text)
              if (one.text === "ping" && world.hasRoom) {
                model.received++
                model.autoReplied++
              } else {
                model.text(one.text, one.text.startsWith("!"))
              }
              check(queue, accounting, told, model)
            }
          } else if (one.kind === "binary") {
            for (let time = 0; time < one.times; time++) {
              assert.isTrue(pushBinary(queue, one.bytes))
              model.binary(one.bytes)
              check(queue, accounting, told, model)
            }
          } else if (one.kind === "take") {
            recall()
            for (let time = 0; time < one.times; time++) {
              handedOver(queue.take())
              check(queue, accounting, told, model)
            }
          } else if (one.kind === "lend") {
            for (let time = 0; time < one.times; time++) {
              const event = queue.lend(recall)
              assert.strictEqual(event === undefined, queue.waiting === lent.length)
              if (event !== undefined) lent.push(event)
              check(queue, accounting, told, model)
            }
          } else if (one.kind === "begin") {
            for (const event of lent.splice(0, one.times)) {
              queue.begin()
              handedOver(event)
              check(queue, accounting, told, model)
            }
          } else {
            step(one)
            check(queue, accounting, told, model)
          }
        }
        assert.strictEqual(host.used, model.memory + model.neighbour)
        assert.strictEqual(reports.overflows, model.evicted)
        assert.lengthOf(replies, model.autoReplied)
      }),
    { arbitrary: { runs: 150 } }
  )

  it.effect("takes back what is lent where a text that comes goes before it", () =>
    Effect.gen(function* () {
      const { queue, read } = yield* fixture({ capacity: 32, kinds: ["websocket_text"], urgent: ["!"] })
      queue.opened(1, 1, null, read)
      const lent: Array<number> = []
      const recall = () => {
        while (lent.pop() !== undefined) queue.giveBack()
      }
      const lend = () => {
        for (let event = queue.lend(recall); event !== undefined; event = queue.lend(recall)) lent.push(event.sequence)
      }
      for (let i = 0; i < 9; i++) push(queue, "!")
      lend()
      // After eight in a row another one is next.
      push(queue, "x")
      assert.deepStrictEqual(lent, [])
      lend()
      assert.deepStrictEqual(lent, [1, 2, 3, 4, 5, 6, 7, 8, 10, 9])
      push(queue, "x")
      assert.lengthOf(lent, 10)
      push(queue, "!")
      assert.deepStrictEqual(lent, [])
      lend()
      assert.deepStrictEqual(lent, [1, 2, 3, 4, 5, 6, 7, 8, 10, 9, 12, 11])
    })
  )

  it.effect("takes back what is lent where a timer among it is withdrawn, and tells of it as if it hadn't been", () =>
    Effect.gen(function* () {
      const { accounting, queue, read } = yield* fixture({ capacity: 8, kinds: ["websocket_text"] })
      queue.opened(1, 1, null, read)
      const timer = queue.timer("t")
      push(queue, "x")
      let lent = 0
      const recall = () => {
        for (; lent > 0; lent--) queue.giveBack()
      }
      for (; lent < 2; lent++) queue.lend(recall)
      queue.withdraw(timer)
      assert.strictEqual(lent, 0)
      assert.isFalse(timer.waits)
      assert.deepInclude(accounting, { queueDepth: 1, discarded: 1 })
      assert.deepStrictEqual(shown(queue.lend(recall)), { sequence: 2, frame: 1, droppedBefore: 1 })
      queue.begin()
      assert.strictEqual(queue.waiting, 0)
    })
  )

  it.effect("leaves what is lent where it is for a timer behind it, or one that was handed over", () =>
    Effect.gen(function* () {
      const { queue, read } = yield* fixture({ capacity: 8, kinds: ["websocket_text"] })
      queue.opened(1, 1, null, read)
      const over = queue.timer("over")
      queue.take()
      const lent = queue.timer("lent")
      const behind = queue.timer("behind")
      let recalls = 0
      const recall = () => {
        recalls++
        queue.giveBack()
      }
      assert.strictEqual(queue.lend(recall), lent)
      queue.withdraw(behind)
      queue.withdraw(over)
      queue.rejected("text")
      assert.strictEqual(recalls, 0)
      queue.withdraw(lent)
      assert.strictEqual(recalls, 1)
      assert.strictEqual(queue.waiting, 0)
      queue.discard()
      assert.strictEqual(recalls, 1)
    })
  )

  it.effect("takes back the ninth urgent text in a row where a timer goes that an ordinary frame stood behind", () =>
    Effect.gen(function* () {
      const { queue, read } = yield* fixture({ capacity: 32, kinds: ["websocket_text"], urgent: ["!"] })
      queue.opened(1, 1, null, read)
      const lent: Array<number> = []
      const recall = () => {
        while (lent.pop() !== undefined) queue.giveBack()
      }
      const lend = (most: number) => {
        while (lent.length < most) lent.push(queue.lend(recall)?.sequence ?? assert.fail())
      }
      for (let i = 0; i < 9; i++) push(queue, "!")
      const timer = queue.timer("t")
      push(queue, "x")
      lend(9)
      queue.withdraw(timer)
      assert.deepStrictEqual(lent, [])
      lend(10)
      assert.deepStrictEqual(lent, [1, 2, 3, 4, 5, 6, 7, 8, 11, 9])
    })
  )

  it.effect("lends urgent texts first again behind what they can't overtake", () =>
    Effect.gen(function* () {
      const { queue, read } = yield* fixture({ capacity: 32, kinds: ["websocket_text"], urgent: ["!"] })
      queue.opened(1, 1, null, read)
      for (let i = 0; i < 8; i++) push(queue, "!")
      queue.timer("t")
      push(queue, "x")
      push(queue, "!")
      const lent = Array.from({ length: 11 }, () => queue.lend(() => {})?.sequence)
      assert.deepStrictEqual(lent, [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 10])
    })
  )

  it.effect("rule 3: takes no further error of a failed dial while one waits, whatever goes before it", () =>
    Effect.gen(function* () {
      const { queue, read } = yield* fixture({ capacity: 8 })
      queue.opened(1, 1, null, read)
      queue.dialFailed(ERROR, true, true)
      assert.strictEqual(queue.take()?.kind, "websocket_open")
      queue.dialFailed(ERROR, true, true)
      assert.strictEqual(queue.waiting, 1)
      assert.strictEqual(queue.take()?.kind, "websocket_error")
      queue.dialFailed(ERROR, true, true)
      assert.strictEqual(queue.waiting, 1)
    })
  )

  it.effect("pauses at half, slides when told to, and reads again at a quarter", () =>
    Effect.gen(function* () {
      const { modes, queue, read } = yield* fixture({ capacity: 8, kinds: ["websocket_text"] })
      queue.opened(1, 1, null, read)
      for (let i = 0; i < 4; i++) queue.text("x", 1, 0)
      assert.deepStrictEqual(modes, ["off"])
      queue.backpressure.slide()
      assert.deepStrictEqual(modes, ["off", "slow"])
      queue.take()
      assert.strictEqual(queue.backpressure.flow, "sliding")
      queue.take()
      assert.strictEqual(queue.backpressure.flow, "flowing")
      assert.deepStrictEqual(modes, ["off", "slow", "full"])
    })
  )

  it.effect("rule 3: takes what one read had brought when reading paused, and not a byte more", () =>
    Effect.gen(function* () {
      const { queue, read, reports } = yield* fixture({ capacity: 2, kinds: ["websocket_text"] })
      queue.opened(1, 1, null, read)
      // 1 pauses; then 64 KiB of empty frames of 2 bytes each are one read.
      queue.text("", 0, 0)
      for (let i = 0; i < READ_BYTES / 2; i++) queue.text("", 0, 0)
      assert.strictEqual(reports.overflows, 0)
      queue.text("", 0, 0)
      queue.text("", 0, 0)
      assert.isAbove(reports.overflows, 0)
      assert.isAtMost(queue.depth, 2)
    })
  )

  it.effect("rule 3: takes of binary frames no more than one read brings, either, when reading paused", () =>
    Effect.gen(function* () {
      const { queue, read, reports } = yield* fixture({ capacity: 2, kinds: ["websocket_binary"] })
      queue.opened(1, 1, null, read)
      pushBinary(queue, 0)
      for (let i = 0; i < READ_BYTES / KIB; i++) pushBinary(queue, KIB - 2)
      assert.deepStrictEqual([reports.overflows, queue.depth], [0, 1 + READ_BYTES / KIB])
      for (let i = 0; i < 2; i++) pushBinary(queue, KIB - 2)
      assert.isAbove(reports.overflows, 0)
      assert.isAtMost(queue.depth, 2)
    })
  )

  it.effect("rule 3: a further epoch brings no further allowance", () =>
    Effect.gen(function* () {
      const { queue, read } = yield* fixture({ capacity: 2, kinds: ["websocket_text"] })
      const kib = "x".repeat(KIB - 2)
      for (let epoch = 1; epoch <= 5; epoch++) {
        queue.opened(epoch, 1, null, read)
        for (let i = 0; i < READ_BYTES / KIB; i++) push(queue, kib)
        queue.ended(ABNORMAL, true, true)
        // One that pauses, and then what one read may bring.
        assert.isAtMost(queue.depth, 2 + READ_BYTES / KIB)
      }
      queue.opened(6, 1, null, read)
      while (queue.take() !== undefined);
      // Once it is within its capacity again, a pause brings a new one.
      for (let i = 0; i < 40; i++) push(queue, kib)
      assert.strictEqual(queue.depth, 40)
    })
  )

  it.effect("evicts a text that is larger than the whole queue, itself", () =>
    Effect.gen(function* () {
      const { accounting, queue, read } = yield* fixture({ capacity: 8, bytes: 10, kinds: ["websocket_text"] })
      queue.opened(1, 1, null, read)
      queue.text("x".repeat(11), 11, 0)
      assert.strictEqual(queue.depth, 0)
      assert.strictEqual(accounting.evicted, 1)
      queue.text("y", 1, 0)
      assert.deepStrictEqual(shown(queue.take()), { sequence: 2, frame: 2, droppedBefore: 1 })
    })
  )

  it.effect("rule 3: all queues together hold no more than the host's bytes", () =>
    Effect.gen(function* () {
      const { accounting, queue, read } = yield* fixture({ capacity: 100, hostBytes: 10, kinds: ["websocket_text"] })
      queue.opened(1, 1, null, read)
      for (let i = 0; i < 20; i++) queue.text("xyz", 3, 0)
      assert.strictEqual(queue.bytes, 9)
      assert.strictEqual(accounting.evicted, 17)
    })
  )

  it.effect("counts kinds that the ingress doesn't list as ignored, and enqueues none of them", () =>
    Effect.gen(function* () {
      const { accounting, queue, read } = yield* fixture({ capacity: 8, kinds: [] })
      queue.opened(1, 1, null, read)
      queue.text("x", 1, 0)
      queue.ended(
        { code: 1006, reason: "", clean: false, unconfirmed: 0, error: { tag: "ConnectionClosed", message: "" } },
        true,
        true
      )
      queue.dialFailed({ tag: "DialFailed", message: "" }, true, true)
      assert.strictEqual(queue.ignoredText, 1)
      assert.strictEqual(accounting.enqueued, 0)
      assert.strictEqual(queue.waiting, 0)
    })
  )

  it.effect("rule 3: isn't ready for a third epoch while the state events of two wait", () =>
    Effect.gen(function* () {
      const { queue, read, reports } = yield* fixture({ capacity: 8 })
      const end = () => queue.ended({ code: 1000, reason: "", clean: true, unconfirmed: 0, error: null }, true, true)
      queue.opened(1, 1, null, read)
      end()
      assert.isTrue(queue.ready())
      queue.opened(2, 1, null, read)
      end()
      assert.isFalse(queue.ready())
      queue.take()
      assert.isFalse(queue.ready())
      queue.take()
      assert.isTrue(queue.ready())
      assert.strictEqual(reports.readied, 1)
    })
  )

  it.effect("rule 2: counts events of an end that isn't delivered as enqueued and discarded", () =>
    Effect.gen(function* () {
      const { accounting, queue, read } = yield* fixture({ capacity: 8 })
      queue.opened(1, 1, null, read)
      queue.take()
      const error = { tag: "ConnectionClosed", message: "" }
      queue.ended({ code: 1006, reason: "", clean: false, unconfirmed: 0, error }, false, false)
      assert.strictEqual(accounting.enqueued, 3)
      assert.strictEqual(accounting.discarded, 2)
      assert.strictEqual(queue.waiting, 0)
      queue.opened(2, 1, null, read)
      assert.deepStrictEqual(shown(queue.take()), { sequence: 4, frame: 0, droppedBefore: 2 })
    })
  )

  it.effect("rule 12: a text that can't fit costs nothing of what waits", () =>
    Effect.gen(function* () {
      const { accounting, queue, read } = yield* fixture({ capacity: 8, bytes: 100, kinds: ["websocket_text"] })
      queue.opened(1, 1, null, read)
      for (let i = 0; i < 3; i++) queue.text("x", 1, 0)
      queue.text("y".repeat(200), 200, 0)
      assert.strictEqual(queue.depth, 3)
      assert.strictEqual(accounting.evicted, 1)
    })
  )

  it.effect("slides with a capacity of one as with any", () =>
    Effect.gen(function* () {
      const { queue, read } = yield* fixture({ capacity: 1, kinds: ["websocket_text"] })
      queue.opened(1, 1, null, read)
      queue.text("x", 1, 0)
      queue.backpressure.slide()
      for (let i = 0; i < 10; i++) queue.text("x", 1, 0)
      assert.strictEqual(queue.backpressure.flow, "sliding")
      assert.strictEqual(queue.drops, 10)
    })
  )
})

describe("a binary frame", () => {
  it.effect("is numbered among the texts, has bytes of its own, and goes first where it is the oldest", () =>
    Effect.gen(function* () {
      const { accounting, host, overflows, queue, read } = yield* fixture({ capacity: 3, urgent: ["!"] })
      queue.opened(1, 1, null, read)
      queue.take()
      const chunk = Uint8Array.of(0, 1, 2, 3)
      assert.isTrue(queue.binary(chunk.subarray(1, 3), 7))
      push(queue, "!")
      queue.binary(new Uint8Array(), 8)
      chunk.fill(9)
      assert.deepInclude(accounting, { queueDepth: 3, queueBytes: 3 })
      assert.strictEqual(host.used, 3)
      assert.strictEqual(shown(queue.take())?.frame, 2)
      const event = queue.take()
      if (event?.kind !== "websocket_binary") return assert.fail(`${event?.kind}`)
      assert.deepInclude(event, { frame: 1, at: 7, epoch: 1, bytes: Uint8Array.of(1, 2) })
      assert.strictEqual(event.bytes.buffer.byteLength, 2)
      assert.deepStrictEqual(event.payload, { url: "ws://h/?q", bytes: event.bytes })
      queue.backpressure.slide()
      for (let i = 0; i < 3; i++) queue.binary(chunk, 9)
      assert.deepStrictEqual([queue.drops, overflows.length, queue.bytes], [1, 1, 12])
      assert.deepStrictEqual(shown(queue.take()), { sequence: 5, frame: 4, droppedBefore: 1 })
    })
  )

  it.effect("counts what it takes while it waits, whatever is made of its bytes", () =>
    Effect.gen(function* () {
      const { accounting, host, queue, read } = yield* fixture({ capacity: 8, kinds: ["websocket_binary"] })
      queue.opened(1, 1, null, read)
      queue.binary(new Uint8Array(10), 0)
      const lent = queue.lend(() => {})
      if (lent?.kind !== "websocket_binary") return assert.fail(`${lent?.kind}`)
      structuredClone(lent.bytes, { transfer: [lent.bytes.buffer] })
      assert.strictEqual(lent.bytes.length, 0)
      queue.begin()
      assert.deepInclude(accounting, { queueDepth: 0, queueBytes: 0 })
      assert.strictEqual(host.used, 0)
    })
  )

  it.effect("is only counted where the ingress doesn't list its kind, and neither numbered nor copied", () =>
    Effect.gen(function* () {
      const { limits, queue, read, world } = yield* fixture({ capacity: 8, kinds: ["websocket_text"] })
      queue.opened(1, 1, null, read)
      assert.isFalse(pushBinary(queue, 10))
      assert.isFalse(queue.rejected("binary"))
      push(queue, "x")
      assert.deepInclude(queue, { receivedBinary: 2, enqueuedBinary: 0, rejectedBinary: 0, unsupportedBinary: 2 })
      assert.deepStrictEqual(shown(queue.take()), { sequence: 1, frame: 1, droppedBefore: 0 })
      world.kinds = ["websocket_binary"]
      queue.reconfigure(limits)
      assert.isTrue(pushBinary(queue, 10))
      assert.isFalse(push(queue, "x"))
      assert.isTrue(queue.rejected("binary"))
      assert.deepInclude(queue, { receivedBinary: 4, enqueuedBinary: 1, rejectedBinary: 1, unsupportedBinary: 2 })
      // A text that is ignored has a number, as ever.
      assert.deepStrictEqual(shown(queue.take()), { sequence: 2, frame: 2, droppedBefore: 0 })
    })
  )
})

describe("a text", () => {
  it.effect("says of which epoch it is and when it came, also beside others of the same time or epoch", () =>
    Effect.gen(function* () {
      const { queue, read } = yield* fixture({ capacity: 10, kinds: ["websocket_text"] })
      queue.opened(1, 1, null, read)
      for (const at of [5, 5, 6]) push(queue, "x", at)
      queue.opened(2, 1, null, read)
      for (const at of [6, 6]) push(queue, "x", at)
      const told = Array.from({ length: 5 }, () => queue.take())
      assert.deepStrictEqual(
        told.map((event) => [event?.epoch, event?.at, event?.frame]),
        [
          [1, 5, 1],
          [1, 5, 2],
          [1, 6, 3],
          [2, 6, 1],
          [2, 6, 2]
        ]
      )
    })
  )
})
