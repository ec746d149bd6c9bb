/**
 * The server of the benchmarks, in a process of its own so that its CPU time
 * isn't counted: `node server.ts <options as JSON>`. Prints its port.
 *
 *     /flood   prebuilt frames at full speed, once all connections are open
 *     /paced   prebuilt frames at `perSecond` over all of these connections
 *     /stamped texts with a number and the time, at `perSecond`
 *     /echo    sends a text, waits for it to come back, `trips` times; prints the round trips
 *     /pulse   as /echo, one each 5 ms
 *     /idle    nothing
 */
import { WebSocketServer, type WebSocket } from "ws"
import type { Socket } from "node:net"
import { percentile } from "./statistics.ts"

export interface ServerOptions {
  /** Of each connection. */
  readonly frames: number
  readonly bytes: number
  /** Whether they are binary. */
  readonly binary: boolean
  /** So many floods begin together. */
  readonly connections: number
  readonly perSecond: number
  readonly trips: number
  readonly port: number
}

const options: Partial<ServerOptions> = JSON.parse(process.argv[2] ?? "{}") as Partial<ServerOptions>
const { binary = false, bytes = 128, connections = 1, frames = 0, perSecond = 0, port = 0, trips = 0 } = options
const PULSE_MS = 5
const TICK_MS = 5
const SETTLE_MS = 200
const CHUNK_BYTES = 65_536
const UNCOUNTED = 1 / 5

const frame = (text: Buffer): Buffer => {
  const { length } = text
  const first = binary ? 0x82 : 0x81
  const header = length < 126 ? Buffer.from([first, length]) : Buffer.from([first, 126, length >> 8, length & 0xff])
  return Buffer.concat([header, text])
}
const one = frame(Buffer.alloc(bytes, "x"))
const perChunk = Math.max(1, Math.floor(CHUNK_BYTES / one.length))
const chunk = Buffer.concat(Array.from({ length: perChunk }, () => one))

/** Straight to the TCP socket, chunk by chunk as it takes them. */
const flood = (socket: Socket): void => {
  let left = frames
  const write = (): void => {
    while (left > 0) {
      const count = Math.min(perChunk, left)
      left -= count
      if (!socket.write(count === perChunk ? chunk : chunk.subarray(0, count * one.length))) {
        socket.once("drain", write)
        return
      }
    }
  }
  write()
}

/** Calls each tick with how many frames are due since the last. */
const paced = (socket: Socket, rate: number, write: (count: number) => void): void => {
  const from = performance.now()
  let written = 0
  const ticking = setInterval(() => {
    const due = Math.floor(((performance.now() - from) * rate) / 1000) - written
    if (due > 0) write(due)
    written += due
  }, TICK_MS)
  socket.once("close", () => clearInterval(ticking))
}

let stamped = 0
/** With its number, and when it was due to be written, in milliseconds of the machine's clock. */
const stamps = (count: number): Buffer =>
  Buffer.concat(
    Array.from({ length: count }, () =>
      frame(Buffer.from(`${++stamped} ${performance.timeOrigin + performance.now()} `.padEnd(bytes, "x")))
    )
  )

const roundTrips = (ws: WebSocket, everyMs: number): void => {
  const times: Array<number> = []
  let sentAt = 0
  const ping = (): void => {
    sentAt = performance.now()
    ws.send("0123456789".repeat(12))
  }
  ws.on("message", () => {
    times.push(performance.now() - sentAt)
    if (times.length < trips) {
      if (everyMs === 0) ping()
      else setTimeout(ping, everyMs)
      return
    }
    // The first are of code that isn't compiled yet, here and there.
    const counted = times.slice(trips * UNCOUNTED)
    const shares = { p50Ms: 0.5, p99Ms: 0.99, p999Ms: 0.999, maxMs: 1 }
    const figures = Object.entries(shares).map(([name, share]) => [name, percentile(counted, share)])
    process.stdout.write(`${JSON.stringify(Object.fromEntries(figures))}\n`)
  })
  ping()
}

let waiting: Array<Socket> = []
const backlog = 4096
const server = new WebSocketServer({ host: "127.0.0.1", port, backlog, perMessageDeflate: false })
server.on("listening", () => {
  const address = server.address()
  process.stdout.write(`${typeof address === "object" && address !== null ? address.port : 0}\n`)
})
server.on("connection", (ws, { socket, url = "/" }) => {
  ws.on("error", () => {})
  // What comes back to a flood is read, and not looked at.
  if (url.startsWith("/flood")) {
    socket.removeAllListeners("data")
    socket.on("data", () => {})
    if (waiting.push(socket) < connections) return
    const all = waiting
    waiting = []
    setTimeout(() => all.forEach(flood), SETTLE_MS)
  } else if (url.startsWith("/paced")) {
    paced(socket, perSecond / connections, (count) => {
      for (let left = count; left > 0; left -= perChunk) socket.write(chunk.subarray(0, left * one.length))
    })
  } else if (url.startsWith("/stamped")) {
    setTimeout(() => paced(socket, perSecond, (count) => socket.write(stamps(count))), SETTLE_MS)
  } else if (url.startsWith("/echo")) setTimeout(() => roundTrips(ws, 0), 2 * SETTLE_MS)
  else if (url.startsWith("/pulse")) setTimeout(() => roundTrips(ws, PULSE_MS), 2 * SETTLE_MS)
})
