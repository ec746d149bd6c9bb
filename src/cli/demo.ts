/**
 * `mooring demo`: a gateway on a loopback port inside the process, and plugins
 * that run against it. One answers, one counts, and one asks for a target that
 * its grant doesn't cover.
 */
import { Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as OutputCommand from "../commands/OutputCommand.ts"
import * as GrantStore from "../grants/GrantStore.ts"
import * as PluginHost from "../host/PluginHost.ts"
import * as Enablement from "../manifest/Enablement.ts"
import * as WsClient from "../node/WsClient.ts"
import type { PluginPackage } from "../plugin/PluginRuntime.ts"
import * as ServicePlugin from "../plugin/ServicePlugin.ts"
import { gateway } from "./internal/gateway.ts"
import { hosting } from "./internal/hosting.ts"
import { reporting, type Reporting } from "./internal/options.ts"

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

const options = {
  port: Flag.Int("port").pipe(
    Flag.withSchema(
      Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }, { expected: "a port from 0 to 65535" }))
    ),
    Flag.withDescription("The gateway's port; without it 7700, or any where that is taken"),
    Flag.optional
  ),
  ...reporting
}

interface Options extends Reporting {
  readonly port: Option.Option<number>
}

const run = Effect.fnUntraced(function* (asked: Options) {
  const port = yield* gateway(asked.port)
  const plugins = [echo(port), counter(port), stray(port)]
  const enabled = plugins.map((plugin) => enable(plugin, port))
  const host = PluginHost.layer({ plugins, enabled }).pipe(
    Layer.provide(GrantStore.layer(enabled)),
    Layer.provide(WsClient.layer)
  )
  yield* hosting(host, asked, ({ status }) => ({ status, beside: Effect.never }))
}, Effect.scoped)

/** The subcommand. */
export const demo = Command.make("demo", options, run).pipe(
  Command.withDescription("Start a gateway on a loopback port and run example plugins against it")
)
