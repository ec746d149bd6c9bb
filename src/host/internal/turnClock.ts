/**
 * The time, read once in a turn of the event loop: a burst of frames needs no
 * better, and reading the clock costs as much as a tenth of a frame.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** Unix milliseconds. */
export const turnClock = (clock: Clock.Clock): Effect.Effect<() => number> =>
  Effect.withFiber((fiber) => {
    const { currentDispatcher } = fiber
    let now: number | undefined
    const forget = () => {
      now = undefined
    }
    return Effect.succeed(() => {
      if (now === undefined) {
        now = clock.currentTimeMillisUnsafe()
        currentDispatcher.scheduleTask(forget, 0)
      }
      return now
    })
  })
