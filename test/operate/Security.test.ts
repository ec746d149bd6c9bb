/** Who may do what by the control API, over real sockets: one table of all that must not work. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { PluginHost } from "mooring"
import { Control, ControlServer } from "mooring/operate"
import { onFake } from "../support/host.ts"
import { plugin, refOf } from "../support/plugins.ts"
import { AUTHORIZED, served, TOKEN, where } from "./support/api.ts"
import * as Raw from "./support/raw.ts"

const pkg = plugin({})
const REF = encodeURIComponent(refOf(pkg))
const STOP = `POST /plugins/${REF}/stop`

const HOST = "Host: localhost"
const EMPTY = "Content-Length: 0"

interface Case {
  readonly says: string
  readonly line?: string
  readonly headers: ReadonlyArray<string>
  readonly status: number
  readonly tag: string
}

const refusedActs: ReadonlyArray<Case> = [
  { says: "no token", headers: [HOST, EMPTY], status: 401, tag: "Unauthorized" },
  { says: "a wrong token", headers: [HOST, EMPTY, "Authorization: Bearer wrong"], status: 401, tag: "Unauthorized" },
  { says: "an empty token", headers: [HOST, EMPTY, "Authorization: Bearer "], status: 401, tag: "Unauthorized" },
  {
    says: "a beginning of the token",
    headers: [HOST, EMPTY, `Authorization: Bearer ${TOKEN.slice(0, -1)}`],
    status: 401,
    tag: "Unauthorized"
  },
  {
    says: "the token and more",
    headers: [HOST, EMPTY, `Authorization: Bearer ${TOKEN} x`],
    status: 401,
    tag: "Unauthorized"
  },
  { says: "another scheme", headers: [HOST, EMPTY, `Authorization: Basic ${TOKEN}`], status: 401, tag: "Unauthorized" },
  {
    says: "the token in the query",
    line: `${STOP}?token=${TOKEN}&access_token=${TOKEN}`,
    headers: [HOST, EMPTY],
    status: 401,
    tag: "Unauthorized"
  },
  { says: "the token in a cookie", headers: [HOST, EMPTY, `Cookie: token=${TOKEN}`], status: 401, tag: "Unauthorized" },
  {
    says: "a name that was rebound",
    headers: ["Host: evil.example:9477", EMPTY, AUTHORIZED],
    status: 403,
    tag: "ForbiddenOrigin"
  },
  {
    says: "a name that was rebound, and its own page",
    headers: ["Host: evil.example", "Origin: http://evil.example", EMPTY, AUTHORIZED],
    status: 403,
    tag: "ForbiddenOrigin"
  },
  ...[
    "localhost.evil.example",
    "127.0.0.1.nip.io",
    "127.1",
    "2130706433",
    "0x7f000001",
    "localhost.",
    "a b",
    "[::1",
    "localhost:x",
    "@localhost",
    ""
  ].map((host) => ({
    says: `Host ${host}`,
    headers: [`Host: ${host}`, EMPTY, AUTHORIZED],
    status: 403,
    tag: "ForbiddenOrigin"
  })),
  { says: "no Host", headers: [EMPTY, AUTHORIZED], status: 403, tag: "ForbiddenOrigin" },
  { says: "two Hosts", headers: [HOST, "Host: evil.example", EMPTY, AUTHORIZED], status: 400, tag: "RequestMalformed" },
  ...[
    "null",
    "http://evil.example",
    "https://evil.example",
    "http://localhost.evil.example",
    "http://localhost:1",
    "http://localhost@evil.example",
    "http://127.0.0.1",
    "file://",
    "chrome-extension://localhost",
    "localhost",
    "HTTP://localhost",
    "http://localhost http://evil.example",
    ""
  ].map((origin) => ({
    says: `a cross-site POST of Origin ${origin}`,
    headers: [HOST, `Origin: ${origin}`, EMPTY, AUTHORIZED],
    status: 403,
    tag: "ForbiddenOrigin"
  })),
  {
    says: "a body where none is",
    headers: [HOST, "Content-Length: 2", AUTHORIZED],
    status: 400,
    tag: "RequestMalformed"
  },
  {
    says: "GET where POST acts",
    line: `GET /plugins/${REF}/stop`,
    headers: [HOST, AUTHORIZED],
    status: 405,
    tag: "MethodNotAllowed"
  },
  {
    says: "a method that overrides",
    line: `GET /plugins/${REF}`,
    headers: [HOST, AUTHORIZED, "X-HTTP-Method-Override: POST"],
    status: 200,
    tag: ""
  },
  {
    says: "PUT",
    line: `PUT /plugins/${REF}/stop`,
    headers: [HOST, AUTHORIZED, EMPTY],
    status: 405,
    tag: "MethodNotAllowed"
  },
  {
    says: "a preflight",
    line: `OPTIONS /plugins/${REF}/stop`,
    headers: [HOST, "Origin: http://localhost", "Access-Control-Request-Method: POST"],
    status: 405,
    tag: "MethodNotAllowed"
  },
  {
    says: "an expectation that nobody meets",
    headers: [HOST, AUTHORIZED, EMPTY, "Expect: 200-ok"],
    status: 400,
    tag: "RequestMalformed"
  },
  {
    says: "CORS isn't there",
    line: "GET /status",
    headers: [HOST, "Origin: http://evil.example"],
    status: 403,
    tag: "ForbiddenOrigin"
  }
]

/** Paths by which nothing is reached. */
const tricks: ReadonlyArray<readonly [target: string, status: number]> = [
  [`//plugins/${REF}/stop`, 404],
  [`/plugins//${REF}/stop`, 404],
  [`/plugins/${REF}//stop`, 404],
  [`/plugins/${REF}/stop/`, 404],
  [`/./plugins/${REF}/stop`, 404],
  [`/x/../plugins/${REF}/stop`, 404],
  [`/plugins/${REF}/x/../stop`, 404],
  [`/plugins/${REF}%2fstop`, 405],
  [`/plugins/${REF}/%73top`, 404],
  [`/%70lugins/${REF}/stop`, 404],
  [`/PLUGINS/${REF}/stop`, 404],
  [`/plugins/${REF}/stop;x=1`, 400],
  [`/plugins/${REF}/stop%00`, 400],
  [`/plugins/${REF}%00/stop`, 400],
  [`/plugins/${REF}%0d%0a/stop`, 400],
  [`/plugins/${REF}%/stop`, 400],
  [`/plugins/${REF}%ff/stop`, 400],
  [`/plugins/${REF}%c0%af/stop`, 400],
  [`/plugins/${REF}/stop#x`, 400],
  [`/plugins\\${REF}\\stop`, 400],
  [`/plugins/${REF.replaceAll("%", "%25")}/stop`, 404],
  ["*", 400],
  ["plugins", 400],
  [`http://evil.example/plugins/${REF}/stop`, 403],
  [`ftp://localhost/plugins/${REF}/stop`, 400]
]

