/**
 * One contestant of a benchmark, in a process of its own so that its CPU time
 * is its own: `node client.ts <mode> <port> <frames> <connections>`.
 */
import * as NodeWS from "@effect/platform-node/NodeWS"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Result from "effect/Result"
import * as Socket from "effect/socket/Socket"
import { WebSocket } from "ws"
import { Enablement, GrantStore, OutputCommand, PluginHost, ServicePlugin } from "mooring"
import { WsClient } from "mooring/node"

const [mode = "", port = "", total = "0", connections = "1"] = process.argv.slice(2)
const expected = Number(total)
const base = `ws://127.0.0.1:${port}`

let count = 0
let cpu = process.cpuUsage()
let at = performance.now()
let finish = (): void => {}

/** Counts a frame; the clock starts at the first. */
const tick = (): void => {
  if (++count === 1) {
    cpu = process.cpuUsage()
    at = performance.now()
  }
  if (count === expected) finish()
}

const report = (more: object = {}): void => {
  const used = process.cpuUsage(cpu)
  const wallMs = performance.now() - at
  const result = {
    frames: count,
    cpuUs: (used.user + used.system) / Math.max(1, count),
    wallUs: (wallMs * 1000) / Math.max(1, count),
    ...more
  }
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0))
}

const bare = (paths: ReadonlyArray<string>, onText: (text: string, ws: WebSocket) => void): void => {
  finish = report
  for (const path of paths) {
    const ws = new WebSocket(`${base}${path}`, { perMessageDeflate: false })
    ws.on("message", (data: Buffer) => onText(data.toString(), ws))
  }
}

interface Hosted {
  readonly name: string
  readonly paths: ReadonlyArray<string>
  readonly handlers: ServicePlugin.Handlers
}

const hosted = (plugins: ReadonlyArray<Hosted>, fastPath = true): Fiber.Fiber<unknown, unknown> => {
  const targets = [{ scheme: "ws", host: "127.0.0.1", port: Number(port), pathPrefixes: ["/"] }] as const
  const packages = plugins.map(({ handlers, name, paths }) =>
    ServicePlugin.make({
      id: `bench.${name}`,
      version: "1.0.0",
      ingresses: { feed: { sources: paths.map((path) => `${base}${path}`) } },
      websocket: targets,
      handlers: { feed: handlers }
    })
  )
  const enabled = packages.map(({ digest, manifest }) =>
    Result.getOrThrow(
      Enablement.decode({
        id: `project:${manifest.id}`,
        version: manifest.version,
        digest,
        grants: {
          permissions: manifest.permissions,
          websocket: targets.map(({ pathPrefixes, ...target }) => ({ ...target, path_prefixes: pathPrefixes }))
        }
      })
    )
  )
  const host = PluginHost.layer({
    plugins: packages,
    enabled,
    limits: { connectionsPerPlugin: 10_000, dialsAtOncePerPlugin: AT_ONCE, dialsPerSecond: 10_000 }
  }).pipe(Layer.provide(GrantStore.layer(enabled)), Layer.provide(WsClient.layerOptions({ fastPath })))
  const program = Effect.gen(function* () {
    const { status } = yield* PluginHost.PluginHost
    yield* Effect.callback<void>((resume) => {
      finish = () => resume(Effect.void)
    })
    const { plugins: rows } = yield* status
    report({ dropped: rows.reduce((sum, row) => sum + row.dispatchCounters.evicted, 0) })
    yield* Effect.never
  })
  // Its lines would stand between the figures.
  return Effect.runFork(program.pipe(Effect.provide(host), Effect.provide(Logger.layer([]))))
}

const many = (path: string) => Array.from({ length: Number(connections) }, (_, n) => `${path}/${n}`)

const counted: ServicePlugin.Handlers = {
  websocket_text: () => {
    tick()
    return Exit.void
  }
}

const echoing: ServicePlugin.Handlers = {
  websocket_text: (event) => Exit.succeed({ commands: [OutputCommand.send(event, event.text)] })
}

const counting = (text: string) =>
  Effect.gen(function* () {
    const length = yield* Effect.succeed(text.length)
    if (length >= 0) tick()
  })

const pause = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

/** What the process holds, garbage apart. */
const held = async () => {
  for (let times = 0; times < 3; times++) {
    globalThis.gc?.()
    await pause(300)
  }
  return { rssKib: process.memoryUsage.rss() / 1024, heapKib: process.memoryUsage().heapUsed / 1024 }
}

