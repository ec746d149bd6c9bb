import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Accounting from "../../src/ingress/Accounting.ts"
import type { CommandOutcome } from "../../src/ingress/CommandOutcome.ts"
import { HostQueue } from "../../src/ingress/HostQueue.ts"
import type { AnyEvent, Timer } from "../../src/ingress/IngressEvent.ts"
import { Turns } from "../../src/ingress/Turns.ts"

const outcome: CommandOutcome = {
  commandId: "c",
  correlationId: "k",
  sourceEventId: "k",
  kind: "websocket_send",
  status: "executed",
  recordedAt: "1970-01-01T00:00:00.000Z"
}

const fixture = (capacity: number, bytes: number, hostBytes = 1_000_000_000) => {
  const accounting = Accounting.make()
  const overflows: Array<string> = []
  const host = { used: 0, limit: hostBytes }
  const queue = new HostQueue({
    key: "k",
    limits: { ingressQueueCapacity: capacity, ingressQueueBytes: bytes },
    accounting,
    hostBytes: host,
    turns: new Turns(() => {}),
    now: () => 0,
    overflowed: (make) => overflows.push(`${make().url} ${make()._tag}`)
  })
  return { queue, accounting, overflows, host }
}

/** A payload of so many bytes. */
const deliver = (queue: HostQueue, bytes: number) =>
  queue.deliver("a", "order", JSON.stringify("x".repeat(bytes - 2)), bytes)

const Ingress = Schema.Literals(["a", "b"])
const Step = Schema.Union([
  Schema.Struct({ kind: Schema.Literals(["timer", "result"]), ingress: Ingress }),
  Schema.Struct({
    kind: Schema.Literal("deliver"),
    ingress: Ingress,
    bytes: Schema.Int.check(Schema.isBetween({ minimum: 2, maximum: 3000 }))
  }),
  Schema.Struct({ kind: Schema.Literals(["take", "take", "withdraw", "discard"]) }),
  Schema.Struct({ kind: Schema.Literals(["lend", "lend", "begin", "begin", "recall"]) }),
  Schema.Struct({ kind: Schema.Literal("revoke"), ingress: Ingress })
])

interface Waiting {
  readonly source: string
  readonly sequence: number
  readonly ingress: string
  readonly bytes: number
}

const RESULT_BYTES = 1024

