/**
 * Virtual time that passes by itself.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as TestClock from "effect/testing/TestClock"

const STEP = "1 second"

export const isTestClock = (clock: Clock.Clock): clock is TestClock.TestClock => "adjust" in clock

/** Completes in another turn of the event loop. */
export const turn: Effect.Effect<void> = Effect.callback<void>((resume) => {
  const immediate = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(immediate))
})

/** Moves virtual time, a step in each turn of the event loop, until it is interrupted. */
export const passing = (clock: TestClock.TestClock): Effect.Effect<never> =>
  Effect.forever(Effect.andThen(turn, clock.adjust(STEP)))
