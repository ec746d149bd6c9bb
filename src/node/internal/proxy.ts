/**
 * The way through an HTTP proxy, by CONNECT (RFC 9110, section 9.3.6). Its own
 * address is the operator's word and isn't checked; the target's name goes to it
 * as it is. All that goes wrong here is the phase `proxy`.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Net from "node:net"
import type { SecureContext } from "node:tls"
import { DialFailed, type AddressDenied } from "../../connection/ConnectionError.ts"
import type { Dialled } from "../../connection/CheckedAddresses.ts"
import type { Resolve } from "../../connection/ResolveAddresses.ts"
import { valueOf, type ProxySettings } from "../ProxySettings.ts"
import { ConnectAnswer } from "./connectAnswer.ts"
import { codeOf } from "./errorCode.ts"
import { reach, type Reached } from "./reach.ts"
import * as Sockets from "./sockets.ts"

export interface Proxy {
  /** A name, or an address without brackets. */
  readonly host: string
  readonly port: number
  /** For a proxy that is spoken to with TLS. */
  readonly context: SecureContext | undefined
  /** The whole value of `Proxy-Authorization`. */
  readonly authorization: ProxySettings["authorization"] | undefined
}

/** What a dial fails with through a proxy that can't be used. */
export const unusable = (url: string): DialFailed => new DialFailed({ url, phase: "proxy", code: "PROXY_UNUSABLE" })

interface Dial {
  readonly target: Dialled
  readonly sockets: Sockets.Sockets
  readonly resolve: Resolve
}

/** A tunnel to the target's server. */
export const through = (
  { authorization, context, host, port }: Proxy,
  { resolve, sockets, target }: Dial
): Effect.Effect<Reached, AddressDenied | DialFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const { display } = target
    // Nobody is asked anything without the credentials that were to be shown.
    if (authorization !== undefined && valueOf(authorization) === undefined) return yield* unusable(display)
    const addresses =
      Net.isIP(host) === 0
        ? Stream.mapError(resolve(host), ({ code }) => new DialFailed({ url: display, phase: "proxy", code }))
        : host
    const hop = { display, addresses, port, phase: "proxy", connecting: () => {} } as const
    const { denied, socket } = yield* reach(sockets, hop, () => {})
    const peer = { display, name: host, phase: "proxy" } as const
    const spoken = context === undefined ? socket : yield* Sockets.secure(sockets, peer, context, socket)
    yield* asked(spoken, request(target, authorization), display)
    return { socket: spoken, denied }
  })

/** The name or address and the port are a parsed URL's: no letter of them ends a line. */
const request = ({ url }: Dialled, authorization: Proxy["authorization"]): string => {
  const host = Net.isIPv6(url.host) ? `[${url.host}]` : url.host
  const authority = `${host}:${url.port}`
  const lines = [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`]
  const value = authorization === undefined ? undefined : valueOf(authorization)
  if (value !== undefined) lines.push(`Proxy-Authorization: ${value}`)
  return [...lines, "", ""].join("\r\n")
}

/** Succeeds when the socket is the tunnel: what it reads next is the server's. */
const asked = (socket: Net.Socket, lines: string, url: string): Effect.Effect<void, DialFailed> =>
  Effect.callback((resume) => {
    const answer = new ConnectAnswer()
    const listeners = {
      error: (error: Error) => done(codeOf(error)),
      close: () => done("ECONNRESET"),
      readable: () => {
        for (let chunk: Buffer | null = socket.read(); chunk !== null; chunk = socket.read()) {
          const read = answer.take(chunk)
          if (read === undefined) continue
          return done(read.kind === "refused" ? read.code : undefined, read.kind === "tunnel" ? read.rest : undefined)
        }
      }
    }
    const off = () => {
      for (const [event, listener] of Object.entries(listeners)) socket.off(event, listener)
    }
    const done = (code: string | undefined, rest?: Buffer) => {
      off()
      if (rest !== undefined) socket.unshift(rest)
      resume(code === undefined ? Effect.void : Effect.fail(new DialFailed({ url, phase: "proxy", code })))
    }
    // Of a socket that has ended Node tells nothing any more.
    if (socket.destroyed) return done("ECONNRESET")
    for (const [event, listener] of Object.entries(listeners)) socket.on(event, listener)
    socket.write(lines, "latin1")
    return Effect.sync(off)
  })
