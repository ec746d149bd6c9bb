/** A whole host on real sockets with plugins that make the requests which they are told to make. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import {
  type CommandResult,
  type Enablement,
  GrantStore,
  type IngressEvent,
  OutputCommand,
  PluginHost,
  type PluginRuntime,
  type ResolveAddresses,
  ServicePlugin
} from "mooring"
import { Clients, SystemSecrets } from "mooring/node"
import { enable } from "../../support/plugins.ts"
import { eventually } from "./host.ts"

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
  /** Asks for these, and completes with the results of the commands. */
  readonly ask: (...asked: ReadonlyArray<Asked>) => Effect.Effect<ReadonlyArray<CommandResult.CommandResult>>
  /** Asks for one, and completes with what the plugin was told of it. */
  readonly answer: (...asked: Asked) => Effect.Effect<Told>
  /** Grants this from now on, in place of what was. */
  readonly grant: (...granted: ReadonlyArray<Granted>) => Effect.Effect<void>
}

/** A host whose plugins, by name, are granted this, with the clients that `mooring run` has. */
export const askingHost = (
  plugins: { readonly [name: string]: ReadonlyArray<Granted> },
  resolve: ResolveAddresses.Resolve
): Effect.Effect<(name: string) => Asker, never, Scope.Scope> =>
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
    const services = yield* Layer.build(live)
    const host = Context.get(services, PluginHost.PluginHost)
    const editor = Context.get(services, GrantStore.GrantEditor)
    yield* host.idle
    const askers = entries.map(({ name, pkg, seen }): Asker & { readonly name: string } => {
      const ref = `project:test.${name}`
      const deliver = (asked: ReadonlyArray<Asked>) =>
        Effect.orDie(host.deliver(ref, { ingressName: "gateway", kind: "ask", payload: asked }))
      const results = Effect.map(Effect.orDie(host.plugin(ref)), ({ outputCommandResults: all }) => all)
      const ask = (...asked: ReadonlyArray<Asked>) =>
        Effect.gen(function* () {
          const id = yield* deliver(asked)
          const own = Effect.map(results, (all) => all.filter(({ sourceEventId }) => sourceEventId === id))
          return yield* eventually(own, ({ length }) => length === asked.length)
        })
      return {
        name,
        ref,
        seen,
        ask,
        answer: (...asked) =>
          Effect.gen(function* () {
            const told = seen.length
            yield* ask(asked)
            const last = Effect.sync(() => seen.slice(told))
            const [event] = yield* eventually(last, ({ length }) => length > 0)
            return event ?? (yield* Effect.die(new Error("nothing was told")))
          }),
        grant: (...granted: ReadonlyArray<Granted>) => editor.set(ref, GrantStore.grantOf(enabledWith(pkg, granted)))
      }
    })
    return (name: string) => {
      const found = askers.find((asker) => asker.name === name)
      if (found === undefined) throw new Error(`no plugin ${name}`)
      return found
    }
  }).pipe(Effect.orDie)
