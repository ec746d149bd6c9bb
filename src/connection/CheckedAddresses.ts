/**
 * The step from an authorized target to addresses that may be dialled: a name
 * is resolved, and every address that it resolves to is checked. For every
 * client that dials what a plugin wants dialled.
 *
 * @since 0.2.0
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as AddressPolicy from "../grants/AddressPolicy.ts"
import type { AuthorizedRequest, AuthorizedTarget } from "../grants/Grants.ts"
import * as Ports from "../internal/ports.ts"
import { AddressDenied, DialFailed } from "./ConnectionError.ts"
import { ResolveAddresses, type Resolve } from "./ResolveAddresses.ts"

/**
 * What may be dialled: the target of a WebSocket, or of a request.
 *
 * @category models
 * @since 0.5.0
 */
export type Dialled = AuthorizedTarget | AuthorizedRequest

/**
 * The checked addresses of a target, as they come; of a literal, itself.
 *
 * **Details**
 *
 * One denied address fails the stream, whatever came before it: whoever is
 * connected by then to another address of the name has to hang up. A name
 * without an address is `DialFailed` with the phase `dns`. `ours` is asked with
 * each answer for the addresses of the host's own interfaces, which only a
 * target with `private_addresses` may reach; without it the host has none.
 *
 * @category constructors
 * @since 0.2.0
 */
export const stream = (
  target: Dialled,
  resolve: Resolve,
  ours: () => AddressPolicy.OwnAddresses = none
): Stream.Stream<ReadonlyArray<string>, AddressDenied | DialFailed> => {
  const { display: url } = target
  if (target.url.literal) return Stream.succeed([target.url.host])
  return Ports.streamFrom(() => resolve(target.url.host)).pipe(
    Stream.mapError(({ code }) => new DialFailed({ url, phase: "dns", code })),
    Stream.mapEffect((addresses) => {
      if (!areTexts(addresses)) return Effect.die(new TypeError("what was resolved is no list of texts"))
      const address = AddressPolicy.denied(target, addresses, ours())
      return address === undefined ? Effect.succeed(addresses) : Effect.fail(new AddressDenied({ url, address }))
    })
  )
}

const NONE = AddressPolicy.own([])
const none = () => NONE

/** A resolver need not be written in TypeScript. */
const areTexts = (addresses: unknown): boolean =>
  Array.isArray(addresses) && addresses.every((address) => typeof address === "string")

/**
 * All checked addresses of a target, once all are known.
 *
 * @category constructors
 * @since 0.2.0
 */
export const all = (
  target: Dialled,
  ours?: () => AddressPolicy.OwnAddresses
): Effect.Effect<ReadonlyArray<string>, AddressDenied | DialFailed, ResolveAddresses> =>
  Effect.gen(function* () {
    const { resolve } = yield* ResolveAddresses
    return (yield* Stream.runCollect(stream(target, resolve, ours))).flat()
  })
