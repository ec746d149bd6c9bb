import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { Standstill } from "mooring/testing"
import * as DialLimiter from "../../src/connection/DialLimiter.ts"
import * as Lookups from "../../src/connection/Lookups.ts"
import { LookupFailed, type LookupSlots } from "../../src/connection/ResolveAddresses.ts"
import { unhandled } from "../support/rejections.ts"

const settle = Effect.gen(function* () {
  for (let turn = 0; turn < 50; turn++) yield* Effect.yieldNow
})
const DIALS = { dialsAtOnce: 1, dialsAtOncePerPlugin: 1, dialsPerSecond: 1 }
const free: LookupSlots = { take: Effect.succeed((lookup) => lookup) }

interface Asked {
  readonly name: string
  readonly at: number
  readonly say: (...addresses: ReadonlyArray<string>) => void
  readonly end: () => void
  readonly fail: (code: string) => void
  isOver: boolean
}

/** Lookups over a resolver that says what the test says, and dials that write down what they are told. */
const setup = Effect.gen(function* () {
  const clock = yield* Clock.clockWith(Effect.succeed)
  const asked: Array<Asked> = []
  const scope = yield* Scope.make()
  const lookups = yield* Scope.provide(
    Lookups.make((name) =>
      Stream.callback((queue) =>
        Effect.acquireRelease(
          Effect.sync(() => {
            const question: Asked = {
              name,
              at: clock.currentTimeMillisUnsafe(),
              say: (...addresses) => Queue.offerUnsafe(queue, addresses),
              end: () => Queue.endUnsafe(queue),
              fail: (code) => Queue.failCauseUnsafe(queue, Cause.fail(new LookupFailed({ code }))),
              isOver: false
            }
            asked.push(question)
            return question
          }),
          (question) =>
            Effect.sync(() => {
              question.isOver = true
            })
        )
      )
    ),
    scope
  )
  const dial = (name: string, slots = free) =>
    Effect.gen(function* () {
      const told: Array<string> = []
      const resolving = Stream.runForEach(lookups.resolve(name, slots), (addresses) =>
        Effect.sync(() => told.push(addresses.join(" ")))
      ).pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            if (Exit.isSuccess(exit)) told.push("end")
            else if (!Exit.hasInterrupts(exit)) told.push(Exit.hasDies(exit) ? "died" : codeOf(exit))
          })
        )
      )
      const fiber = yield* Effect.forkChild(Effect.exit(resolving), { startImmediately: true })
      yield* settle
      return { told, fiber, end: Effect.andThen(Fiber.interrupt(fiber), settle) }
    })
  return { asked, dial, close: Effect.andThen(Scope.close(scope, Exit.void), settle) }
})

const codeOf = (exit: Exit.Exit<unknown, LookupFailed>) =>
  Option.match(Exit.findErrorOption(exit), { onNone: () => "", onSome: ({ code }) => code })

const of = (asked: ReadonlyArray<Asked>, index: number): Asked => {
  const question = asked[index]
  if (question === undefined) throw new Error(`nothing was asked ${index + 1} times`)
  return question
}

const rejected = (): Promise<never> => Promise.reject(new Error("gone"))

