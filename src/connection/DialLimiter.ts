/**
 * How many dials may be under way at once, and how many may begin in a second,
 * for the whole host and for each plugin.
 *
 * Waiting is first come, first served, and a plugin waits for its own places
 * before it takes one of the host's, so one that dials a lot doesn't hold the
 * others up.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import * as Monotonic from "../internal/monotonic.ts"
import type { Values } from "../limits/Limits.ts"

/**
 * Runs a dial in a place of its own.
 *
 * @category models
 * @since 0.1.0
 */
export interface DialSlots {
  readonly withSlot: <A, E, R>(dial: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/**
 * The places of a host.
 *
 * @category models
 * @since 0.1.0
 */
export interface DialLimiter {
  /** Dials that wait for a place. */
  readonly waiting: () => number
  /** The places of one more plugin. */
  readonly plugin: () => DialSlots
}

/**
 * Makes the places of a host.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  limits: Pick<Values, "dialsAtOnce" | "dialsAtOncePerPlugin" | "dialsPerSecond">
): Effect.Effect<DialLimiter> =>
  Effect.gen(function* () {
    const monotonic = Monotonic.monotonic(yield* Clock.clockWith(Effect.succeed))
    const host = Semaphore.makeUnsafe(limits.dialsAtOnce)
    const everyMs = 1000 / limits.dialsPerSecond
    let waiting = 0
    // When the last dial of a full second's allowance would have begun.
    let booked = Number.NEGATIVE_INFINITY

    const pace = Effect.suspend(() => {
      const now = monotonic()
      booked = Math.max(booked, now - 1000) + everyMs
      const wait = Math.ceil(booked - now)
      if (wait <= 0) return Effect.void
      const giveBack = Effect.sync(() => {
        booked -= everyMs
      })
      return Effect.onInterrupt(Effect.sleep(wait), () => giveBack)
    })

    return {
      waiting: () => waiting,
      plugin: () => {
        const own = Semaphore.makeUnsafe(limits.dialsAtOncePerPlugin)
        return {
          withSlot: (dial) =>
            Effect.suspend(() => {
              let waits = true
              waiting++
              const begin = () => {
                if (waits) waiting--
                waits = false
              }
              return pace.pipe(
                Effect.andThen(Effect.suspend(() => (begin(), dial))),
                host.withPermits(1),
                own.withPermits(1),
                Effect.ensuring(Effect.sync(begin))
              )
            })
        }
      }
    }
  })
