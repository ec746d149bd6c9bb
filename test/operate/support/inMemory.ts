/** The control API of a host on the fake network, without a server: for virtual time. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { HttpServer, HttpServerRequest, type HttpServerResponse } from "effect/http"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Context from "effect/Context"
import { Control } from "mooring/operate"
import { onFake, type Setup } from "../../support/host.ts"
import { TOKEN } from "./api.ts"

type App = Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  unknown,
  HttpServerRequest.HttpServerRequest | Scope.Scope
>

/** Whoever asks the API. */
export class Client extends Context.Service<
  Client,
  {
    readonly ask: (
      method: "GET" | "POST",
      path: string,
      body?: unknown
    ) => Effect.Effect<HttpServerResponse.HttpServerResponse, unknown, Scope.Scope>
  }
>()("test/operate/Client") {}

const client = (control: Control.Options) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const served = yield* Deferred.make<App>()
      const server = HttpServer.make({
        address: NetAddress.unixPathAddress("/nowhere"),
        serve: (app) => Effect.asVoid(Deferred.succeed(served, app))
      })
      const ask = (method: string, path: string, body?: unknown) =>
        Effect.flatMap(Deferred.await(served), (app) => {
          const init = { method, headers: { host: "localhost" } }
          const request = new Request(
            `http://localhost${path}`,
            body === undefined
              ? init
              : {
                  method,
                  body: typeof body === "string" ? body : JSON.stringify(body),
                  headers: { host: "localhost", "content-type": "application/json" }
                }
          )
          return Effect.provideService(app, HttpServerRequest.HttpServerRequest, HttpServerRequest.fromWeb(request))
        })
      return Layer.merge(
        Control.layer(control).pipe(Layer.provide(Layer.succeed(HttpServer.HttpServer, server))),
        Layer.succeed(Client, { ask })
      )
    })
  )

/** A host and whoever asks its API, by which anybody may act. */
export const inMemory = ({ control = {}, ...setup }: Setup & { readonly control?: Control.Options }) =>
  client({ token: Redacted.make(TOKEN), ...control }).pipe(Layer.provideMerge(onFake(setup)))

/** The body of an answer as text. */
export const textOf = (response: HttpServerResponse.HttpServerResponse): string => {
  const { body } = response
  if (body._tag !== "Uint8Array") return ""
  return new TextDecoder().decode(body.body)
}

/** The body of an answer as JSON. */
export const jsonOf = (response: HttpServerResponse.HttpServerResponse): unknown => JSON.parse(textOf(response))

/** The pieces of an answer that goes on. */
export const piecesOf = (response: HttpServerResponse.HttpServerResponse): Stream.Stream<string, unknown> =>
  response.body._tag === "Stream" ? Stream.decodeText(response.body.stream) : Stream.empty
