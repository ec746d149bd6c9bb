/**
 * A program as the documents show it, whose log can't be written: a host that echoes and logs. `guard` as its second
 * argument: with what the documents say of such logs.
 */
import { NodeRuntime } from "@effect/platform-node"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { Enablement, GrantStore, OutputCommand, PluginHost, ServicePlugin } from "../../../src/index.ts"
import { WsClient } from "../../../src/node/index.ts"

const [url = "", guard] = process.argv.slice(2)

if (guard === "guard") for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {})

const echo = ServicePlugin.make({
  id: "test.echo",
  version: "1.0.0",
  ingresses: { gateway: { sources: [url] } },
  websocket: [{ scheme: "ws", host: "127.0.0.1", port: Number(new URL(url).port), pathPrefixes: ["/"] }],
  handlers: {
    gateway: {
      websocket_open: (event) => Exit.succeed({ commands: [OutputCommand.send(event, "0")] }),
      websocket_text: (event) =>
        Exit.succeed({ status: { last: event.text }, commands: [OutputCommand.send(event, event.text)] })
    }
  }
})
const enabled = [Enablement.trusting(echo)]
const host = PluginHost.layer({ plugins: [echo], enabled }).pipe(
  Layer.provide(GrantStore.layer(enabled)),
  Layer.provide(WsClient.layer)
)
const program = PluginHost.PluginHost.use(({ changes }) =>
  Stream.runForEach(changes, ({ plugins }) => Effect.log(plugins.map(({ reportedStatus }) => reportedStatus)))
)

NodeRuntime.runMain(Effect.provide(program, host))
