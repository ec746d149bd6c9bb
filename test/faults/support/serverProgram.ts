/**
 * A WebSocket server of the tests' own: counts which numbered texts came, and sends such. Tells in lines of JSON, told
 * what to do on stdin: `node serverProgram.ts <port> <address>…`.
 */
import * as Http from "node:http"
import * as Readline from "node:readline"
import { type WebSocket, WebSocketServer } from "ws"

export type Order =
  /** So many texts of so many bytes to each of its peers, numbered from where it left off for that path. */
  | { readonly do: "send"; readonly count: number; readonly bytes: number }
  /** One text so often to whoever is there; 0: no more. */
  | { readonly do: "chatter"; readonly everyMs: number }
  | { readonly do: "pings"; readonly perSecond: number }
  /** So many peers' TCP connections end. */
  | { readonly do: "hangUp"; readonly count: number }
  | { readonly do: "report" }
  /** It listens at one address more. */
  | { readonly do: "listen"; readonly address: string }

export interface Line {
  readonly at: number
  /** An address at which it listens, and the port. */
  readonly listening?: string
  readonly port?: number
  /** A WebSocket opened, at which path and from which address. */
  readonly opened?: string
  readonly from?: string
  readonly closed?: string
  readonly code?: number
  readonly report?: Report
}

export interface Report {
  /** Of each path: which numbers came, sorted and each once, and how many texts were handed to sockets. */
  readonly paths: { readonly [path: string]: { readonly got: ReadonlyArray<number>; readonly sent: number } }
  readonly opens: number
  readonly pongs: number
}

const [port = "0", ...addresses] = process.argv.slice(2)

const say = (line: Omit<Line, "at">) => {
  // A clock that all processes share.
  const at = performance.timeOrigin + performance.now()
  process.stdout.write(`${JSON.stringify({ at, ...line })}\n`)
}

interface Path {
  readonly got: Set<number>
  sent: number
}

const paths = new Map<string, Path>()
const peers = new Map<WebSocket, Path>()
let opens = 0
let pongs = 0

const pathOf = (name: string): Path => {
  const path = paths.get(name) ?? { got: new Set(), sent: 0 }
  paths.set(name, path)
  return path
}

const upgrades = new WebSocketServer({ noServer: true, perMessageDeflate: false })
const servers: Array<Http.Server> = []

const listen = (address: string) => {
  const server = Http.createServer().on("upgrade", (request, socket, head) => {
    upgrades.handleUpgrade(request, socket, head, (peer) => {
      const name = request.url ?? "/"
      const path = pathOf(name)
      opens++
      peers.set(peer, path)
      say({ opened: name, from: request.socket.remoteAddress ?? "" })
      peer.on("message", (data) => path.got.add(Number.parseInt(String(data), 10)))
      peer.on("pong", () => pongs++)
      peer.on("error", () => {})
      peer.on("close", (code) => {
        peers.delete(peer)
        say({ closed: name, code })
      })
    })
  })
  servers.push(server)
  server.listen(Number(port), address, () => {
    const bound = server.address()
    say({ listening: address, port: typeof bound === "object" && bound !== null ? bound.port : 0 })
  })
}

let chatter: NodeJS.Timeout | undefined
let pings: NodeJS.Timeout | undefined

const send = (count: number, bytes: number) => {
  for (const [peer, path] of peers) {
    for (let nth = 0; nth < count; nth++) peer.send(`${++path.sent}:`.padEnd(bytes, "y"))
  }
}

const obey = (order: Order): void => {
  switch (order.do) {
    case "send":
      send(order.count, order.bytes)
      return
    case "chatter":
      clearInterval(chatter)
      if (order.everyMs > 0) chatter = setInterval(send, order.everyMs, 1, 20)
      return
    case "pings":
      clearInterval(pings)
      pings = setInterval(() => {
        for (const peer of peers.keys()) peer.ping()
      }, 1000 / order.perSecond)
      return
    case "hangUp":
      for (const peer of [...peers.keys()].slice(0, order.count)) peer.terminate()
      return
    case "listen":
      listen(order.address)
      return
    case "report": {
      const told = [...paths].map(([name, { got, sent }]) => [name, { got: [...got].toSorted((a, b) => a - b), sent }])
      say({ report: { paths: Object.fromEntries(told), opens, pongs } })
    }
  }
}

for (const address of addresses) listen(address)
Readline.createInterface({ input: process.stdin })
  .on("line", (text) => obey(JSON.parse(text)))
  .on("close", () => process.exit())
