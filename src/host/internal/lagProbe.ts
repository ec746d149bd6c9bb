/**
 * How late the event loop is: how long a task waits for its turn, measured
 * with each status that is asked for. It needs no timer of its own.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** The lag in milliseconds that the last call began to measure. */
export const lagProbe = (clock: Clock.Clock): Effect.Effect<() => number> =>
  Effect.withFiber(({ currentDispatcher }) => {
    let lag = 0
    let measuring = false
    return Effect.succeed(() => {
      if (!measuring) {
        measuring = true
        const begun = clock.monotonicTimeNanosUnsafe()
        currentDispatcher.scheduleTask(() => {
          measuring = false
          lag = Math.round(Number(clock.monotonicTimeNanosUnsafe() - begun) / 1e4) / 100
        }, 0)
      }
      return lag
    })
  })
