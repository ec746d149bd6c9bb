/**
 * One dial: the target's addresses are resolved and checked, exactly these are
 * raced (RFC 8305), then TLS, then the upgrade. Dialling begins when one family
 * of the name has come and the other had its moment. One that comes later
 * joins, and is judged when it comes: a denied one ends the dial, or the
 * connection that came of it.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Socket } from "node:net"
import type { SecureContext } from "node:tls"
import * as CheckedAddresses from "../../connection/CheckedAddresses.ts"
import { DialFailed, type DialError } from "../../connection/ConnectionError.ts"
import type { Lookups } from "../../connection/Lookups.ts"
import type { ConnectOptions, SocketEvents } from "../../connection/WebSocketClient.ts"
import type { AuthorizedTarget } from "../../grants/Grants.ts"
import { AddressList } from "./addressList.ts"
import type { SecureContexts } from "./secureContexts.ts"
import * as Sockets from "./sockets.ts"
import { race } from "./staggered.ts"
import { upgrade } from "./upgrade.ts"
import type { Turn } from "./wsSocket.ts"

// RFC 8305, section 8: Resolution Delay and Connection Attempt Delay
const OTHER_FAMILY_MS = 50
const NEXT_ADDRESS_MS = 250

/** What all dials of a client share. */
export interface Shared {
  readonly lookups: Lookups
  readonly contexts: SecureContexts
  readonly turn: Turn
}

interface Dial {
  readonly target: AuthorizedTarget
  readonly options: ConnectOptions
  readonly sockets: Sockets.Sockets
  readonly addresses: AddressList
  /** Done when dialling may begin. */
  readonly ready: Deferred.Deferred<void>
  /** Fails when the dial has. */
  readonly refused: Deferred.Deferred<never, DialError>
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
    const state: Dial = {
      target,
      options,
      sockets: yield* Sockets.make,
      addresses: new AddressList(),
      ready: yield* Deferred.make<void>(),
      refused: yield* Deferred.make<never, DialError>()
    }
    let isOpen = false
    const opened = () => {
      isOpen = true
    }
    const hangUp = (error: DialError | undefined) => {
      if (!isOpen || error?._tag !== "AddressDenied") return
      events.failed(error)
      Sockets.destroy(state.sockets)
    }
    yield* Effect.forkScoped(arrive(state, shared.lookups, hangUp))
    const opens = Effect.flatMap(reach(state, context), (socket) => {
      options.entered("upgrade")
      return Effect.acquireRelease(
        upgrade(socket, { target, options, events, turn: shared.turn, opened }),
        (ws) => Effect.sync(() => ws.terminate()),
        { interruptible: true }
      )
    })
    yield* Effect.raceFirst(opens, Deferred.await(state.refused))
  })

/** Takes the addresses as they come, until no more will. */
const arrive = (
  { addresses, options, ready, refused, target }: Dial,
  lookups: Lookups,
  hangUp: (error: DialError | undefined) => void
): Effect.Effect<void, never, Scope.Scope> => {
  const begin = Deferred.succeed(ready, undefined)
  let answers = 0
  return CheckedAddresses.stream(target, (name) => lookups.resolve(name, options.lookups)).pipe(
    Stream.runForEach((found) => {
      addresses.add(found)
      const first = ++answers === 1
      return first ? Effect.asVoid(Effect.forkScoped(Effect.delay(begin, OTHER_FAMILY_MS))) : Effect.asVoid(begin)
    }),
    Effect.onExit((exit) => {
      addresses.complete()
      if (Exit.isSuccess(exit)) return begin
      hangUp(Option.getOrUndefined(Cause.findErrorOption(exit.cause)))
      return Deferred.failCause(refused, exit.cause)
    }),
    // It was handed on to who waits for the dial.
    Effect.ignoreCause
  )
}

/** A socket to one of the addresses, with TLS where the URL wants it. */
const reach = ({ addresses, options, ready, sockets, target }: Dial, context: SecureContext) =>
  Effect.gen(function* (): Effect.fn.Return<Socket, DialError> {
    const { url } = target
    const tcp = { display: target.display, port: url.port }
    yield* Deferred.await(ready)
    options.entered("tcp")
    const connected = yield* race({
      candidates: addresses,
      attempt: (address) => Sockets.connect(sockets, tcp, address),
      delayMs: () => NEXT_ADDRESS_MS
    }).pipe(
      Effect.mapError(
        (failures) =>
          Sockets.furthest(failures) ?? new DialFailed({ url: target.display, phase: "dns", code: "ENOTFOUND" })
      )
    )
    Sockets.keepOnly(sockets, connected)
    if (url.scheme === "ws") return connected
    options.entered("tls")
    const name = options.tls?.serverName ?? url.host
    return yield* Sockets.secure(sockets, { display: target.display, name }, context, connected)
  })
