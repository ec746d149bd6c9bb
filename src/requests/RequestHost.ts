/**
 * What the requests of all plugins of a host share: the client, the places of
 * those that are under way at once, and the fibers that they run in.
 *
 * Plugins take turns (`internal/fairPlaces`): a place goes to the plugin whose
 * last request began longest ago, and the last quarter of the places to plugins
 * that have none under way. Every request has its deadline, so nobody holds a
 * place for ever.
 *
 * @since 0.5.0
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import { FairPlaces, Turn } from "../internal/fairPlaces.ts"
import type { Values } from "../limits/Limits.ts"
import { RequestClient } from "./RequestClient.ts"

/**
 * The places of one plugin.
 *
 * @category models
 * @since 0.5.0
 */
export interface PluginPlaces {
  readonly client: RequestClient
  /** Runs what belongs to no scope but the host's. */
  readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  /** One more turn, for which nobody waits yet. */
  readonly turn: () => Turn
  /** Waits for a turn, which begins in this call at the earliest. */
  readonly ask: (turn: Turn, begin: () => void) => void
  /** Gives the turn's place back, or waits for it no more. */
  readonly leave: (turn: Turn) => void
  /** From now on the plugin has at most so many. */
  readonly bound: (limits: Pick<Values, "requestsAtOncePerPlugin">) => void
}

/**
 * The places of a host.
 *
 * @category models
 * @since 0.5.0
 */
export interface RequestHost {
  /** The places of one more plugin. */
  readonly plugin: () => PluginPlaces
}

/**
 * Makes the places of a host, for the client of the context.
 *
 * @category constructors
 * @since 0.5.0
 */
export const make = (
  limits: Pick<Values, "requestsAtOnce" | "requestsAtOncePerPlugin">
): Effect.Effect<RequestHost, never, Scope.Scope> =>
  Effect.gen(function* () {
    const client = yield* RequestClient
    const fork = yield* FiberSet.makeRuntime<never, void, never>()
    const places = new FairPlaces(limits.requestsAtOnce, (serve) =>
      fork(Effect.andThen(Effect.yieldNow, Effect.sync(serve)))
    )
    return {
      plugin: () => {
        const member = places.join(limits.requestsAtOncePerPlugin)
        return {
          client,
          fork,
          turn: () => new Turn(member),
          ask: (turn, begin) => places.ask(turn, begin),
          leave: (turn) => places.leave(turn),
          bound: ({ requestsAtOncePerPlugin }) => {
            member.most = requestsAtOncePerPlugin
            places.serve()
          }
        }
      }
    }
  })
