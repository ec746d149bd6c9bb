/** Dials with the client alone, without a host around it: what it is asked, and all that it tells. */
import { assert } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { type ConnectionError, type Grants, WebSocketClient } from "mooring"
import { WsClient } from "mooring/node"
import { authorityOf, subject } from "../../support/grants.ts"

/** Whatever is asked for is here. */
export const HERE = () => Stream.succeed(["127.0.0.1"])

export interface Direct {
  /** What was told, in a few words each. */
  readonly told: ReadonlyArray<string>
  readonly phases: ReadonlyArray<string>
  readonly socket: WebSocketClient.Socket
  /** Completes once `closed` was told. */
  readonly ended: Effect.Effect<void>
}

interface Options extends Partial<WebSocketClient.ConnectOptions> {
  readonly opened?: (socket: WebSocketClient.Socket) => void
  /** Called when a text was told. */
  readonly onText?: () => void
}

const short = (text: string) => (text.length > 40 ? `${text.slice(0, 40)}… of ${text.length}` : text)

/** Everything may be dialled; names may be private. */
const targetOf = (url: string) =>
  Effect.gen(function* () {
    const { hostname, protocol } = new URL(url)
    const scheme = protocol === "wss:" ? ("wss" as const) : ("ws" as const)
    const host = hostname.replace(/^\[|\]$/g, "")
    const websocket = [{ scheme, host, port: "*" as const, pathPrefixes: ["/"] }]
    const granted = websocket.map((target) => ({ ...target, privateAddresses: true }))
    const authority = yield* authorityOf(subject({ websocket }), { websocket: granted })
    return Result.getOrThrow(authority.authorize("gateway", url))
  })

/** A client of its own for some dials. */
export const client = (options: WsClient.Options = {}) =>
  Effect.map(Layer.build(WsClient.layerOptions({ resolve: HERE, ...options })), (context) => {
    const service = Context.get(context, WebSocketClient.WebSocketClient)
    return { service, dial: (url: string, settings: Options = {}) => dialBy(service, url, settings) }
  })

/** Dials once; the connection lives as long as the scope. */
const dialBy = (service: WebSocketClient.WebSocketClient["Service"], url: string, settings: Options) =>
  Effect.gen(function* () {
    const target: Grants.AuthorizedTarget = yield* targetOf(url)
    const told: Array<string> = []
    const phases: Array<string> = []
    const sockets: Array<WebSocketClient.Socket> = []
    const ended = yield* Deferred.make<void>()
    const events: WebSocketClient.SocketEvents = {
      open: (socket) => {
        sockets.push(socket)
        settings.opened?.(socket)
      },
      text: (text) => {
        told.push(`text ${short(text)}`)
        settings.onText?.()
      },
      binary: (bytes) => void told.push(`binary of ${bytes.length}`),
      ping: (data) => {
        told.push(`ping ${Buffer.from(data).toString()}`)
        sockets[0]?.pong(data, () => {})
      },
      pong: () => void told.push("pong"),
      closing: () => {},
      failed: (error) =>
        void told.push(error._tag === "ProtocolViolation" ? `${error._tag} ${error.problem}` : error._tag),
      closed: (code) => {
        told.push(`closed ${code}`)
        Deferred.doneUnsafe(ended, Exit.void)
      }
    }
    yield* service.connect(
      target,
      {
        headers: {},
        tls: undefined,
        compression: false,
        fastPath: true,
        maxMessageBytes: 1_048_576,
        maxMessageFragments: 65_536,
        lookups: { take: Effect.succeed((lookup) => lookup) },
        ...settings,
        entered: (phase) => {
          phases.push(phase)
          settings.entered?.(phase)
        }
      },
      events
    )
    const [socket] = sockets
    if (socket === undefined) return assert.fail("it didn't open")
    const direct: Direct = { told, phases, socket, ended: Deferred.await(ended) }
    return direct
  })

/** Why a dial failed. */
export const failureOf = <A, R>(dial: Effect.Effect<A, ConnectionError.DialError, R>) => Effect.flip(dial)
