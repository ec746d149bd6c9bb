import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import * as DialLimiter from "../../src/connection/DialLimiter.ts"
import * as Limits from "../../src/limits/Limits.ts"
import { either, int, list, oneOf } from "../support/arbitraries.ts"

const LOOKUPS = { lookupsAtOnce: 1000, lookupsAtOncePerPlugin: 1000 }
const WIDE = { dialsAtOnce: 1000, dialsAtOncePerPlugin: 1000, dialsPerSecond: 100_000, ...LOOKUPS }

const Ask = Arbitrary.all({ plugin: int(0, 2), waitMs: either(oneOf(0, 0, 0), int(0, 300)), ends: int(0, 4) })

/** Lets every fiber that can go on do so. */
const settle = Effect.gen(function* () {
  for (let turn = 0; turn < 50; turn++) yield* Effect.yieldNow
})

/** Dials that last until they are let go, and when each began. */
const dials = Effect.gen(function* () {
  const clock = yield* Clock.clockWith(Effect.succeed)
  const begun: Array<{ readonly name: string; readonly at: number }> = []
  const doors = new Map<string, Deferred.Deferred<void>>()
  const running = new Set<string>()
  const dial = (slots: DialLimiter.DialSlots, name: string) =>
    Effect.gen(function* () {
      const door = yield* Deferred.make<void>()
      doors.set(name, door)
      const held = Effect.suspend(() => {
        begun.push({ name, at: clock.currentTimeMillisUnsafe() })
        running.add(name)
        return Effect.ensuring(
          Deferred.await(door),
          Effect.sync(() => running.delete(name))
        )
      })
      return yield* Effect.forkChild(slots.withSlot(held), { startImmediately: true })
    })
  const end = (name: string) =>
    Effect.suspend(() => {
      const door = doors.get(name)
      return door === undefined ? Effect.void : Deferred.succeed(door, undefined)
    })
  return { begun, running, dial, end, names: () => begun.map(({ name }) => name) }
})

/** Takes a place and looks something up in it until it is let go. */
const lookup = (slots: DialLimiter.PluginSlots) =>
  Effect.gen(function* () {
    const door = yield* Deferred.make<void>()
    let hasBegun = false
    const begins = Effect.suspend(() => {
      hasBegun = true
      return Deferred.await(door)
    })
    const fiber = yield* Effect.forkChild(
      Effect.flatMap(slots.lookups.take, (place) => place(begins)),
      { startImmediately: true }
    )
    yield* settle
    return { fiber, hasBegun: () => hasBegun, end: Effect.andThen(Deferred.succeed(door, undefined), settle) }
  })

/** How many of 20 dials begin in a host of 8 places with so many other plugins. */
const begunBeside = (others: number) =>
  Effect.gen(function* () {
    const limiter = yield* DialLimiter.make({ ...WIDE, dialsAtOnce: 8 })
    const { dial, running } = yield* dials
    const slots = limiter.plugin()
    for (let other = 0; other < others; other++) limiter.plugin()
    for (let index = 0; index < 20; index++) yield* dial(slots, String(index))
    yield* settle
    return running.size
  })

const nthOfOthers = (nth: number) => Array.from({ length: 9 }, (_, plugin) => `${plugin + 1}-${nth}`)

