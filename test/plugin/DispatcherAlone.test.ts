/** The dispatcher by itself: over a queue, an instance and a clock that belong to the test. */
import { assert, describe, it } from "@effect/vitest"
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as ClockModule from "effect/Clock"
import { TestClock } from "effect/testing"
import { type Limits as LimitsModule, Limits, OutputCommand, PluginError, type PluginRuntime } from "mooring"
import type { Answered } from "../../src/commands/CommandExecutor.ts"
import * as Accounting from "../../src/ingress/Accounting.ts"
import { WebSocketText, type AnyEvent } from "../../src/ingress/IngressEvent.ts"
import { Turns, type EventQueue } from "../../src/ingress/Turns.ts"
import { Dispatcher } from "../../src/plugin/Dispatcher.ts"
import type { Checked } from "../../src/plugin/internal/output.ts"
import * as HadTime from "../../src/time/HadTime.ts"
import * as HadByHand from "./support/hadByHand.ts"

const ORIGIN = Object.freeze({
  key: "run-0-0",
  source: "websocket:ws://h/",
  id: "0badc0de",
  url: "ws://h/",
  ingressName: "main"
})

type Handle = (event: WebSocketText) => unknown

/** One source of texts; what `take` gives when nothing waits is up to it. */
class FakeQueue implements EventQueue {
  inTurn = false
  nextInTurn: EventQueue | undefined = undefined
  readonly waiting: Array<WebSocketText> = []
  readonly #turns: () => Turns<EventQueue>
  #sequence = 0

  constructor(turns: () => Turns<EventQueue>) {
    this.#turns = turns
  }

