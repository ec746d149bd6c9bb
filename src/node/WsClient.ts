/**
 * The `WebSocketClient` on `ws`, for Node.
 *
 * It dials exactly an address that the policy has checked, follows no
 * redirect, knows no proxy, offers no compression, and has no limit or
 * deadline of its own beside the ones it is given. Reading is fair: at most
 * about one chunk of 64 KiB per connection and turn of the event loop, so that
 * a server that floods doesn't own the loop.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Dns from "node:dns"
import type { LookupFunction } from "node:net"
import { WebSocket } from "ws"
import { AddressDenied, DialFailed, type DialError } from "../connection/ConnectionError.ts"
import { WebSocketClient, type ConnectOptions, type SocketEvents } from "../connection/WebSocketClient.ts"
import * as AddressPolicy from "../grants/AddressPolicy.ts"
import { AuthorizedTarget } from "../grants/Grants.ts"
import { connectionError, dialError, handshakeRejected } from "./internal/wsErrors.ts"
import { Turn, WsSocket } from "./internal/wsSocket.ts"

// RFC 6455, section 7.1.5
const NO_CLOSE_FRAME = 1006

type Address = Dns.LookupAddress

/** Resolves a name and checks every address that it resolves to. A literal is its own address. */
const resolve = (target: AuthorizedTarget): Effect.Effect<ReadonlyArray<Address> | undefined, DialError> => {
  const { display } = target
  const { host, literal } = target.url
  if (literal) return Effect.succeed(undefined)
  return Effect.callback<ReadonlyArray<Address>, DialError>((resume) => {
    Dns.lookup(host, { all: true, verbatim: true }, (error, addresses) => {
      if (error !== null || addresses.length === 0) {
        resume(Effect.fail(new DialFailed({ url: display, phase: "dns", code: error?.code ?? "ENOTFOUND" })))
        return
      }
      const denied = AddressPolicy.denied(
        target,
        addresses.map(({ address }) => address)
      )
      resume(
        denied === undefined
          ? Effect.succeed(addresses)
          : Effect.fail(new AddressDenied({ url: display, address: denied }))
      )
    })
  })
}

/** Answers every lookup with the addresses that were checked. */
const pinned =
  (addresses: ReadonlyArray<Address>): LookupFunction =>
  (_host, options, callback) => {
    const [first] = addresses
    if (options.all === true) callback(null, [...addresses])
    else callback(null, first?.address ?? "", first?.family)
  }

const open = (
  target: AuthorizedTarget,
  addresses: ReadonlyArray<Address> | undefined,
  options: ConnectOptions,
  events: SocketEvents,
  turn: Turn
) =>
  Effect.callback<WebSocket, DialError>((resume) => {
    const { display } = target
    const { canonical } = target.url
    // An option of ws since 8.19 that its types don't have.
    const closing = { closeTimeout: options.closeGraceMs }
    const ws = new WebSocket(canonical, [...target.subprotocols], {
      headers: options.headers,
      maxPayload: options.maxMessageBytes,
      ...closing,
      followRedirects: false,
      perMessageDeflate: false,
      autoPong: false,
      ...(addresses === undefined ? {} : { lookup: pinned(addresses) })
    })
    // `ws` tells of a close frame by no event, but it answers one by its own `close`.
    const close = ws.close.bind(ws)
    ws.close = (code, reason) => {
      events.closing()
      close(code, reason)
    }
    let upgraded = false
    let socket: WsSocket | undefined
    let remoteAddress: string | null = null

    ws.on("upgrade", (response) => {
      upgraded = true
      remoteAddress = response.socket.remoteAddress ?? null
    })
    ws.on("unexpected-response", (_request, response) => {
      resume(Effect.fail(handshakeRejected(display, response)))
      response.destroy()
      ws.terminate()
    })
    ws.on("open", () => {
      socket = new WsSocket(ws, ws.protocol === "" ? null : ws.protocol, remoteAddress, turn)
      events.open(socket)
      resume(Effect.succeed(ws))
    })
    ws.on("message", (data: Buffer, isBinary) => {
      socket?.received(data.length)
      if (isBinary) events.binary(data.length)
      else events.text(data.toString(), data.length)
    })
    ws.on("ping", (data) => {
      socket?.received(data.length)
      events.ping(data)
    })
    ws.on("pong", (data) => {
      socket?.received(data.length)
      events.pong()
    })
    ws.on("error", (error) => {
      if (socket === undefined) resume(Effect.fail(dialError(display, error, upgraded)))
      else {
        const cause = connectionError(display, error, options.maxMessageBytes)
        if (cause !== undefined) events.failed(cause)
      }
    })
    ws.on("close", (code, reason) => {
      socket?.ended()
      events.closed(code, reason.toString(), code !== NO_CLOSE_FRAME)
    })
    return Effect.sync(() => ws.terminate())
  })

/**
 * Provides the client.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<WebSocketClient> = Layer.sync(WebSocketClient, () => {
  const turn = new Turn()
  return WebSocketClient.of({
    connect: (target, options, events) =>
      AuthorizedTarget.is(target)
        ? Effect.flatMap(resolve(target), (addresses) =>
            Effect.acquireRelease(
              open(target, addresses, options, events, turn),
              (ws) => Effect.sync(() => ws.terminate()),
              { interruptible: true }
            )
          ).pipe(Effect.asVoid)
        : Effect.die(new TypeError("the target was not authorized"))
  })
})
