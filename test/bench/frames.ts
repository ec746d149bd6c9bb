/** One side of the frame benchmark, in a process of its own so that its CPU time is its own: node frames.ts <mode> <port> <frames> <bytes>. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { WebSocket } from "ws"
import { Enablement, GrantStore, PluginHost, ServicePlugin } from "../../src/index.ts"
import { WsClient } from "../../src/node/index.ts"
import * as Result from "effect/Result"

const [mode = "", port = "", frames = "", connections = "1"] = process.argv.slice(2)
const expected = Number(frames)

const report = (started: { cpu: NodeJS.CpuUsage; at: number }, count: number, drops: number) => {
  const cpu = process.cpuUsage(started.cpu)
  const wallMs = performance.now() - started.at
  process.stdout.write(
    `${JSON.stringify({ mode, count, drops, cpuUsPerFrame: (cpu.user + cpu.system) / count, framesPerSecond: Math.round((count / wallMs) * 1000) })}\n`
  )
}

let count = 0
let started: { cpu: NodeJS.CpuUsage; at: number } | undefined
const begin = () => (started ??= { cpu: process.cpuUsage(), at: performance.now() })

const bare = (onText: (text: string) => void, done: () => void) => {
  for (let i = 0; i < Number(connections); i++) {
    const ws = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate: false })
    ws.on("message", (data: Buffer) => {
      onText(data.toString())
      if (count === 1) begin()
      if (count === expected) done()
    })
  }
}

const hosted = (handler: ServicePlugin.Handlers["websocket_text"], extra: number) => {
  const sources = Array.from({ length: Number(connections) }, (_, i) => `ws://127.0.0.1:${port}/c${i}`)
  const plugin = ServicePlugin.make({
    id: "bench.count",
    version: "1.0.0",
    ingresses: { feed: { sources } },
    websocket: [{ scheme: "ws", host: "127.0.0.1", port: Number(port), pathPrefixes: ["/"] }],
    handlers: { feed: { websocket_text: handler } }
  })
  const enabled = [
    Result.getOrThrow(
      Enablement.decode({
        id: "project:bench.count",
        version: "1.0.0",
        digest: plugin.digest,
        grants: {
          permissions: plugin.manifest.permissions,
          websocket: [{ scheme: "ws", host: "127.0.0.1", port: Number(port), path_prefixes: ["/"] }]
        }
      })
    )
  ]
  const host = PluginHost.layer({ plugins: [plugin], enabled }).pipe(
    Layer.provide(GrantStore.layer(enabled)),
    Layer.provide(WsClient.layer)
  )
  return Effect.runPromise(
    Effect.gen(function* () {
      const { status } = yield* PluginHost.PluginHost
      yield* Effect.callback<void>((resume) => {
        finished = () => resume(Effect.void)
      })
      const drops = (yield* status).plugins[0]?.dispatchCounters.evicted ?? 0
      if (started !== undefined) report(started, count, drops)
    }).pipe(Effect.provide(host))
  ).then(() => process.exit(0))
}

let finished = () => {}
const tick = () => {
  count++
  if (count === 1) begin()
  if (count === expected) finished()
}

if (mode === "bare") {
  bare(
    () => count++,
    () => {
      if (started !== undefined) report(started, count, 0)
      process.exit(0)
    }
  )
} else if (mode === "bare-generator") {
  const step = (text: string) =>
    Effect.gen(function* () {
      const length = yield* Effect.succeed(text.length)
      if (length >= 0) count++
    })
  bare(
    (text) => Effect.runSync(step(text)),
    () => {
      if (started !== undefined) report(started, count, 0)
      process.exit(0)
    }
  )
} else if (mode === "exit") {
  void hosted(() => {
    tick()
    return Exit.void
  }, 0)
} else if (mode === "generator") {
  void hosted(
    (event) =>
      Effect.gen(function* () {
        const length = yield* Effect.succeed(event.text.length)
        if (length >= 0) tick()
      }),
    0
  )
}
