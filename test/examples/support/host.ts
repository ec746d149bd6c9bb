/** A host with one of the examples, everything granted that it declares unless a test says otherwise. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import type * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import {
  type Enablement,
  GrantStore,
  type HostStatus,
  type Limits,
  PluginHost,
  type PluginRuntime,
  type WebSocketTarget
} from "mooring"
import { Clients } from "mooring/node"
import { isDeepStrictEqual } from "node:util"
import { enable } from "../../support/plugins.ts"
import { eventually, the } from "../../integration/support/host.ts"

export interface Setup {
  readonly plugin: PluginRuntime.PluginPackage
  readonly config: Schema.Json
  readonly limits?: Partial<Limits.Values>
  readonly policy?: "backoff" | "never"
  /** The paths that the grant covers. */
  readonly granted?: ReadonlyArray<string>
}

/** A target on loopback. */
export const target: WebSocketTarget.WebSocketTarget = {
  scheme: "ws",
  host: "127.0.0.1",
  port: "*",
  pathPrefixes: ["/"]
}

export const run = ({ config, granted = ["/"], limits, plugin, policy = "backoff" }: Setup) =>
  Effect.gen(function* () {
    const { ingresses, permissions } = plugin.manifest
    const enablement = enable(plugin, {
      config,
      grants: { permissions, websocket: [{ scheme: "ws", host: "127.0.0.1", port: "*", path_prefixes: granted }] },
      // With half of it for full jitter, that is 50 ms: long enough for a plugin to answer a close.
      sources: { [the(ingresses[0]).name]: { reconnect: { policy, initial_ms: 100, max_ms: 100, stable_ms: 0 } } }
    })
    return yield* hosted(plugin, enablement, { closeGraceMs: 500, ...limits })
  })

/** A host that runs a package as it is enabled, until the test's scope closes. */
export const hosted = (
  plugin: PluginRuntime.PluginPackage,
  enablement: Enablement.Enablement,
  limits: Partial<Limits.Values>,
  beside: Layer.Layer<never> = Layer.empty
) =>
  Effect.gen(function* () {
    const live = PluginHost.layer({ plugins: [plugin], enabled: [enablement], limits }).pipe(
      Layer.provide([
        GrantStore.layer([enablement]),
        Clients.layer,
        beside,
        Layer.succeed(Random.Random, { nextDoubleUnsafe: () => 0.5, nextIntUnsafe: () => 1 })
      ])
    )
    const scope = yield* Effect.acquireRelease(Scope.make(), (it) => Scope.close(it, Exit.void))
    const host = Context.get(yield* Layer.buildWithScope(live, scope), PluginHost.PluginHost)
    const seen = Effect.map(host.status, ({ plugins }) => the(plugins[0]))
    return {
      host,
      seen,
      /** Waits until the plugin's row in the status is as it should be. */
      until: (holds: (row: HostStatus.PluginStatus) => boolean) => eventually(seen, holds),
      /** Waits until the plugin has reported all of this. */
      untilReported: (report: { readonly [key: string]: Schema.Json }) =>
        eventually(seen, ({ reportedStatus }) => has(reportedStatus, report)),
      /** Closes the host's scope. */
      stop: Scope.close(scope, Exit.void)
    }
  })

const has = (reported: Schema.Json, report: { readonly [key: string]: Schema.Json }): boolean => {
  if (typeof reported !== "object" || reported === null) return false
  const entries = new Map(Object.entries(reported))
  return Object.entries(report).every(([key, value]) => isDeepStrictEqual(entries.get(key), value))
}

/** The connection of a plugin with one source. */
export const connectionOf = ({ websocketConnections }: HostStatus.PluginStatus): HostStatus.ConnectionStatus =>
  the(websocketConnections[0])

/** What became of the commands of a kind, in order: their status, or the tag of what was wrong. */
export const resultsOf = (row: HostStatus.PluginStatus, kind: string): ReadonlyArray<string> =>
  row.outputCommandResults.filter((result) => result.kind === kind).map(({ error, status }) => error?.tag ?? status)

/** The sockets and timers that keep this process alive; not looked at from a timer, which would count itself. */
const inUse = Effect.andThen(
  Effect.yieldNow,
  Effect.sync(() => {
    const kinds = process.getActiveResourcesInfo()
    const count = (kind: string) => kinds.filter((it) => it === kind).length
    return { sockets: count("TCPSocketWrap"), timers: count("Timeout") }
  })
)

/** The least of several looks: what others have under way, such as the test runner, ends meanwhile. */
const atRest = Effect.gen(function* () {
  let { sockets, timers } = yield* inUse
  for (let look = 0; look < 20; look++) {
    yield* Effect.sleep("5 millis")
    const now = yield* inUse
    sockets = Math.min(sockets, now.sockets)
    timers = Math.min(timers, now.timers)
  }
  return { sockets, timers }
})

/** Runs something in a scope of its own, and waits until it has left no socket and no timer behind. */
export const leavesNothing = <A, E>(use: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<void, E> =>
  Effect.gen(function* () {
    const before = yield* atRest
    yield* Effect.scoped(use)
    yield* eventually(inUse, ({ sockets, timers }) => sockets <= before.sockets && timers <= before.timers)
  })
