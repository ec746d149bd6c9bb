/**
 * The server of the benchmarks, in a process of its own so that its CPU time
 * isn't counted: `node server.ts <frames> <bytes> [<port>]`. Prints its port.
 *
 *     /flood   so many prebuilt frames at full speed
 *     /echo    sends a text, waits for it to come back, so many times; prints the round trips
 *     /pulse   as /echo, one each 5 ms
 *     /idle    nothing
 */
import { WebSocketServer, type WebSocket } from "ws"
import type { Socket } from "node:net"

const [frames = 0, bytes = 128, onPort = 0] = process.argv.slice(2).map(Number)
const PULSE_MS = 5
const READ_BYTES = 65_536

const frame = (): Buffer => {
  const header = bytes < 126 ? Buffer.from([0x81, bytes]) : Buffer.from([0x81, 126, bytes >> 8, bytes & 0xff])
  return Buffer.concat([header, Buffer.alloc(bytes, "x")])
}

const flood = (socket: Socket): void => {
  const one = frame()
  const perChunk = Math.max(1, Math.floor(READ_BYTES / one.length))
  const chunk = Buffer.concat(Array.from({ length: perChunk }, () => one))
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

const percentile = (sorted: ReadonlyArray<number>, share: number): number =>
  Math.round((sorted[Math.floor((sorted.length - 1) * share)] ?? 0) * 1000)

const roundTrips = (ws: WebSocket, rounds: number, everyMs: number): void => {
  const times: Array<number> = []
  let sentAt = 0
  const ping = (): void => {
    sentAt = performance.now()
    ws.send("0123456789".repeat(12))
  }
  ws.on("message", () => {
    times.push(performance.now() - sentAt)
    if (times.length < rounds) {
      if (everyMs === 0) ping()
      else setTimeout(ping, everyMs)
      return
    }
    const sorted = times.toSorted((a, b) => a - b)
    process.stdout.write(
      `${JSON.stringify({ p50Us: percentile(sorted, 0.5), p99Us: percentile(sorted, 0.99), maxUs: percentile(sorted, 1) })}\n`
    )
  })
  ping()
}

const server = new WebSocketServer({ host: "127.0.0.1", port: onPort, perMessageDeflate: false })
server.on("listening", () => {
  const address = server.address()
  process.stdout.write(`${typeof address === "object" && address !== null ? address.port : 0}\n`)
})
server.on("connection", (ws, request) => {
  const path = request.url ?? "/"
  if (path.startsWith("/flood")) setTimeout(() => flood(request.socket), 200)
  else if (path.startsWith("/echo")) roundTrips(ws, 5000, 0)
  else if (path.startsWith("/pulse")) setTimeout(() => roundTrips(ws, 400, PULSE_MS), 400)
})
