import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Accounting from "../../src/ingress/Accounting.ts"
import type { Outcome } from "../../src/ingress/HostResponse.ts"
import type { AnyEvent } from "../../src/ingress/IngressEvent.ts"
import { ResponseQueue } from "../../src/ingress/ResponseQueue.ts"
import { Turns, type EventQueue } from "../../src/ingress/Turns.ts"

const fixture = (queueBytes: number, hostBytes: number) => {
  const accounting = Accounting.make()
  const host = { used: 0, limit: hostBytes }
  let joined = 0
  const turns = new Turns<EventQueue>(() => void joined++)
  const queue = new ResponseQueue({
    key: "k",
    limits: { ingressQueueBytes: queueBytes },
    accounting,
    hostBytes: host,
    turns,
    now: () => 0
  })
  return { accounting, host, queue, turns, joined: () => joined }
}

const asked = (n: number) => ({ commandId: `c${n}`, requestId: `r${n}`, durationMs: n })

/** An answer that takes so many bytes while it waits. */
const answered = (bytes: number): Outcome => ({ answer: { status: 200, headers: {}, body: "x".repeat(bytes) } })

const Ingress = Schema.Literals(["a", "b"])
const Step = Schema.Union([
  Schema.Struct({
    kind: Schema.Literals(["answer", "answer", "answer"]),
    ingress: Ingress,
    bytes: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 300 }))
  }),
  Schema.Struct({ kind: Schema.Literals(["take", "lend", "lend", "begin", "begin", "recall", "discard"]) }),
  Schema.Struct({ kind: Schema.Literal("revoke"), ingress: Ingress })
])

