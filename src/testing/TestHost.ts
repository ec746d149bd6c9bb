/**
 * A host for tests in one layer: on the fake network, with every plugin granted
 * what it asks for unless the test says what is enabled.
 *
 * A host closes its sockets in order, which may take time, and once a test has
 * failed nobody is left to move its clock: it would hang until it times out,
 * and its message be lost. So where a test host is closed because of a failure,
 * virtual time passes by itself until that is done.
 *
 * @since 0.2.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { WebSocketClient } from "../connection/WebSocketClient.ts"
import * as GrantStore from "../grants/GrantStore.ts"
import * as PluginHost from "../host/PluginHost.ts"
import type { LimitsInvalid } from "../limits/Limits.ts"
import * as Enablement from "../manifest/Enablement.ts"
import * as FakeRequests from "./FakeRequests.ts"
import * as FakeWebSocket from "./FakeWebSocket.ts"
import { isTestClock, passing } from "./internal/passing.ts"
import * as Standstill from "./Standstill.ts"

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
 * Provides a running host, the networks in memory that it dials and sends its
 * requests over, and an editor of its grants.
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
  | FakeRequests.FakeRequests
  | WebSocketClient,
  LimitsInvalid
> => {
  const enabled = options.enabled ?? options.plugins.map((plugin) => Enablement.trusting(plugin))
  return failingFast(PluginHost.layer({ ...options, enabled })).pipe(
    Layer.provideMerge(GrantStore.layerMutable(enabled)),
    Layer.provide(answering(answers)),
    Layer.provideMerge(FakeWebSocket.layer),
    Layer.provideMerge(FakeRequests.layer),
    Layer.provideMerge(Standstill.layer)
  )
}

const answering = (answers: NonNullable<Options["answers"]>) =>
  Layer.effectDiscard(
    FakeWebSocket.FakeWebSocket.use((fake) =>
      Effect.forEach(Object.entries(answers), ([url, answer]) => fake.answer(url, answer), { discard: true })
    )
  )

/**
 * Lets virtual time pass while what a layer holds is released, if that is
 * because of a failure. For hosts that are put together another way; on a clock
 * that isn't virtual it does nothing.
 *
 * @category combinators
 * @since 0.2.0
 */
export const failingFast = <A, E, R>(self: Layer.Layer<A, E, R>): Layer.Layer<A, E, R> =>
  Layer.fromBuildMemo((memoMap, scope) =>
    Effect.gen(function* () {
      const clock = yield* Clock.clockWith(Effect.succeed)
      let passes: Fiber.Fiber<never> | undefined
      // Finalizers run backwards: time passes from before the layer's own to after them.
      yield* Scope.addFinalizer(
        scope,
        Effect.suspend(() => (passes === undefined ? Effect.void : Fiber.interrupt(passes)))
      )
      const context = yield* Layer.buildWithMemoMap(self, memoMap, scope)
      yield* Scope.addFinalizerExit(scope, (exit) =>
        Exit.isSuccess(exit) || !isTestClock(clock)
          ? Effect.void
          : Effect.map(Effect.forkDetach(passing(clock)), (fiber) => {
              passes = fiber
            })
      )
      return context
    })
  )
