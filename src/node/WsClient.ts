/**
 * The `WebSocketClient` on `ws`, for Node.
 *
 * It dials exactly an address that the policy has checked, follows no
 * redirect, knows no proxy, offers no compression, and has no limit or
 * deadline of its own beside the ones it is given. Reading is fair: at most
 * about one chunk of 64 KiB per connection and turn of the event loop, so that
 * a server that floods doesn't own the loop.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Lookups from "../connection/Lookups.ts"
import type { Resolve } from "../connection/ResolveAddresses.ts"
import { WebSocketClient } from "../connection/WebSocketClient.ts"
import { AuthorizedTarget } from "../grants/Grants.ts"
import * as DnsAddresses from "./DnsAddresses.ts"
import { dial } from "./internal/dial.ts"
import { SecureContexts, type ClientTls } from "./internal/secureContexts.ts"
import { Turn } from "./internal/wsSocket.ts"

/**
 * What all connections of a client have in common, each optional: Node's TLS
 * options of these names (`minVersion` is TLS 1.2 unless given), and how names
 * are resolved (by default `DnsAddresses`). What a source has of its own takes
 * the place of `ca`, and of `cert` and `key`.
 *
 * **Gotchas**
 *
 * `ca` takes the place of the certificate authorities that Node comes with. A
 * client certificate is shown to every server that asks for one.
 *
 * @category models
 * @since 0.2.0
 */
export interface Options extends ClientTls {
  readonly resolve?: Resolve
}

/**
 * Provides the client, with options. Dies of certificates and keys that can't be
 * read.
 *
 * @category layers
 * @since 0.2.0
 */
export const layerOptions = ({ resolve, ...tls }: Options = {}): Layer.Layer<WebSocketClient> =>
  Layer.effect(
    WebSocketClient,
    Effect.gen(function* () {
      const lookups = yield* Lookups.make(resolve ?? DnsAddresses.make().resolve)
      const shared = { lookups, contexts: new SecureContexts(tls), turn: new Turn() }
      return WebSocketClient.of({
        proxied: false,
        connect: (target, options, events) =>
          AuthorizedTarget.is(target)
            ? dial(target, options, events, shared)
            : Effect.die(new TypeError("the target was not authorized"))
      })
    })
  )

/**
 * Provides the client.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<WebSocketClient> = layerOptions()