describe("ResponseQueue", () => {
  it.effect.prop(
    "rules 2, 3 and 4: lends, keeps the order, never evicts and counts like a list with arithmetic",
    { steps: Schema.Array(Step).check(Schema.isMaxLength(60)) },
    ({ steps }) =>
      Effect.sync(() => {
        const { accounting, host, queue } = fixture(1_000_000, 1_000_000)
        let waiting: Array<{ readonly sequence: number; readonly ingress: string; readonly bytes: number }> = []
        const lent: Array<AnyEvent> = []
        const expected = { enqueued: 0, discarded: 0, taken: 0 }
        let handed = 0
        const recall = () => {
          while (lent.pop() !== undefined) queue.giveBack()
        }
        const handedOver = (event: AnyEvent | undefined) => {
          const wanted = waiting.shift()
          assert.strictEqual(event?.sequence, wanted?.sequence)
          if (event === undefined || wanted === undefined) return
          assert.strictEqual(event.droppedBefore, wanted.sequence - handed - 1)
          assert.deepInclude(event, { source: "host:response", epoch: 0, frame: 0, sourceId: null, url: null })
          assert.strictEqual(event.ingressName, wanted.ingress)
          handed = wanted.sequence
          expected.taken++
        }
        const lose = (of: (ingress: string) => boolean) => {
          const before = waiting.length
          waiting = waiting.filter(({ ingress }) => !of(ingress))
          expected.discarded += before - waiting.length
          queue.discard(of)
        }
        for (const step of steps) {
          switch (step.kind) {
            case "answer":
              queue.answer(step.ingress, asked(expected.enqueued), answered(step.bytes))
              waiting.push({ sequence: ++expected.enqueued, ingress: step.ingress, bytes: step.bytes })
              break
            case "lend": {
              const event = queue.lend(recall)
              assert.strictEqual(event === undefined, queue.waiting === lent.length)
              if (event !== undefined) lent.push(event)
              break
            }
            case "begin": {
              const event = lent.shift()
              queue.begin()
              if (event !== undefined) handedOver(event)
              break
            }
            case "recall":
              recall()
              break
            case "take":
              recall()
              handedOver(queue.take())
              break
            case "discard":
              lose(() => true)
              break
            case "revoke":
              lose((ingress) => ingress === step.ingress)
              break
          }
          const bytes = waiting.reduce((sum, one) => sum + one.bytes, 0)
          assert.deepInclude(accounting, {
            enqueued: expected.enqueued,
            evicted: 0,
            discarded: expected.discarded,
            queueDepth: waiting.length,
            queueBytes: bytes
          })
          assert.strictEqual(queue.waiting, waiting.length)
          assert.strictEqual(queue.bytes, bytes)
          assert.strictEqual(host.used, bytes)
          assert.strictEqual(queue.oldestAt, waiting.length === 0 ? undefined : 0)
          assert.strictEqual(expected.enqueued, expected.taken + expected.discarded + waiting.length)
        }
      }),
    { arbitrary: { runs: 300 } }
  )

  it("rule 3: has room for as many bytes as the queue and the host may hold", () => {
    const own = fixture(100, 1000)
    own.queue.answer("a", asked(1), answered(60))
    assert.strictEqual(own.queue.room, 40)
    const shared = fixture(1000, 100)
    shared.host.used = 60
    assert.strictEqual(shared.queue.room, 40)
  })

  it("counts what a body and its headers take: ASCII a byte, other texts two a unit, bytes a byte", () => {
    const { queue } = fixture(1000, 1000)
    queue.answer("a", asked(1), { answer: { status: 200, headers: { ab: "cde" }, body: "x" } })
    assert.strictEqual(queue.bytes, 6)
    queue.answer("a", asked(2), { answer: { status: 200, headers: {}, body: "\u00e9" } })
    assert.strictEqual(queue.bytes, 8)
    queue.answer("a", asked(3), { answer: { status: 200, headers: {}, body: new Uint8Array(10) } })
    assert.strictEqual(queue.bytes, 18)
    queue.answer("a", asked(4), { error: { tag: "GrantRevoked", message: "m", sent: false } })
    assert.strictEqual(queue.bytes, 18)
  })

  it("takes its turn once for all that waits, and again while more does, that isn't lent", () => {
    const { joined, queue, turns } = fixture(1000, 1000)
    for (let n = 1; n <= 3; n++) queue.answer("a", asked(n), answered(1))
    assert.strictEqual(joined(), 1)
    assert.strictEqual(turns.next(), queue)
    assert.strictEqual(queue.take()?.sequence, 1)
    for (const sequence of [2, 3]) {
      assert.strictEqual(turns.next(), queue)
      assert.strictEqual(queue.lend(() => {})?.sequence, sequence)
    }
    // All that waits is lent.
    assert.isUndefined(turns.next())
    queue.begin()
    queue.begin()
    assert.isUndefined(turns.next())
    queue.answer("a", asked(4), answered(1))
    assert.strictEqual(turns.next(), queue)
    assert.strictEqual(queue.take()?.sequence, 4)
    assert.isUndefined(turns.next())
  })

  it("has what comes back at its head again, and its turn", () => {
    const { queue, turns } = fixture(1000, 1000)
    for (let n = 1; n <= 3; n++) queue.answer("a", asked(n), answered(1))
    const lend = () => queue.lend(() => {})?.sequence
    assert.deepStrictEqual([lend(), lend(), lend(), lend()], [1, 2, 3, undefined])
    queue.begin()
    turns.next()
    assert.isUndefined(turns.next())
    queue.giveBack()
    assert.strictEqual(turns.next(), queue)
    assert.deepStrictEqual([lend(), lend()], [3, undefined])
    for (let n = 0; n < 3; n++) queue.giveBack()
    turns.next()
    assert.isUndefined(turns.next())
    assert.deepStrictEqual([lend(), lend()], [2, 3])
  })

  it("asks for what is lent before it discards, and only where something is", () => {
    const { accounting, queue } = fixture(1000, 1000)
    let recalls = 0
    const recall = () => {
      recalls++
      queue.giveBack()
    }
    for (let n = 1; n <= 2; n++) queue.answer("a", asked(n), answered(1))
    queue.lend(recall)
    queue.begin()
    queue.discard()
    assert.strictEqual(recalls, 0)
    assert.deepInclude(accounting, { discarded: 1, queueDepth: 0 })
    queue.answer("a", asked(3), answered(1))
    queue.lend(recall)
    queue.discard()
    assert.strictEqual(recalls, 1)
    assert.deepInclude(accounting, { discarded: 2, queueDepth: 0, queueBytes: 0 })
    queue.answer("a", asked(4), answered(1))
    const event = queue.take()
    assert.deepInclude(event, { sequence: 4, droppedBefore: 2 })
    assert.match(event?.correlationId ?? "", /^k-q/)
  })
})