/** The plugin runs on, whatever was asked. */
const nothingActed = Effect.gen(function* () {
  const host = yield* PluginHost.PluginHost
  yield* host.idle
  assert.strictEqual((yield* host.plugin(refOf(pkg))).lifecycle, "running")
})

describe("what must not act", () => {
  it.live.each(refusedActs)("$says", ({ headers, line = STOP, status, tag }) =>
    Effect.gen(function* () {
      const answer = yield* Raw.request(yield* where, line, headers)
      assert.strictEqual(answer.status, status, answer.body)
      if (status !== 200) assert.strictEqual(Raw.tagOf(answer), tag)
      assert.isUndefined(answer.headers.get("access-control-allow-origin"))
      assert.include(answer.headers.get("content-security-policy"), "default-src 'none'")
      assert.notInclude(JSON.stringify([...answer.headers, answer.body]), TOKEN)
      yield* nothingActed
    }).pipe(Effect.provide(served({ plugins: [pkg] })))
  )

  it.live.each(tricks)("the target %s", ([target, status]) =>
    Effect.gen(function* () {
      const answer = yield* Raw.request(yield* where, `POST ${target}`, [HOST, AUTHORIZED, EMPTY])
      assert.strictEqual(answer.status, status, answer.body)
      yield* nothingActed
    }).pipe(Effect.provide(served({ plugins: [pkg] })))
  )

  it.live("without a token there is nobody who may act", () =>
    Effect.gen(function* () {
      const answer = yield* Raw.request(yield* where, STOP, [HOST, EMPTY, "Authorization: Bearer undefined"])
      assert.deepStrictEqual([answer.status, Raw.tagOf(answer)], [401, "Unauthorized"])
      yield* nothingActed
    }).pipe(Effect.provide(served({ plugins: [pkg], control: { token: () => undefined } })))
  )
})

