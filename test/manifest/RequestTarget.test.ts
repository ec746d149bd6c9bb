import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { RequestTarget, RequestUrl, SocketUrl, WebSocketTarget } from "mooring"
import { list, maybe, oneOf } from "../support/arbitraries.ts"

const url = (raw: string) => Result.getOrThrow(RequestUrl.parse(raw))

const decode = Schema.decodeUnknownResult(RequestTarget.RequestTarget)
const withMethods = (...methods: ReadonlyArray<unknown>) =>
  decode({ scheme: "https", host: "h", methods, path_prefixes: ["/"] })

interface Pattern {
  readonly secure: boolean | "*"
  readonly host: string
  readonly port: number | "*" | undefined
  readonly pathPrefixes: ReadonlyArray<string>
}

const Pattern: Arbitrary.Arbitrary<Pattern> = Arbitrary.all({
  secure: oneOf<boolean | "*">(true, false, "*"),
  host: oneOf("*", "*.example.com", "*.eu.example.com", "example.com", "a.eu.example.com", "10.0.0.1", "::1"),
  port: oneOf<number | "*" | undefined>(undefined, "*", 80, 443, 8443),
  pathPrefixes: list(oneOf("/", "/v1", "/v1/", "/v1/users", "/v1-admin", "/V1"), 0, 2)
})

const targetOf = (
  { port, secure, ...rest }: Pattern,
  ...methods: ReadonlyArray<string>
): RequestTarget.RequestTarget => ({
  ...rest,
  ...(port === undefined ? {} : { port }),
  scheme: secure === "*" ? "*" : secure ? "https" : "http",
  methods
})

const socketTargetOf = ({ port, secure, ...rest }: Pattern): WebSocketTarget.WebSocketTarget => ({
  ...rest,
  ...(port === undefined ? {} : { port }),
  scheme: secure === "*" ? "*" : secure ? "wss" : "ws"
})

const Written = Arbitrary.map(
  Arbitrary.all({
    secure: oneOf("", "s"),
    host: oneOf(
      "example.com",
      "a.eu.example.com",
      "EU.example.com.",
      "notexample.com",
      "10.0.0.1",
      "10.1",
      "[::1]",
      "com"
    ),
    port: maybe(oneOf(80, 443, 8443, 9000)),
    path: oneOf("", "/", "/v1", "/v1/", "/v1/users/7", "/v1-admin", "/V1", "/v1;x", "/v1?q=/v2")
  }),
  ({ host, path, port, secure }) => `${secure}://${host}${port === undefined ? "" : `:${port}`}${path}`
)

describe("RequestTarget", () => {
  it("takes methods as they are written, and CONNECT and TRACE in no case", () => {
    for (const method of ["GET", "get", "PATCH", "M-SEARCH", "PROPFIND", "CONNECTED", "TRACES", "*"]) {
      assert.isTrue(Result.isSuccess(withMethods(method)), method)
    }
    const refused = [
      "CONNECT",
      "TRACE",
      "connect",
      "Trace",
      "",
      "GE T",
      "GET\r\n",
      "GÉT",
      "G/T",
      "a".repeat(65),
      1,
      null
    ]
    for (const method of refused) assert.isTrue(Result.isFailure(withMethods(method)), String(method))
  })

  it("covers the methods that it lists, byte for byte, and none with an empty list", () => {
    const target = Result.getOrThrow(withMethods("GET", "post"))
    for (const [method, isCovered] of [
      ["GET", true],
      ["post", true],
      ["get", false],
      ["POST", false],
      ["GET ", false],
      ["", false],
      ["HEAD", false]
    ] as const) {
      assert.strictEqual(RequestTarget.matches(target, method, url("https://h/")), isCovered, method)
    }
    assert.isFalse(RequestTarget.matches(Result.getOrThrow(withMethods()), "GET", url("https://h/")))
  })

  it("refuses as headers of a grant those that the message itself consists of, in any case", () => {
    const isName = Schema.is(RequestTarget.HeaderName)
    const reserved =
      "host connection keep-alive content-length transfer-encoding upgrade te trailer expect accept-encoding http2-settings proxy-authorization proxy-x sec-fetch-mode Sec-WebSocket-Key HOST Content-Length"
    for (const name of reserved.split(" ")) assert.isFalse(isName(name), name)
    for (const name of ["", "a b", "a:b", "é", "a\n"]) assert.isFalse(isName(name), name)
    for (const name of ["authorization", "Content-Type", "hosts", "x-te", "secure", "proxied", "cookie"]) {
      assert.isTrue(isName(name), name)
    }
  })

  it.effect.prop(
    "covers by the same rules as a target of WebSockets",
    { pattern: Pattern, written: Written },
    ({ pattern, written }) =>
      Effect.sync(() => {
        const socket = Result.getOrThrow(SocketUrl.parse(`ws${written}`))
        assert.strictEqual(
          RequestTarget.matches(targetOf(pattern, "GET"), "GET", url(`http${written}`)),
          WebSocketTarget.matches(socketTargetOf(pattern), socket)
        )
      }),
    { arbitrary: { runs: 1000 } }
  )

  it.effect.prop(
    "meets another one wherever a request is covered by both, and nowhere else",
    { one: Pattern, other: Pattern, written: list(Written, 1, 30) },
    ({ one, other, written }) =>
      Effect.sync(() => {
        const [first, second] = [targetOf(one, "GET", "PUT"), targetOf(other, "PUT")]
        const meet = RequestTarget.meet(first, second)
        assert.strictEqual(RequestTarget.meet(second, first), meet)
        for (const raw of written) {
          const found = url(`http${raw}`)
          const both = [first, second].every((target) => RequestTarget.matches(target, "PUT", found))
          if (both) assert.isTrue(meet, raw)
        }
        assert.isFalse(RequestTarget.meet(first, targetOf(other, "put")))
        // A target meets itself unless it covers nothing.
        assert.strictEqual(RequestTarget.meet(first, first), one.pathPrefixes.length > 0)
      }),
    { arbitrary: { runs: 500 } }
  )

  it("doesn't meet what only looks near", () => {
    const near: ReadonlyArray<readonly [one: Partial<Pattern>, other: Partial<Pattern>, meet: boolean]> = [
      [{ host: "*.example.com" }, { host: "example.com" }, false],
      [{ host: "*.example.com" }, { host: "*.eu.example.com" }, true],
      [{ host: "*.example.com" }, { host: "*.example.org" }, false],
      [{ host: "*" }, { host: "10.0.0.1" }, false],
      [{ host: "*" }, { host: "*" }, true],
      [{ port: undefined }, { port: 8443 }, false],
      [{ port: undefined, secure: "*" }, { port: 80, secure: "*" }, true],
      [{ port: undefined, secure: true }, { port: 80, secure: "*" }, false],
      [{ secure: true }, { secure: false }, false],
      [{ pathPrefixes: ["/v1"] }, { pathPrefixes: ["/v1/users", "/v2"] }, true],
      [{ pathPrefixes: ["/v1"] }, { pathPrefixes: ["/v1-admin"] }, false],
      [{ pathPrefixes: [] }, { pathPrefixes: ["/"] }, false]
    ]
    const whole: Pattern = { secure: true, host: "example.com", port: "*", pathPrefixes: ["/"] }
    for (const [one, other, meet] of near) {
      const targets = [one, other].map((change) => targetOf({ ...whole, ...change }, "GET")) as [
        RequestTarget.RequestTarget,
        RequestTarget.RequestTarget
      ]
      assert.strictEqual(RequestTarget.meet(...targets), meet, JSON.stringify([one, other]))
    }
  })
})