/** Reports what the process holds once so many connections are open and idle. */
const idle = (open: () => void): void => {
  open()
  setTimeout(() => void held().then(report), 4000)
}

/** Opens so many connections, and closes them again; what both took, and what was held in between. */
const opening = async (open: () => Promise<() => Promise<void>>): Promise<void> => {
  const from = { at: performance.now(), cpu: process.cpuUsage() }
  const close = await open()
  const openMs = performance.now() - from.at
  const used = process.cpuUsage(from.cpu)
  const openCpuMs = (used.user + used.system) / 1000
  const holds = await held()
  const closesAt = performance.now()
  await close()
  report({ openMs, openCpuMs, ...holds, closeMs: performance.now() - closesAt })
}

const AT_ONCE = 64

const bareMany = async (): Promise<() => Promise<void>> => {
  const sockets: Array<WebSocket> = []
  const dialling = many("/idle").values()
  const dial = async () => {
    for (const path of dialling) {
      const ws = new WebSocket(`${base}${path}`, { perMessageDeflate: false })
      ws.on("message", (data: Buffer) => void data.toString())
      await new Promise((resolve) => ws.once("open", resolve))
      sockets.push(ws)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, dial))
  return async () => {
    await Promise.all(
      sockets.map((ws) => {
        const closed = new Promise((resolve) => ws.once("close", resolve))
        ws.close(1001)
        return closed
      })
    )
  }
}

const hostedMany = async (): Promise<() => Promise<void>> => {
  let open = 0
  const allOpen = Promise.withResolvers<void>()
  const websocket_open = () => {
    if (++open === Number(connections)) allOpen.resolve()
    return Exit.void
  }
  const fiber = hosted([{ name: "many", paths: many("/idle"), handlers: { ...counted, websocket_open } }])
  await allOpen.promise
  return async () => {
    await Effect.runPromise(Fiber.interrupt(fiber))
  }
}

switch (mode) {
  case "bare":
    bare(many("/flood"), tick)
    break
  case "bare-generator":
    bare(many("/flood"), (text) => Effect.runSync(counting(text)))
    break
  case "effect-socket": {
    finish = report
    const read = Effect.gen(function* () {
      const socket = yield* Socket.makeWebSocket(`${base}/flood/0`)
      const pull = yield* Socket.readerString(socket)
      while (true) for (const _ of yield* pull) tick()
    })
    Effect.runFork(read.pipe(Effect.scoped, Effect.provide(NodeWS.layerWebSocketConstructor)))
    break
  }
  case "exit":
    hosted([{ name: "count", paths: many("/flood"), handlers: counted }])
    break
  case "exit-no-fast-path":
    hosted([{ name: "count", paths: many("/flood"), handlers: counted }], false)
    break
  case "generator":
    hosted([{ name: "count", paths: many("/flood"), handlers: { websocket_text: (event) => counting(event.text) } }])
    break
  case "bare-echo":
    bare(["/echo"], (text, ws) => ws.send(text))
    break
  case "echo":
    hosted([{ name: "echo", paths: ["/echo"], handlers: echoing }])
    break
  case "quiet":
    hosted([{ name: "quiet", paths: ["/pulse"], handlers: echoing }])
    break
  case "quiet-beside-own-flood": {
    const both: ServicePlugin.Handlers = {
      websocket_text: (event) =>
        (event.url.includes("/pulse") ? echoing.websocket_text?.(event) : undefined) ?? Exit.void
    }
    hosted([{ name: "both", paths: ["/flood", "/pulse"], handlers: both }])
    break
  }
  case "quiet-beside-other-flood":
    hosted([
      { name: "flood", paths: ["/flood"], handlers: counted },
      { name: "quiet", paths: ["/pulse"], handlers: echoing }
    ])
    break
  case "bare-quiet-beside-flood":
    bare(["/flood"], tick)
    bare(["/pulse"], (text, ws) => ws.send(text))
    break
  case "bare-idle":
    idle(() => bare(many("/idle"), tick))
    break
  case "idle":
    idle(() => hosted([{ name: "idle", paths: many("/idle"), handlers: counted }]))
    break
  case "bare-many":
    void opening(bareMany)
    break
  case "many":
    void opening(hostedMany)
    break
  case "nothing":
    idle(() => hosted([]))
    break
}
