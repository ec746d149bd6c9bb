/**
 * How a loop sleeps until it is woken or a time has passed, without losing a
 * wake-up and while somebody else can tell whether it has something to do.
 *
 * A round is: `look`, then everything that decides, then `park`. A `wake`
 * after `look` makes the next `park` return at once.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"

/** Told +1 when a loop has something to do, −1 when it hasn't any more. */
export type Activity = (delta: 1 | -1) => void

export interface Parking {
  /** Marks the loop as having something to do for as long as the effect runs, but for when it is parked. */
  readonly around: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  readonly look: () => void
  /** Suspends until woken or until so many milliseconds have passed; null: until woken. */
  readonly park: (millis: number | null) => Effect.Effect<void>
  /** As `park`, for a loop that waits for something that is under way. */
  readonly pend: (millis: number | null) => Effect.Effect<void>
  readonly wake: () => void
}

export const make = (activity: Activity): Parking => {
  const latch = Latch.makeUnsafe(false)
  let running = false
  let parked = false

  const unpark = () => {
    if (!parked) return
    parked = false
    activity(1)
  }

  const suspend = (millis: number | null) =>
    millis === null ? latch.await : Effect.raceFirst(latch.await, Effect.sleep(Math.max(1, millis)))

  return {
    around: (effect) =>
      Effect.suspend(() => {
        running = true
        activity(1)
        return Effect.ensuring(
          effect,
          Effect.sync(() => {
            unpark()
            running = false
            activity(-1)
          })
        )
      }),
    look: () => {
      unpark()
      latch.closeUnsafe()
    },
    park: (millis) =>
      Effect.suspend(() => {
        if (latch.isOpen()) return Effect.void
        if (running && !parked) {
          parked = true
          activity(-1)
        }
        return Effect.andThen(suspend(millis), Effect.sync(unpark))
      }),
    pend: (millis) => Effect.suspend(() => (latch.isOpen() ? Effect.void : suspend(millis))),
    wake: () => {
      unpark()
      latch.openUnsafe()
    }
  }
}
