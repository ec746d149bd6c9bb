/**
 * The `WebSocketClient` on `ws`, for Node.
 *
 * It dials exactly an address that the policy has checked, or the proxy that it
 * is given, follows no redirect, and has no limit or
 * deadline of its own beside the ones it is given. Reading is fair: at most
 * about one chunk of 64 KiB per connection and turn of the event loop, so that
 * a server that floods doesn't own the loop.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Resolve } from "../connection/ResolveAddresses.ts"
import { WebSocketClient } from "../connection/WebSocketClient.ts"
import { AuthorizedTarget } from "../grants/Grants.ts"
import { dial } from "./internal/dial.ts"
import * as Network from "./internal/network.ts"
import type { ClientTls } from "./internal/secureContexts.ts"
import { Turn } from "./internal/wsSocket.ts"
import type * as ProxySettings from "./ProxySettings.ts"

/**
 * What all connections of a client have in common, each optional: Node's TLS
 * options of these names (`minVersion` is TLS 1.2 unless given), and how names
 * are resolved (by default `DnsAddresses`). A name that resolves to one of the
 * `ownAddresses` (asked at most once a second; by default those of the network
 * interfaces) needs `private_addresses`: a machine whose public address is on a
 * gateway before it can name that one, too. What a source has of its own takes
 * the place of `ca`, and of `cert` and `key`. With a `proxy` everything goes
 * through it and nothing around it: where it can't be used, which `"unusable"`
 * says outright, every dial fails. It is never taken from the environment.
 * With `fastPath: false` every frame goes through the parser of `ws`, where
 * otherwise a text that came whole, in one frame, goes by it; a source can say
 * the same for itself.
 *
 * **Gotchas**
 *
 * `ca` takes the place of the certificate authorities that Node comes with. A
 * client certificate is shown to every server that asks for one, but to no proxy.
 *
 * @category models
 * @since 0.2.0
 */
export interface Options extends ClientTls {
  readonly resolve?: Resolve
  readonly ownAddresses?: () => ReadonlyArray<string>
  readonly proxy?: ProxySettings.ProxySettings | "unusable"
  readonly fastPath?: boolean
}

/**
 * Provides the client, with options. Dies of certificates and keys that can't be
 * read.
 *
 * @category layers
 * @since 0.2.0
 */
export const layerOptions = ({ fastPath = true, ...options }: Options = {}): Layer.Layer<WebSocketClient> =>
  Layer.effect(
    WebSocketClient,
    Effect.map(Network.make(options), (network) => on(network, fastPath))
  )

/** @internal The client over a network that others may dial by, too. */
export const on = (network: Network.Network, fastPath: boolean): WebSocketClient["Service"] => {
  const shared = { network, turn: new Turn(), fastPath }
  return {
    proxied: network.proxy !== undefined,
    connect: (target, options, events) =>
      AuthorizedTarget.is(target)
        ? dial(target, options, events, shared)
        : Effect.die(new TypeError("the target was not authorized"))
  }
}

/**
 * Provides the client.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<WebSocketClient> = layerOptions()
