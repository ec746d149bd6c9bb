/**
 * What open, idle connections keep: `node --expose-gc idle.mjs <port> <connections>`. A host with a few of them opens
 * first, so that all code is there; prints what another one with so many has added to the heap, and how many fibers.
 */
import { queryObjects } from "node:v8"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { Enablement, GrantStore, PluginHost, ServicePlugin } from "../../../src/index.ts"
import { WsClient } from "../../../src/node/index.ts"

const [port, connections] = process.argv.slice(2).map(Number)
const FEW = 20
const Fiber = Effect.runFork(Effect.void).constructor

/** Completes when all are open. */
const opened = (count) =>
  new Promise((resolve) => {
    let open = 0
    const plugin = ServicePlugin.make({
      id: `test.idle-${count}`,
      version: "1.0.0",
      ingresses: { feed: { sources: Array.from({ length: count }, (_, nth) => `ws://127.0.0.1:${port}/${nth}`) } },
      websocket: [{ scheme: "ws", host: "127.0.0.1", port, pathPrefixes: ["/"] }],
      handlers: {
        feed: {
          websocket_text: () => Exit.void,
          websocket_open: () => {
            if (++open === count) resolve()
            return Exit.void
          }
        }
      }
    })
    const enabled = [Enablement.trusting(plugin)]
    const limits = { connectionsPerPlugin: count, dialsPerSecond: 10_000 }
    const host = PluginHost.layer({ plugins: [plugin], enabled, limits }).pipe(
      Layer.provide(GrantStore.layer(enabled)),
      Layer.provide(WsClient.layer)
    )
    Effect.runFork(Effect.never.pipe(Effect.provide(host), Effect.provide(Logger.layer([]))))
  })

/** What there is once garbage is gone, of which a part goes a turn later. */
const held = async () => {
  for (let times = 0; times < 3; times++) {
    globalThis.gc()
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return { fibers: queryObjects(Fiber, { format: "count" }), heapBytes: process.memoryUsage().heapUsed }
}

await opened(FEW)
const before = await held()
await opened(connections)
const after = await held()
const result = { fibers: after.fibers - before.fibers, heapBytes: after.heapBytes - before.heapBytes }
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0))