describe("HostQueue", () => {
  it.effect.prop(
    "rules 2, 3 and 4: slides, lends, keeps each source's order and counts like a list with arithmetic",
    { steps: Schema.Array(Step).check(Schema.isMaxLength(60)) },
    ({ steps }) =>
      Effect.sync(() => {
        const capacity = 5
        const byteCapacity = 6000
        const { accounting, host, overflows, queue } = fixture(capacity, byteCapacity)
        const sequences = new Map<string, number>()
        const handed = new Map<string, number>()
        let timers: Array<Waiting> = []
        let sliding: Array<Waiting> = []
        const handles: Array<Timer> = []
        const expected = { enqueued: 0, taken: 0, evicted: 0, discarded: 0 }
        /** To the reference an event that is lent waits like any other. */
        const lent: Array<AnyEvent> = []
        const recall = () => {
          while (lent.pop() !== undefined) queue.giveBack()
        }
        const next = (source: string) => {
          const sequence = (sequences.get(source) ?? 0) + 1
          sequences.set(source, sequence)
          expected.enqueued++
          return sequence
        }
        const slide = (source: string, ingress: string, bytes: number) => {
          const entry = { source, sequence: next(source), ingress, bytes }
          sliding.push(entry)
          const held = () => sliding.reduce((sum, one) => sum + one.bytes, 0)
          while (sliding.length > capacity || held() > byteCapacity) {
            sliding.shift()
            expected.evicted++
          }
        }
        const handedOver = (event: AnyEvent | undefined, wanted: Waiting | undefined) => {
          assert.strictEqual(event?.source, wanted?.source)
          assert.strictEqual(event?.sequence, wanted?.sequence)
          if (event === undefined || wanted === undefined) return
          assert.strictEqual(event.droppedBefore, wanted.sequence - (handed.get(wanted.source) ?? 0) - 1)
          assert.deepInclude(event, { epoch: 0, frame: 0, ingressName: wanted.ingress, url: null, sourceId: null })
          handed.set(wanted.source, wanted.sequence)
          expected.taken++
        }
        for (const step of steps) {
          switch (step.kind) {
            case "timer":
              handles.push(queue.timer("t", step.ingress))
              timers.push({ source: "host:timer", sequence: next("host:timer"), ingress: step.ingress, bytes: 0 })
              break
            case "result":
              queue.result(step.ingress, () => outcome)
              slide("host:command_result", step.ingress, RESULT_BYTES)
              break
            case "deliver":
              queue.deliver(step.ingress, "order", JSON.stringify("x".repeat(step.bytes - 2)), step.bytes)
              slide("host:deliver", step.ingress, step.bytes)
              break
            case "lend": {
              const event = queue.lend(recall)
              assert.strictEqual(event === undefined, queue.waiting === lent.length)
              if (event !== undefined) lent.push(event)
              break
            }
            case "begin": {
              const event = lent.shift()
              if (event === undefined) break
              queue.begin()
              handedOver(event, timers.shift() ?? sliding.shift())
              break
            }
            case "recall":
              recall()
              break
            case "take":
              recall()
              handedOver(queue.take(), timers.shift() ?? sliding.shift())
              break
            case "withdraw": {
              const handle = handles.pop()
              if (handle === undefined) break
              const before = timers.length
              queue.withdraw(handle)
              timers = timers.filter(({ sequence }) => sequence !== handle.sequence)
              expected.discarded += before - timers.length
              assert.isFalse(handle.waits)
              break
            }
            case "discard":
              queue.discard()
              expected.discarded += timers.length + sliding.length
              timers = []
              sliding = []
              break
            case "revoke": {
              const before = timers.length + sliding.length
              queue.discard((ingress) => ingress === step.ingress)
              timers = timers.filter(({ ingress }) => ingress !== step.ingress)
              sliding = sliding.filter(({ ingress }) => ingress !== step.ingress)
              expected.discarded += before - timers.length - sliding.length
              break
            }
          }
          const bytes = sliding.reduce((sum, one) => sum + one.bytes, 0)
          assert.deepInclude(accounting, {
            enqueued: expected.enqueued,
            evicted: expected.evicted,
            discarded: expected.discarded,
            queueDepth: timers.length + sliding.length,
            queueBytes: bytes
          })
          assert.strictEqual(queue.waiting, timers.length + sliding.length)
          assert.strictEqual(queue.oldestAt, queue.waiting === 0 ? undefined : 0)
          assert.strictEqual(host.used, bytes)
          assert.lengthOf(overflows, expected.evicted)
          assert.strictEqual(
            expected.enqueued,
            expected.taken + expected.evicted + expected.discarded + accounting.queueDepth
          )
        }
      }),
    { arbitrary: { runs: 300 } }
  )

  it("evicts what is larger than the whole queue, and nothing else for it", () => {
    const { accounting, overflows, queue } = fixture(5, 2000)
    queue.deliver("a", "order", '"small"', 7)
    deliver(queue, 2001)
    assert.deepInclude(accounting, { enqueued: 2, evicted: 1, queueDepth: 1 })
    assert.deepStrictEqual(overflows, ["host:deliver QueueOverflow"])
    assert.strictEqual(queue.take()?.sequence, 1)
  })

  it("rule 3: keeps within the bytes that all queues of the host share", () => {
    const { accounting, host, queue } = fixture(5, 10_000, 3000)
    host.used = 1500
    deliver(queue, 1000)
    deliver(queue, 1000)
    assert.strictEqual(host.used, 2500)
    assert.deepInclude(accounting, { evicted: 1, queueDepth: 1, queueBytes: 1000 })
    host.used += 500
    deliver(queue, 2000)
    assert.deepInclude(accounting, { evicted: 2, queueDepth: 1, queueBytes: 1000 })
  })
})
