/**
 * The server of the soak, which does what servers, networks and attackers do:
 * `node soakServer.ts`. Prints its port. Every connection lives for up to a
 * minute, talks, and ends in one of many ways; some upgrades are refused.
 */
import * as Http from "node:http"
import type { Socket } from "node:net"
import { WebSocketServer, type WebSocket } from "ws"

const chance = (share: number): boolean => Math.random() < share
const upTo = (most: number): number => Math.floor(Math.random() * most)
const one = <A>(...choices: ReadonlyArray<A>): A => choices[upTo(choices.length)] as A
const text = "x".repeat(4000)

type Ending = (ws: WebSocket, socket: Socket) => void

const endings: ReadonlyArray<Ending> = [
  (ws) => ws.close(one(1000, 1001, 1011, 1012, 4000, 4321), "bye"),
  (ws) => ws.close(),
  (_, socket) => void socket.resetAndDestroy(),
  (_, socket) => void socket.end(),
  // In the middle of a frame
  (_, socket) => void socket.end(Buffer.from([0x81, 126, 0x10, 0, 1, 2, 3])),
  // Half open: it reads nothing and says nothing any more, and answers no close
  (_, socket) => void socket.pause(),
  (_, socket) => void socket.write(Buffer.from([0xf1, 0xff, 0xff, 0xff])),
  (_, socket) => void socket.write(Buffer.from([0x81, 4, 0xce, 0xba, 0xed, 0xa0])),
  (ws) => {
    for (let pings = 0; pings < 400; pings++) ws.ping("flood")
  },
  (ws) => ws.send("y".repeat(2_000_000))
]

const talk = (ws: WebSocket, socket: Socket): void => {
  let n = 0
  const everyMs = 50 + upTo(1000)
  const isBursting = chance(0.1)
  const speaking = setInterval(() => {
    if (ws.readyState !== ws.OPEN) return
    for (let texts = isBursting ? 300 : 1; texts > 0; texts--) ws.send(`${++n} ${chance(0.05) ? text : "tick"}`)
    if (chance(0.02)) ws.send(Buffer.from([1, 2, 3]))
    if (chance(0.05)) ws.ping("still there?")
  }, everyMs)
  const ending = setTimeout(() => endings[upTo(endings.length)]?.(ws, socket), 1000 + upTo(60_000))
  // What is half open isn't so for ever here either.
  const last = setTimeout(() => socket.destroy(), 90_000)
  ws.on("error", () => {})
  ws.on("close", () => {
    clearInterval(speaking)
    clearTimeout(ending)
    clearTimeout(last)
  })
}

const upgrades = new WebSocketServer({ noServer: true, perMessageDeflate: false })
const http = Http.createServer().on("upgrade", (request, socket, head) => {
  const tcp = request.socket
  tcp.on("error", () => {})
  if (chance(0.1)) {
    const answer = one("503 Service Unavailable\r\nRetry-After: 1", "429 Too Many Requests", "500 Oh", "403 No")
    socket.end(`HTTP/1.1 ${answer}\r\n\r\n`)
    return
  }
  // Nothing is ever answered, or something that is no answer.
  if (chance(0.02)) return
  if (chance(0.02)) return void socket.end("what?\r\n\r\n")
  upgrades.handleUpgrade(request, socket, head, (ws) => talk(ws, tcp))
})
http.listen(0, "127.0.0.1", () => {
  const address = http.address()
  process.stdout.write(`${typeof address === "object" && address !== null ? address.port : 0}\n`)
})
