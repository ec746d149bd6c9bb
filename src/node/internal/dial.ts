/**
 * One dial: a socket to the server, by addresses of it that were checked or
 * through the proxy, then TLS, then the upgrade.
 */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import type { WebSocket } from "ws"
import { DialFailed, type AddressDenied, type DialError } from "../../connection/ConnectionError.ts"
import type { ConnectOptions, SocketEvents } from "../../connection/WebSocketClient.ts"
import type { AuthorizedTarget } from "../../grants/Grants.ts"
import type { Network } from "./network.ts"
import * as Sockets from "./sockets.ts"
import { upgrade } from "./upgrade.ts"
import * as Way from "./way.ts"
import type { Turn } from "./wsSocket.ts"

/** What all dials of a client share. */
export interface Shared {
  readonly network: Network
  readonly turn: Turn
  readonly fastPath: boolean
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
    const { network } = shared
    const { entered, lookups, tls } = options
    // With settings of no use nobody is bothered.
    const context = yield* Effect.mapError(
      Effect.fromResult(network.contexts.of(tls)),
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
    const way = { target, lookups, tls, network, sockets, entered, late }
    const { denied, socket } = yield* Way.open(way)
    const remoteAddress = network.proxy === undefined ? (socket.remoteAddress ?? null) : null
    const { fastPath, turn } = shared
    const opens = Effect.flatMap(Way.secured(socket, way, context), (ready) => {
      entered("upgrade")
      return upgrade(ready, { target, options, events, turn, fastPath, remoteAddress, opened })
    })
    yield* denied === null ? opens : Effect.raceFirst(opens, denied)
  })
