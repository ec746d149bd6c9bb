/**
 * One dial: a socket to the server, by addresses of it that were checked or
 * through the proxy, then TLS, then the upgrade.
 */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import type { Socket } from "node:net"
import type { SecureContext } from "node:tls"
import type { WebSocket } from "ws"
import * as CheckedAddresses from "../../connection/CheckedAddresses.ts"
import { DialFailed, type AddressDenied, type DialError } from "../../connection/ConnectionError.ts"
import type { Lookups } from "../../connection/Lookups.ts"
import type { ConnectOptions, SocketEvents } from "../../connection/WebSocketClient.ts"
import type { OwnAddresses } from "../../grants/AddressPolicy.ts"
import type { AuthorizedTarget } from "../../grants/Grants.ts"
import type { Proxy } from "./proxy.ts"
import * as ProxyHop from "./proxy.ts"
import { reach, type Reached } from "./reach.ts"
import type { SecureContexts } from "./secureContexts.ts"
import * as Sockets from "./sockets.ts"
import { upgrade } from "./upgrade.ts"
import type { Turn } from "./wsSocket.ts"

/** What all dials of a client share. */
export interface Shared {
  readonly lookups: Lookups
  readonly contexts: SecureContexts
  readonly turn: Turn
  readonly fastPath: boolean
  /** Those of the host's own interfaces. */
  readonly ours: () => OwnAddresses
  /** Through which everything goes where there is one; null: there is one, and it can't be used. */
  readonly proxy: Proxy | null | undefined
}

interface Dial {
  readonly target: AuthorizedTarget
  readonly options: ConnectOptions
  readonly shared: Shared
  readonly sockets: Sockets.Sockets
  /** Told of an address that turns out to be denied. */
  readonly late: (error: AddressDenied) => void
}

/** What a dial holds until its scope closes, which is the end of the connection that came of it: one finalizer for all. */
class Held {
  readonly sockets: Sockets.Sockets = new Set()
  /** The open one. */
  ws: WebSocket | undefined = undefined

  readonly release = (): Effect.Effect<void> =>
    Effect.sync(() => {
      this.ws?.terminate()
      Sockets.destroy(this.sockets)
    })
}

export const dial = (
  target: AuthorizedTarget,
  options: ConnectOptions,
  events: SocketEvents,
  shared: Shared
): Effect.Effect<void, DialError, Scope.Scope> =>
  Effect.gen(function* () {
    // With settings of no use nobody is bothered.
    const context = yield* Effect.mapError(
      Effect.fromResult(shared.contexts.of(options.tls)),
      (code) => new DialFailed({ url: target.display, phase: "tls", code })
    )
    const held = new Held()
    const { sockets } = held
    yield* Scope.addFinalizerExit(yield* Effect.scope, held.release)
    const late = (error: AddressDenied) => {
      if (held.ws === undefined) return
      events.failed(error)
      Sockets.destroy(sockets)
    }
    const opened = (ws: WebSocket) => {
      held.ws = ws
    }
    const { denied, socket } = yield* way({ target, options, shared, sockets, late })
    const remoteAddress = shared.proxy === undefined ? (socket.remoteAddress ?? null) : null
    const { fastPath, turn } = shared
    const opens = Effect.flatMap(secured(socket, { target, options, sockets }, context), (ready) => {
      options.entered("upgrade")
      return upgrade(ready, { target, options, events, turn, fastPath, remoteAddress, opened })
    })
    yield* denied === null ? opens : Effect.raceFirst(opens, denied)
  })

/** A way to the server. With a proxy there is no other than through it. */
const way = ({ late, options, shared, sockets, target }: Dial): Effect.Effect<Reached, DialError, Scope.Scope> => {
  const { display, url } = target
  const { lookups, ours, proxy } = shared
  const resolve = (name: string) => lookups.resolve(name, options.lookups)
  if (proxy === undefined) {
    const addresses = url.literal ? url.host : CheckedAddresses.stream(target, resolve, ours)
    const connecting = () => options.entered("tcp")
    return reach(sockets, { display, addresses, port: url.port, phase: "tcp", connecting }, late)
  }
  options.entered("proxy")
  return proxy === null
    ? Effect.fail(ProxyHop.unusable(display))
    : ProxyHop.through(proxy, { target, sockets, resolve })
}

/** The same socket, with TLS where the URL wants it. */
const secured = (
  socket: Socket,
  { options, sockets, target }: Pick<Dial, "target" | "options" | "sockets">,
  context: SecureContext
): Effect.Effect<Socket, DialFailed> => {
  const { display, url } = target
  if (url.scheme === "ws") return Effect.succeed(socket)
  options.entered("tls")
  return Sockets.secure(sockets, { display, name: options.tls?.serverName ?? url.host, phase: "tls" }, context, socket)
}