  add(...texts: ReadonlyArray<string>): void {
    for (const text of texts) this.waiting.push(new WebSocketText(ORIGIN, ++this.#sequence, 3, 0, 1, text, text.length))
    this.#turns().join(this)
  }

  readonly take = (): AnyEvent | undefined => {
    const event = this.waiting.shift()
    if (this.waiting.length > 0) this.#turns().join(this)
    return event
  }

  lend(): undefined {}
  begin(): void {}
  giveBack(): void {}
}

interface Setup {
  readonly handle?: Handle
  readonly instance?: Partial<PluginRuntime.Instance>
  readonly limits?: Partial<LimitsModule.Values>
  readonly clock?: Clock.Clock
  readonly time?: HadTime.HadTime
  readonly begun?: () => void
}

/** A dispatcher that runs in the test's scope, and all that it told. */
const dispatching = ({ begun, clock, handle = () => Exit.void, instance, limits, time: given }: Setup) =>
  Effect.gen(function* () {
    const answers: Array<{ readonly event: Answered; readonly output: Checked; readonly at: number }> = []
    const failures: Array<PluginError.DispatchError | PluginError.RuntimeError> = []
    const reports: Array<string> = []
    const count = { begun: 0, ended: 0, activity: 0 }
    const accounting = Accounting.make()
    const time = given ?? (yield* HadTime.make)
    const turns: Turns<EventQueue> = new Turns(() => dispatcher.wake())
    const queue = new FakeQueue(() => turns)
    const dispatcher: Dispatcher = new Dispatcher({
      instance: { handle: handle as PluginRuntime.Instance["handle"], stop: Effect.void, ...instance },
      turns,
      accounting,
      limits: { ...Limits.defaults, ...limits },
      clock: clock ?? (yield* ClockModule.Clock),
      time,
      activity: (delta) => (count.activity += delta),
      answered: (event, output, at) => answers.push({ event: { ...event }, output, at }),
      failed: (error) => failures.push(error),
      reported: (status) => reports.push(status),
      begun: () => {
        count.begun++
        begun?.()
      },
      ended: () => count.ended++
    })
    const runner = yield* Effect.forkScoped(dispatcher.run)
    return { dispatcher, runner, queue, turns, accounting, time, answers, failures, reports, count }
  })

const settled = Effect.forEach(Array.from({ length: 20 }), () => Effect.yieldNow, { discard: true })

/** A clock that stands until the test moves it. */
const standing = (time: { wall: number; monotonic: number }): Clock.Clock => ({
  currentTimeMillisUnsafe: () => time.wall,
  currentTimeMillis: Effect.sync(() => time.wall),
  currentTimeNanosUnsafe: () => BigInt(Math.round(time.wall * 1e6)),
  currentTimeNanos: Effect.sync(() => BigInt(Math.round(time.wall * 1e6))),
  monotonicTimeNanosUnsafe: () => BigInt(Math.round(time.monotonic * 1e6)),
  monotonicTimeNanos: Effect.sync(() => BigInt(Math.round(time.monotonic * 1e6))),
  sleep: () => Effect.never
})

const causeOf = (error: unknown): unknown => (error instanceof Error ? error.cause : undefined)

const tagOf = (end: Dispatcher["end"]): string | undefined => (typeof end === "object" ? end._tag : end)

const texts = (answers: ReadonlyArray<{ readonly event: Answered }>) => answers.map(({ event }) => event.sequence)

describe("a dispatcher by itself", () => {
  it.effect("rule 5: hands over one event after the other, and accounts for each", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const { accounting, answers, count, dispatcher, queue } = yield* dispatching({
        handle: ({ text }) => {
          seen.push(text)
          assert.strictEqual(accounting.inFlight, 1)
          return Exit.succeed({ status: text })
        }
      })
      queue.add("a", "b", "c")
      yield* settled
      assert.deepStrictEqual(seen, ["a", "b", "c"])
      assert.deepInclude(accounting, { dispatched: 3, failed: 0, inFlight: 0 })
      assert.deepStrictEqual(
        answers.map(({ output }) => output.status),
        ['"a"', '"b"', '"c"']
      )
      assert.strictEqual(count.begun, 3)
      queue.add("d")
      yield* settled
      assert.deepStrictEqual(seen, ["a", "b", "c", "d"])
      assert.deepStrictEqual([count.ended, dispatcher.end], [0, undefined])
    })
  )

  it.effect("tells of the event what it was before the handler had it, and when it was answered", () =>
    Effect.gen(function* () {
      const time = { wall: 5000, monotonic: 0 }
      const { answers, queue } = yield* dispatching({
        clock: standing(time),
        handle: (event) => {
          for (const field of ["origin", "sequence", "epoch"]) Reflect.set(event, field, 99)
          return Exit.void
        }
      })
      queue.add("a", "b")
      yield* settled
      assert.deepStrictEqual(
        answers.map(({ at, event }) => [event, at]),
        [1, 2].map((sequence) => [{ origin: ORIGIN, sequence, epoch: 3 }, 5000])
      )
    })
  )

  it.effect("has nothing to do while nothing waits, and something while anything does", () =>
    Effect.gen(function* () {
      const { count, queue, turns } = yield* dispatching({ handle: () => Effect.sleep(10) })
      yield* settled
      assert.strictEqual(count.activity, 0)
      queue.add("a")
      assert.strictEqual(count.activity, 1)
      yield* settled
      assert.strictEqual(count.activity, 1)
      yield* TestClock.adjust(10)
      yield* settled
      assert.strictEqual(count.activity, 0)
      // A queue that was emptied meanwhile, before one that wasn't.
      const empty = new FakeQueue(() => turns)
      turns.join(empty)
      queue.add("b")
      yield* TestClock.adjust(10)
      yield* settled
      assert.deepStrictEqual([count.begun, count.activity], [2, 0])
    })
  )

  it.effect("provides the instance's services to its handlers and its status", () =>
    Effect.gen(function* () {
      class Word extends Context.Service<Word, string>()("Word") {}
      const say = Effect.map(Word, (word) => ({ status: word })) as Effect.Effect<never>
      const { answers, queue, reports } = yield* dispatching({
        handle: () => say,
        instance: { services: Context.make(Word, "well"), status: Word as never }
      })
      queue.add("a")
      yield* settled
      assert.deepStrictEqual([answers[0]?.output.status, reports], ['"well"', ['"well"']])
    })
  )

  describe("an answer", () => {
    const bad = new PluginError.OutputInvalid({ problems: [{ path: "a", message: "b" }] })
    const oops = new Error("oops")

    it.effect.each<readonly [what: string, answer: () => unknown, tag: string]>([
      ["a typed failure", () => Exit.fail(oops), "DispatchFailed"],
      ["a typed failure of an effect", () => Effect.andThen(Effect.yieldNow, Effect.fail(oops)), "DispatchFailed"],
      ["one that isn't accepted", () => Exit.succeed({ accepted: false }), "DispatchFailed"],
      ["one of a wrong form", () => Exit.succeed({ more: 1 }), "OutputInvalid"],
      ["one that its runtime found wrong", () => Exit.fail(bad), "OutputInvalid"],
      [
        "an error that looks like a wrong form",
        () => Exit.fail({ _tag: "OutputInvalid", problems: [] }),
        "DispatchFailed"
      ],
      ["no effect", () => ({ commands: [] }), "OutputInvalid"],
      ["a status over its limit", () => Exit.succeed({ status: "x".repeat(5000) }), "OutputInvalid"],
      ["too many bytes", () => Exit.succeed({ commands: ["x".repeat(300_000)] }), "OutputTooLarge"]
    ])("is a failed dispatch, and the next follows: %s", ([, answer, tag]) =>
      Effect.gen(function* () {
        const { accounting, answers, count, failures, queue } = yield* dispatching({
          handle: ({ text }) => (text === "bad" ? answer() : Exit.void)
        })
        queue.add("bad", "good")
        yield* settled
        assert.deepStrictEqual(
          failures.map(({ _tag }) => _tag),
          [tag]
        )
        assert.deepInclude(accounting, { failed: 1, dispatched: 1, inFlight: 0 })
        assert.deepStrictEqual(texts(answers), [2])
        assert.strictEqual(count.ended, 0)
      })
    )

    it.effect("that failed says of what", () =>
      Effect.gen(function* () {
        const answers = [Exit.fail(oops), Exit.fail(bad), Exit.succeed({ accepted: false })]
        const { failures, queue } = yield* dispatching({ handle: () => answers.shift() })
        queue.add("a", "b", "c")
        yield* settled
        const [typed, invalid, refused] = failures
        assert.deepInclude(typed, { during: "event" })
        assert.strictEqual(causeOf(typed), oops)
        assert.deepStrictEqual({ ...invalid }, { ...bad })
        // A copy: the plugin may have kept its own.
        assert.notStrictEqual(invalid, bad)
        assert.isUndefined(causeOf(refused))
      })
    )

    const unreadable = Object.defineProperty({}, "commands", { enumerable: true, get: () => assert.fail("no") })

    it.effect.each<readonly [what: string, answer: () => unknown]>([
      ["a throw", () => assert.fail("boom")],
      ["a defect", () => Exit.die(oops)],
      ["a defect of an effect", () => Effect.andThen(Effect.yieldNow, Effect.die(oops))],
      ["a failure and a defect", () => Effect.ensuring(Effect.fail("x"), Effect.die(oops))],
      ["an output that can't be looked at", () => Exit.succeed(unreadable)]
    ])("is a crash, and nothing follows: %s", ([, answer]) =>
      Effect.gen(function* () {
        const { accounting, answers, count, dispatcher, failures, queue, runner } = yield* dispatching({
          handle: answer
        })
        queue.add("bad", "never")
        yield* settled
        assert.instanceOf(dispatcher.end, PluginError.InstanceLost)
        assert.deepInclude(accounting, { failed: 1, dispatched: 0, inFlight: 0, discarded: 0 })
        assert.deepStrictEqual([count.begun, count.ended, failures, answers], [1, 1, [], []])
        assert.isDefined(runner.pollUnsafe())
        assert.strictEqual(queue.waiting.length, 1)
        assert.strictEqual(count.activity, 0)
      })
    )

    it.effect("that interrupts its own fiber costs the instance, and one event", () =>
      Effect.gen(function* () {
        const own = Effect.withFiber((fiber) => Effect.sync(() => fiber.interruptUnsafe()))
        const { accounting, count, dispatcher, failures, queue } = yield* dispatching({ handle: () => own })
        queue.add("bad", "never")
        yield* settled
        assert.instanceOf(dispatcher.end, PluginError.InstanceLost)
        assert.deepInclude(accounting, { failed: 1, dispatched: 0, inFlight: 0 })
        assert.deepStrictEqual([count.begun, count.ended, failures.length, count.activity], [1, 1, 1, 0])
        assert.strictEqual(queue.waiting.length, 1)
      })
    )

    it.effect("that is an interruption of something else's is a failed dispatch", () =>
      Effect.gen(function* () {
        const { accounting, dispatcher, failures, queue } = yield* dispatching({
          handle: ({ text }) => (text === "bad" ? Effect.andThen(Effect.yieldNow, Effect.interrupt) : Exit.void)
        })
        queue.add("bad", "good")
        yield* settled
        assert.deepInclude(accounting, { failed: 1, dispatched: 1, inFlight: 0 })
        assert.deepStrictEqual([failures[0]?._tag, dispatcher.end], ["DispatchFailed", undefined])
      })
    )

    it.effect("that crashed says of what", () =>
      Effect.gen(function* () {
        const { dispatcher, queue } = yield* dispatching({ handle: () => Exit.die(oops) })
        queue.add("bad")
        yield* settled
        assert.strictEqual(causeOf(dispatcher.end), oops)
      })
    )
  })
})

