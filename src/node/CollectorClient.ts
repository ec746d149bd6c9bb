/**
 * Posts to a collector of metrics and traces: a client of `effect/http` whose
 * lookups can be cancelled, so that a name that never resolves holds nothing up.
 *
 * Each request has a connection of its own, of the answer only the status is
 * read, and redirects are not followed.
 *
 * @since 0.5.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as Http from "node:http"
import * as Https from "node:https"
import * as Net from "node:net"
import type { Resolve } from "../connection/ResolveAddresses.ts"
import * as DnsAddresses from "./DnsAddresses.ts"
import { codeOf } from "./internal/errorCode.ts"

/**
 * How names are resolved, if not by `DnsAddresses`.
 *
 * @category models
 * @since 0.5.0
 */
export interface Options {
  readonly resolve?: Resolve
}

/** Whoever asked has given up by then. */
const MOST_MS = 10_000

type Lookup = NonNullable<Net.TcpNetConnectOpts["lookup"]>

/** All addresses of a name, as a socket asks for them. */
const lookupOf =
  (resolve: Resolve, fork: (effect: Effect.Effect<void>) => unknown): Lookup =>
  (name, _, found) => {
    const addresses = Effect.map(Effect.timeout(Stream.runCollect(resolve(name)), MOST_MS), (each) => each.flat())
    const answered = Effect.map(Effect.exit(addresses), (exit) => {
      const all = Exit.isSuccess(exit) ? exit.value : []
      if (all.length > 0)
        found(
          null,
          all.map((address) => ({ address, family: Net.isIP(address) }))
        )
      else found(Object.assign(new Error("the name has no address"), { code: "ENOTFOUND" }), [])
    })
    fork(answered)
  }

/**
 * Provides the client.
 *
 * @category layers
 * @since 0.5.0
 */
export const layer = ({ resolve = DnsAddresses.make().resolve }: Options = {}): Layer.Layer<HttpClient.HttpClient> =>
  Layer.effect(
    HttpClient.HttpClient,
    Effect.gen(function* () {
      const run = yield* FiberSet.makeRuntime<never, void, never>()
      const lookup = lookupOf(resolve, run)
      return HttpClient.make((request, url) => posted(request, url, lookup))
    })
  )

const posted = (request: HttpClientRequest.HttpClientRequest, url: URL, lookup: Lookup) =>
  Effect.callback<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>((resume) => {
    const { request: begin } = url.protocol === "https:" ? Https : Http
    const body = request.body._tag === "Uint8Array" ? request.body.body : new Uint8Array()
    // Without an agent, and so without a connection that outlives its request.
    const sent = begin(url, { agent: false, method: request.method, headers: { ...request.headers }, lookup })
    sent.on("error", (cause) => {
      const reason = new HttpClientError.TransportError({ request, cause: { code: codeOf(cause) } })
      resume(Effect.fail(new HttpClientError.HttpClientError({ reason })))
    })
    sent.on("response", ({ statusCode = 0 }) => {
      sent.destroy()
      // A `Response` takes no other status.
      const status = statusCode >= 200 && statusCode <= 599 ? statusCode : 599
      resume(Effect.succeed(HttpClientResponse.fromWeb(request, new Response(null, { status }))))
    })
    sent.end(body)
    return Effect.sync(() => sent.destroy())
  })
