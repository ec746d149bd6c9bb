import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { Enablement, type WebSocketClient } from "mooring"
import * as Filling from "../../../src/connection/Filling.ts"
import * as Masking from "../../../src/secrets/Masking.ts"
import { Route } from "../../../src/connection/internal/route.ts"
import * as Source from "../../../src/connection/Source.ts"
import { authorityOf, subject } from "../../support/grants.ts"

const websocket = [{ scheme: "*", host: "*", port: "*", pathPrefixes: ["/"] }] as const
const OWN = "wss://hub.test:8443/cp"
const CERTIFICATE = { cert: "a certificate", key: Redacted.make("a key") }

/** What TLS is told of a source whose dials lead to this URL. */
const tlsTo = (url: string, tls: WebSocketClient.TlsSettings | undefined) =>
  Effect.gen(function* () {
    const source: Source.Source = {
      id: Source.idOf("gateway", OWN),
      ingress: "gateway",
      url: OWN,
      display: OWN,
      canonical: OWN,
      headers: {},
      filling: Filling.none,
      compression: false,
      fastPath: true,
      reconnect: Enablement.reconnectDefaults,
      stopCodes: [],
      closeCode: 1001,
      staleAfterMs: 0,
      staleReconnect: false
    }
    const authority = yield* authorityOf(subject({ websocket }), { websocket })
    const enablement = { id: "project:test.plugin", instance: null, config: {} }
    const sourceUrl = { resolve: () => Effect.succeed(url) }
    const secrets = { valueOf: () => "", valuesOf: () => [], maskOf: Masking.make, version: () => 0, tls: () => tls }
    const route = new Route({ pluginRef: "project:test.plugin", enablement, source, sourceUrl, authority, secrets })
    const resolved = yield* route.resolve(Result.getOrThrow(route.declare()))
    return resolved.kind === "dial" ? resolved.tls : assert.fail("it isn't dialled")
  })

describe("the TLS of a route", () => {
  for (const url of [OWN, `${OWN}?resume=1`, "wss://HUB.test:8443/other", "wss://hub.test.:8443/"]) {
    it.effect(`is the source's at its own server, as ${url}`, () =>
      Effect.gen(function* () {
        const tls = { ...CERTIFICATE, ca: "an authority", serverName: "hub" }
        assert.strictEqual(yield* tlsTo(url, tls), tls)
      })
    )
  }

  for (const url of [
    "wss://hub.test/cp",
    "ws://hub.test:8443/cp",
    "wss://evil.test:8443/cp",
    "wss://a.hub.test:8443/cp"
  ]) {
    it.effect(`leaves client certificate, key and name behind where a dial leads elsewhere, to ${url}`, () =>
      Effect.gen(function* () {
        const tls = { ...CERTIFICATE, ca: "an authority", serverName: "hub" }
        assert.deepStrictEqual(yield* tlsTo(url, tls), { ca: "an authority" })
        assert.isUndefined(yield* tlsTo(url, CERTIFICATE))
        assert.isUndefined(yield* tlsTo(url, undefined))
      })
    )
  }
})
