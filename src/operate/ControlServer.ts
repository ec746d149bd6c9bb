/**
 * The HTTP server that the program serves its control API with, on a TCP
 * address or a unix socket.
 *
 * Whoever talks to it can't make it hold much or wait long: headers, requests
 * and idle connections have their time, and where there are as many connections
 * as may be, the idle one that has been there longest makes room. It listens
 * from the start and says that the host isn't ready or is stopping for as long
 * as nothing is served by it.
 *
 * @since 0.5.0
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import { HttpServer } from "effect/http"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Http from "node:http"
import { refuse, type Refusal, STATUS } from "./ControlError.ts"
import { Connections } from "./internal/connections.ts"
import { HEADERS } from "./internal/headers.ts"
import * as Listening from "./internal/listening.ts"

export type { Address } from "./internal/listening.ts"

/**
 * It can't listen there.
 *
 * @category errors
 * @since 0.5.0
 */
export class ListenFailed extends Schema.TaggedError<ListenFailed>("mooring/operate/ListenFailed")("ListenFailed", {
  address: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `the control API can't listen at ${this.address}: ${this.reason}`
  }
}

/**
 * An address as people write it.
 *
 * @category formatting
 * @since 0.5.0
 */
export const format = (address: Listening.Address): string => {
  if ("path" in address) return `unix:${address.path}`
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`
}

const LIMITS: Http.ServerOptions = {
  headersTimeout: 10_000,
  requestTimeout: 15_000,
  keepAliveTimeout: 5000,
  connectionsCheckingInterval: 1000,
  maxHeaderSize: 16_384,
  insecureHTTPParser: false,
  // What is missing there is answered as the API answers.
  requireHostHeader: false
}

/** How long a connection may bring and take nothing; events have a comment twice as often. */
const IDLE_MS = 30_000

/** How long requests under way have to end. */
const END_MS = 500

type Handler = (request: Http.IncomingMessage, response: Http.ServerResponse) => void

const refusing =
  (refusal: Refusal): Handler =>
  (_request, response) => {
    const body = JSON.stringify(refusal)
    response.writeHead(STATUS[refusal.tag], {
      ...HEADERS,
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
      connection: "close"
    })
    response.end(body)
  }

const NOT_READY = refusing(refuse("NotReady", "the host is starting"))
const STOPPING = refusing(refuse("Stopping", "the host is stopping"))
const TOO_MANY = refusing(refuse("TooManyRequests", "as many requests are under way as may be"))
const UNEXPECTED = refusing(refuse("RequestMalformed", "expected no Expect but 100-continue"))
const TWO_HOSTS = refusing(refuse("RequestMalformed", "expected one Host"))

const MALFORMED = JSON.stringify(refuse("RequestMalformed", "this is no request of HTTP/1.1 that is answered here"))

/** What can't be read as a request is answered once, and nothing behind it is read. */
const MALFORMED_ANSWER = [
  "HTTP/1.1 400 Bad Request",
  "Content-Type: application/json",
  `Content-Length: ${Buffer.byteLength(MALFORMED)}`,
  ...Object.entries(HEADERS).map(([name, value]) => `${name}: ${value}`),
  "Connection: close",
  "",
  MALFORMED
].join("\r\n")

const hostsIn = ({ rawHeaders }: Http.IncomingMessage): number =>
  rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === "host").length

/** A server that answers by whatever handler there is now. */
const serverOf = (connections: Connections, handler: () => Handler): Http.Server => {
  const server = Http.createServer(LIMITS, (request, response) => {
    if (!connections.begin(request, response)) return TOO_MANY(request, response)
    return hostsIn(request) > 1 ? TWO_HOSTS(request, response) : handler()(request, response)
  })
  server.setTimeout(IDLE_MS)
  server.on("connection", (socket) => connections.take(socket))
  server.on("checkExpectation", UNEXPECTED)
  server.on("clientError", (_error, socket) => {
    if (!socket.writable) socket.destroy()
    // Behind a request that is under way an answer would stand in that one's.
    else if (connections.isBusy(socket)) socket.end(() => socket.destroy())
    else socket.end(MALFORMED_ANSWER)
  })
  return server
}

const close = (server: Http.Server): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const timer = setTimeout(() => server.closeAllConnections(), END_MS)
    server.close(() => {
      clearTimeout(timer)
      resume(Effect.void)
    })
    server.closeIdleConnections()
  })

/**
 * Listens for as long as the scope is open.
 *
 * @category constructors
 * @since 0.5.0
 */
export const make = (
  address: Listening.Address
): Effect.Effect<HttpServer.HttpServer["Service"], ListenFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const connections = new Connections()
    let handler = NOT_READY
    const server = yield* Effect.acquireRelease(
      Effect.sync(() => serverOf(connections, () => handler)),
      close
    )
    const listening = yield* Effect.mapError(
      Listening.begin(server, address),
      (reason) => new ListenFailed({ address: format(address), reason })
    )
    return HttpServer.make({
      address: listening,
      serve: (served, middleware) =>
        Effect.gen(function* () {
          const scope = yield* Effect.scope
          // Requests end before what they are answered from does.
          const requests = yield* Scope.fork(scope, "parallel")
          const options = middleware === undefined ? { scope: requests } : { middleware, scope: requests }
          const made = yield* NodeHttpServer.makeHandler(served, options)
          yield* Effect.acquireRelease(
            Effect.sync(() => {
              handler = made
            }),
            () =>
              Effect.sync(() => {
                handler = STOPPING
              })
          )
        })
    })
  })

/**
 * @category layers
 * @since 0.5.0
 */
export const layer = (address: Listening.Address): Layer.Layer<HttpServer.HttpServer, ListenFailed> =>
  Layer.effect(HttpServer.HttpServer, make(address))
