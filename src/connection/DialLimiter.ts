/**
 * How many dials may be under way at once, how many may begin in a second, and
 * how many names may be looked up at once, for the whole host and for each
 * plugin.
 *
 * Waiting is first come, first served, and a plugin waits for its own places
 * before it takes one of the host's, so one that dials a lot doesn't hold the
 * others up. A lookup keeps its plugin's place until it has returned, however
 * long that is after its dial's end, and the host's for a tenth of a second: a
 * plugin whose names aren't answered waits for itself alone.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Semaphore from "effect/Semaphore"
import * as Monotonic from "../internal/monotonic.ts"
import type { Values } from "../limits/Limits.ts"
import type { LookupPlace, LookupSlots } from "./ResolveAddresses.ts"

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
 * The places of one plugin.
 *
 * @category models
 * @since 0.2.0
 */
export interface PluginSlots extends DialSlots {
  readonly lookups: LookupSlots
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
  readonly plugin: () => PluginSlots
}

const SILENT_AFTER_MS = 100

/** Places for lookups of a plugin among those of the host. */
const lookupSlots = (host: Semaphore.Semaphore, own: Semaphore.Semaphore): LookupSlots => {
  const place: LookupPlace = (lookup) =>
    Effect.suspend(() => {
      let isHeld = true
      const giveBack = Effect.suspend(() => {
        if (!isHeld) return Effect.void
        isHeld = false
        return host.release(1)
      })
      return Effect.forkChild(Effect.andThen(Effect.sleep(SILENT_AFTER_MS), giveBack)).pipe(
        Effect.flatMap((late) => Effect.ensuring(lookup, Fiber.interrupt(late))),
        Effect.ensuring(Effect.andThen(giveBack, own.release(1)))
      )
    })
  return {
    take: Effect.uninterruptibleMask((restore) =>
      restore(own.take(1)).pipe(
        Effect.andThen(Effect.onInterrupt(restore(host.take(1)), () => own.release(1))),
        Effect.as(place)
      )
    )
  }
}

/**
 * Makes the places of a host.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  limits: Pick<
    Values,
    "dialsAtOnce" | "dialsAtOncePerPlugin" | "dialsPerSecond" | "lookupsAtOnce" | "lookupsAtOncePerPlugin"
  >
): Effect.Effect<DialLimiter> =>
  Effect.gen(function* () {
    const monotonic = Monotonic.monotonic(yield* Clock.clockWith(Effect.succeed))
    const host = Semaphore.makeUnsafe(limits.dialsAtOnce)
    const hostLookups = Semaphore.makeUnsafe(limits.lookupsAtOnce)
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
          lookups: lookupSlots(hostLookups, Semaphore.makeUnsafe(limits.lookupsAtOncePerPlugin)),
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
