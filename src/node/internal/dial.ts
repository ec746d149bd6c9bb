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
  /** Those of the dial; of what is open the outermost, which ends with all that it stands on. */
  #held: Sockets.Sockets | WebSocket

  constructor(sockets: Sockets.Sockets) {
    this.#held = sockets
  }

  get isOpen(): boolean {
    return !(this.#held instanceof Set)
  }

  opened(ws: WebSocket): void {
    this.#held = ws
  }

  end(): void {
    if (this.#held instanceof Set) Sockets.destroy(this.#held)
    else this.#held.terminate()
  }

  readonly release = (): Effect.Effect<void> => Effect.sync(() => this.end())
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
    const sockets: Sockets.Sockets = new Set()
    const held = new Held(sockets)
    yield* Scope.addFinalizerExit(yield* Effect.scope, held.release)
    const late = (error: AddressDenied) => {
      if (!held.isOpen) return
      events.failed(error)
      held.end()
    }
    const opened = (ws: WebSocket) => held.opened(ws)
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
