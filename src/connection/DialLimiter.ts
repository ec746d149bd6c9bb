/**
 * How many dials may be under way at once, how many may begin in a second, and
 * how many names may be looked up at once, for the whole host and for each
 * plugin.
 *
 * Plugins take turns (`internal/fairPlaces`): a place, and the next of a
 * second's dials, go to the plugin whose last dial began longest ago, and the
 * last quarter of the places to plugins that have no dial under way. So plugins
 * whose servers don't answer don't hold the others up. A lookup keeps its
 * plugin's place until it has returned, however long that is after its dial's
 * end, and the host's for a tenth of a second: a plugin whose names aren't
 * answered waits for itself alone.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import * as Monotonic from "../internal/monotonic.ts"
import type { Values } from "../limits/Limits.ts"
import { FairPlaces, Turn, type Member } from "../internal/fairPlaces.ts"
import { Reachability } from "./Reachability.ts"
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
  /** From now on the plugin has at most so many. */
  readonly bound: (limits: Pick<Values, "dialsAtOncePerPlugin" | "lookupsAtOncePerPlugin">) => void
  /** The whole host's. */
  readonly reachability: Reachability
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

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** Waits for a turn of this plugin, in a region that nothing interrupts but here: then it has none. */
const take = (places: FairPlaces, member: Member, restore: Restore): Effect.Effect<Turn> =>
  Effect.suspend(() => {
    const turn = new Turn(member)
    const begins = Effect.callback<void>((resume) => places.ask(turn, () => resume(Effect.void)))
    const gaveUp = Effect.sync(() => places.leave(turn))
    return Effect.as(
      Effect.onInterrupt(restore(begins), () => gaveUp),
      turn
    )
  })

/** Places for the lookups of a plugin. */
const lookupSlots = (places: FairPlaces, member: Member): LookupSlots => {
  const placeOf =
    (turn: Turn): LookupPlace =>
    (lookup) => {
      const silent = Effect.andThen(
        Effect.sleep(SILENT_AFTER_MS),
        Effect.sync(() => places.release(turn))
      )
      return Effect.forkChild(silent).pipe(
        Effect.flatMap((late) => Effect.ensuring(lookup, Fiber.interrupt(late))),
        Effect.ensuring(Effect.sync(() => places.leave(turn)))
      )
    }
  return { take: Effect.uninterruptibleMask((restore) => Effect.map(take(places, member, restore), placeOf)) }
}

/** Tells whether a dial may begin now: so many in any second. Where it may not, `later` is told for how long. */
const pacer = (dialsPerSecond: number, monotonic: () => number, later: (waitMs: number) => void) => {
  // When the last so many began, in a ring.
  const begun: Array<number> = []
  let oldest = 0
  return (): boolean => {
    const now = monotonic()
    const waitMs = Math.ceil((begun[oldest] ?? Number.NEGATIVE_INFINITY) + 1000 - now)
    if (waitMs > 0) {
      later(waitMs)
      return false
    }
    begun[oldest] = now
    oldest = (oldest + 1) % dialsPerSecond
    return true
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
): Effect.Effect<DialLimiter, never, Scope.Scope> =>
  Effect.gen(function* () {
    const fork = yield* FiberSet.makeRuntime<never, void>()
    let isTimed = false
    const later = (waitMs: number) => {
      if (isTimed) return
      isTimed = true
      const serve = Effect.sync(() => {
        isTimed = false
        dials.serve()
      })
      fork(Effect.andThen(Effect.sleep(waitMs), serve))
    }
    const monotonic = Monotonic.monotonic(yield* Clock.clockWith(Effect.succeed))
    const inAnotherTurn = (serve: () => void) => fork(Effect.andThen(Effect.yieldNow, Effect.sync(serve)))
    const dials = new FairPlaces(limits.dialsAtOnce, inAnotherTurn, pacer(limits.dialsPerSecond, monotonic, later))
    const lookups = new FairPlaces(limits.lookupsAtOnce, inAnotherTurn)
    const reachability = new Reachability()
    let waiting = 0

    return {
      waiting: () => waiting,
      plugin: () => {
        const member = dials.join(limits.dialsAtOncePerPlugin)
        const looker = lookups.join(limits.lookupsAtOncePerPlugin)
        const taken = (restore: Restore) =>
          Effect.suspend(() => {
            waiting++
            return Effect.ensuring(
              take(dials, member, restore),
              Effect.sync(() => waiting--)
            )
          })
        return {
          reachability,
          bound: ({ dialsAtOncePerPlugin, lookupsAtOncePerPlugin }) => {
            member.most = dialsAtOncePerPlugin
            looker.most = lookupsAtOncePerPlugin
            dials.serve()
            lookups.serve()
          },
          lookups: lookupSlots(lookups, looker),
          withSlot: (dial) =>
            Effect.uninterruptibleMask((restore) =>
              Effect.flatMap(taken(restore), (turn) =>
                Effect.ensuring(
                  restore(dial),
                  Effect.sync(() => dials.leave(turn))
                )
              )
            )
        }
      }
    }
  })