describe("Lookups", () => {
  it.effect("are one a name, whoever asks, and tell each of all that was found", () =>
    Effect.gen(function* () {
      const { asked, dial } = yield* setup
      yield* TestClock.adjust(3_600_000)
      const one = yield* dial("a")
      of(asked, 0).say("10.0.0.1")
      yield* settle
      const other = yield* dial("a")
      const another = yield* dial("b")
      of(asked, 0).say()
      of(asked, 0).say("::1", "::2")
      yield* settle
      of(asked, 0).end()
      yield* settle
      for (const { told } of [one, other]) assert.deepStrictEqual(told, ["10.0.0.1", "::1 ::2", "end"])
      assert.deepStrictEqual(another.told, [])
      assert.deepStrictEqual(
        asked.map(({ name }) => name),
        ["a", "b"]
      )
    })
  )

  it.effect("ask anew after every answer that somebody was told", () =>
    Effect.gen(function* () {
      const { asked, dial } = yield* setup
      const one = yield* dial("a")
      of(asked, 0).say("10.0.0.1")
      of(asked, 0).end()
      yield* settle
      const other = yield* dial("a")
      of(asked, 1).say("10.0.0.2")
      of(asked, 1).end()
      yield* settle
      assert.deepStrictEqual(one.told, ["10.0.0.1", "end"])
      assert.deepStrictEqual(other.told, ["10.0.0.2", "end"])
    })
  )

  it.effect(
    "serve the next dial with an answer that came after the end of the one that asked, once and for a minute",
    () =>
      Effect.gen(function* () {
        const { asked, dial } = yield* setup
        const late = Effect.gen(function* () {
          const { end, told } = yield* dial("a")
          yield* end
          const lookup = of(asked, asked.length - 1)
          assert.isFalse(lookup.isOver)
          lookup.say("10.0.0.1")
          lookup.end()
          yield* settle
          assert.deepStrictEqual(told, [])
        })
        yield* late
        yield* TestClock.adjust(59_999)
        assert.deepStrictEqual((yield* dial("a")).told, ["10.0.0.1", "end"])
        assert.strictEqual(asked.length, 1)
        assert.deepStrictEqual((yield* dial("a")).told, [])
        of(asked, 1).fail("ENOTFOUND")
        yield* settle
        yield* late
        yield* TestClock.adjust(60_000)
        assert.deepStrictEqual((yield* dial("a")).told, [])
        assert.strictEqual(asked.length, 4)
      })
  )

  it.effect("serve the dial that is made while the answer is still being waited for", () =>
    Effect.gen(function* () {
      const { asked, dial } = yield* setup
      const one = yield* dial("a")
      yield* TestClock.adjust(10_000)
      yield* one.end
      yield* TestClock.adjust(1000)
      const other = yield* dial("a")
      of(asked, 0).say("10.0.0.1")
      of(asked, 0).end()
      yield* settle
      assert.deepStrictEqual(other.told, ["10.0.0.1", "end"])
      assert.strictEqual(asked.length, 1)
    })
  )

  it.effect("fail for all who wait, and keep no failure", () =>
    Effect.gen(function* () {
      const { asked, dial } = yield* setup
      const [one, other] = [yield* dial("a"), yield* dial("a")]
      of(asked, 0).fail("EAI_AGAIN")
      yield* settle
      assert.deepStrictEqual([one.told, other.told], [["EAI_AGAIN"], ["EAI_AGAIN"]])
      const gone = yield* dial("a")
      yield* gone.end
      of(asked, 1).fail("EAI_AGAIN")
      yield* settle
      assert.deepStrictEqual((yield* dial("a")).told, [])
      assert.strictEqual(asked.length, 3)
    })
  )

  it.effect("stand by what was found where the rest fails, and fail where nothing was", () =>
    Effect.gen(function* () {
      const { asked, dial } = yield* setup
      const found = yield* dial("a")
      of(asked, 0).say("10.0.0.1")
      of(asked, 0).fail("ETIMEOUT")
      const nothing = yield* dial("b")
      of(asked, 1).end()
      yield* settle
      assert.deepStrictEqual(found.told, ["10.0.0.1", "end"])
      assert.deepStrictEqual(nothing.told, ["ENOTFOUND"])
    })
  )

  it.effect("are given up after half a minute, and asked anew", () =>
    Effect.gen(function* () {
      const { asked, dial } = yield* setup
      const silent = yield* dial("a")
      const half = yield* dial("b")
      of(asked, 1).say("10.0.0.1")
      yield* TestClock.adjust(29_999)
      yield* settle
      assert.deepStrictEqual([silent.told, half.told], [[], ["10.0.0.1"]])
      assert.isFalse(of(asked, 0).isOver)
      yield* TestClock.adjust(1)
      yield* settle
      assert.deepStrictEqual([silent.told, half.told], [["ETIMEOUT"], ["10.0.0.1", "end"]])
      assert.isTrue(of(asked, 0).isOver)
      yield* dial("a")
      assert.strictEqual(asked.length, 3)
    })
  )

  it.effect("rule 6: are given up only after the time that they had", () =>
    Effect.gen(function* () {
      const { asked, dial } = yield* setup
      const { told } = yield* dial("a")
      yield* TestClock.adjust(10_000)
      yield* Standstill.cause("1 minute")
      yield* TestClock.adjust(20_000 - 51)
      yield* settle
      assert.deepStrictEqual(told, [])
      of(asked, 0).say("10.0.0.1")
      of(asked, 0).end()
      yield* settle
      assert.deepStrictEqual(told, ["10.0.0.1", "end"])
    }).pipe(Effect.provide(Standstill.layer))
  )

  it.effect("give up one that can't be interrupted, which keeps its place until it has returned", () =>
    Effect.gen(function* () {
      const door = yield* Deferred.make<void>()
      const lookups = yield* Lookups.make(() =>
        Stream.fromEffect(Effect.uninterruptible(Effect.as(Deferred.await(door), ["10.0.0.1"])))
      )
      const limiter = yield* DialLimiter.make({
        ...DIALS,
        lookupsAtOnce: 1,
        lookupsAtOncePerPlugin: 1
      })
      const { lookups: slots } = limiter.plugin()
      const exit = yield* Effect.forkChild(Effect.flip(Stream.runCollect(lookups.resolve("a", slots))))
      yield* settle
      yield* TestClock.adjust(30_000)
      assert.strictEqual((yield* Fiber.join(exit)).code, "ETIMEOUT")
      const taken = yield* Effect.forkChild(slots.take)
      yield* settle
      assert.isUndefined(taken.pollUnsafe())
      yield* Deferred.succeed(door, undefined)
      yield* settle
      assert.isDefined(taken.pollUnsafe())
    })
  )

  it.effect("die for those who wait where the resolver dies", () =>
    Effect.gen(function* () {
      const lookups = yield* Lookups.make(() => Stream.die("broken"))
      const exit = yield* Effect.exit(Stream.runCollect(lookups.resolve("a", free)))
      assert.isTrue(Exit.hasDies(exit))
    })
  )

  it.effect.each<readonly [what: string, broken: () => unknown]>([
    [
      "throws",
      () => {
        throw new Error("gone")
      }
    ],
    ["returns a promise", rejected],
    ["returns nothing", () => undefined],
    ["answers a promise", () => Stream.make(rejected())],
    ["fails with a promise", () => Stream.fail(rejected())],
    ["is interrupted", () => Stream.fromEffect(Effect.interrupt)]
  ])("ask anew after a resolver that %s", ([, broken]) =>
    Effect.gen(function* () {
      let asked = 0
      const lookups = yield* Lookups.make(() =>
        ++asked === 1 ? (broken() as Stream.Stream<ReadonlyArray<string>>) : Stream.make(["10.0.0.1"])
      )
      const lookup = Effect.exit(Stream.runCollect(lookups.resolve("a", free)))
      assert.deepStrictEqual(yield* unhandled(lookup), [])
      assert.deepStrictEqual(yield* lookup, Exit.succeed([["10.0.0.1"]]))
      assert.strictEqual(asked, 2)
    })
  )

  it.effect("end with their scope", () =>
    Effect.gen(function* () {
      const { asked, close, dial } = yield* setup
      const { told } = yield* dial("a")
      yield* close
      assert.isTrue(of(asked, 0).isOver)
      assert.deepStrictEqual(told, ["ETIMEOUT"])
    })
  )

  it.effect("give a place back though their scope closes before they have begun", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const lookups = yield* Scope.provide(
        Lookups.make(() => Stream.never),
        scope
      )
      const { lookups: slots } = (yield* DialLimiter.make({
        ...DIALS,
        lookupsAtOnce: 1,
        lookupsAtOncePerPlugin: 1
      })).plugin()
      const dial = Effect.flip(Stream.runDrain(lookups.resolve("a", slots)))
      const waits = yield* Effect.forkChild(dial, { startImmediately: true })
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* Fiber.join(waits)).code, "ETIMEOUT")
      const taken = yield* Effect.forkChild(slots.take)
      yield* settle
      assert.isDefined(taken.pollUnsafe())
    })
  )

  it.effect("wait for a place, which they keep until they have returned; whoever joins needs none", () =>
    Effect.gen(function* () {
      const { asked, dial } = yield* setup
      const limiter = yield* DialLimiter.make({
        ...DIALS,
        lookupsAtOnce: 9,
        lookupsAtOncePerPlugin: 2
      })
      const [mine, theirs] = [limiter.plugin().lookups, limiter.plugin().lookups]
      const names = () => asked.map(({ name }) => name)
      const [one] = [yield* dial("a", mine), yield* dial("b", mine)]
      yield* one.end
      const third = yield* dial("c", mine)
      assert.deepStrictEqual(names(), ["a", "b"])
      // A dial that ends while it waits leaves no lookup behind.
      const fourth = yield* dial("d", mine)
      yield* fourth.end
      const joined = yield* dial("b", mine)
      yield* dial("e", theirs)
      assert.deepStrictEqual(names(), ["a", "b", "e"])
      of(asked, 0).end()
      of(asked, 1).say("10.0.0.1")
      of(asked, 1).end()
      yield* settle
      assert.deepStrictEqual(joined.told, ["10.0.0.1", "end"])
      assert.deepStrictEqual(names(), ["a", "b", "e", "c"])
      of(asked, 3).fail("ENOTFOUND")
      yield* settle
      assert.deepStrictEqual(third.told, ["ENOTFOUND"])
      // All places are free again.
      yield* dial("f", mine)
      yield* dial("g", mine)
      assert.deepStrictEqual(names().slice(4), ["f", "g"])
    })
  )

  it.effect("take no second place for a name that somebody else began to look up while they waited", () =>
    Effect.gen(function* () {
      const { asked, dial } = yield* setup
      const limiter = yield* DialLimiter.make({
        ...DIALS,
        lookupsAtOnce: 9,
        lookupsAtOncePerPlugin: 1
      })
      const [mine, theirs] = [limiter.plugin().lookups, limiter.plugin().lookups]
      yield* dial("a", mine)
      const waits = yield* dial("b", mine)
      yield* dial("b", theirs)
      assert.strictEqual(asked.length, 2)
      of(asked, 0).end()
      yield* settle
      of(asked, 1).say("10.0.0.1")
      yield* settle
      assert.deepStrictEqual(waits.told, ["10.0.0.1"])
      assert.strictEqual(asked.length, 2)
      yield* dial("c", mine)
      assert.strictEqual(asked.length, 3)
    })
  )
})