const sleeping = (limits = {}) => dispatching({ limits, handle: ({ text }) => Effect.sleep(Number(text)) })

describe("a dispatcher that costs little", () => {
  it.effect("looks at the clock once in 16 events while they are handled fast, and sleeps without one", () =>
    Effect.gen(function* () {
      const count = { looks: 0, sleeps: 0 }
      const time = { wall: 1e12, monotonic: 0 }
      const base = standing(time)
      const clock: Clock.Clock = {
        ...base,
        currentTimeMillisUnsafe: () => (count.looks++, time.wall),
        sleep: () => (count.sleeps++, Effect.never)
      }
      const { answers, queue } = yield* Effect.provideService(dispatching({ clock }), ClockModule.Clock, clock)
      yield* settled
      count.looks = 0
      queue.add(...Array.from({ length: 1600 }, () => "x"))
      yield* settled
      assert.lengthOf(answers, 1600)
      assert.isAtMost(count.looks, 100 + 10)
      assert.isAtLeast(count.looks, 100)
      assert.strictEqual(count.sleeps, 0)
    })
  )
})

describe("rule 6: a dispatcher's deadline", () => {
  it.effect.each([
    ["1000", 999, "in time"],
    ["1001", 1000, "too late"]
  ] as const)("of a handler that takes %s ms is at 1,000", ([millis, until, how]) =>
    Effect.gen(function* () {
      const { accounting, answers, dispatcher, queue } = yield* sleeping()
      yield* settled
      queue.add(how === "in time" ? "999" : millis)
      yield* settled
      yield* TestClock.adjust(until)
      yield* settled
      if (how === "in time") {
        assert.deepStrictEqual([texts(answers), dispatcher.end], [[1], undefined])
        return
      }
      assert.deepInclude(dispatcher.end, { _tag: "DispatchTimeout", during: "event", deadlineMs: 1000 })
      assert.deepInclude(accounting, { timedOut: 1, failed: 0, inFlight: 0 })
      assert.deepStrictEqual(answers, [])
    })
  )

  it.effect("is that of each event anew, with one watchdog for all", () =>
    Effect.gen(function* () {
      const { answers, dispatcher, queue } = yield* sleeping({ dispatchDeadlineMs: 100 })
      queue.add(...Array.from({ length: 30 }, () => "90"))
      for (let event = 0; event < 30; event++) {
        yield* settled
        yield* TestClock.adjust(90)
      }
      yield* settled
      assert.lengthOf(answers, 30)
      queue.add("101")
      yield* settled
      yield* TestClock.adjust(99)
      yield* settled
      assert.isUndefined(dispatcher.end)
      yield* TestClock.adjust(1)
      yield* settled
      assert.strictEqual(tagOf(dispatcher.end), "DispatchTimeout")
    })
  )

  it.effect("interrupts what is past it", () =>
    Effect.gen(function* () {
      let interrupted = false
      const { queue, runner } = yield* dispatching({
        handle: () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => (interrupted = true)))
      })
      queue.add("a")
      yield* settled
      yield* TestClock.adjust(1000)
      yield* settled
      assert.isTrue(interrupted)
      assert.isDefined(runner.pollUnsafe())
    })
  )

  it.effect("drops what a handler answers that couldn't be interrupted", () =>
    Effect.gen(function* () {
      const { accounting, answers, count, queue } = yield* dispatching({
        handle: () => Effect.uninterruptible(Effect.as(Effect.sleep(3000), { status: "late" }))
      })
      queue.add("a", "b")
      yield* settled
      yield* TestClock.adjust(1000)
      yield* settled
      assert.deepInclude(accounting, { timedOut: 1, inFlight: 0 })
      yield* TestClock.adjust(3000)
      yield* settled
      assert.deepInclude(accounting, { timedOut: 1, dispatched: 0, failed: 0, inFlight: 0 })
      assert.deepStrictEqual([answers, count.begun, count.ended], [[], 1, 1])
    })
  )

  for (const [what, wall, monotonic] of [
    ["forward", 3_600_000, 0],
    ["back", -3_600_000, 0],
    ["nowhere, but the thread blocked for an hour", 3_600_000, 3_600_000]
  ] as const) {
    it.effect(`judges by time that was had: while the wall clock is set ${what}`, () =>
      Effect.gen(function* () {
        const time = { wall: 1e12, monotonic: 0 }
        const clock = standing(time)
        const { accounting, answers, dispatcher, queue } = yield* dispatching({
          clock,
          handle: () =>
            Effect.andThen(
              Effect.yieldNow,
              Effect.sync(() => {
                time.wall += wall
                time.monotonic += monotonic
              })
            )
        }).pipe(Effect.provideService(ClockModule.Clock, clock))
        queue.add("a", "b")
        yield* settled
        assert.isUndefined(dispatcher.end)
        assert.lengthOf(answers, 2)
        assert.deepInclude(accounting, { timedOut: 0, inFlight: 0 })
      })
    )
  }

  it.effect("isn't that of an answer that is there already", () =>
    Effect.gen(function* () {
      const time = { wall: 1e12, monotonic: 0 }
      const { answers, queue } = yield* dispatching({
        clock: standing(time),
        handle: () => {
          time.wall += 5000
          time.monotonic += 5000
          return Exit.void
        }
      })
      queue.add("a", "b")
      yield* settled
      assert.lengthOf(answers, 2)
    })
  )
})

