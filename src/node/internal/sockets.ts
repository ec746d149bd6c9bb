/**
 * TCP and TLS of one dial. Every socket that was begun is in the dial's set,
 * whose scope destroys what is left of them.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import * as Tls from "node:tls"
import { DialFailed } from "../../connection/ConnectionError.ts"
import type { SocketUrl } from "../../manifest/SocketUrl.ts"
import { codeOf } from "./errorCode.ts"

export type Sockets = Set<Net.Socket>

const destroyAll = (sockets: Sockets) => {
  for (const socket of sockets) socket.destroy()
}

export const make: Effect.Effect<Sockets, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync((): Sockets => new Set()),
  (sockets) => Effect.sync(() => destroyAll(sockets))
)

/** Destroys all but one. */
export const keepOnly = (sockets: Sockets, kept: Net.Socket): void => {
  sockets.delete(kept)
  destroyAll(sockets)
  sockets.clear()
  sockets.add(kept)
}

export const destroy = destroyAll

/** Connects to exactly this address. What isn't one is not looked up. */
export const connect = (
  sockets: Sockets,
  { display: url, port }: Pick<SocketUrl, "display" | "port">,
  address: string
): Effect.Effect<Net.Socket, DialFailed> =>
  Effect.callback((resume) => {
    const failed = (code: string) => resume(Effect.fail(new DialFailed({ url, phase: "tcp", code })))
    if (Net.isIP(address) === 0) {
      failed("EINVAL")
      return
    }
    const socket = Net.connect({ host: address, port })
    sockets.add(socket)
    socket.on("error", (error) => failed(codeOf(error)))
    socket.once("connect", () => resume(Effect.succeed(socket)))
    return Effect.sync(() => socket.destroy())
  })

/** Agrees on TLS with the server that is at the other end, which must be the one that the URL names. */
export const secure = (
  sockets: Sockets,
  { display: url, host, literal }: Pick<SocketUrl, "display" | "host" | "literal">,
  secureContext: Tls.SecureContext,
  socket: Net.Socket
): Effect.Effect<Tls.TLSSocket, DialFailed> =>
  Effect.callback((resume) => {
    const failed = (code: string) => resume(Effect.fail(new DialFailed({ url, phase: "tls", code })))
    // The name of a certificate for an address is the address; SNI is for names only (RFC 6066, section 3).
    const secured = Tls.connect({ secureContext, socket, host, servername: literal ? "" : host })
    sockets.add(secured)
    secured.on("error", (error) => failed(codeOf(error)))
    secured.once("close", () => failed("ECONNRESET"))
    secured.once("secureConnect", () => resume(Effect.succeed(secured)))
    return Effect.sync(() => secured.destroy())
  })

/** The failure that says most of those of a dial: of a server that was reached, if one was. */
export const furthest = (failures: ReadonlyArray<DialFailed>): DialFailed | undefined =>
  failures.find(({ code }) => !UNREACHED.has(code)) ?? failures[0]

const UNREACHED = new Set(["ENETUNREACH", "EHOSTUNREACH", "ENETDOWN", "EADDRNOTAVAIL", "EAFNOSUPPORT", "EINVAL"])
