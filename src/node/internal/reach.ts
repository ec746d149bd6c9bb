/**
 * A socket to one of the addresses of a hop: the server itself, or a proxy.
 * Dialling begins when one family of a name has come and the other had its
 * moment; the addresses are raced (RFC 8305). One that comes later joins, and is
 * judged when it comes: a denied one ends the dial, or the connection that came
 * of it.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Socket } from "node:net"
import { DialFailed, type AddressDenied } from "../../connection/ConnectionError.ts"
import { AddressList } from "./addressList.ts"
import * as Sockets from "./sockets.ts"
import { race } from "./staggered.ts"

// RFC 8305, section 8: Resolution Delay and Connection Attempt Delay
const OTHER_FAMILY_MS = 50
const NEXT_ADDRESS_MS = 250

export interface Hop {
  /** The URL that is dialled, as it may be shown. */
  readonly display: string
  /** As they come; of what is an address itself, that one. */
  readonly addresses: Stream.Stream<ReadonlyArray<string>, AddressDenied | DialFailed> | string
  readonly port: number
  /** What failures to connect belong to. */
  readonly phase: "tcp" | "proxy"
  /** Told when there is an address to connect to. */
  readonly connecting: () => void
}

/** The socket, and what fails once an address of the hop is denied, also after that; null: no other will come. */
export interface Reached {
  readonly socket: Socket
  readonly denied: Effect.Effect<never, AddressDenied | DialFailed> | null
}

interface Arriving {
  readonly addresses: AddressList
  /** Done when dialling may begin. */
  readonly ready: Deferred.Deferred<void>
  /** Fails when the dial has. */
  readonly refused: Deferred.Deferred<never, AddressDenied | DialFailed>
}

export const reach = (
  sockets: Sockets.Sockets,
  hop: Hop,
  late: (error: AddressDenied) => void
): Effect.Effect<Reached, AddressDenied | DialFailed, Scope.Scope> => {
  const { addresses } = hop
  if (typeof addresses !== "string") return raced(sockets, { ...hop, addresses }, late)
  // One address has nothing to race with, and that saves seven fibers and two timers.
  return Effect.suspend(() => {
    hop.connecting()
    return Effect.map(Sockets.connect(sockets, hop, addresses), (socket): Reached => ({ socket, denied: null }))
  })
}

interface Named extends Hop {
  readonly addresses: Exclude<Hop["addresses"], string>
}

const raced = (
  sockets: Sockets.Sockets,
  hop: Named,
  late: (error: AddressDenied) => void
): Effect.Effect<Reached, AddressDenied | DialFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const arriving: Arriving = {
      addresses: new AddressList(),
      ready: yield* Deferred.make<void>(),
      refused: yield* Deferred.make<never, AddressDenied | DialFailed>()
    }
    yield* Effect.forkScoped(arrive(hop, arriving, late))
    const denied = Deferred.await(arriving.refused)
    const socket = yield* Effect.raceFirst(connect(sockets, hop, arriving), denied)
    return { socket, denied }
  })

/** Takes the addresses as they come, until no more will. */
const arrive = (
  hop: Named,
  { addresses, ready, refused }: Arriving,
  late: (error: AddressDenied) => void
): Effect.Effect<void, never, Scope.Scope> => {
  const begin = Deferred.succeed(ready, undefined)
  let answers = 0
  return hop.addresses.pipe(
    Stream.runForEach((found) => {
      addresses.add(found)
      const first = ++answers === 1
      return first ? Effect.asVoid(Effect.forkScoped(Effect.delay(begin, OTHER_FAMILY_MS))) : Effect.asVoid(begin)
    }),
    Effect.onExit((exit) => {
      addresses.complete()
      if (Exit.isSuccess(exit)) return begin
      const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
      if (error?._tag === "AddressDenied") late(error)
      return Deferred.failCause(refused, exit.cause)
    }),
    // It was handed on to who waits for the dial.
    Effect.ignoreCause
  )
}

const connect = (sockets: Sockets.Sockets, hop: Hop, { addresses, ready }: Arriving) =>
  Effect.gen(function* (): Effect.fn.Return<Socket, DialFailed> {
    yield* Deferred.await(ready)
    hop.connecting()
    const connected = yield* race({
      candidates: addresses,
      attempt: (address) => Sockets.connect(sockets, hop, address),
      delayMs: () => NEXT_ADDRESS_MS
    }).pipe(Effect.mapError((failures) => Sockets.furthest(failures) ?? nowhere(hop)))
    Sockets.keepOnly(sockets, connected)
    return connected
  })

const nowhere = ({ display: url, phase }: Hop): DialFailed =>
  new DialFailed({ url, phase: phase === "tcp" ? "dns" : phase, code: "ENOTFOUND" })
