/**
 * The way to a server that may be dialled: a socket to one of its addresses that
 * were checked, or through the proxy, and TLS over it where the URL wants that.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Socket } from "node:net"
import type { SecureContext } from "node:tls"
import * as CheckedAddresses from "../../connection/CheckedAddresses.ts"
import type { AddressDenied, DialFailed } from "../../connection/ConnectionError.ts"
import type { LookupSlots } from "../../connection/ResolveAddresses.ts"
import type { TlsSettings } from "../../connection/WebSocketClient.ts"
import type { Network } from "./network.ts"
import * as ProxyHop from "./proxy.ts"
import { reach, type Reached } from "./reach.ts"
import * as Sockets from "./sockets.ts"

export interface Way {
  readonly target: CheckedAddresses.Dialled
  readonly lookups: LookupSlots
  readonly tls: TlsSettings | undefined
  readonly network: Network
  readonly sockets: Sockets.Sockets
  readonly entered: (phase: "proxy" | "tcp" | "tls") => void
  /** Told of an address that turns out to be denied. */
  readonly late: (error: AddressDenied) => void
}

/** A socket to the server. With a proxy there is no other way than through it. */
export const open = ({
  entered,
  late,
  lookups: slots,
  network: { lookups, ours, proxy },
  sockets,
  target
}: Way): Effect.Effect<Reached, AddressDenied | DialFailed, Scope.Scope> => {
  const { display, url } = target
  const resolve = (name: string) => lookups.resolve(name, slots)
  if (proxy === undefined) {
    const addresses = url.literal ? url.host : CheckedAddresses.stream(target, resolve, ours)
    const connecting = () => entered("tcp")
    return reach(sockets, { display, addresses, port: url.port, phase: "tcp", connecting }, late)
  }
  entered("proxy")
  return proxy === null
    ? Effect.fail(ProxyHop.unusable(display))
    : ProxyHop.through(proxy, { target, sockets, resolve })
}

/** The same socket, with TLS where the URL wants it. */
export const secured = (
  socket: Socket,
  { entered, sockets, target, tls }: Way,
  context: SecureContext
): Effect.Effect<Socket, DialFailed> => {
  const { display, url } = target
  if (url.scheme === "ws" || url.scheme === "http") return Effect.succeed(socket)
  entered("tls")
  return Sockets.secure(sockets, { display, name: tls?.serverName ?? url.host, phase: "tls" }, context, socket)
}
