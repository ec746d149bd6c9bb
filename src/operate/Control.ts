/**
 * Serves the control API of a host, whatever HTTP server there is: judges who
 * may, finds where a request goes, answers it.
 *
 * Whatever is answered has the headers that keep a browser from doing more with
 * it than this API's own page does, and each refusal is `{ "tag", "message" }`.
 *
 * @since 0.5.0
 */
import * as ByteSize from "effect/ByteSize"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import {
  HttpIncomingMessage,
  HttpRouter,
  HttpServer,
  HttpServerError,
  HttpServerRequest,
  HttpServerResponse
} from "effect/http"
import { HttpApiBuilder, HttpApiError } from "effect/http-api"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { PluginHost } from "../host/PluginHost.ts"
import { judge, type Entrance, type Rules } from "./ControlAccess.ts"
import { ControlApi } from "./ControlApi.ts"
import { refuse, STATUS, type Refusal } from "./ControlError.ts"
import * as Events from "./internal/events.ts"
import { HEADERS } from "./internal/headers.ts"
import * as Handlers from "./internal/handlers.ts"
import * as Readiness from "./internal/readiness.ts"
import * as Target from "./internal/target.ts"

export type { Exposition } from "./internal/handlers.ts"

/**
 * A file that is served as it is, to whoever may open the page.
 *
 * @category models
 * @since 0.5.0
 */
export interface StaticFile {
  readonly contentType: string
  readonly bytes: Uint8Array
}

/**
 * What an API is served with. A function as `token` is asked at each request.
 *
 * @category models
 * @since 0.5.0
 */
export interface Options {
  /** Without one nobody acts but by a unix socket, and nothing is served to a network. */
  readonly token?: Redacted.Redacted<string> | (() => Redacted.Redacted<string> | undefined)
  /** Further names in `Host` and `Origin`, beside address literals and `localhost`. */
  readonly hosts?: ReadonlyArray<string>
  /** What `/metrics` answers; `open`: without the token. */
  readonly metrics?: Handlers.Exposition & { readonly open?: boolean }
  /** The files of a page, by their path: `/` and what it needs. */
  readonly files?: ReadonlyMap<string, StaticFile>
}

/**
 * An address that isn't of this machine alone needs a token.
 *
 * @category errors
 * @since 0.5.0
 */
export class TokenRequired extends Schema.TaggedError<TokenRequired>("mooring/operate/TokenRequired")("TokenRequired", {
  address: Schema.String
}) {
  override get message(): string {
    return `${this.address} is reached from other machines: the control API needs a token there`
  }
}

/** The most that is read of a body, in bytes. */
const MOST_BODY_BYTES = 1_048_576

/** The longest reference or URL in a path, in characters. */
const MOST_PARAMETER_CHARACTERS = 8192

const answer = ({ message, tag }: Refusal): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.jsonUnsafe(
    { tag, message },
    {
      status: STATUS[tag],
      headers: {
        ...(tag === "Unauthorized" ? { "www-authenticate": "Bearer" } : {}),
        ...(tag === "MethodNotAllowed" ? { allow: message.endsWith("GET") ? "GET, HEAD" : "POST" } : {})
      }
    }
  )

/** Where requests to this address come from. */
const entranceOf = (address: NetAddress.SocketAddress): Entrance => {
  if (NetAddress.isUnixPathAddress(address)) return "unix"
  return NetAddress.isLoopback(address.address) ? "loopback" : "network"
}

const rulesOf = ({ hosts = [], metrics, token }: Options, entrance: Entrance): Rules => ({
  entrance,
  hosts,
  token: typeof token === "function" ? token : () => token,
  openMetrics: metrics?.open === true
})

/** Why a body is refused by what is said of it. */
const bodyRefusal = ({ headers, url }: HttpServerRequest.HttpServerRequest): Refusal | undefined => {
  const length = headers["content-length"]
  const hasBody = (length !== undefined && length !== "0") || headers["transfer-encoding"] !== undefined
  if (Number(length) > MOST_BODY_BYTES) return TOO_LARGE
  if (!url.split("?", 1)[0]?.endsWith("/deliver")) {
    return hasBody ? refuse("RequestMalformed", "expected no body") : undefined
  }
  const type = headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase()
  return type === undefined || type === "application/json"
    ? undefined
    : refuse("RequestMalformed", "expected a body of application/json")
}

