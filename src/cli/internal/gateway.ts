/**
 * The gateway of the demo: a real WebSocket server on a loopback port. It
 * greets, ticks, echoes, sends a burst now and then, and closes each
 * connection with a code after a while.
 */
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import { WebSocketServer, type WebSocket } from "ws"

const TICK_MS = 200
const BURST_EVERY_MS = 5000
const BURST_FRAMES = 5000
const CLOSE_AFTER_MS = 12_000
const MAINTENANCE = 4000

/** Starts the gateway; the port it listens on. */
export const gateway: Effect.Effect<number, Error, Scope.Scope> = Effect.gen(function* () {
  const server = yield* Effect.acquireRelease(
    Effect.callback<WebSocketServer, Error>((resume) => {
      const listening = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false })
      listening.once("listening", () => resume(Effect.succeed(listening)))
      listening.once("error", (error) => resume(Effect.fail(error)))
    }),
    (listening) =>
      Effect.callback<void>((resume) => {
        for (const client of listening.clients) client.terminate()
        listening.close(() => resume(Effect.void))
      })
  )
  const run = yield* FiberSet.makeRuntime()
  server.on("connection", (socket) => run(serve(socket)))
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
