/**
 * `mooring demo`: a gateway on a loopback port inside the process, and plugins
 * that run against it. One answers, one counts, and one asks for a target that
 * its grant doesn't cover.
 */
import { Command } from "effect/cli"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as OutputCommand from "../commands/OutputCommand.ts"
import * as GrantStore from "../grants/GrantStore.ts"
import * as PluginHost from "../host/PluginHost.ts"
import * as Enablement from "../manifest/Enablement.ts"
import * as WsClient from "../node/WsClient.ts"
import type { PluginPackage } from "../plugin/PluginRuntime.ts"
import * as ServicePlugin from "../plugin/ServicePlugin.ts"
import { gateway } from "./internal/gateway.ts"
import { reporting, untilDone, type Reporting } from "./internal/options.ts"
import { closed } from "./internal/output.ts"
import { every, reporter } from "./internal/reporter.ts"

const source = (port: number, path: string) => ({
  ingresses: { gateway: { sources: [`ws://127.0.0.1:${port}${path}`] } },
  websocket: [{ scheme: "ws", host: "127.0.0.1", port, pathPrefixes: [path] }] as const
})

const echo = (port: number): PluginPackage =>
  ServicePlugin.make({
    id: "demo.echo",
    version: "1.0.0",
    ...source(port, "/gateway"),
    handlers: {
      gateway: {
        websocket_text: (event) =>
          event.text === "tick" ? Exit.succeed({ commands: [OutputCommand.send(event, "tock")] }) : Exit.void
      }
    }
  })

const counter = (port: number): PluginPackage =>
  ServicePlugin.make({
    id: "demo.counter",
    version: "1.0.0",
    ...source(port, "/gateway"),
    handlers: () =>
      Effect.sync(() => {
        let seen = 0
        return {
          gateway: {
            websocket_text: (event) => {
              seen++
              return event.text === "tick" ? Exit.succeed({ status: { seen } }) : Exit.void
            }
          }
        }
      })
  })

const stray = (port: number): PluginPackage =>
  ServicePlugin.make({ id: "demo.stray", version: "1.0.0", ...source(port, "/gateway-admin"), handlers: {} })

/** Enables a plugin with all that it asks for, but for its targets: the path `/gateway` alone is granted. */
const enable = (plugin: PluginPackage, port: number): Enablement.Enablement =>
  Result.getOrThrow(
    Enablement.decode({
      id: `builtin:${plugin.manifest.id}`,
      version: plugin.manifest.version,
      digest: plugin.digest,
      grants: {
        permissions: plugin.manifest.permissions,
        websocket: [{ scheme: "ws", host: "127.0.0.1", port, path_prefixes: ["/gateway"] }]
      }
    })
  )

const run = (options: Reporting) =>
  Effect.gen(function* () {
    const gone = yield* closed(options.json ? process.stdout : process.stderr)
    const port = yield* gateway
    const plugins = [echo(port), counter(port), stray(port)]
    const enabled = plugins.map((plugin) => enable(plugin, port))
    const show = reporter(options)
    const host = PluginHost.layer({ plugins, enabled }).pipe(
      Layer.provide(GrantStore.layer(enabled)),
      Layer.provide(WsClient.layer)
    )
    const scope = yield* Scope.make()
    // However it ends, the host stops first and the last document says so.
    const { status } = yield* Effect.acquireRelease(
      Effect.map(Layer.buildWithScope(host, scope), Context.get(PluginHost.PluginHost)),
      (running) => Effect.andThen(Scope.close(scope, Exit.void), Effect.flatMap(running.status, show))
    )
    yield* Effect.raceAllFirst([every(options, show, status), untilDone(options), gone])
  }).pipe(Effect.scoped)

/** The subcommand. */
export const demo = Command.make("demo", reporting, run).pipe(
  Command.withDescription("Start a gateway on a loopback port and run example plugins against it")
)