/** A dispatcher whose deadline is 100 ms of time that passes when the test says so. */
const timed = (handle: (had: ReturnType<typeof HadByHand.make>) => Handle) => {
  const had = HadByHand.make()
  const setup = { handle: handle(had), limits: { dispatchDeadlineMs: 100 }, time: had.time }
  return Effect.map(dispatching(setup), (dispatched) => ({ ...dispatched, had }))
}

describe("rule 6: the deadline of a handler's effect", () => {
  it.effect("is counted from the end of the turn that it outlasts, and interrupts it then", () =>
    Effect.gen(function* () {
      let interrupted = 0
      const { accounting, dispatcher, had, queue } = yield* timed(
        ({ passes }) =>
          () =>
            Effect.andThen(
              Effect.sync(() => passes(500)),
              Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
            )
      )
      queue.add("a")
      yield* settled
      had.judges()
      had.passes(99)
      had.judges()
      yield* settled
      assert.deepStrictEqual([dispatcher.end, interrupted, accounting.inFlight], [undefined, 0, 1])
      had.passes(1)
      had.judges()
      yield* settled
      assert.deepInclude(dispatcher.end, { _tag: "DispatchTimeout", during: "event", deadlineMs: 100 })
      assert.deepInclude(accounting, { timedOut: 1, dispatched: 0, inFlight: 0 })
      assert.strictEqual(interrupted, 1)
    })
  )

  it.effect("charges none of 16 fast effects that took longer than that together, nor the one behind them", () =>
    Effect.gen(function* () {
      const hold = yield* Deferred.make<void>()
      const { accounting, answers, dispatcher, had, queue } = yield* timed(
        ({ passes }) =>
          ({ text }) =>
            text === "slow" ? Deferred.await(hold) : Effect.sync(() => passes(20))
      )
      queue.add(...Array.from({ length: 16 }, () => "fast"), "slow")
      yield* settled
      assert.strictEqual(had.time.now(), 320)
      had.judges()
      had.passes(99)
      had.judges()
      yield* settled
      assert.deepStrictEqual([dispatcher.end, answers.length, accounting.inFlight], [undefined, 16, 1])
      yield* Deferred.succeed(hold, undefined)
      yield* settled
      had.passes(1000)
      had.judges()
      yield* settled
      assert.isUndefined(dispatcher.end)
      assert.deepInclude(accounting, { timedOut: 0, dispatched: 17, inFlight: 0 })
    })
  )

  it.effect("ends an effect that blocks the thread again and again, as soon as it lets go of it", () =>
    Effect.gen(function* () {
      let blocked = 0
      const { accounting, dispatcher, had, queue } = yield* timed(({ passes }) => () => {
        const block = Effect.sync(() => {
          blocked++
          passes(50)
        })
        return Effect.forever(Effect.andThen(block, Effect.yieldNow))
      })
      queue.add("a", "b")
      for (let turn = 0; turn < 20; turn++) {
        yield* Effect.yieldNow
        had.judges()
      }
      assert.strictEqual(tagOf(dispatcher.end), "DispatchTimeout")
      assert.deepInclude(accounting, { timedOut: 1, dispatched: 0, failed: 0, inFlight: 0 })
      assert.isAtLeast(blocked, 2)
      assert.isAtMost(blocked, 5)
    })
  )

  it.effect("isn't that of an effect that blocked the thread and ended: nobody could have interrupted it", () =>
    Effect.gen(function* () {
      const { accounting, dispatcher, had, queue } = yield* timed(
        ({ passes }) =>
          () =>
            Effect.sync(() => passes(150))
      )
      queue.add("a", "b")
      yield* settled
      had.judges()
      yield* settled
      assert.deepStrictEqual([dispatcher.end, accounting.dispatched, had.waiting.size], [undefined, 2, 0])
    })
  )
})

