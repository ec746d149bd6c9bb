/**
 * The host of the storm: `node stormClient.ts <port> <connections>`. Says four
 * times a second how many of its connections are open, when it dialled, and
 * what it holds.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { Enablement, GrantStore, PluginHost, ServicePlugin, SourceUrl } from "mooring"
import { WsClient } from "mooring/node"

const [port = "", connections = "1000"] = process.argv.slice(2)
const count = Number(connections)
let open = 0
let dials: Array<number> = []
const now = () => Math.round(performance.now())

const plugin = ServicePlugin.make({
  id: "bench.storm",
  version: "1.0.0",
  ingresses: { feed: { sources: Array.from({ length: count }, (_, n) => `ws://127.0.0.1:${port}/idle/${n}`) } },
  websocket: [{ scheme: "ws", host: "127.0.0.1", port: Number(port), pathPrefixes: ["/"] }],
  handlers: {
    feed: {
      websocket_open: () => {
        open++
        return Exit.void
      },
      websocket_close: () => {
        open--
        return Exit.void
      }
    }
  }
})
const enabled = [Enablement.trusting(plugin)]
/** Asked before every dial, in its place among the host's. */
const noted = Layer.succeed(SourceUrl.SourceUrl, {
  resolve: ({ url }) =>
    Effect.sync(() => {
      dials.push(now())
      return url
    })
})
// But for how many one plugin may have, everything is as it is by default.
const limits = { connectionsPerPlugin: count, dialsAtOncePerPlugin: 64 }
const host = PluginHost.layer({ plugins: [plugin], enabled, limits }).pipe(
  Layer.provide([GrantStore.layer(enabled), WsClient.layer, noted])
)

setInterval(() => {
  globalThis.gc?.()
  const { heapUsed, rss } = process.memoryUsage()
  process.stdout.write(`${JSON.stringify({ at: now(), open, dials, rssKib: rss / 1024, heapKib: heapUsed / 1024 })}\n`)
  dials = []
}, 250)

Effect.runFork(Effect.never.pipe(Effect.provide(host), Effect.provide(Logger.layer([]))))
