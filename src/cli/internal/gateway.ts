/**
 * The gateway of the demo: a real WebSocket server on a loopback port. It
 * greets, ticks, echoes, sends a burst now and then, and closes each
 * connection with a code after a while.
 */
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as http from "node:http"
import { WebSocketServer, type WebSocket } from "ws"

const ADDRESS = "127.0.0.1"
const USUAL_PORT = 7700
const TICK_MS = 200
const BURST_EVERY_MS = 5000
const BURST_FRAMES = 5000
const CLOSE_AFTER_MS = 12_000
const MAINTENANCE = 4000

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
  sockets.on("connection", (socket) => run(serve(socket)))
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : 0
})

const serve = (socket: WebSocket): Effect.Effect<void> => {
  const ended = Effect.callback<void>((resume) => {
    socket.on("error", () => socket.terminate())
    socket.once("close", () => resume(Effect.void))
    socket.on("message", (data) => socket.send(`echo: ${String(data)}`))
    socket.send("hello")
  })
  const tick = Effect.sync(() => socket.send("tick")).pipe(Effect.delay(TICK_MS), Effect.forever)
  const burst = Effect.sync(() => {
    for (let frame = 1; frame <= BURST_FRAMES; frame++) socket.send(`burst ${frame}`)
  }).pipe(Effect.delay(BURST_EVERY_MS), Effect.forever)
  const close = Effect.sync(() => socket.close(MAINTENANCE, "maintenance")).pipe(
    Effect.delay(CLOSE_AFTER_MS),
    Effect.andThen(Effect.never)
  )
  return Effect.raceAllFirst([ended, tick, burst, close])
}
