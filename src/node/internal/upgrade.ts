/**
 * The upgrade, by `ws`, over a socket that is connected: it dials nothing,
 * follows no redirect, and offers compression where it is told to.
 */
import * as Effect from "effect/Effect"
import type { Socket } from "node:net"
import { TLSSocket } from "node:tls"
import { WebSocket, type RawData } from "ws"
import type { DialError } from "../../connection/ConnectionError.ts"
import type { ConnectOptions, SocketEvents } from "../../connection/WebSocketClient.ts"
import type { AuthorizedTarget } from "../../grants/Grants.ts"
import type { MessageLimits } from "./frameCollector.ts"
import * as Sockets from "./sockets.ts"
import { connectionError, handshakeRejected, upgradeError } from "./wsErrors.ts"
import { collectFrames } from "./wsReceiver.ts"
import { type Turn, WsSocket } from "./wsSocket.ts"

// RFC 6455, section 7.1.5
const NO_CLOSE_FRAME = 1006
// A window of 4 KiB takes half the memory of the largest and compresses texts of a few kilobytes no worse. What the server
// uses is its own choice, for there are servers that don't understand to be asked (RFC 7692, section 7.1.2).
const COMPRESSION = { clientMaxWindowBits: 12, zlibDeflateOptions: { memLevel: 6 } }
const SUBPROTOCOL = "sec-websocket-protocol"
const EXTENSIONS = "sec-websocket-extensions"
// The longest that a timer of Node can be: it never fires.
const LONGEST_TIMER_MS = 2 ** 31 - 1

/**
 * The client of `ws`, and what an open one tells. Its listeners are functions that
 * all sockets share, for a closure each would be a third of a kilobyte of every idle
 * connection; and those of the dial are gone by then, with all that they hold.
 */
class Client extends WebSocket {
  /** Where it tells of itself, once it is open. */
  telling: Telling | undefined = undefined

  /** `ws` tells of a close frame by no event, but it answers one by this. */
  override close(code?: number, reason?: string | Buffer): void {
    this.telling?.events.closing()
    super.close(code, reason)
  }

  begin(telling: Telling): void {
    this.telling = telling
    this.removeAllListeners()
    this.on("message", onMessage).on("ping", onPing).on("pong", onPong).on("error", onError).on("close", onClose)
  }
}

interface Telling {
  readonly events: SocketEvents
  readonly socket: WsSocket
  readonly display: string
  readonly limits: MessageLimits
}

const tellingOf = (ws: WebSocket): Telling | undefined => (ws instanceof Client ? ws.telling : undefined)

function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  const events = tellingOf(this)?.events
  // What comes in one piece is a Buffer, and nothing else was asked for.
  if (events === undefined || !Buffer.isBuffer(data)) return
  if (isBinary) events.binary(data)
  else events.text(data.toString(), data.length)
}

function onPing(this: WebSocket, data: Buffer): void {
  tellingOf(this)?.events.ping(data)
}

function onPong(this: WebSocket, data: Buffer): void {
  tellingOf(this)?.events.pong(data)
}

function onError(this: WebSocket, error: Error): void {
  const telling = tellingOf(this)
  if (telling === undefined) return
  const cause = connectionError(telling.display, error, telling.limits)
  if (cause !== undefined) telling.events.failed(cause)
}

function onClose(this: WebSocket, code: number, reason: Buffer): void {
  const telling = tellingOf(this)
  telling?.socket.ended()
  telling?.events.closed(code, reason.toString(), code !== NO_CLOSE_FRAME)
}

export interface Upgrading {
  readonly target: AuthorizedTarget
  readonly options: ConnectOptions
  readonly events: SocketEvents
  readonly turn: Turn
  /** Whether texts may go by the receiver of `ws`; the source has a say, too. */
  readonly fastPath: boolean
  /** The address that was dialled, where that is the server's. */
  readonly remoteAddress: string | null
  /** Called in the turn of the open, before anything is told, with what ends it. */
  readonly opened: (ws: WebSocket) => void
}

/** When the certificate of the server expires. Without TLS the socket may be one of TLS nevertheless: a proxy's. */
const expiryOf = ({ url }: AuthorizedTarget, socket: Socket): number | null =>
  url.scheme === "wss" && socket instanceof TLSSocket
    ? (socket.getPeerX509Certificate()?.validToDate.getTime() ?? null)
    : null

export const upgrade = (
  connected: Socket,
  { events, fastPath, opened, options, remoteAddress, target, turn }: Upgrading
): Effect.Effect<void, DialError> =>
  Effect.callback<void, DialError>((resume) => {
    const { display, subprotocols } = target
    // Of a socket that has ended Node tells nothing any more.
    if (connected.destroyed) {
      resume(Effect.fail(upgradeError(display, new Error("the connection ended before it was asked"), false)))
      return
    }
    const limits = { bytes: options.maxMessageBytes, fragments: options.maxMessageFragments }
    // Where compression is offered they come merged.
    const fragments = options.compression ? 1 : limits.fragments
    // Options of ws that its types don't have. How many reads a frame takes is nobody's fault, and how long a close may
    // take the connection judges, by time that was had.
    const untyped = { closeTimeout: LONGEST_TIMER_MS, maxFragments: fragments, maxBufferedChunks: 0 }
    const ws = new Client(target.url.canonical, [...subprotocols], {
      headers: options.headers,
      maxPayload: limits.bytes,
      ...untyped,
      followRedirects: false,
      perMessageDeflate: options.compression && COMPRESSION,
      autoPong: false,
      createConnection: () => connected
    })
    let upgraded = false
    let subprotocol: string | null = null

    ws.on("upgrade", ({ headers }) => {
      upgraded = true
      subprotocol = headers[SUBPROTOCOL] ?? null
      // A server need not choose one (RFC 6455, section 4.2.2); `ws` thinks that it must.
      if (subprotocol === null && subprotocols[0] !== undefined) headers[SUBPROTOCOL] = subprotocols[0]
      // One is offered at most, and `ws` would take the first of several.
      if (headers[EXTENSIONS]?.includes(",") === true) {
        resume(Effect.fail(upgradeError(display, new Error("it chose more than one extension"), upgraded)))
        ws.terminate()
      }
    })
    ws.on("unexpected-response", (_request, response) => {
      resume(Effect.fail(handshakeRejected(display, response)))
      response.destroy()
      ws.terminate()
    })
    ws.on("open", () => {
      const agreed = { subprotocol, remoteAddress, peerCertificateExpiresAt: expiryOf(target, connected) }
      const socket = new WsSocket(ws, connected, agreed, turn)
      Sockets.handOver(connected)
      ws.begin({ events, socket, display, limits })
      collectFrames(ws, {
        limits,
        pace: socket,
        texts: fastPath && options.fastPath ? events : undefined,
        offering: options.compression ? connected : undefined
      })
      opened(ws)
      events.open(socket)
      resume(Effect.void)
    })
    ws.on("error", (error) => resume(Effect.fail(upgradeError(display, error, upgraded))))
    return Effect.sync(() => ws.terminate())
  })
