/**
 * TCP and TLS of one dial. Every socket that was begun is in the dial's set,
 * whose scope destroys what is left of them.
 */
import * as Effect from "effect/Effect"
import * as Net from "node:net"
import * as Tls from "node:tls"
import { DialFailed } from "../../connection/ConnectionError.ts"
import { codeOf } from "./errorCode.ts"

export type Sockets = Set<Net.Socket>

// Who has a connected socket has listeners of its own; one that ends in between must not end the process. It holds
// nothing of the dial, for it stays as long as the socket does.
const ignored = () => {}

/** Somebody else listens to its errors from now on. */
export const handOver = (socket: Net.Socket): void => void socket.off("error", ignored)

const destroyAll = (sockets: Sockets) => {
  for (const socket of sockets) socket.destroy()
}

/** Destroys all but one. */
export const keepOnly = (sockets: Sockets, kept: Net.Socket): void => {
  sockets.delete(kept)
  destroyAll(sockets)
  sockets.clear()
  sockets.add(kept)
}

export const destroy = destroyAll

/** What is dialled, as it may be shown, and what a failure to connect belongs to. */
export interface Port {
  readonly display: string
  readonly port: number
  readonly phase: "tcp" | "proxy"
}

/** Connects to exactly this address. What isn't one is not looked up. */
export const connect = (
  sockets: Sockets,
  { display: url, phase, port }: Port,
  address: string
): Effect.Effect<Net.Socket, DialFailed> =>
  Effect.callback((resume) => {
    const failed = (code: string) => resume(Effect.fail(new DialFailed({ url, phase, code })))
    if (Net.isIP(address) === 0) {
      failed("EINVAL")
      return
    }
    const socket = Net.connect({ host: address, port })
    sockets.add(socket)
    const onError = (error: Error) => failed(codeOf(error))
    socket.on("error", onError)
    socket.once("connect", () => {
      socket.on("error", ignored).off("error", onError)
      resume(Effect.succeed(socket))
    })
    return Effect.sync(() => socket.destroy())
  })

/** Who is to be at the other end, and for which dial. */
export interface Peer {
  readonly display: string
  /** What the certificate has to prove: a name, or an address. */
  readonly name: string
  readonly phase: "tls" | "proxy"
}

/** Agrees on TLS with the server that is at the other end, which must be the one that is meant. */
export const secure = (
  sockets: Sockets,
  { display: url, name, phase }: Peer,
  secureContext: Tls.SecureContext,
  socket: Net.Socket
): Effect.Effect<Tls.TLSSocket, DialFailed> =>
  Effect.callback((resume) => {
    const failed = (code: string) => resume(Effect.fail(new DialFailed({ url, phase, code })))
    // Of a socket that has ended Node tells nothing any more.
    if (socket.destroyed) {
      failed("ECONNRESET")
      return
    }
    const secured = Tls.connect({
      secureContext,
      socket,
      host: name,
      // SNI is for names only (RFC 6066, section 3).
      servername: Net.isIP(name) === 0 ? name : "",
      // Node's default is what NODE_TLS_REJECT_UNAUTHORIZED says.
      rejectUnauthorized: true
    })
    sockets.add(secured)
    const onError = (error: Error) => failed(codeOf(error))
    const onClose = () => failed("ECONNRESET")
    secured.on("error", onError).on("close", onClose)
    secured.once("secureConnect", () => {
      secured.on("error", ignored).off("error", onError).off("close", onClose)
      resume(Effect.succeed(secured))
    })
    return Effect.sync(() => secured.destroy())
  })

/** The failure that says most of those of a dial: of a server that was reached, if one was. */
export const furthest = (failures: ReadonlyArray<DialFailed>): DialFailed | undefined =>
  failures.find(({ code }) => !UNREACHED.has(code)) ?? failures[0]

const UNREACHED = new Set(["ENETUNREACH", "EHOSTUNREACH", "ENETDOWN", "EADDRNOTAVAIL", "EAFNOSUPPORT", "EINVAL"])
