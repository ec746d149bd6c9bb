/** The control API of a host on the fake network, served on a real socket. */
import * as Effect from "effect/Effect"
import { HttpServer } from "effect/http"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import { Control, ControlServer } from "mooring/operate"
import { onFake, type Setup } from "../../support/host.ts"
import type { Where } from "./raw.ts"

export const TOKEN = "correct-horse-battery"

export const AUTHORIZED = `Authorization: Bearer ${TOKEN}`

/** What acts: it may. */
export const ACTING = ["Host: localhost", AUTHORIZED, "Content-Length: 0"]

interface Served extends Setup {
  readonly control?: Control.Options
  readonly listen?: ControlServer.Address
}

/** A host with its API; the server's address is in the context, too. */
export const served = ({ control, listen = { host: "127.0.0.1", port: 0 }, ...setup }: Served) =>
  Control.layer({ token: Redacted.make(TOKEN), ...control }).pipe(
    Layer.provideMerge(onFake(setup)),
    Layer.provideMerge(Layer.orDie(ControlServer.layer(listen)))
  )

/** Where it listens. */
export const where: Effect.Effect<Where, never, HttpServer.HttpServer> = Effect.map(
  HttpServer.HttpServer,
  ({ address }) => (NetAddress.isUnixPathAddress(address) ? { path: address.path } : { port: address.port })
)
