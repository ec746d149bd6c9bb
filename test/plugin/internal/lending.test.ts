/** Lending by itself: how large a batch may be, and what is told of it. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Accounting from "../../../src/ingress/Accounting.ts"
import { HostQueue } from "../../../src/ingress/HostQueue.ts"
import { Turns, type EventQueue } from "../../../src/ingress/Turns.ts"
import { Lending, nextSize, type Options } from "../../../src/plugin/internal/lending.ts"
import { Stopwatch } from "../../../src/plugin/internal/stopwatch.ts"
import { int } from "../../support/arbitraries.ts"
import { Scripted } from "../support/batching.ts"

describe("the size of a batch", () => {
  const table: ReadonlyArray<readonly [string, Parameters<typeof nextSize>, number]> = [
    ["doubles while a full batch takes no time", [1, 1, 0, 64], 2],
    ["doubles while twice as many would fit", [8, 8, 2, 64], 16],
    ["grows by no more than has shown to fit", [8, 8, 8, 64], 10],
    ["stays where a batch that wasn't full would have had room for more", [8, 3, 1, 64], 8],
    ["stays where nothing has ended", [8, 0, 500, 64], 8],
    ["falls to what fits at once", [64, 64, 40, 64], 16],
    ["falls to what fits, by few that took long", [64, 2, 20, 64], 1],
    ["is one where not even one fits", [4, 1, 900, 64], 1],
    ["is at most what the runtime takes", [5, 5, 0, 6], 6],
    ["is one for a runtime that takes one", [1, 1, 0, 1], 1]
  ]
  for (const [what, [size, ended, ms, most], expected] of table) {
    it(what, () => assert.strictEqual(nextSize(size, ended, ms, most), expected))
  }

  it.effect.prop(
    "keeps within a turn of 10 ms, between one and what the runtime takes",
    { ended: int(1, 64), most: int(1, 64), ms: int(0, 300), size: int(1, 64) },
    ({ ended, most, ms, size }) =>
      Effect.sync(() => {
        const before = Math.min(size, most)
        const next = nextSize(before, Math.min(ended, before), ms, most)
        assert.isAtLeast(next, 1)
        assert.isAtMost(next, Math.min(most, before * 2))
        assert.isTrue(next === 1 || (next * ms) / Math.min(ended, before) <= 10)
      })
  )
})

/** A lending over a queue of delivered events, and what it told. */
const lending = (change: Partial<Options> = {}, mostBytes = 1_000_000) => {
  const accounting = Accounting.make()
  const turns = new Turns<EventQueue>(() => {})
  const queue = new HostQueue({
    key: "k",
    limits: { ingressQueueCapacity: 100, ingressQueueBytes: 1_000_000 },
    accounting,
    hostBytes: { used: 0, limit: 1_000_000_000 },
    turns,
    now: () => 0,
    overflowed: () => {}
  })
  const runtime = new Scripted(64, mostBytes)
  const told: Array<string> = []
  const lends = new Lending({
    batches: runtime,
    turns,
    accounting,
    lent: () => told.push("lent"),
    had: () => 0,
    monotonic: () => 0,
    begun: () => told.push("begun"),
    settled: ({ sequence }) => {
      told.push(`settled ${sequence}`)
      return null
    },
    stopwatch: new Stopwatch({ clock: Effect.runSync(Clock.clockWith(Effect.succeed)) }),
    returned: () => told.push("returned"),
    broke: (defect) => told.push(`broke ${String(defect)}`),
    ...change
  })
  const deliver = (count: number) => {
    for (let i = 0; i < count; i++) queue.deliver("main", "order", '"12345678"', 10)
  }
  return { accounting, deliver, lends, queue, runtime, told }
}

describe("a lending", () => {
  it("says of each event that it begins and that it has ended, and of each batch that it is out and back", () => {
    const { accounting, deliver, lends, runtime, told } = lending()
    assert.isFalse(lends.lend())
    deliver(3)
    assert.isTrue(lends.lend())
    runtime.work(Exit.void, 0)
    assert.isTrue(lends.lend())
    assert.isTrue(lends.isOut)
    runtime.work(Exit.void, 0)
    assert.isFalse(lends.isOut)
    const [one, two, three] = [1, 2, 3].map((sequence) => ["begun", `settled ${sequence}`])
    assert.deepStrictEqual(told, ["lent", one, "returned", "lent", two, three, "returned"].flat())
    assert.deepInclude(accounting, { enqueued: 3, queueDepth: 0, queueBytes: 0, inFlight: 0 })
  })

  it("fills a batch to the last byte, and no further", () => {
    for (const [mostBytes, expected] of [
      [2 * (512 + 10), 2],
      [2 * (512 + 10) - 1, 1]
    ] as const) {
      const { deliver, lends, runtime } = lending({}, mostBytes)
      deliver(4)
      lends.lend()
      runtime.work(Exit.void, 0)
      lends.lend()
      assert.strictEqual(runtime.out?.events.length, expected)
    }
  })

  it("says that its runtime broke where a result can't be told or the runtime throws, and asks for an end once", () => {
    const { deliver, lends, runtime, told } = lending({
      settled: () => {
        throw new Error("no room")
      }
    })
    deliver(1)
    lends.lend()
    runtime.work(Exit.void, 0)
    assert.deepStrictEqual(told, ["lent", "begun", "broke Error: no room", "returned"])
    deliver(1)
    let interrupts = 0
    runtime.onInterrupt = () => {
      interrupts++
      throw new Error("no worker")
    }
    lends.lend()
    runtime.begin()
    assert.strictEqual(lends.abandon(), 1)
    assert.strictEqual(lends.abandon(), 0)
    assert.strictEqual(interrupts, 1)
    assert.deepStrictEqual(told.slice(4), ["lent", "begun", "broke Error: no worker"])
  })

  it("heeds nothing that is told of a batch which has ended, or once it is recalled", () => {
    const { accounting, deliver, lends, runtime, told } = lending()
    deliver(2)
    lends.lend()
    const first = runtime.out?.told
    runtime.work(Exit.void, 0)
    lends.lend()
    const before = told.length
    first?.begun()
    first?.done(Exit.void)
    first?.ended()
    assert.isTrue(lends.isOut)
    assert.lengthOf(told, before)
    lends.abandon()
    runtime.out?.told.begun()
    assert.deepInclude(accounting, { queueDepth: 1, inFlight: 0 })
    assert.isUndefined(lends.begunAt)
    lends.lost()
    assert.isFalse(lends.isOut)
    assert.isFalse(lends.take())
    assert.strictEqual(lends.abandon(), 0)
  })
})
