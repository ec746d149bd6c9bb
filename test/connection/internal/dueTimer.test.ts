/** The wait for one time, by itself: by the clock that is right for it. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import * as DueTimer from "../../../src/connection/internal/dueTimer.ts"
import * as Monotonic from "../../../src/internal/monotonic.ts"
import * as HadByHand from "../../plugin/support/hadByHand.ts"

const waiting = (kind: DueTimer.DueTimer["kind"], at: number) =>
  Effect.gen(function* () {
    const had = HadByHand.make()
    const context = yield* Effect.context<never>()
    const over: Array<number> = []
    const timer = DueTimer.begin({
      at,
      kind,
      time: had.time,
      monotonic: Monotonic.monotonic(yield* Clock.Clock),
      fork: (wait) => Effect.runForkWith(context)(wait),
      over: () => over.push(had.time.now())
    })
    return { had, over, timer }
  })

describe("what a connection waits for", () => {
  it.effect("comes due by the clock that is never set, whatever time was had", () =>
    Effect.gen(function* () {
      const { had, over } = yield* waiting("due", 100.5)
      had.passes(1000)
      had.judges()
      yield* TestClock.adjust(100)
      assert.lengthOf(over, 0)
      yield* TestClock.adjust(1)
      assert.lengthOf(over, 1)
      assert.strictEqual(had.waiting.size, 0)
    })
  )

  it.effect("comes due in a turn of its own where its time is past", () =>
    Effect.gen(function* () {
      const { over } = yield* waiting("due", -5)
      assert.lengthOf(over, 0)
      yield* TestClock.adjust(1)
      assert.lengthOf(over, 1)
    })
  )

  it.effect("is, for a close, by time that was had: the peer isn't charged with a thread that was blocked", () =>
    Effect.gen(function* () {
      const { had, over } = yield* waiting("graceOver", 100)
      yield* TestClock.adjust(3_600_000)
      had.passes(99)
      had.judges()
      assert.lengthOf(over, 0)
      had.passes(1)
      had.judges()
      assert.lengthOf(over, 1)
    })
  )

  for (const kind of ["due", "graceOver"] as const) {
    it.effect(`never comes due once it has been ended (${kind})`, () =>
      Effect.gen(function* () {
        const { had, over, timer } = yield* waiting(kind, 100)
        assert.deepInclude(timer, { at: 100, kind })
        timer.end()
        had.passes(1000)
        had.judges()
        yield* TestClock.adjust(1000)
        assert.lengthOf(over, 0)
      })
    )
  }
})
