import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ReadMode } from "../../src/connection/WebSocketClient.ts"
import * as Accounting from "../../src/ingress/Accounting.ts"
import type { IngressEvent } from "../../src/ingress/IngressEvent.ts"
import * as IngressQueue from "../../src/ingress/IngressQueue.ts"
import { Turns } from "../../src/ingress/Turns.ts"

const KIB = 1024
const READ_BYTES = 64 * KIB

interface Fixture {
  readonly queue: IngressQueue.IngressQueue
  readonly accounting: Accounting.Accounting
  readonly modes: Array<ReadMode>
  readonly read: (mode: ReadMode) => void
  readonly reports: { overflows: number; readied: number }
}

const fixture = (options: {
  readonly capacity: number
  readonly bytes?: number
  readonly hostBytes?: number
  readonly patienceMs?: number
  readonly kinds?: ReadonlyArray<string>
}) =>
  Effect.gen(function* () {
    const accounting = Accounting.make()
    const modes: Array<ReadMode> = []
    const reports = { overflows: 0, readied: 0 }
    const queue = yield* IngressQueue.make({
      origin: { key: "k", source: "websocket:ws://h/", id: "1b2c3d4e", url: "ws://h/", ingressName: "gateway" },
      display: "ws://h/",
      takes: (kind) => options.kinds?.includes(kind) ?? true,
      limits: {
        ingressQueueCapacity: options.capacity,
        ingressQueueBytes: options.bytes ?? 1_000_000,
        burstPatienceMs: options.patienceMs ?? 1000
      },
      accounting,
      hostBytes: { used: 0, limit: options.hostBytes ?? 1_000_000_000 },
      turns: new Turns(() => {}),
      now: () => 0,
      monotonic: () => 0,
      overflowed: () => {
        reports.overflows++
      },
      paused: () => {},
      readied: () => {
        reports.readied++
      },
      epochBegan: () => {},
      epochEnded: () => {}
    })
    const read = (mode: ReadMode) => {
      modes.push(mode)
    }
    const result: Fixture = { queue, accounting, modes, read, reports }
    return result
  })

const Step = Schema.Union([
  Schema.Struct({
    kind: Schema.Literal("text"),
    bytes: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 40 }))
  }),
  Schema.Struct({ kind: Schema.Literals(["take", "open", "end", "fail", "slide", "reject", "discard"]) })
])

interface Waiting {
  readonly sequence: number
  readonly bytes: number | null
  readonly frame: number
}

/** The reference: one list of what waits, and arithmetic. */
class Model {
  readonly capacity: number
  readonly byteCapacity: number
  waiting: Array<Waiting> = []
  sequence = 0
  handed = 0
  frame = 0
  evicted = 0
  discarded = 0
  received = 0
  rejected = 0
  taken = 0
  flow: IngressQueue.Flow = "flowing"
  sincePause = 0
  dialError: Waiting | undefined = undefined

  constructor(capacity: number, byteCapacity: number) {
    this.capacity = capacity
    this.byteCapacity = byteCapacity
  }

  get texts() {
    return this.waiting.filter((event) => event.bytes !== null)
  }

  get bytes() {
    return this.texts.reduce((sum, event) => sum + (event.bytes ?? 0), 0)
  }

  get full() {
    return this.texts.length >= this.capacity / 2 || this.bytes >= this.byteCapacity / 2
  }

  text(bytes: number) {
    this.received++
    this.frame++
    this.sequence++
    const over = () => this.texts.length >= this.capacity || this.bytes + bytes > this.byteCapacity
    const mayExceed = this.flow === "paused" && this.sincePause <= READ_BYTES
    if (bytes > this.byteCapacity) {
      this.evicted++
      return
    }
    if (!mayExceed) {
      while (over()) {
        const oldest = this.texts[0]
        this.waiting = this.waiting.filter((event) => event !== oldest)
        this.evicted++
      }
    }
    this.waiting.push({ sequence: this.sequence, bytes, frame: this.frame })
    if (this.flow !== "flowing") this.sincePause += bytes + 2
    else if (this.full) this.pause()
  }

  relax() {
    if (this.texts.length <= this.capacity / 4 && this.bytes <= this.byteCapacity / 4) this.flow = "flowing"
  }

  state() {
    const event = { sequence: ++this.sequence, bytes: null, frame: 0 }
    this.waiting.push(event)
    return event
  }

  pause() {
    this.flow = "paused"
    if (this.texts.length <= this.capacity && this.bytes <= this.byteCapacity) this.sincePause = 0
  }

  take() {
    const next = this.waiting.shift()
    if (next === undefined) return undefined
    this.taken++
    if (next.bytes !== null) this.relax()
    const droppedBefore = next.sequence - this.handed - 1
    this.handed = next.sequence
    return { sequence: next.sequence, frame: next.frame, droppedBefore }
  }
}

