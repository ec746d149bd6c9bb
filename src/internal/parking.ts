/**
 * How a loop sleeps until it is woken or a time has passed, without losing a
 * wake-up and while somebody else can tell whether it has something to do.
 *
 * A round is: `look`, then everything that decides, then `park`. A `wake`
 * after `look` makes the next `park` return at once.
 */
import * as Effect from "effect/Effect"

/** Told +1 when a loop has something to do, −1 when it hasn't any more. */
export type Activity = (delta: 1 | -1) => void

export interface Parking {
  /** Marks the loop, an effect that is all that its fiber runs, as having something to do but for when it is parked. */
  readonly around: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  readonly look: () => void
  /** Suspends until woken or until so many milliseconds have passed; null: until woken. */
  readonly park: (millis: number | null) => Effect.Effect<void>
  /** As `park` until woken, for a loop that waits for something that is under way. */
  readonly pend: Effect.Effect<void>
  readonly wake: () => void
  /** As `wake`, but the loop goes on inside of this call where it can: only for who knows what it will do. */
  readonly rouse: () => void
}

export const make = (activity: Activity): Parking => {
  let running = false
  let parked = false
  let woken = false
  /** Ends the wait of the loop: now, and in a turn of its own. */
  let goOn: (() => void) | undefined
  let resume: (() => void) | undefined

  const unpark = () => {
    if (!parked) return
    parked = false
    activity(1)
  }

  // The loop goes on in a turn of its own, never inside the call that wakes it: what wakes it is often a listener of a
  // socket in the middle of a chunk.
  const untilWoken = Effect.withFiber((fiber) =>
    Effect.callback<void>((complete) => {
      // The fiber may have yielded since it looked, and have been woken in between.
      if (woken) {
        complete(Effect.void)
        return
      }
      const own = () => {
        // A loop that was roused in between may wait again, for something else.
        if (goOn !== own) return
        goOn = undefined
        resume = undefined
        complete(Effect.void)
      }
      goOn = own
      resume = () => fiber.currentDispatcher.scheduleTask(own, 0)
      return Effect.sync(() => {
        goOn = undefined
        resume = undefined
      })
    })
  )

  const suspend = (millis: number | null) =>
    millis === null ? untilWoken : Effect.raceFirst(untilWoken, Effect.sleep(Math.max(1, millis)))

  return {
    around: (effect) =>
      Effect.withFiber((fiber) => {
        running = true
        activity(1)
        // Not a finalizer: none of them runs where plugin code hands the fiber something that is no effect.
        fiber.addObserver(() => {
          unpark()
          running = false
          activity(-1)
        })
        return effect
      }),
    look: () => {
      unpark()
      woken = false
    },
    park: (millis) =>
      Effect.suspend(() => {
        if (woken) return Effect.void
        if (running && !parked) {
          parked = true
          activity(-1)
        }
        return Effect.andThen(suspend(millis), Effect.sync(unpark))
      }),
    pend: Effect.suspend(() => (woken ? Effect.void : untilWoken)),
    wake: () => {
      woken = true
      unpark()
      const waiting = resume
      resume = undefined
      waiting?.()
    },
    rouse: () => {
      woken = true
      unpark()
      goOn?.()
    }
  }
}
