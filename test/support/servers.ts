/** Servers on loopback for tests with real sockets: scoped, on a port of their own, byte for byte where it matters. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { createHash } from "node:crypto"
import * as Fs from "node:fs"
import * as Http from "node:http"
import * as Net from "node:net"
import * as Tls from "node:tls"
import { type ServerOptions, type WebSocket, WebSocketServer } from "ws"

export interface Server {
  readonly port: number
  readonly url: string
  /** Every connection that was ever accepted, in order. */
  readonly sockets: ReadonlyArray<Net.Socket>
  /** How many of them the other side hasn't ended. */
  readonly open: () => number
}

const listening = (server: Net.Server): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.suspend(() => {
    const sockets: Array<Net.Socket> = []
    server.on("connection", (socket: Net.Socket) => {
      sockets.push(socket)
      socket.on("error", () => {})
    })
    const listen = Effect.callback<Server>((resume) => {
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        const open = () => sockets.filter((socket) => !socket.destroyed && !socket.readableEnded).length
        resume(Effect.succeed({ port, url: `ws://127.0.0.1:${port}/`, sockets, open }))
      })
    })
    const close = Effect.callback<void>((resume) => {
      for (const socket of sockets) socket.destroy()
      server.close(() => resume(Effect.void))
    })
    return Effect.acquireRelease(listen, () => close)
  })

/** A WebSocket server. `connected` gets the peer, the socket under it, and which connection it is, from 1. */
export const gateway = (
  connected: (peer: WebSocket, socket: Net.Socket, nth: number) => void,
  options: Omit<ServerOptions, "noServer"> = {}
): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.suspend(() => {
    const upgrades = new WebSocketServer({ ...options, noServer: true })
    let nth = 0
    const http = Http.createServer().on("upgrade", (request, socket, head) => {
      upgrades.handleUpgrade(request, socket, head, (peer) => {
        peer.on("error", () => {})
        connected(peer, request.socket, ++nth)
      })
    })
    return listening(http)
  })

/** A server that does nothing by itself; what comes is read and thrown away. */
export const tcp = (
  connected: (socket: Net.Socket, nth: number) => void,
  options: Net.ServerOpts = {}
): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.suspend(() => {
    let nth = 0
    return listening(
      Net.createServer(options, (socket) => {
        connected(socket, ++nth)
        socket.resume()
      })
    )
  })

/** A server whose answers to requests are written by hand. */
export const answering = (
  answer: (socket: Net.Socket, request: string, nth: number) => void,
  options: Net.ServerOpts = {}
): Effect.Effect<Server, never, Scope.Scope> =>
  tcp((socket, nth) => {
    let request = ""
    const read = (chunk: Buffer) => {
      request += chunk.toString("latin1")
      if (!request.includes("\r\n\r\n")) return
      socket.off("data", read)
      answer(socket, request, nth)
    }
    socket.on("data", read)
  }, options)

/** Completes when each of these connections has ended, on this side. */
export const closed = (sockets: ReadonlyArray<Net.Socket>): Effect.Effect<void> =>
  Effect.forEach(
    sockets,
    (socket) =>
      Effect.callback<void>((resume) => {
        if (socket.destroyed) return resume(Effect.void)
        socket.once("close", () => resume(Effect.void))
      }),
    { discard: true }
  )

const tlsFile = (name: string) => Fs.readFileSync(new URL(`tls/${name}`, import.meta.url))

/** An authority of the tests' own; its server is `gateway.test` and 127.0.0.1, its client is `client`. */
export const tlsFiles = {
  ca: tlsFile("ca.pem"),
  server: { cert: tlsFile("server.pem"), key: tlsFile("server.key") },
  client: { cert: tlsFile("client.pem"), key: tlsFile("client.key") },
  /** Another authority; its server is `gateway.test`, `hub.test`, 127.0.0.1 and ::1. All servers have the same key. */
  otherCa: tlsFile("otherCa.pem"),
  other: tlsFile("other.pem"),
  /** Of the other authority, for 2020 and for 2120 to 2124. */
  expired: tlsFile("expired.pem"),
  future: tlsFile("future.pem"),
  selfSigned: tlsFile("selfSigned.pem")
}

/** A server of TLS that does nothing by itself. */
export const tls = (
  connected: (socket: Tls.TLSSocket, nth: number) => void,
  options: Tls.TlsOptions = {}
): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.suspend(() => {
    let nth = 0
    const server = Tls.createServer({ ...tlsFiles.server, ...options }, (socket) => {
      socket.on("error", () => {})
      connected(socket, ++nth)
    })
    return listening(server)
  })

/** The same as {@link answering}, over TLS. */
export const answeringSecurely = (
  answer: (socket: Tls.TLSSocket, request: string, nth: number) => void,
  options: Tls.TlsOptions = {}
): Effect.Effect<Server, never, Scope.Scope> =>
  tls((socket, nth) => void socket.once("data", (chunk) => answer(socket, chunk.toString("latin1"), nth)), options)

/** A port of loopback on which nobody listens. */
export const closedPort: Effect.Effect<number> = Effect.map(Effect.scoped(tcp(() => {})), ({ port }) => port)

/** An HTTP response without a body. */
export const response = (status: string, ...headers: ReadonlyArray<string>): Buffer =>
  Buffer.from([`HTTP/1.1 ${status}`, ...headers, "", ""].join("\r\n"))

/** The 101 that accepts a request (RFC 6455, section 4.2.2). */
export const switching = (request: string, ...headers: ReadonlyArray<string>): Buffer => {
  const key = /^sec-websocket-key: *(\S+)/im.exec(request)?.[1] ?? ""
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64")
  return response(
    "101 Switching Protocols",
    "upgrade: websocket",
    "connection: upgrade",
    `sec-websocket-accept: ${accept}`,
    ...headers
  )
}

const LAST = 0x80

/** A frame of a server (RFC 6455, section 5.2); `first` is its first byte without the opcode. */
export const frame = (opcode: number, payload: string | Buffer = "", first = LAST): Buffer => {
  const data = Buffer.from(payload)
  return Buffer.concat([Buffer.from([first | opcode]), lengthOf(data.length), data])
}

/** A length in as few bytes as it needs. */
const lengthOf = (bytes: number): Buffer => {
  if (bytes < 126) return Buffer.from([bytes])
  const long = Buffer.alloc(bytes < 65_536 ? 3 : 9)
  long[0] = bytes < 65_536 ? 126 : 127
  if (long.length === 3) long.writeUInt16BE(bytes, 1)
  else long.writeBigUInt64BE(BigInt(bytes), 1)
  return long
}

export const CONTINUATION = 0
export const TEXT = 1
export const CLOSE = 8
export const PING = 9

export const text = (value: string): Buffer => frame(TEXT, value)

export const closeFrame = (code: number, reason = ""): Buffer => {
  const data = Buffer.alloc(2)
  data.writeUInt16BE(code)
  return frame(CLOSE, Buffer.concat([data, Buffer.from(reason)]))
}

/** The code in a client's close frame, which is masked (RFC 6455, section 5.3); undefined where it is another frame. */
export const codeOfClose = (bytes: Buffer): number | undefined =>
  bytes[0] === (LAST | CLOSE) && bytes.length >= 8 ? bytes.readUInt16BE(6) ^ bytes.readUInt16BE(2) : undefined
