/**
 * A plugin package on the fake network: the folder that an operator would
 * enable, its code in the sandbox's engine, under virtual time.
 *
 * What is checked of a package on disk is checked here: its files, its
 * manifest, the sizes and forms of what it answers. It runs on the thread of
 * the test, so that each step of a test is over when it returns, and its
 * `Date.now()` is the test's clock. Its deadlines are real time.
 *
 * @since 0.4.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Schema from "effect/Schema"
import { fileURLToPath } from "node:url"
import type { WebSocketClient } from "../connection/WebSocketClient.ts"
import type * as GrantStore from "../grants/GrantStore.ts"
import type * as PluginHost from "../host/PluginHost.ts"
import * as Limits from "../limits/Limits.ts"
import * as Enablement from "../manifest/Enablement.ts"
import type { ManifestError } from "../manifest/ManifestError.ts"
import * as PackageFolders from "../node/PackageFolders.ts"
import * as OwnThread from "../sandbox/OwnThread.ts"
import type * as FakeRequests from "./FakeRequests.ts"
import type * as FakeWebSocket from "./FakeWebSocket.ts"
import { running, type Running } from "./internal/running.ts"
import * as TestHost from "./TestHost.ts"

export { PluginFault } from "./internal/faults.ts"
export type { Running } from "./internal/running.ts"

/**
 * How the package is enabled. What isn't said is as where its author tries it
 * out: everything granted that its manifest asks for.
 *
 * @category models
 * @since 0.4.0
 */
export interface Options {
  /** Handed to `start`; `{}` unless given. */
  readonly config?: Schema.Json
  /** The values of its secrets, by name; every target opens them, and it may sign with each. */
  readonly secrets?: { readonly [name: string]: string }
  /** What an operator would say of the sources of an ingress, in place of what the manifest says. */
  readonly sources?: Enablement.Options["sources"]
  /** In place of everything that the manifest asks for: nothing but this is granted. */
  readonly grants?: Enablement.Options["grants"]
  /** The host's limits. */
  readonly limits?: Partial<Limits.Values>
  /** How dials are answered from the start, by URL; the others are accepted. */
  readonly answers?: TestHost.Options["answers"]
}

/**
 * Provides a host that runs the package in a folder, and everything that
 * `TestHost.layer` provides. Fails where an operator couldn't enable the
 * package.
 *
 * **Gotchas**
 *
 * Nothing but the guest's own interrupt handler ends a handler that is past its
 * deadline: a native loop that doesn't ask it holds up the thread, where the
 * real sandbox would end the worker.
 *
 * @category layers
 * @since 0.4.0
 */
export const layer = (
  folder: string | URL,
  { answers, limits, ...options }: Options = {}
): Layer.Layer<
  | PluginHost.PluginHost
  | GrantStore.GrantStore
  | GrantStore.GrantEditor
  | FakeWebSocket.FakeWebSocket
  | FakeRequests.FakeRequests
  | WebSocketClient,
  ManifestError | Limits.LimitsInvalid
> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const loaded = yield* PackageFolders.load(
        typeof folder === "string" ? folder : fileURLToPath(folder),
        READ_WITHIN_MS
      )
      const enablement = yield* Effect.fromResult(Enablement.make(entry(loaded, options)))
      return TestHost.layer({
        plugins: [OwnThread.make().package(PackageFolders.codeOf(loaded))],
        enabled: [enablement],
        ...(limits === undefined ? {} : { limits }),
        ...(answers === undefined ? {} : { answers })
      })
    })
  ).pipe(Layer.provide(readingInRealTime))

const READ_WITHIN_MS = Limits.defaults.startDeadlineMs

/** A disk knows nothing of a test's clock. */
const readingInRealTime = Layer.provide(PackageFolders.layer, Layer.succeed(Clock.Clock, Clock.Clock.defaultValue()))

const entry = (
  loaded: PackageFolders.LoadedPackage,
  { config = {}, grants, secrets = {}, sources = {} }: Omit<Options, "answers" | "limits">
): Enablement.Options => {
  const values = Object.fromEntries(Object.entries(secrets).map(([name, value]) => [name, Redacted.make(value)]))
  const trusting = Enablement.trusting(loaded, { config, secrets: values })
  return { ...trusting, sources, ...(grants === undefined ? {} : { grants }) }
}

/**
 * Runs the package in a folder for as long as a test takes, for tests that
 * aren't written in Effect, under whatever runs them.
 *
 * **Details**
 *
 * Each step of the test waits until the host has nothing left to do, and
 * rejects with a {@link PluginFault} where something went wrong with the plugin
 * meanwhile: an exception, an answer of a wrong form, a deadline. So a fault
 * that a test is about is one that it expects of the step. One that no step has
 * told fails the test at its end. The host's log isn't shown.
 *
 * **Example** (With Node's test runner)
 *
 * ```ts
 * import { TestPackage } from "mooring/testing"
 * import * as assert from "node:assert/strict"
 * import { test } from "node:test"
 *
 * test("answers a tick", () =>
 *   TestPackage.run("plugins/echo", async (plugin) => {
 *     const gateway = await plugin.remote("ws://127.0.0.1:7700/gateway")
 *     gateway.sendText("tick")
 *     await plugin.idle()
 *     assert.deepEqual(gateway.sent, ["tock"])
 *   })
 * )
 * ```
 *
 * @category running
 * @since 0.4.0
 */
export const run = <A>(
  folder: string | URL,
  test: (plugin: Running) => Promise<A>,
  options: Options = {}
): Promise<A> => Effect.runPromise(running(layer(folder, options), test))
