/**
 * A host with sixteen sources that send more than the heap of this process holds, to a plugin that takes nothing.
 * Prints what waits in the end.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { WebSocketServer } from "ws"
import { Enablement, GrantStore, PluginHost, ServicePlugin } from "../../../src/index.ts"
import { WsClient } from "../../../src/node/index.ts"

const SOURCES = 16
const CHARACTERS = 60_000
const TEXTS = 80

const [form = "ascii"] = process.argv.slice(2)
const text = Buffer.from((form === "ascii" ? "x" : "\u{4e2d}").repeat(CHARACTERS))

const server = new WebSocketServer({ host: "127.0.0.1", port: 0 })
await new Promise((resolve) => server.once("listening", resolve))
const { port } = server.address()
let left = SOURCES
const allSent = new Promise((resolve) => {
  server.on("connection", (socket) => {
    let count = 0
    // One after the other, so that it is the host that holds them and not this server.
    const send = () => {
      if (count++ < TEXTS) socket.send(text, { binary: false }, () => setImmediate(send))
      else if (--left === 0) resolve()
    }
    send()
  })
})

const slow = ServicePlugin.make({
  id: "test.slow",
  version: "1.0.0",
  ingresses: { gateway: { sources: Array.from({ length: SOURCES }, (_, n) => `ws://127.0.0.1:${port}/${n}`) } },
  websocket: [{ scheme: "ws", host: "127.0.0.1", port, pathPrefixes: ["/"] }],
  handlers: { gateway: { websocket_text: () => Effect.never } }
})
const enabled = [Enablement.trusting(slow)]
const host = PluginHost.layer({
  plugins: [slow],
  enabled,
  // Texts slide out of full queues, and nobody takes any.
  limits: { dispatchDeadlineMs: 86_400_000, burstPatienceMs: 0 }
}).pipe(Layer.provide(GrantStore.layer(enabled)), Layer.provide(WsClient.layer))

await Effect.runPromise(
  Effect.scoped(
    Effect.gen(function* () {
      const { status } = yield* PluginHost.PluginHost
      yield* Effect.promise(() => allSent)
      const [plugin] = (yield* status).plugins
      process.stdout.write(
        JSON.stringify({
          lifecycle: plugin?.lifecycle,
          queueBytes: plugin?.queueBytes,
          counters: plugin?.dispatchCounters
        })
      )
    }).pipe(Effect.provide(host), Effect.provide(Logger.layer([])))
  )
)
process.exit(0)
