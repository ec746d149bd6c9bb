import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { Enablement, Limits, PluginRef, type RequestTarget, Secrets } from "mooring"
import { StaticSecrets } from "mooring/testing"
import { granted } from "../../../src/grants/internal/grantedRequest.ts"
import { Held, hold } from "../../../src/host/internal/held.ts"
import { KnownSecrets } from "../../../src/host/internal/knownSecrets.ts"
import * as HadTime from "../../../src/time/HadTime.ts"
import { authorityOf, REF, subject } from "../../support/grants.ts"

const declared: RequestTarget.RequestTarget = {
  scheme: "*",
  host: "*",
  port: "*",
  methods: ["GET"],
  pathPrefixes: ["/"]
}

const target = (change: Partial<RequestTarget.GrantedRequestTarget> = {}): RequestTarget.GrantedRequestTarget => ({
  scheme: "https",
  host: "api.example.com",
  methods: ["GET"],
  pathPrefixes: ["/"],
  ...change
})

const pem = (content: string) => `-----BEGIN CERTIFICATE-----\n${content}\n-----END CERTIFICATE-----\n`

const ENV = { TOKEN: "t0ken-value", WORD: "pass-word" }
const FILES = { "ca.pem": pem("ca"), "c.pem": pem("cert"), "k.pem": pem("key") }

const enablementOf = (request: ReadonlyArray<RequestTarget.GrantedRequestTarget>) =>
  Result.getOrThrow(
    Enablement.make({
      id: REF,
      version: "1.0.0",
      digest: PluginRef.DIGEST_WITHOUT_FILES,
      secrets: { token: { env: "TOKEN" }, word: { env: "WORD" } },
      grants: { request }
    })
  )

/** What is held for an entry with these grants, and what its authority allows under `now`. */
const holding = (
  request: ReadonlyArray<RequestTarget.GrantedRequestTarget>,
  now: ReadonlyArray<RequestTarget.GrantedRequestTarget> = request
) =>
  Effect.gen(function* () {
    const asking = subject({ request: [declared] })
    const held = yield* hold({
      ref: REF,
      enablement: enablementOf(request),
      manifest: asking.manifest,
      port: yield* Secrets.Secrets,
      limits: Limits.defaults,
      known: new KnownSecrets(),
      time: yield* HadTime.make
    })
    if (!(held instanceof Held)) return assert.fail(held.message)
    const authority = yield* authorityOf(asking, { request: now })
    held.credentials.follow(authority.requests)
    const of = (url = "https://api.example.com/v1") =>
      Effect.suspend(() => held.credentials.of(Result.getOrThrow(authority.authorizeRequest("gateway", "GET", url))))
    return { held, of, ...(yield* StaticSecrets.StaticSecrets) }
  })

const withSecrets = Effect.provide(StaticSecrets.layer({ env: ENV, files: FILES }))

const TLS = { ca: { file: "ca.pem" }, cert: { file: "c.pem" }, key: { file: "k.pem" }, serverName: "hub" }

