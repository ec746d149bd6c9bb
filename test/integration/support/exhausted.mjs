/**
 * A host that has no file descriptors left: dials more sources than the process
 * may have files, and prints what it says of itself while it has none.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schedule from "effect/Schedule"
import * as Fs from "node:fs"
import { Enablement, GrantStore, HostStatus, PluginHost, ServicePlugin } from "../../../src/index.ts"
import { WsClient } from "../../../src/node/index.ts"

const [port = ""] = process.argv.slice(2)
const SOURCES = 100

const many = ServicePlugin.make({
  id: "test.many",
  version: "1.0.0",
  ingresses: {
    gateway: { sources: Array.from({ length: SOURCES }, (_, nth) => `ws://127.0.0.1:${port}/${nth}`) }
  },
  websocket: [{ scheme: "ws", host: "127.0.0.1", port: Number(port), pathPrefixes: ["/"] }],
  handlers: {}
})

const enabled = [Enablement.trusting(many)]
const limits = { connectionsPerPlugin: SOURCES, dialsAtOncePerPlugin: SOURCES, dialsAtOnce: SOURCES }

const host = PluginHost.layer({ plugins: [many], enabled, limits }).pipe(
  Layer.provide(GrantStore.layer(enabled)),
  Layer.provide(WsClient.layer)
)

const isExhausted = () => {
  try {
    Fs.closeSync(Fs.openSync("/dev/null", "r"))
    return false
  } catch {
    return true
  }
}

const program = Effect.gen(function* () {
  const { status } = yield* PluginHost.PluginHost
  const told = Effect.map(status, (document) => {
    const { host: own, plugins } = HostStatus.encode(document)
    const states = plugins.flatMap((row) => row.websocket_connections.map(({ state }) => state))
    const codes = plugins.flatMap((row) => row.diagnostics.map(({ error }) => error["code"] ?? ""))
    return { rss: own.rss_bytes, states, codes, isOver: isExhausted() && codes.length > 0 && states.includes("open") }
  })
  const last = yield* Effect.repeat(told, { until: ({ isOver }) => isOver, schedule: Schedule.spaced(20) })
  process.stdout.write(`${JSON.stringify(last)}\n`)
})

// Its log stands on stdout otherwise, where the answer is.
await Effect.runPromise(program.pipe(Effect.provide(host), Effect.provide(Logger.layer([]))))
