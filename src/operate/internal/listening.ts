/**
 * Begins to listen, at a TCP address or by the file of a unix socket.
 */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import type * as Http from "node:http"
import * as SocketFile from "./socketFile.ts"

/**
 * Where it listens: a TCP address, or the file of a unix socket with its mode
 * (0600 unless given) and maybe a group.
 *
 * @category models
 * @since 0.5.0
 */
export type Address = { readonly host: string; readonly port: number } | SocketFile.SocketFile

/** Where it listens then; the failure says why it doesn't. */
export const begin = (
  server: Http.Server,
  address: Address
): Effect.Effect<NetAddress.SocketAddress, string, Scope.Scope> =>
  "path" in address
    ? Effect.as(SocketFile.listen(server, address), NetAddress.unixPathAddress(address.path))
    : byAddress(server, address)

const byAddress = (server: Http.Server, { host, port }: { readonly host: string; readonly port: number }) =>
  Effect.gen(function* () {
    yield* Effect.mapError(
      SocketFile.listening(server, () => server.listen({ host, port, exclusive: true })),
      (code) => (code === "EADDRINUSE" ? SocketFile.TAKEN : code)
    )
    const bound = server.address()
    if (bound === null || typeof bound === "string") return yield* Effect.fail("it has no address")
    return yield* Effect.mapError(
      Effect.fromResult(NetAddress.inetAddressFromIpString(bound.address, bound.port)),
      ({ message }) => message
    )
  })