/** How many events were handled each time that others had the thread. */
const slices = (advance: (time: { wall: number; monotonic: number }) => void, events: number, handle?: Handle) =>
  Effect.gen(function* () {
    const time = { wall: 1e12, monotonic: 0 }
    const { count, queue } = yield* dispatching({
      clock: standing(time),
      handle: (event) => {
        advance(time)
        return handle?.(event) ?? Exit.void
      }
    })
    yield* settled
    const seen: Array<number> = []
    queue.add(...Array.from({ length: events }, () => "x"))
    while (count.begun < events) {
      const before = count.begun
      yield* Effect.yieldNow
      if (count.begun > before) seen.push(count.begun - before)
    }
    return seen
  })

describe("rule 12: a dispatcher's slices", () => {
  it.effect("last about four milliseconds", () =>
    Effect.gen(function* () {
      const seen = yield* slices((time) => (time.wall += 1), 40)
      assert.deepStrictEqual([...new Set(seen)], [4])
    })
  )

  it.effect("of handlers that were fast and become slow end soon after that, too", () =>
    Effect.gen(function* () {
      let handled = 0
      const seen = yield* slices((time) => (time.wall += ++handled > 200 ? 2 : 0), 300)
      assert.isAtLeast(seen[0] ?? 0, 200)
      // Up to 16 events between two looks at the clock.
      assert.isAtMost(seen[0] ?? 0, 218)
      assert.isAtMost(Math.max(...seen.slice(1)), 5)
    })
  )

  it.effect("have so many events at most, however fast they are handled", () =>
    Effect.gen(function* () {
      const seen = yield* slices(() => {}, 80_000)
      assert.isAtMost(Math.max(...seen), 32_768 + 16)
      assert.isAtLeast(Math.max(...seen), 32_768)
      assert.isAbove(seen.length, 2)
    })
  )

  it.effect("of handlers that are effects last no longer", () =>
    Effect.gen(function* () {
      const seen = yield* slices(
        (time) => (time.wall += 1),
        40,
        () => Effect.sync(() => {})
      )
      assert.deepStrictEqual([...new Set(seen)], [4])
    })
  )
})

