import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { Enablement, type SourceUrl, type WebSocketClient } from "mooring"
import * as Filling from "../../../src/connection/Filling.ts"
import * as EntrySecrets from "../../../src/secrets/EntrySecrets.ts"
import * as StandIns from "../../../src/secrets/StandIns.ts"
import { Route } from "../../../src/connection/internal/route.ts"
import * as Source from "../../../src/connection/Source.ts"
import type { Authority } from "../../../src/grants/Grants.ts"
import { authorityOf, subject } from "../../support/grants.ts"

const websocket = [{ scheme: "*", host: "*", port: "*", pathPrefixes: ["/"] }] as const
const OWN = "wss://hub.test:8443/cp"
const CERTIFICATE = { cert: "a certificate", key: Redacted.make("a key") }

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

/** A route whose application answers this. */
const routeOf = (answer: unknown, authority: Authority, tls?: WebSocketClient.TlsSettings) => {
  const enablement = { id: "project:test.plugin", instance: null, config: {} }
  // An application need not be written in TypeScript.
  const sourceUrl = { resolve: () => Effect.succeed(answer as SourceUrl.Answer) }
  const secrets = { ...EntrySecrets.none, standIns: StandIns.none, version: () => 0, tls: () => tls }
  return new Route({ pluginRef: "project:test.plugin", enablement, source, sourceUrl, authority, secrets })
}

/** What TLS is told of a source whose dials lead to this URL. */
const tlsTo = (url: string, tls: WebSocketClient.TlsSettings | undefined) =>
  Effect.gen(function* () {
    const authority = yield* authorityOf(subject({ websocket }), { websocket })
    const route = routeOf(url, authority, tls)
    const resolved = yield* route.resolve(Result.getOrThrow(route.declare()))
    return resolved.kind === "dial" ? resolved.tls : assert.fail("it isn't dialled")
  })

it.effect("a route takes no answer for one that is none, whatever was asked for", () =>
  Effect.gen(function* () {
    const authority = yield* authorityOf(subject({ websocket }), { websocket })
    for (const answer of [null, undefined, 0, [], {}, { kind: "dial" }, [OWN]]) {
      for (const asked of [null, `${OWN}?resume=1`]) {
        const route = routeOf(answer, authority)
        route.ask(asked)
        const failure = yield* Effect.flip(route.resolve(Result.getOrThrow(route.declare())))
        assert.strictEqual(failure._tag === "DialFailed" ? failure.code : failure._tag, "EUNRESOLVED")
      }
    }
  })
)

it.effect("a route asks once under the same grants whether its own URL is allowed, and anew under others", () =>
  Effect.gen(function* () {
    const granted = yield* authorityOf(subject({ websocket }), { websocket })
    const denied = yield* authorityOf(subject({ websocket }), { websocket: [] })
    let revision = 0
    let isGranted = false
    let asked = 0
    const authority: Authority = {
      ...granted,
      revision: () => revision,
      authorize: (...question) => {
        asked++
        return (isGranted ? granted : denied).authorize(...question)
      }
    }
    const route = routeOf(OWN, authority)
    const allows = () => [route.covered, Result.isSuccess(route.declare())]
    assert.deepStrictEqual(allows(), [false, false])
    // What was denied is asked again each time.
    assert.strictEqual(asked, 2)
    isGranted = true
    revision = granted.revision()
    assert.deepStrictEqual([...allows(), ...allows()], [true, true, true, true])
    assert.strictEqual(asked, 3)
    isGranted = false
    revision++
    assert.isTrue(Result.isFailure(route.declare()))
  })
)

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
