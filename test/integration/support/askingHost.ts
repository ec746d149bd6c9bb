/** A whole host on real sockets with plugins that make the requests which they are told to make. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import {
  type CommandResult,
  type Enablement,
  GrantStore,
  type HostStatus,
  type IngressEvent,
  OutputCommand,
  PluginHost,
  type PluginRuntime,
  type ResolveAddresses,
  ServicePlugin
} from "mooring"
import { Clients, SystemSecrets } from "mooring/node"
import { enable } from "../../support/plugins.ts"
import { eventually, the } from "./host.ts"

/** What a plugin is granted of requests. Any name is declared. */
export interface Granted {
  readonly scheme?: "http" | "https" | "*"
  readonly host: string
  readonly port?: number | "*"
  readonly methods?: ReadonlyArray<string>
  readonly path_prefixes?: ReadonlyArray<string>
  readonly private_addresses?: boolean
}

export type Asked = readonly [method: string, url: string]

type Told = IngressEvent.HostResponse

/** A plugin `test.<name>` that asks for what is delivered to it. */
const askerOf = (name: string, seen: Array<Told>) =>
  ServicePlugin.make({
    id: `test.${name}`,
    version: "1.0.0",
    ingresses: { gateway: { sources: [], eventKinds: ["ask"] } },
    websocket: [],
    request: [
      { scheme: "*", host: "*", port: "*", methods: ["GET", "POST", "PUT"], pathPrefixes: ["/"] },
      { scheme: "*", host: "127.0.0.1", port: "*", methods: ["GET"], pathPrefixes: ["/literal"] }
    ],
    handlers: {
      gateway: {
        ask: ({ payload }) => {
          const asked = payload as ReadonlyArray<Asked>
          return Exit.succeed({ commands: asked.map(([method, url]) => OutputCommand.request(method, url)) })
        },
        host_response: (event) => {
          seen.push(event)
          return Exit.void
        }
      }
    }
  })

const enabledWith = (pkg: PluginRuntime.PluginPackage, granted: ReadonlyArray<Granted>): Enablement.Enablement =>
  enable(pkg, {
    grants: {
      permissions: pkg.manifest.permissions,
      request: granted.map((target) => ({
        scheme: "http",
        port: "*",
        methods: ["GET"],
        path_prefixes: ["/"],
        ...target
      }))
    }
  })

export interface Asker {
  readonly ref: string
  readonly seen: ReadonlyArray<Told>
  readonly row: Effect.Effect<HostStatus.PluginStatus>
  /** Asks for these, and completes with the results of the commands. */
  readonly ask: (...asked: ReadonlyArray<Asked>) => Effect.Effect<ReadonlyArray<CommandResult.CommandResult>>
  /** Asks for one, and completes with what the plugin was told of it. */
  readonly answer: (...asked: Asked) => Effect.Effect<Told>
  /** Grants this from now on, in place of what was. */
  readonly grant: (...granted: ReadonlyArray<Granted>) => Effect.Effect<void>
}

export interface AskingHost {
  readonly asker: (name: string) => Asker
  readonly host: PluginHost.PluginHost["Service"]
  readonly editor: GrantStore.GrantEditor["Service"]
  /** How a plugin was enabled at the start. */
  readonly enabled: (ref: string) => Enablement.Enablement
  /** Closes the host's scope. */
  readonly close: Effect.Effect<void>
}

/** A host whose plugins, by name, are granted this, with the clients that `mooring run` has. */
export const askingHost = (
  plugins: { readonly [name: string]: ReadonlyArray<Granted> },
  resolve: ResolveAddresses.Resolve
): Effect.Effect<AskingHost, never, Scope.Scope> =>
  Effect.gen(function* () {
    const entries = Object.entries(plugins).map(([name, granted]) => {
      const seen: Array<Told> = []
      const pkg = askerOf(name, seen)
      return { name, pkg, seen, enabled: enabledWith(pkg, granted) }
    })
    const enabled = entries.map((entry) => entry.enabled)
    const live = PluginHost.layer({ plugins: entries.map(({ pkg }) => pkg), enabled }).pipe(
      Layer.provideMerge(GrantStore.layerMutable(enabled)),
      Layer.provide([Clients.layerOptions({ resolve, ownAddresses: () => [] }), SystemSecrets.layer()])
    )
    const scope = yield* Scope.fork(yield* Effect.scope)
    const services = yield* Layer.buildWithScope(live, scope)
    const host = Context.get(services, PluginHost.PluginHost)
    const editor = Context.get(services, GrantStore.GrantEditor)
    yield* host.idle
    const askers = new Map(
      entries.map(({ name, pkg, seen }) => [
        name,
        askerIn(host, `project:test.${name}`, seen, (ref, granted) =>
          editor.set(ref, GrantStore.grantOf(enabledWith(pkg, granted)))
        )
      ])
    )
    return {
      asker: (name: string) => the(askers.get(name)),
      host,
      editor,
      enabled: (ref: string) => the(enabled.find(({ id }) => id === ref)),
      close: Scope.close(scope, Exit.void)
    }
  }).pipe(Effect.orDie)

const askerIn = (
  host: PluginHost.PluginHost["Service"],
  ref: string,
  seen: ReadonlyArray<Told>,
  set: (ref: string, granted: ReadonlyArray<Granted>) => Effect.Effect<void>
): Asker => {
  const deliver = (asked: ReadonlyArray<Asked>) =>
    Effect.orDie(host.deliver(ref, { ingressName: "gateway", kind: "ask", payload: asked }))
  const row = Effect.orDie(host.plugin(ref))
  const ask = (...asked: ReadonlyArray<Asked>) =>
    Effect.gen(function* () {
      const id = yield* deliver(asked)
      const own = Effect.map(row, ({ outputCommandResults: all }) =>
        all.filter(({ sourceEventId }) => sourceEventId === id)
      )
      return yield* eventually(own, ({ length }) => length === asked.length)
    })
  return {
    ref,
    seen,
    row,
    ask,
    answer: (...asked) =>
      Effect.gen(function* () {
        const told = seen.length
        yield* ask(asked)
        const last = Effect.sync(() => seen.slice(told))
        return the((yield* eventually(last, ({ length }) => length > 0))[0])
      }),
    grant: (...granted) => set(ref, granted)
  }
}
