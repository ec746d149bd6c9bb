/**
 * Both clients of a host, `WsClient` and `UndiciClient`, with what they dial by
 * in common: a name that one looks up serves the other, and nothing goes around
 * the proxy.
 *
 * @since 0.5.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { WebSocketClient } from "../connection/WebSocketClient.ts"
import { RequestClient } from "../requests/RequestClient.ts"
import * as Network from "./internal/network.ts"
import * as UndiciClient from "./UndiciClient.ts"
import * as WsClient from "./WsClient.ts"

/**
 * Provides both, with the options of `WsClient`. Dies of certificates and keys
 * that can't be read.
 *
 * @category layers
 * @since 0.5.0
 */
export const layerOptions = ({ fastPath = true, ...options }: WsClient.Options = {}): Layer.Layer<WebSocketClient> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const network = yield* Network.make(options)
      const requests = yield* UndiciClient.on(network)
      return Context.make(WebSocketClient, WsClient.on(network, fastPath)).pipe(Context.add(RequestClient, requests))
    })
  )

/**
 * Provides both.
 *
 * @category layers
 * @since 0.5.0
 */
export const layer: Layer.Layer<WebSocketClient> = layerOptions()