describe("a dispatcher's end", () => {
  it.effect("when it is told to stop discards what is in flight, once", () =>
    Effect.gen(function* () {
      const { accounting, count, dispatcher, queue, runner } = yield* dispatching({ handle: () => Effect.never })
      queue.add("a", "b")
      yield* settled
      dispatcher.stop()
      dispatcher.stop()
      yield* settled
      assert.strictEqual(dispatcher.end, "stopped")
      assert.deepInclude(accounting, { discarded: 1, failed: 0, inFlight: 0 })
      assert.deepStrictEqual([count.ended, count.begun, count.activity], [1, 1, 0])
      assert.isDefined(runner.pollUnsafe())
    })
  )

  it.effect("when it is told to stop while nothing is in flight discards nothing", () =>
    Effect.gen(function* () {
      const { accounting, dispatcher, queue, runner } = yield* dispatching({})
      yield* settled
      dispatcher.stop()
      queue.add("never")
      yield* settled
      assert.deepInclude(accounting, { discarded: 0, inFlight: 0, dispatched: 0 })
      assert.isDefined(runner.pollUnsafe())
    })
  )

  it.effect("ends its watch over the deadline, too", () =>
    Effect.gen(function* () {
      const { dispatcher, queue, time } = yield* dispatching({ handle: () => Effect.never })
      queue.add("a")
      yield* settled
      dispatcher.stop()
      yield* TestClock.adjust(100)
      const had = time.now()
      yield* TestClock.adjust(100)
      assert.strictEqual(time.now(), had)
    })
  )

  it.effect("of an instance without a way to be lost needs no watch", () =>
    Effect.gen(function* () {
      const { dispatcher } = yield* dispatching({})
      assert.isTrue(Exit.isExit(dispatcher.lossWatch))
    })
  )

  for (const [how, end, tag] of [
    ["crash", "InstanceLost", undefined],
    ["neighbour", "neighbour", "InstanceLost"]
  ] as const) {
    it.effect(`when it is lost (${how}) counts what was in flight as failed`, () =>
      Effect.gen(function* () {
        const lost = yield* Deferred.make<PluginRuntime.Loss>()
        const { accounting, count, dispatcher, failures, queue } = yield* dispatching({
          handle: () => Effect.never,
          instance: { lost: Deferred.await(lost) }
        })
        yield* Effect.forkScoped(dispatcher.lossWatch)
        queue.add("a")
        yield* settled
        yield* Deferred.succeed(lost, how)
        yield* settled
        assert.strictEqual(tagOf(dispatcher.end), end)
        assert.deepInclude(accounting, { failed: 1, discarded: 0, inFlight: 0 })
        assert.deepStrictEqual(failures[0]?._tag, tag)
        assert.strictEqual(count.ended, 1)
        if (typeof dispatcher.end === "object") {
          assert.include(String(causeOf(dispatcher.end)), "its sandbox was lost: crash")
        }
      })
    )

    it.effect(`when it is lost (${how}) while nothing is in flight counts nothing`, () =>
      Effect.gen(function* () {
        const { accounting, dispatcher, failures } = yield* dispatching({ instance: { lost: Effect.succeed(how) } })
        yield* dispatcher.lossWatch
        assert.deepInclude(accounting, { failed: 0, inFlight: 0 })
        assert.deepStrictEqual(failures, [])
        assert.isDefined(dispatcher.end)
      })
    )
  }

  it.effect("when nobody can say any more whether it is there is a crash", () =>
    Effect.gen(function* () {
      for (const lost of [Effect.die("boom"), Effect.fail("no") as Effect.Effect<never>]) {
        const { dispatcher } = yield* dispatching({ instance: { lost } })
        yield* dispatcher.lossWatch
        assert.instanceOf(dispatcher.end, PluginError.InstanceLost)
      }
    })
  )

  it.effect("doesn't follow from a watch that is interrupted, nor from a loss after another end", () =>
    Effect.gen(function* () {
      const { dispatcher } = yield* dispatching({ instance: { lost: Effect.never } })
      const watch = yield* Effect.forkScoped(dispatcher.lossWatch)
      yield* settled
      yield* Fiber.interrupt(watch)
      assert.isUndefined(dispatcher.end)
      const other = yield* dispatching({ instance: { lost: Effect.succeed("crash") } })
      other.dispatcher.stop()
      yield* other.dispatcher.lossWatch
      assert.strictEqual(other.dispatcher.end, "stopped")
      assert.strictEqual(other.count.ended, 1)
    })
  )

  it.effect("is a crash where what it tells is a defect, and the event in its hands has failed", () =>
    Effect.gen(function* () {
      const { accounting, count, dispatcher, queue } = yield* dispatching({ begun: () => assert.fail("boom") })
      queue.add("a", "b")
      yield* settled
      assert.instanceOf(dispatcher.end, PluginError.InstanceLost)
      assert.include(String(causeOf(dispatcher.end)), "boom")
      assert.deepInclude(accounting, { failed: 1, inFlight: 0 })
      assert.deepStrictEqual([count.begun, count.ended], [1, 1])
    })
  )

  it.effect("is a crash where somebody else ends the runner", () =>
    Effect.gen(function* () {
      const { accounting, count, dispatcher, queue, runner } = yield* dispatching({ handle: () => Effect.never })
      queue.add("a")
      yield* settled
      yield* Fiber.interrupt(runner)
      assert.instanceOf(dispatcher.end, PluginError.InstanceLost)
      assert.deepInclude(accounting, { failed: 1, inFlight: 0 })
      assert.strictEqual(count.ended, 1)
    })
  )
})

