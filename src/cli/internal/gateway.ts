/**
 * The gateway of the demo: a real WebSocket server on a loopback port. What it
 * says depends on the path. `/gateway` greets, ticks, echoes and ends each
 * connection after a while; under it are a path of bursts and two whose words
 * bring a plugin down.
 */
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as http from "node:http"
import { WebSocketServer, type WebSocket } from "ws"

const ADDRESS = "127.0.0.1"
const USUAL_PORT = 7700

/** How many messages come at once. */
export const BURST_FRAMES = 5000
const TICK_MS = 200
const CLOSE_AFTER_MS = 25_000
const MAINTENANCE = 4000
const ECHO = "echo: "

/** A message of a market feed, about as long as they are. */
const quote = (number: number): string =>
  JSON.stringify({
    type: "quote",
    number,
    symbol: "MOOR",
    bid: "41.97",
    ask: "42.03",
    volume: 1200,
    text: "x".repeat(96)
  })

interface Words {
  /** From the gateway's start on: whoever crashes is back in time for the next. */
  readonly firstMs: number
  readonly everyMs: number
  readonly say: (socket: WebSocket) => void
}

// Fewer than the crashes in a minute after which a plugin isn't started again.
const WORDS: ReadonlyMap<string, Words> = new Map([
  [
    "/gateway/burst",
    {
      firstMs: 2000,
      everyMs: 10_000,
      say: (socket) => {
        for (let number = 1; number <= BURST_FRAMES; number++) socket.send(quote(number))
      }
    }
  ],
  ["/gateway/loop", { firstMs: 4000, everyMs: 15_000, say: (socket) => socket.send("loop") }],
  ["/gateway/crash", { firstMs: 7000, everyMs: 15_000, say: (socket) => socket.send("crash") }]
])

/** The port that was asked for can't be listened at. */
export class PortUnusable extends Schema.TaggedError<PortUnusable>("mooring/cli/PortUnusable")("PortUnusable", {
  port: Schema.Int,
  code: Schema.String
}) {
  override get message(): string {
    return `port ${this.port} of ${ADDRESS} can't be listened at: ${this.code}`
  }
}

const listen = (port: number): Effect.Effect<http.Server, PortUnusable> =>
  Effect.callback<http.Server, PortUnusable>((resume) => {
    const server = http.createServer((_, response) => response.writeHead(426).end())
    server.once("error", (error: NodeJS.ErrnoException) =>
      resume(Effect.fail(new PortUnusable({ port, code: error.code ?? error.name })))
    )
    server.listen(port, ADDRESS, () => resume(Effect.succeed(server)))
  })

/** Stops listening, and ends every connection, also one that asked for nothing yet. */
const stop = (server: http.Server): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    server.close(() => resume(Effect.void))
    server.closeAllConnections()
  })

/** Starts the gateway at the port, without one at the usual or where that is taken at any; the port it listens at. */
export const gateway = Effect.fnUntraced(function* (port: Option.Option<number>) {
  const listening = Option.match(port, {
    onNone: () => Effect.catch(listen(USUAL_PORT), () => listen(0)),
    onSome: listen
  })
  const server = yield* Effect.acquireRelease(listening, stop)
  const sockets = new WebSocketServer({ server, perMessageDeflate: false })
  yield* Effect.addFinalizer(() => Effect.sync(() => sockets.clients.forEach((socket) => socket.terminate())))
  const run = yield* FiberSet.makeRuntime()
  const at = new Map<WebSocket, string>()
  sockets.on("connection", (socket, request) => {
    const path = new URL(request.url ?? "/", `ws://${ADDRESS}`).pathname
    at.set(socket, path)
    socket.once("close", () => at.delete(socket))
    run(serve(socket, path))
  })
  for (const [path, words] of WORDS) {
    const say = Effect.sync(() => at.forEach((known, socket) => known === path && words.say(socket)))
    run(Effect.andThen(Effect.sleep(words.firstMs), Effect.forever(Effect.andThen(say, Effect.sleep(words.everyMs)))))
  }
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : 0
})

const serve = (socket: WebSocket, path: string): Effect.Effect<void> => {
  const ended = Effect.callback<void>((resume) => {
    socket.on("error", () => socket.terminate())
    socket.once("close", () => resume(Effect.void))
    // Of a plugin that answers everything, an echo's answer is the last word: else the two would go on for ever.
    socket.on("message", (data) => String(data).includes(ECHO) || socket.send(`${ECHO}${String(data)}`))
    if (path === "/gateway") socket.send("hello")
  })
  if (path === "/gateway/burst") return ended
  const tick = Effect.sync(() => socket.send("tick")).pipe(Effect.delay(TICK_MS), Effect.forever)
  if (path !== "/gateway") return Effect.raceFirst(ended, tick)
  const close = Effect.sync(() => socket.close(MAINTENANCE, "maintenance")).pipe(
    Effect.delay(CLOSE_AFTER_MS),
    Effect.andThen(Effect.never)
  )
  return Effect.raceAllFirst([ended, tick, close])
}