describe("the credentials of requests", () => {
  it.effect("are the headers of the target that decides, with secrets in them, and TLS of its own", () =>
    Effect.gen(function* () {
      const headers = { authorization: "Bot {token}", "x-basic": "{basic:me:word}", "x-plain": "{nothing}" }
      const { of } = yield* holding([target({ headers, tls: TLS, secrets: ["word"] }), target({ host: "*" })])
      const added = yield* of()
      const basic = Buffer.from("me:pass-word").toString("base64")
      assert.deepStrictEqual(added.headers, [
        ["authorization", "Bot t0ken-value"],
        ["x-basic", `Basic ${basic}`],
        ["x-plain", "{nothing}"]
      ])
      const { key, ...rest } = added.tls ?? assert.fail("no TLS")
      assert.deepStrictEqual(rest, { ca: FILES["ca.pem"], cert: FILES["c.pem"], serverName: "hub" })
      assert.strictEqual(key === undefined ? undefined : Redacted.value(key), FILES["k.pem"])
      assert.deepStrictEqual(added.sent, { secrets: ["token", "word"], credentials: [basic] })
      const bare = yield* of("https://other.example.com/")
      assert.deepStrictEqual([bare.headers, bare.tls, bare.sent.secrets], [[], undefined, []])
    }).pipe(withSecrets)
  )

  it.effect("are new values from the next request on", () =>
    Effect.gen(function* () {
      const { held, of, replace } = yield* holding([target({ headers: { authorization: "{token}" }, tls: TLS })])
      yield* replace({ env: { ...ENV, TOKEN: "another token" }, files: FILES })
      yield* held.refreshed
      const second = yield* of()
      assert.deepStrictEqual(second.headers, [["authorization", "another token"]])
      yield* replace({ env: ENV, files: { ...FILES, "ca.pem": pem("next") } })
      yield* held.refreshed
      const third = yield* of()
      assert.strictEqual(third.tls?.ca, pem("next"))
      assert.deepStrictEqual(held.problems, [])
    }).pipe(withSecrets)
  )

  it.effect("stay what they were while a value can't be used, with a problem each", () =>
    Effect.gen(function* () {
      const { held, of, replace } = yield* holding([
        target({ host: "first.example" }),
        target({ headers: { authorization: "{token}" }, tls: { ca: { file: "ca.pem" } } })
      ])
      yield* replace({ env: { ...ENV, TOKEN: "smile \u{1f600}" }, files: { "ca.pem": "no PEM" } })
      yield* held.refreshed
      const { headers, tls } = yield* of()
      assert.deepStrictEqual([headers, tls], [[["authorization", "t0ken-value"]], { ca: FILES["ca.pem"] }])
      assert.deepStrictEqual(held.problems.map(({ path }) => path).toSorted(), [
        "grants.request[1].headers.authorization",
        "grants.request[1].tls.ca"
      ])
      yield* replace({ env: ENV, files: FILES })
      yield* held.refreshed
      assert.deepStrictEqual(held.problems, [])
    }).pipe(withSecrets)
  )

  it.effect("are asked for by the first request that needs them, where another store grants it", () =>
    Effect.gen(function* () {
      const { held, of } = yield* holding([], [target({ headers: { authorization: "{token}" }, tls: TLS })])
      const { headers, tls } = yield* of()
      assert.deepStrictEqual([headers, tls?.ca], [[["authorization", "t0ken-value"]], FILES["ca.pem"]])
      assert.deepStrictEqual(held.problems, [])
    }).pipe(withSecrets)
  )

  const unusable: ReadonlyArray<
    readonly [
      what: string,
      change: Partial<RequestTarget.GrantedRequestTarget>,
      phase: string,
      code: string,
      path: string
    ]
  > = [
    ["a file that isn't there", { tls: { ca: { file: "none" } } }, "tls", "TLS_UNUSABLE", "tls.ca"],
    ["what is no PEM", { tls: { ca: { env: "TOKEN" } } }, "tls", "TLS_UNUSABLE", "tls.ca"],
    ["a certificate without its key", { tls: { cert: { file: "c.pem" } } }, "tls", "TLS_UNUSABLE", "tls"],
    ["a secret that no header may have", { headers: { "x-a": "{word}" } }, "request", "HEADER_UNUSABLE", "headers.x-a"]
  ]
  for (const [what, change, phase, code, path] of unusable) {
    it.effect(`fail the request before a byte is sent, and are a problem: ${what}`, () =>
      Effect.gen(function* () {
        const { held, of } = yield* holding([], [target(change)])
        const failure = yield* Effect.flip(of())
        assert.deepStrictEqual([failure.phase, failure.code, failure.sent], [phase, code, false])
        assert.notInclude(JSON.stringify([failure, held.problems]), "smile")
        assert.deepStrictEqual(
          held.problems.map((problem) => problem.path),
          [`grants.request[0].${path}`]
        )
      }).pipe(Effect.provide(StaticSecrets.layer({ env: { ...ENV, WORD: "smile \u{1f600}" }, files: FILES })))
    )
  }

  it("know a granted target by all that it is, values of PEMs included", () => {
    const { id } = granted(target({ tls: { ca: Redacted.make("one") } }))
    assert.strictEqual(granted({ tls: { ca: Redacted.make("one") }, ...target() }).id, id)
    for (const other of [target(), target({ tls: { ca: Redacted.make("two") } }), target({ requestsPerMinute: 1 })]) {
      assert.notStrictEqual(granted(other).id, id)
    }
  })
})