const allowed: ReadonlyArray<readonly [says: string, line: string, headers: ReadonlyArray<string>, status: number]> = [
  ["the token", STOP, [HOST, EMPTY, AUTHORIZED], 202],
  ["the token, by a scheme in capitals", STOP, [HOST, EMPTY, `authorization: BEARER ${TOKEN}`], 202],
  ["its own page", STOP, ["Host: localhost:9477", "Origin: http://localhost:9477", EMPTY, AUTHORIZED], 202],
  ["its own page by TLS of a proxy", STOP, ["Host: [::1]:80", "Origin: https://[::1]:80", EMPTY, AUTHORIZED], 202],
  [
    "a name that it was given",
    STOP,
    ["Host: OPS.example.com", "Origin: https://ops.example.com:8443", EMPTY, AUTHORIZED],
    202
  ],
  ["a page of a name that it was given", STOP, [HOST, "Origin: https://ops.example.com", EMPTY, AUTHORIZED], 202],
  ["an absolute target", `POST http://localhost/plugins/${REF}/stop`, [HOST, EMPTY, AUTHORIZED], 202],
  ["reading without a token", "GET /status", ["Host: 127.0.0.1:9477"], 200],
  ["a probe by a name that nobody gave it", "GET /healthz", ["Host: 10.1.2.3.cluster.example"], 200],
  ["a probe by an address", "GET /readyz", ["Host: 10.1.2.3:9477"], 200],
  ["a probe without a Host", "HEAD /healthz", [], 200]
]

describe("what may", () => {
  it.live.each(allowed)("%s", ([, line, headers, status]) =>
    Effect.gen(function* () {
      const answer = yield* Raw.request(yield* where, line, headers)
      assert.strictEqual(answer.status, status, answer.body)
    }).pipe(Effect.provide(served({ plugins: [pkg], control: { hosts: ["Ops.Example.com"] } })))
  )
})

describe("an address that other machines reach", () => {
  const listen = { host: "0.0.0.0", port: 0 }

  it.live.each([
    ["status", "GET /status", [HOST], 401],
    ["events", "GET /events", [HOST], 401],
    ["the document", "GET /openapi.json", [HOST], 401],
    ["metrics", "GET /metrics", [HOST], 401],
    ["status with the token", "GET /status", [HOST, AUTHORIZED], 200],
    ["healthz", "GET /healthz", [HOST], 200],
    ["readyz", "GET /readyz", [HOST], 200]
  ] as const)("%s", ([, line, headers, status]) =>
    Effect.gen(function* () {
      assert.strictEqual((yield* Raw.request(yield* where, line, headers)).status, status)
    }).pipe(Effect.provide(served({ plugins: [pkg], listen })))
  )

  it.live("isn't served without a token", () =>
    Effect.gen(function* () {
      const api = Control.layer().pipe(
        Layer.provide(onFake({ plugins: [pkg] })),
        Layer.provide(ControlServer.layer(listen))
      )
      const refused = yield* Effect.flip(Layer.build(api))
      assert.strictEqual(refused._tag, "TokenRequired")
    }).pipe(Effect.scoped)
  )

  it.live("shows metrics without the token where that was said", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* Raw.request(yield* where, "GET /metrics")).status, 200)
    }).pipe(
      Effect.provide(
        served({
          plugins: [pkg],
          listen,
          control: {
            token: Redacted.make(TOKEN),
            metrics: { text: Effect.succeed("a 1\n"), contentType: "text/plain", open: true }
          }
        })
      )
    )
  )
})