const check = (queue: IngressQueue.IngressQueue, accounting: Accounting.Accounting, model: Model) => {
  assert.strictEqual(queue.depth, model.texts.length)
  assert.strictEqual(queue.bytes, model.bytes)
  assert.strictEqual(queue.waiting, model.waiting.length)
  assert.strictEqual(queue.drops, model.evicted)
  assert.strictEqual(queue.receivedText, model.received)
  assert.strictEqual(queue.receivedText, queue.enqueuedText + queue.rejectedText + queue.ignoredText)
  assert.strictEqual(queue.flow, model.flow)
  assert.strictEqual(accounting.queueDepth, model.waiting.length)
  assert.strictEqual(accounting.queueBytes, model.bytes)
  assert.strictEqual(
    accounting.enqueued,
    model.taken + accounting.evicted + accounting.discarded + accounting.queueDepth
  )
}

const shown = (event: IngressEvent | undefined) =>
  event && { sequence: event.sequence, frame: event.frame, droppedBefore: event.droppedBefore }

describe("IngressQueue", () => {
  it.effect.prop(
    "rules 3 and 4: holds what the reference list holds, hands over what it hands over, and says what it dropped",
    {
      capacity: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 12 })),
      bytes: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 200 })),
      steps: Schema.Array(Step).check(Schema.isMaxLength(120))
    },
    ({ bytes, capacity, steps }) =>
      Effect.gen(function* () {
        const { accounting, queue, read } = yield* fixture({ capacity, bytes })
        const model = new Model(capacity, bytes)
        let epoch = 0
        for (const step of steps) {
          switch (step.kind) {
            case "text":
              queue.text("x".repeat(step.bytes), step.bytes, 0)
              model.text(step.bytes)
              break
            case "take":
              assert.deepStrictEqual(shown(queue.take()), model.take())
              break
            case "open":
              queue.opened(++epoch, 1, null, read)
              model.frame = 0
              model.flow = "flowing"
              if (model.full) model.pause()
              model.state()
              break
            case "end":
              queue.ended({ code: 1000, reason: "", clean: true, error: null }, true, true)
              model.flow = "flowing"
              model.state()
              break
            case "fail":
              queue.dialFailed({ tag: "DialFailed", message: "" }, true, true)
              if (!model.waiting.some((event) => event === model.dialError)) model.dialError = model.state()
              break
            case "slide":
              queue.slide()
              if (model.flow === "paused") model.flow = "sliding"
              break
            case "reject":
              queue.rejected()
              model.received++
              model.rejected++
              break
            case "discard":
              model.discarded += model.waiting.length
              model.waiting = []
              model.relax()
              queue.discard()
              break
          }
          check(queue, accounting, model)
        }
        assert.strictEqual(accounting.discarded, model.discarded)
      }),
    { arbitrary: { runs: 300 } }
  )

  it.effect("pauses at half, slides when told to, and reads again at a quarter", () =>
    Effect.gen(function* () {
      const { modes, queue, read } = yield* fixture({ capacity: 8, kinds: ["websocket_text"] })
      queue.opened(1, 1, null, read)
      for (let i = 0; i < 4; i++) queue.text("x", 1, 0)
      assert.deepStrictEqual(modes, ["off"])
      queue.slide()
      assert.deepStrictEqual(modes, ["off", "slow"])
      queue.take()
      assert.strictEqual(queue.flow, "sliding")
      queue.take()
      assert.strictEqual(queue.flow, "flowing")
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

  it.effect("rule 3: a further epoch brings no further allowance", () =>
    Effect.gen(function* () {
      const { queue, read } = yield* fixture({ capacity: 2, kinds: ["websocket_text"] })
      for (let epoch = 1; epoch <= 5; epoch++) {
        queue.opened(epoch, 1, null, read)
        for (let i = 0; i < READ_BYTES / 2; i++) queue.text("", 0, 0)
        queue.ended({ code: 1006, reason: "", clean: false, error: null }, true, true)
        assert.isAtMost(queue.depth, 2 + READ_BYTES / 2)
      }
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
      queue.ended({ code: 1006, reason: "", clean: false, error: { tag: "ConnectionClosed", message: "" } }, true, true)
      queue.dialFailed({ tag: "DialFailed", message: "" }, true, true)
      assert.strictEqual(queue.ignoredText, 1)
      assert.strictEqual(accounting.enqueued, 0)
      assert.strictEqual(queue.waiting, 0)
    })
  )

  it.effect("rule 3: isn't ready for a third epoch while the state events of two wait", () =>
    Effect.gen(function* () {
      const { queue, read, reports } = yield* fixture({ capacity: 8 })
      const end = () => queue.ended({ code: 1000, reason: "", clean: true, error: null }, true, true)
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
      queue.ended({ code: 1006, reason: "", clean: false, error }, false, false)
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
      queue.slide()
      for (let i = 0; i < 10; i++) queue.text("x", 1, 0)
      assert.strictEqual(queue.flow, "sliding")
      assert.strictEqual(queue.drops, 10)
    })
  )
})