const TOO_LARGE = refuse("BodyTooLarge", `expected at most ${MOST_BODY_BYTES} bytes`)

/** What a request that may be answered is answered by what the API's description makes of it. */
const troubled = (cause: Cause.Cause<unknown>): Effect.Effect<HttpServerResponse.HttpServerResponse> => {
  for (const reason of cause.reasons) {
    const error = Cause.isFailReason(reason) ? reason.error : Cause.isDieReason(reason) ? reason.defect : undefined
    if (HttpApiError.HttpApiSchemaError.is(error)) {
      return Effect.succeed(answer(refuse("RequestMalformed", malformed(error.kind))))
    }
    if (HttpServerError.isHttpServerError(error)) {
      const { reason: why } = error
      if (why._tag === "RouteNotFound")
        return Effect.succeed(answer(refuse("NotFound", "there is nothing at this path")))
      if (why._tag === "RequestParseError") {
        return Effect.succeed(
          answer(why.reason === "BodyTooLarge" ? TOO_LARGE : refuse("RequestMalformed", "the body can't be read"))
        )
      }
    }
  }
  return Effect.failCause(cause as Cause.Cause<never>)
}

const malformed = (kind: string): string =>
  kind === "Payload"
    ? 'expected a body of { "ingress_name", "kind", "payload" } as JSON'
    : `expected other ${kind.toLowerCase()}`

/** The paths of the API's description, each as it stands on the wire. */
const routes = HttpApiBuilder.layer(ControlApi, { openapiPath: Target.OPENAPI }).pipe(
  Layer.provide(HttpServer.layerServices),
  Layer.provide(
    Layer.succeed(HttpRouter.RouterConfig)({
      ignoreDuplicateSlashes: false,
      maxParamLength: MOST_PARAMETER_CHARACTERS
    })
  )
)

/** The API as an effect that answers one request. */
const app = (options: Options, entrance: Entrance) =>
  Effect.gen(function* () {
    const host = yield* PluginHost
    const events = yield* Events.make(host)
    const readiness = yield* Readiness.make(host)
    const handlers = Handlers.layer(events, readiness, options.metrics)
    const routed = yield* HttpRouter.toHttpEffect(routes.pipe(Layer.provide(handlers)))
    const files = options.files ?? new Map<string, StaticFile>()
    const rules = rulesOf(options, entrance)
    const answered = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
      const found = Target.find(request.method, request.url, files)
      const { authorization, host: name, origin } = request.headers
      const claims = { authorization, host: name, origin }
      const refusal = judge(rules, Result.isSuccess(found) ? found.success.purpose : "read", claims)
      if (refusal !== undefined) return Effect.succeed(answer(refusal))
      if (Result.isFailure(found)) return Effect.succeed(answer(found.failure))
      const file = files.get(found.success.path)
      if (file !== undefined)
        return Effect.succeed(HttpServerResponse.uint8Array(file.bytes, { contentType: file.contentType }))
      const unread = bodyRefusal(request)
      return unread === undefined ? routed : Effect.succeed(answer(unread))
    })
    return answered.pipe(
      Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(MOST_BODY_BYTES)),
      Effect.catchCause(troubled),
      Effect.map(HttpServerResponse.setHeaders(HEADERS))
    )
  })

/**
 * Serves the API of the host by the HTTP server.
 *
 * @category layers
 * @since 0.5.0
 */
export const layer = (options: Options = {}): Layer.Layer<never, TokenRequired, PluginHost | HttpServer.HttpServer> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const server = yield* HttpServer.HttpServer
      const entrance = entranceOf(server.address)
      if (entrance === "network" && options.token === undefined) {
        return yield* new TokenRequired({ address: HttpServer.formatAddress(server.address) })
      }
      yield* server.serve(yield* app(options, entrance))
    })
  )