const asking = (status: () => Effect.Effect<unknown, unknown>, setup: Setup = {}) =>
  dispatching({ ...setup, instance: { status: Effect.suspend(status) as never } })

describe("the status that a dispatcher asks for", () => {
  it.effect("is asked at the start and then every ten seconds, whether events come or not", () =>
    Effect.gen(function* () {
      let asked = 0
      const { count, queue, reports } = yield* asking(() => Effect.sync(() => ++asked))
      yield* settled
      assert.deepStrictEqual(reports, ["1"])
      yield* TestClock.adjust(9999)
      queue.add("a")
      yield* settled
      assert.deepStrictEqual([reports, count.begun], [["1"], 1])
      yield* TestClock.adjust(1)
      yield* settled
      assert.deepStrictEqual(reports, ["1", "2"])
      yield* TestClock.adjust(10_000)
      queue.add("b")
      yield* settled
      assert.deepStrictEqual(reports, ["1", "2", "3"])
      assert.strictEqual(count.activity, 0)
    })
  )

  it.effect.each<readonly [what: string, status: Effect.Effect<unknown, unknown>, tag: string | undefined]>([
    ["fails", Effect.fail("no"), "DispatchFailed"],
    ["is no JSON", Effect.succeed(1n), "OutputInvalid"],
    ["is too large", Effect.succeed("x".repeat(5000)), "OutputInvalid"],
    ["says nothing", Effect.void, undefined]
  ])("that %s replaces nothing, and the service goes on", ([, status, tag]) =>
    Effect.gen(function* () {
      const { accounting, answers, dispatcher, failures, queue, reports } = yield* asking(() => status)
      queue.add("a")
      yield* settled
      assert.deepStrictEqual(failures[0]?._tag, tag)
      assert.deepStrictEqual([reports, dispatcher.end], [[], undefined])
      assert.lengthOf(answers, 1)
      assert.deepInclude(accounting, { failed: 0, inFlight: 0 })
    })
  )

  it.effect("that fails says that it was the status", () =>
    Effect.gen(function* () {
      const { failures } = yield* asking(() => Effect.fail("no"))
      yield* settled
      assert.deepInclude(failures[0], { during: "status" })
      assert.strictEqual(causeOf(failures[0]), "no")
    })
  )

  it.effect("that dies is a crash, in which no event is counted", () =>
    Effect.gen(function* () {
      const { accounting, dispatcher } = yield* asking(() => Effect.die("boom"))
      yield* settled
      assert.strictEqual(causeOf(dispatcher.end), "boom")
      assert.deepInclude(accounting, { failed: 0, inFlight: 0 })
    })
  )

  it.effect("that is past the deadline is a crash, too", () =>
    Effect.gen(function* () {
      const { accounting, dispatcher, queue } = yield* asking(() => Effect.never)
      queue.add("waits")
      yield* settled
      yield* TestClock.adjust(1000)
      yield* settled
      assert.deepInclude(dispatcher.end, { _tag: "DispatchTimeout", during: "status" })
      assert.deepInclude(accounting, { timedOut: 0, inFlight: 0 })
      assert.strictEqual(queue.waiting.length, 1)
    })
  )

  for (const how of ["crash", "neighbour"] as const) {
    it.effect(`is no event that is lost with the instance (${how})`, () =>
      Effect.gen(function* () {
        const lost = yield* Deferred.make<PluginRuntime.Loss>()
        const { accounting, dispatcher, failures } = yield* dispatching({
          instance: { status: Effect.never, lost: Deferred.await(lost) }
        })
        yield* Effect.forkScoped(dispatcher.lossWatch)
        yield* settled
        yield* Deferred.succeed(lost, how)
        yield* settled
        assert.isDefined(dispatcher.end)
        assert.deepInclude(accounting, { failed: 0, inFlight: 0 })
        assert.deepStrictEqual(failures, [])
      })
    )
  }

  it.effect("is nothing in flight when the dispatcher is stopped", () =>
    Effect.gen(function* () {
      const { accounting, dispatcher } = yield* asking(() => Effect.never)
      yield* settled
      dispatcher.stop()
      yield* settled
      assert.deepInclude(accounting, { discarded: 0, inFlight: 0 })
      assert.strictEqual(dispatcher.end, "stopped")
    })
  )

  it.effect("is asked by commands' answers no more often", () =>
    Effect.gen(function* () {
      const { answers, queue, reports } = yield* asking(() => Effect.succeed(1), {
        handle: (event) => Exit.succeed({ commands: [OutputCommand.send(event, "x")] })
      })
      for (let text = 0; text < 100; text++) {
        queue.add("x")
        yield* settled
      }
      assert.deepStrictEqual([answers.length, reports.length], [100, 1])
      assert.isTrue(answers.every(({ output }) => output.commands.length === 1))
    })
  )
})