describe("DialLimiter", () => {
  it.effect("begins at most so many dials of a plugin at once, and the next when one ends, in order", () =>
    Effect.gen(function* () {
      const limiter = yield* DialLimiter.make({ ...WIDE, dialsAtOncePerPlugin: 2 })
      const slots = limiter.plugin()
      const { dial, end, names } = yield* dials
      for (const name of ["a", "b", "c", "d"]) yield* dial(slots, name)
      yield* settle
      assert.deepStrictEqual(names(), ["a", "b"])
      assert.strictEqual(limiter.waiting(), 2)
      yield* end("b")
      yield* settle
      assert.deepStrictEqual(names(), ["a", "b", "c"])
      assert.strictEqual(limiter.waiting(), 1)
      yield* end("a")
      yield* settle
      assert.deepStrictEqual(names(), ["a", "b", "c", "d"])
      assert.strictEqual(limiter.waiting(), 0)
    })
  )

  it.effect("begins at most so many dials of the whole host at once", () =>
    Effect.gen(function* () {
      const limiter = yield* DialLimiter.make({ ...WIDE, dialsAtOnce: 3, dialsAtOncePerPlugin: 2 })
      const { dial, end, names, running } = yield* dials
      for (const plugin of ["a", "b", "c"]) {
        const slots = limiter.plugin()
        for (const index of [1, 2]) yield* dial(slots, `${plugin}${index}`)
      }
      yield* settle
      assert.deepStrictEqual(names(), ["a1", "a2", "b1"])
      for (const name of ["a1", "a2", "b1", "b2", "c1", "c2"]) {
        yield* end(name)
        yield* settle
        assert.isAtMost(running.size, 3)
      }
      assert.strictEqual(names().length, 6)
    })
  )

  it.effect("rule 12: doesn't let a plugin that dials a lot hold the places that others need", () =>
    Effect.gen(function* () {
      const limiter = yield* DialLimiter.make({ ...WIDE, dialsAtOnce: 4, dialsAtOncePerPlugin: 2 })
      const { dial, names } = yield* dials
      const greedy = limiter.plugin()
      for (let index = 0; index < 50; index++) yield* dial(greedy, `greedy${index}`)
      yield* settle
      yield* dial(limiter.plugin(), "modest")
      yield* settle
      assert.deepStrictEqual(names(), ["greedy0", "greedy1", "modest"])
    })
  )

  it.effect(
    "rule 12: leaves places to plugins that have no dial under way, however many others' servers don't answer",
    () =>
      Effect.gen(function* () {
        const limiter = yield* DialLimiter.make({ ...WIDE, dialsAtOnce: 64, dialsAtOncePerPlugin: 4 })
        const { dial, names, running } = yield* dials
        const modest = limiter.plugin()
        for (let plugin = 0; plugin < 16; plugin++) {
          const slots = limiter.plugin()
          for (let index = 0; index < 16; index++) yield* dial(slots, `greedy${plugin}-${index}`)
        }
        yield* settle
        // Four of each of twelve, and one of each of the others.
        assert.strictEqual(running.size, 52)
        yield* dial(modest, "modest")
        yield* settle
        assert.strictEqual(names().at(-1), "modest")
        assert.strictEqual(limiter.waiting(), 256 - 52)
        yield* dial(modest, "more")
        yield* settle
        assert.strictEqual(names().at(-1), "modest")
      })
  )

  it.effect("rule 12: keeps no more than a quarter of the places, and none where there is one plugin only", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* Effect.all([begunBeside(0), begunBeside(1), begunBeside(2), begunBeside(50)]),
        [8, 6, 6, 6]
      )
    })
  )

  it.effect("rule 12: lets a plugin wait for no more than one dial of each of the others", () =>
    Effect.gen(function* () {
      const limiter = yield* DialLimiter.make({ ...WIDE, dialsAtOnce: 3, dialsAtOncePerPlugin: 3 })
      const { dial, end, names, running } = yield* dials
      for (let plugin = 0; plugin < 10; plugin++) {
        const slots = limiter.plugin()
        for (let index = 0; index < 8; index++) yield* dial(slots, `${plugin}-${index}`)
      }
      const newcomer = limiter.plugin()
      for (const name of ["first", "second"]) yield* dial(newcomer, name)
      yield* settle
      // The first plugin came when there was nobody else.
      assert.deepStrictEqual(names(), ["0-0", "0-1", "0-2"])
      for (let turn = 0; turn < 21; turn++) {
        const [oldest] = running
        yield* end(oldest ?? "")
        yield* settle
      }
      assert.deepStrictEqual(names().slice(3), [...nthOfOthers(0), "first", "0-3", ...nthOfOthers(1), "second"])
    })
  )

  it.effect("rule 12: takes turns between plugins where the dials of a second are used up", () =>
    Effect.gen(function* () {
      const limiter = yield* DialLimiter.make({ ...WIDE, dialsPerSecond: 10 })
      const { begun, dial } = yield* dials
      const [greedy, modest] = [limiter.plugin(), limiter.plugin()]
      for (let index = 0; index < 500; index++) yield* dial(greedy, `greedy${index}`)
      yield* settle
      for (const name of ["a", "b", "c"]) yield* dial(modest, name)
      yield* TestClock.adjust(1000)
      yield* settle
      const seen = begun.slice(10).map(({ at, name }) => [at, name.slice(0, 6)])
      assert.deepStrictEqual(seen, [
        [1000, "a"],
        [1000, "greedy"],
        [1000, "b"],
        [1000, "greedy"],
        [1000, "c"],
        ...Array.from({ length: 5 }, () => [1000, "greedy"])
      ])
    })
  )

  it.effect(
    "rule 12: one plugin with 16 black-holed sources and silent names delays others' lookups by 100 ms at most",
    () =>
      Effect.gen(function* () {
        const limiter = yield* DialLimiter.make(Limits.defaults)
        const clock = yield* Clock.clockWith(Effect.succeed)
        const silent = limiter.plugin()
        for (let source = 0; source < 16; source++) {
          const looksUp = Effect.flatMap(silent.lookups.take, (place) => place(Effect.never))
          yield* Effect.forkChild(silent.withSlot(Effect.timeoutOption(looksUp, 10_000)), { startImmediately: true })
        }
        const delays: Array<number> = []
        for (let plugin = 0; plugin < 50; plugin++) {
          yield* TestClock.adjust(371)
          const askedAt = clock.currentTimeMillisUnsafe()
          const other = limiter.plugin()
          const opens = Effect.sync(() => delays.push(clock.currentTimeMillisUnsafe() - askedAt))
          const looksUp = Effect.flatMap(other.lookups.take, (place) => place(opens))
          yield* Effect.forkChild(other.withSlot(looksUp), { startImmediately: true })
          yield* settle
        }
        assert.lengthOf(delays, 50)
        assert.strictEqual(Math.max(...delays), 0)
      })
  )

  it.effect("begins the next in the turn in which a dial begins and ends", () =>
    Effect.gen(function* () {
      const limiter = yield* DialLimiter.make({ ...WIDE, dialsAtOnce: 1, dialsAtOncePerPlugin: 1 })
      const slots = limiter.plugin()
      const { dial, end } = yield* dials
      yield* dial(slots, "holds")
      let ended = 0
      const fails = Effect.suspend(() => {
        ended++
        return Effect.fail("no")
      })
      for (let index = 0; index < 5000; index++) {
        yield* Effect.forkChild(Effect.ignore(slots.withSlot(fails)), { startImmediately: true })
      }
      yield* end("holds")
      yield* settle
      assert.strictEqual(ended, 5000)
      assert.strictEqual(limiter.waiting(), 0)
    })
  )

  it.effect("gives the place of a dial back that fails, dies or is interrupted, running or waiting", () =>
    Effect.gen(function* () {
      const limiter = yield* DialLimiter.make({ ...WIDE, dialsAtOnce: 1, dialsAtOncePerPlugin: 1 })
      const slots = limiter.plugin()
      const { dial, names } = yield* dials
      yield* Effect.exit(slots.withSlot(Effect.fail("no")))
      yield* Effect.exit(slots.withSlot(Effect.die("no")))
      const running = yield* dial(slots, "running")
      const waits = yield* dial(slots, "waits")
      yield* dial(slots, "next")
      yield* settle
      assert.strictEqual(limiter.waiting(), 2)
      yield* Fiber.interrupt(waits)
      assert.strictEqual(limiter.waiting(), 1)
      yield* Fiber.interrupt(running)
      yield* settle
      assert.deepStrictEqual(names(), ["running", "next"])
      assert.strictEqual(limiter.waiting(), 0)
    })
  )

  it.effect("gives back what the dial gives", () =>
    Effect.gen(function* () {
      const slots = (yield* DialLimiter.make(WIDE)).plugin()
      assert.strictEqual(yield* slots.withSlot(Effect.succeed(1)), 1)
      assert.strictEqual(yield* Effect.flip(slots.withSlot(Effect.fail("no"))), "no")
    })
  )

  it.effect("lets a second's dials begin at once, and the next when these are a second old", () =>
    Effect.gen(function* () {
      const limiter = yield* DialLimiter.make({ ...WIDE, dialsPerSecond: 10 })
      const { begun, dial } = yield* dials
      for (const plugin of [limiter.plugin(), limiter.plugin()]) {
        for (let index = 0; index < 15; index++) yield* dial(plugin, String(index))
      }
      yield* settle
      assert.strictEqual(begun.length, 10)
      assert.strictEqual(limiter.waiting(), 20)
      yield* TestClock.adjust(999)
      yield* settle
      assert.strictEqual(begun.length, 10)
      yield* TestClock.adjust(1)
      yield* settle
      assert.strictEqual(begun.length, 20)
      yield* TestClock.adjust(1000)
      yield* settle
      assert.strictEqual(begun.length, 30)
      assert.strictEqual(limiter.waiting(), 0)
    })
  )

  it.effect("gives the turn back of a dial that is interrupted while it waits for it", () =>
    Effect.gen(function* () {
      const limiter = yield* DialLimiter.make({ ...WIDE, dialsPerSecond: 10 })
      const slots = limiter.plugin()
      const { begun, dial } = yield* dials
      for (let index = 0; index < 10; index++) yield* dial(slots, String(index))
      const waiting = []
      for (let index = 0; index < 5; index++) waiting.push(yield* dial(slots, `given up ${index}`))
      yield* settle
      yield* Fiber.interruptAll(waiting)
      yield* dial(slots, "next")
      yield* TestClock.adjust(1000)
      yield* settle
      assert.deepStrictEqual(begun.slice(10), [{ name: "next", at: 1000 }])
    })
  )

  describe("lookups", () => {
    it.effect("keep their plugin's place until they have returned, and nobody else's", () =>
      Effect.gen(function* () {
        const limiter = yield* DialLimiter.make({ ...WIDE, lookupsAtOncePerPlugin: 2 })
        const slots = limiter.plugin()
        const [one, two, three] = [yield* lookup(slots), yield* lookup(slots), yield* lookup(slots)]
        assert.isTrue(one.hasBegun() && two.hasBegun())
        yield* TestClock.adjust(60_000)
        yield* settle
        assert.isFalse(three.hasBegun())
        assert.isTrue((yield* lookup(limiter.plugin())).hasBegun())
        yield* one.end
        assert.isTrue(three.hasBegun())
      })
    )

    it.effect("rule 12: delay other plugins' by a tenth of a second, however many are silent", () =>
      Effect.gen(function* () {
        const limiter = yield* DialLimiter.make({ ...WIDE, lookupsAtOnce: 2, lookupsAtOncePerPlugin: 2 })
        const silent = limiter.plugin()
        yield* lookup(silent)
        yield* lookup(silent)
        const other = yield* lookup(limiter.plugin())
        yield* TestClock.adjust(99)
        yield* settle
        assert.isFalse(other.hasBegun())
        yield* TestClock.adjust(1)
        yield* settle
        assert.isTrue(other.hasBegun())
      })
    )

    it.effect("give the host's place back once, early or late", () =>
      Effect.gen(function* () {
        const limiter = yield* DialLimiter.make({ ...WIDE, lookupsAtOnce: 1 })
        const late = yield* lookup(limiter.plugin())
        yield* TestClock.adjust(100)
        yield* settle
        yield* late.end
        const early = yield* lookup(limiter.plugin())
        assert.isTrue(early.hasBegun())
        const waits = yield* lookup(limiter.plugin())
        assert.isFalse(waits.hasBegun())
        yield* early.end
        assert.isTrue(waits.hasBegun())
        assert.isFalse((yield* lookup(limiter.plugin())).hasBegun())
      })
    )

    it.effect("give both places back when they fail or are interrupted, running or waiting", () =>
      Effect.gen(function* () {
        const limiter = yield* DialLimiter.make({ ...WIDE, lookupsAtOnce: 1, lookupsAtOncePerPlugin: 1 })
        const slots = limiter.plugin()
        yield* Effect.exit(Effect.flatMap(slots.lookups.take, (place) => place(Effect.fail("no"))))
        const running = yield* lookup(slots)
        const waitsForOwn = yield* lookup(slots)
        const other = limiter.plugin()
        const waitsForHost = yield* lookup(other)
        yield* Fiber.interrupt(waitsForOwn.fiber)
        yield* Fiber.interrupt(waitsForHost.fiber)
        yield* Fiber.interrupt(running.fiber)
        yield* settle
        const next = yield* lookup(slots)
        assert.isTrue(next.hasBegun())
        yield* next.end
        assert.isTrue((yield* lookup(other)).hasBegun())
      })
    )
  })

  it.effect.prop(
    "rule 3: begins no more dials than the limits allow, whenever they are asked for",
    {
      asks: list(Ask, 1, 60),
      dialsPerSecond: oneOf(5, 10, 100),
      dialsAtOnce: oneOf(3, 1000)
    },
    ({ asks, dialsAtOnce, dialsPerSecond }) =>
      Effect.gen(function* () {
        const limiter = yield* DialLimiter.make({ ...LOOKUPS, dialsPerSecond, dialsAtOnce, dialsAtOncePerPlugin: 2 })
        const plugins = [limiter.plugin(), limiter.plugin(), limiter.plugin()]
        const { begun, dial, end, running } = yield* dials
        for (const [index, ask] of asks.entries()) {
          const slots = plugins[ask.plugin]
          if (slots === undefined) continue
          if (ask.waitMs > 0) yield* TestClock.adjust(ask.waitMs)
          yield* dial(slots, `${ask.plugin}-${index}`)
          yield* settle
          const done = [...running][ask.ends]
          if (done !== undefined) yield* end(done)
          yield* settle
          assert.isAtMost(running.size, dialsAtOnce)
          for (const plugin of [0, 1, 2]) {
            assert.isAtMost([...running].filter((name) => name.startsWith(`${plugin}-`)).length, 2)
          }
        }
        for (const [index, { at }] of begun.entries()) {
          const before = begun[index - dialsPerSecond]
          if (before !== undefined) assert.isAtLeast(at - before.at, 1000)
        }
        // Nothing waits for ever.
        while (limiter.waiting() > 0) {
          for (const name of running) yield* end(name)
          yield* TestClock.adjust(1000)
          yield* settle
        }
        assert.strictEqual(begun.length, asks.length)
      }),
    { arbitrary: { runs: 100, size: 40 } }
  )
})
