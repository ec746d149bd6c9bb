/** The timers by themselves: over queues that only note what is put into them and taken back. */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import { either, int, list, maybe, oneOf } from "../support/arbitraries.ts"
import { Timer } from "../../src/ingress/IngressEvent.ts"
import { Timers, type TimedSource } from "../../src/plugin/Timers.ts"

/** A queue whose events wait until the test takes them. */
class FakeQueue {
  readonly waiting: Array<Timer> = []
  readonly withdrawn: Array<string> = []
  readonly #ingress: string | undefined

  constructor(ingress?: string) {
    this.#ingress = ingress
  }

  readonly timer = (name: string, ingressName = this.#ingress ?? ""): Timer => {
    const event = new Timer({ key: "k", source: "host:timer", id: null, url: null, ingressName }, 1, 0, 0, name)
    this.waiting.push(event)
    return event
  }

  readonly withdraw = (event: Timer): void => {
    this.withdrawn.push(event.name)
    this.#remove(event)
  }

  /** All that waits is handed over; the names. */
  take(): ReadonlyArray<string> {
    return this.waiting.slice().map((event) => (this.#remove(event), event.name))
  }

  #remove(event: Timer): void {
    this.waiting.splice(this.waiting.indexOf(event), 1)
    event.waits = false
  }
}

interface FakeSource extends TimedSource {
  readonly queue: FakeQueue
}

const source = (display: string): FakeSource => ({
  connection: { source: { display } },
  queue: new FakeQueue(display)
})

const owned = (ingressName = "main") => ({ destination: undefined, ingressName })
const bound = (slot: TimedSource, ingressName = "main") => ({ destination: slot, ingressName })

const begin = (limit = 8) => {
  const queue = new FakeQueue()
  const clock = { now: 1000 }
  let changes = 0
  const timers = new Timers({ limit: () => limit, queue, monotonic: () => clock.now, changed: () => changes++ })
  const after = (ms: number) => {
    clock.now += ms
    return timers.fireDue()
  }
  return { timers, queue, clock, after, changes: () => changes }
}

describe("timers by themselves", () => {
  it("fire when their time has come, and say how long until the next", () => {
    const { after, changes, queue, timers } = begin()
    assert.isNull(timers.fireDue())
    timers.set({ name: "a", afterMs: 100 }, owned())
    timers.set({ name: "b", afterMs: 300, everyMs: 1000 }, owned())
    assert.strictEqual(changes(), 2)
    assert.strictEqual(timers.fireDue(), 100)
    assert.strictEqual(after(99), 1)
    assert.deepStrictEqual(queue.take(), [])
    assert.strictEqual(after(1), 200)
    assert.deepStrictEqual(queue.take(), ["a"])
    assert.strictEqual(after(200), 1000)
    assert.deepStrictEqual(queue.take(), ["b"])
    assert.strictEqual(after(1000), 1000)
    assert.deepStrictEqual(queue.take(), ["b"])
  })

  it("say a whole number of milliseconds, and never none", () => {
    const { clock, timers } = begin()
    clock.now = 1000.25
    timers.set({ name: "a", afterMs: 100 }, owned())
    assert.strictEqual(timers.fireDue(), 100)
    clock.now = 1000.75
    assert.strictEqual(timers.fireDue(), 100)
    clock.now = 1100.2
    assert.strictEqual(timers.fireDue(), 1)
    clock.now = 1100.25
    assert.isNull(timers.fireDue())
  })

  it("keep their beat, and make up for nothing that was missed", () => {
    const { after, queue, timers } = begin()
    timers.set({ name: "a", afterMs: 100, everyMs: 1000 }, owned())
    assert.strictEqual(after(150), 950)
    assert.deepStrictEqual(queue.take(), ["a"])
    assert.strictEqual(after(3970), 980)
    assert.deepStrictEqual(queue.take(), ["a"])
    assert.strictEqual(after(980), 1000)
    assert.deepStrictEqual(queue.take(), ["a"])
  })

  it("rule 3: let one event of a name wait, and go on firing behind it", () => {
    const { after, queue, timers } = begin()
    timers.set({ name: "a", afterMs: 100, everyMs: 1000 }, owned())
    for (const ms of [100, 1000, 1000]) after(ms)
    assert.deepStrictEqual(queue.take(), ["a"])
    after(1000)
    assert.deepStrictEqual(queue.take(), ["a"])
  })

  it("of a source are events of its queue, others of the plugin's with their ingress", () => {
    const { after, queue, timers } = begin()
    const there = source("ws://h/")
    timers.set({ name: "bound", afterMs: 100 }, bound(there))
    timers.set({ name: "own", afterMs: 100 }, owned("twin"))
    after(100)
    assert.deepStrictEqual(
      queue.waiting.map(({ ingressName, name }) => [name, ingressName]),
      [["own", "twin"]]
    )
    assert.deepStrictEqual(there.queue.take(), ["bound"])
  })

  it("are replaced by one of the same name, with what waits of it", () => {
    const { after, queue, timers } = begin()
    const there = source("ws://h/")
    timers.set({ name: "a", afterMs: 100 }, owned())
    timers.set({ name: "b", afterMs: 100 }, bound(there))
    after(100)
    timers.set({ name: "a", afterMs: 500 }, owned())
    timers.set({ name: "b", afterMs: 500 }, owned())
    assert.deepStrictEqual([queue.withdrawn, there.queue.withdrawn], [["a"], ["b"]])
    assert.deepStrictEqual([queue.waiting, there.queue.waiting], [[], []])
    assert.strictEqual(timers.fireDue(), 500)
    timers.set({ name: "a", afterMs: 700 }, owned())
    // What was handed over isn't taken back.
    assert.deepStrictEqual(queue.withdrawn, ["a"])
    after(700)
    assert.deepStrictEqual(queue.take().toSorted(), ["a", "b"])
  })

  it("are cleared, with what waits of them; one that isn't there, too", () => {
    const { after, queue, timers } = begin()
    timers.clear("nobody")
    timers.set({ name: "a", afterMs: 100 }, owned())
    timers.clear("a")
    assert.isNull(after(100))
    timers.set({ name: "a", afterMs: 100 }, owned())
    after(100)
    timers.clear("a")
    assert.deepStrictEqual([queue.withdrawn, queue.waiting], [["a"], []])
    timers.set({ name: "a", afterMs: 100 }, owned())
    after(100)
    queue.take()
    timers.clear("a")
    assert.deepStrictEqual(queue.withdrawn, ["a"])
    assert.deepStrictEqual(timers.all, [])
  })

  it("rule 3: are so many at most, those whose event waits included, and no longer those that are over", () => {
    const { after, queue, timers } = begin(2)
    const set = (name: string) => timers.set({ name, afterMs: 100 }, owned())
    assert.isUndefined(set("a"))
    assert.isUndefined(set("b"))
    const refused = set("c")
    assert.strictEqual(refused?._tag, "TimerLimit")
    assert.strictEqual(refused?.limit, 2)
    assert.isUndefined(set("a"))
    after(100)
    assert.isDefined(set("c"))
    queue.take()
    assert.isUndefined(set("c"))
    assert.isUndefined(set("d"))
    assert.isDefined(set("e"))
  })

  it("of a source don't fire any more once its epoch is over, and what waits stays", () => {
    const { after, queue, timers } = begin()
    const [here, there] = [source("ws://h/"), source("ws://o/")]
    timers.set({ name: "waits", afterMs: 100, everyMs: 1000 }, bound(here))
    after(100)
    timers.set({ name: "never", afterMs: 100 }, bound(here))
    timers.set({ name: "other", afterMs: 200 }, bound(there))
    timers.set({ name: "own", afterMs: 300 }, owned())
    timers.epochOver(here)
    assert.deepStrictEqual(
      timers.all.map(({ inMs, name }) => [name, inMs]),
      [
        ["waits", null],
        ["other", 200],
        ["own", 300]
      ]
    )
    after(5000)
    assert.deepStrictEqual([here.queue.take(), there.queue.take(), queue.take()], [["waits"], ["other"], ["own"]])
    assert.isNull(timers.fireDue())
    assert.deepStrictEqual(timers.all, [])
  })

  it("are cleared all together, or those of the ingresses that are meant", () => {
    const { after, queue, timers } = begin()
    const there = source("ws://h/")
    timers.set({ name: "main", afterMs: 100 }, owned())
    timers.set({ name: "twin", afterMs: 100 }, owned("twin"))
    timers.set({ name: "bound", afterMs: 100 }, bound(there, "twin"))
    after(100)
    timers.clearAll((ingress) => ingress === "twin")
    assert.deepStrictEqual([queue.withdrawn, there.queue.withdrawn], [["twin"], ["bound"]])
    assert.deepStrictEqual(
      timers.all.map(({ name }) => name),
      ["main"]
    )
    timers.clearAll()
    assert.deepStrictEqual([queue.withdrawn, timers.all], [["twin", "main"], []])
  })

  it("are shown in the order in which they were set, with when they fire next, null while an event waits", () => {
    const { after, clock, queue, timers } = begin()
    timers.set({ name: "once", afterMs: 100 }, owned())
    timers.set({ name: "beat", afterMs: 100, everyMs: 1000 }, bound(source("ws://h/")))
    timers.set({ name: "later", afterMs: 500 }, owned())
    clock.now += 20.4
    assert.deepStrictEqual(timers.all, [
      { name: "once", url: null, inMs: 80, everyMs: null },
      { name: "beat", url: "ws://h/", inMs: 80, everyMs: 1000 },
      { name: "later", url: null, inMs: 480, everyMs: null }
    ])
    clock.now += 200
    // Due, and not fired yet.
    assert.deepStrictEqual(
      timers.all.map(({ inMs }) => inMs),
      [0, 0, 280]
    )
    after(0)
    assert.deepStrictEqual(
      timers.all.map(({ inMs, name }) => [name, inMs]),
      [
        ["once", null],
        ["beat", null],
        ["later", 280]
      ]
    )
    queue.take()
    assert.deepStrictEqual(
      timers.all.map(({ name }) => name),
      ["beat", "later"]
    )
  })

  const Step = either<
    | {
        readonly do: "set"
        readonly name: string
        readonly afterMs: number
        readonly everyMs: number | undefined
        readonly where: number
      }
    | { readonly do: "clear"; readonly name: string }
    | { readonly do: "wait"; readonly ms: number }
    | { readonly do: "take" | "epoch" }
  >(
    Arbitrary.all({
      do: oneOf("set"),
      name: oneOf("a", "b", "c", "d"),
      afterMs: int(100, 3000),
      everyMs: maybe(int(1000, 2000)),
      where: int(0, 1)
    }),
    Arbitrary.all({ do: oneOf("clear"), name: oneOf("a", "b", "c", "d") }),
    Arbitrary.all({ do: oneOf("wait"), ms: int(1, 2500) }),
    Arbitrary.all({ do: oneOf("take", "take", "epoch") })
  )

  it.effect.prop(
    "fire and wait exactly as a reference says, whatever is set, cleared, taken and waited for",
    { steps: list(Step, 0, 40) },
    ({ steps }) =>
      Effect.sync(() => {
        const limit = 3
        const { after, clock, queue, timers } = begin(limit)
        const there = source("ws://h/")
        type Entry = { at: number | null; readonly every: number | undefined; readonly where: number; waits: boolean }
        const model = new Map<string, Entry>()
        const drop = () => {
          for (const [name, { at, waits }] of model) if (at === null && !waits) model.delete(name)
        }
        for (const step of steps) {
          if (step.do === "set") {
            const { afterMs, everyMs, name, where } = step
            const spec = { name, afterMs, ...(everyMs === undefined ? {} : { everyMs }) }
            const refused = timers.set(spec, where === 0 ? owned() : bound(there))
            const isFull = !model.has(name) && model.size >= limit
            assert.strictEqual(refused !== undefined, isFull)
            if (!isFull) {
              model.delete(name)
              model.set(name, { at: clock.now + afterMs, every: everyMs, where, waits: false })
            }
          } else if (step.do === "clear") {
            timers.clear(step.name)
            model.delete(step.name)
          } else if (step.do === "wait") {
            const next = after(step.ms)
            for (const entry of model.values()) {
              if (entry.at === null || entry.at > clock.now) continue
              entry.waits = true
              if (entry.every === undefined) entry.at = null
              else while (entry.at <= clock.now) entry.at += entry.every
            }
            const due = [...model.values()].flatMap(({ at }) => (at === null ? [] : [at - clock.now]))
            assert.strictEqual(next, due.length === 0 ? null : Math.min(...due))
          } else if (step.do === "take") {
            queue.take()
            there.queue.take()
            for (const entry of model.values()) entry.waits = false
          } else {
            timers.epochOver(there)
            for (const entry of model.values()) if (entry.where === 1) entry.at = null
          }
          drop()
          const names = (where: number) =>
            [...model].filter(([, each]) => each.where === where && each.waits).map(([name]) => name)
          assert.deepStrictEqual(queue.waiting.map(({ name }) => name).toSorted(), names(0).toSorted())
          assert.deepStrictEqual(there.queue.waiting.map(({ name }) => name).toSorted(), names(1).toSorted())
          assert.deepStrictEqual(
            timers.all.map(({ inMs, name }) => [name, inMs]),
            [...model].map(([name, { at, waits }]) => [name, at === null || waits ? null : at - clock.now])
          )
        }
      }),
    { arbitrary: { runs: 500 } }
  )
})
