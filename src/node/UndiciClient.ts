/**
 * The `RequestClient` on `undici`, for Node.
 *
 * It dials as `WsClient` does: exactly addresses that the policy has checked, or
 * the proxy that it is given, for `http` by CONNECT, too. A request is written
 * once, whatever becomes of it; redirects are not followed and no cookies kept.
 * A connection waits for a next request for 4 s at most and for those that it
 * was made for; after 1 s only for GET and HEAD, which may be asked twice where
 * the server has just given it up.
 *
 * @since 0.5.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { AuthorizedRequest } from "../grants/Grants.ts"
import * as Monotonic from "../internal/monotonic.ts"
import { RequestClient } from "../requests/RequestClient.ts"
import * as HadTime from "../time/HadTime.ts"
import * as Network from "./internal/network.ts"
import { Requests } from "./internal/requests.ts"
import type * as WsClient from "./WsClient.ts"

/**
 * What all requests of a client have in common: what the options of `WsClient`
 * of the same names say of dials.
 *
 * @category models
 * @since 0.5.0
 */
export interface Options extends Omit<WsClient.Options, "fastPath"> {}

/** @internal The client over a network that others may dial by, too. */
export const on = (network: Network.Network): Effect.Effect<RequestClient, never, Scope.Scope> =>
  Effect.gen(function* () {
    const requests = new Requests({
      network,
      scope: yield* Effect.scope,
      time: yield* HadTime.make,
      monotonic: Monotonic.monotonic(yield* Clock.clockWith(Effect.succeed)),
      run: yield* FiberSet.makeRuntime<never>()
    })
    return {
      send: (outgoing) =>
        AuthorizedRequest.is(outgoing.request)
          ? requests.send(outgoing)
          : Effect.die(new TypeError("the request was not authorized")),
      release: (owner, keep) => Effect.sync(() => requests.release(owner, keep))
    }
  })

/**
 * Provides the client, with options. Dies of certificates and keys that can't be
 * read.
 *
 * @category layers
 * @since 0.5.0
 */
export const layerOptions = (options: Options = {}): Layer.Layer<never> =>
  Layer.effect(RequestClient, Effect.flatMap(Network.make(options), on))

/**
 * Provides the client.
 *
 * @category layers
 * @since 0.5.0
 */
export const layer: Layer.Layer<never> = layerOptions()
