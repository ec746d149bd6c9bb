/**
 * A host for tests in one layer: on the fake network, with every plugin granted
 * what it asks for unless the test says what is enabled.
 *
 * @since 0.2.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { WebSocketClient } from "../connection/WebSocketClient.ts"
import * as GrantStore from "../grants/GrantStore.ts"
import * as PluginHost from "../host/PluginHost.ts"
import type { LimitsInvalid } from "../limits/Limits.ts"
import * as Enablement from "../manifest/Enablement.ts"
import * as FakeWebSocket from "./FakeWebSocket.ts"

/**
 * What a test host runs.
 *
 * @category models
 * @since 0.2.0
 */
export interface Options extends Omit<PluginHost.Options, "enabled"> {
  /** Each package with everything that its manifest asks for, unless given. */
  readonly enabled?: ReadonlyArray<Enablement.Enablement>
  /** How dials are answered from the start, by URL; the others are accepted. */
  readonly answers?: { readonly [url: string]: FakeWebSocket.Answer }
}

/**
 * Provides a running host, the network in memory that it dials, and an editor
 * of its grants.
 *
 * **Example** (A plugin that greets)
 *
 * ```ts
 * import { Effect, Exit } from "effect"
 * import { OutputCommand, ServicePlugin } from "mooring"
 * import { FakeWebSocket, TestHost } from "mooring/testing"
 *
 * const url = "ws://127.0.0.1:7700/gateway"
 *
 * const greeter = ServicePlugin.make({
 *   id: "example.greeter",
 *   version: "0.1.0",
 *   ingresses: { gateway: { sources: [url] } },
 *   websocket: [{ scheme: "ws", host: "127.0.0.1", port: 7700, pathPrefixes: ["/gateway"] }],
 *   handlers: {
 *     gateway: { websocket_open: (event) => Exit.succeed({ commands: [OutputCommand.send(event, "hello")] }) }
 *   }
 * })
 *
 * export const test = Effect.gen(function* () {
 *   const fake = yield* FakeWebSocket.FakeWebSocket
 *   const remote = yield* fake.remote(url)
 *   return yield* remote.received(1)
 * }).pipe(Effect.provide(TestHost.layer({ plugins: [greeter] })))
 * ```
 *
 * @category layers
 * @since 0.2.0
 */
export const layer = ({
  answers = {},
  ...options
}: Options): Layer.Layer<
  | PluginHost.PluginHost
  | GrantStore.GrantStore
  | GrantStore.GrantEditor
  | FakeWebSocket.FakeWebSocket
  | WebSocketClient,
  LimitsInvalid
> => {
  const enabled = options.enabled ?? options.plugins.map((plugin) => Enablement.trusting(plugin))
  return PluginHost.layer({ ...options, enabled }).pipe(
    Layer.provideMerge(GrantStore.layerMutable(enabled)),
    Layer.provide(answering(answers)),
    Layer.provideMerge(FakeWebSocket.layer)
  )
}

const answering = (answers: NonNullable<Options["answers"]>) =>
  Layer.effectDiscard(
    FakeWebSocket.FakeWebSocket.use((fake) =>
      Effect.forEach(Object.entries(answers), ([url, answer]) => fake.answer(url, answer), { discard: true })
    )
  )
