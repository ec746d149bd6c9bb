import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Authority } from "../../../src/grants/Grants.ts"
import { fill } from "../../../src/requests/internal/filling.ts"
import * as StandIns from "../../../src/secrets/StandIns.ts"
import { authorityOf, PERMISSIONS, subject } from "../../support/grants.ts"

const standIns = StandIns.make(["token", "shut"])
const token = standIns.of("token") ?? ""
const shut = standIns.of("shut") ?? ""
const VALUES: { readonly [name: string]: string } = { token: 'a/b "c"\u00e9', shut: "hunter22" }

const API = { scheme: "https", host: "api.example.com", methods: ["POST"] } as const

const asking = Effect.map(
  authorityOf(
    subject({
      permissions: [...PERMISSIONS, { kind: "host_api", api: "request" }],
      request: [{ ...API, pathPrefixes: ["/"] }]
    }),
    {
      permissions: [...PERMISSIONS, { kind: "host_api", api: "request" }],
      request: [{ ...API, pathPrefixes: ["/v1"], secrets: ["token"] }]
    }
  ),
  (authority) => ({ authority, of: filling(authority) })
)

const filling =
  (authority: Authority) =>
  (
    url: string,
    {
      body = null,
      headers = {},
      values = VALUES
    }: {
      readonly body?: string | Uint8Array | null
      readonly headers?: { readonly [name: string]: string }
      readonly values?: { readonly [name: string]: string }
    } = {}
  ) => {
    const request = Result.getOrThrow(authority.authorizeRequest("gateway", "POST", url))
    const secrets = { valueOf: (name: string) => values[name] ?? "" }
    return fill({ request, headers, body }, { ingressName: "gateway", authority, secrets, standIns })
  }

const problemOf = (filled: ReturnType<ReturnType<typeof filling>>) =>
  Result.isFailure(filled) ? filled.failure.problem : "filled"

describe("the secrets of a request", () => {
  it.effect("stand where their stand-ins stood: in a query, a header, a text, as each writes them", () =>
    Effect.gen(function* () {
      const { of } = yield* asking
      const filled = Result.getOrThrow(
        of(`https://api.example.com/v1?key=${token}`, {
          headers: { "x-key": `Bot ${token}` },
          body: `{"key":"${token}"} ${token}`
        })
      )
      assert.strictEqual(filled.url, "https://api.example.com/v1?key=a%2Fb%20%22c%22%C3%A9")
      assert.deepStrictEqual(filled.headers, [["x-key", 'Bot a/b "c"\u00e9']])
      assert.strictEqual(
        new TextDecoder().decode(filled.body ?? undefined),
        '{"key":"a/b \\"c\\"\u00e9"} a/b "c"\u00e9'
      )
    })
  )

  it.effect("stand in a path where it is taken with them, too, and nowhere else", () =>
    Effect.gen(function* () {
      const { of } = yield* asking
      const path = `https://api.example.com/v1/bot${token}/send`
      const filled = Result.getOrThrow(of(path, { values: { token: "123:abc" } }))
      assert.strictEqual(filled.url, "https://api.example.com/v1/bot123%3Aabc/send")
      // A slash in it would be another segment.
      assert.strictEqual(problemOf(of(path)), "unfit")
    })
  )

  it.effect("stand in no URL that another granted target decides for: that one opens other secrets", () =>
    Effect.gen(function* () {
      const authority = yield* authorityOf(
        subject({ permissions: PERMISSIONS, request: [{ ...API, pathPrefixes: ["/"] }] }),
        {
          permissions: PERMISSIONS,
          request: [
            { ...API, pathPrefixes: ["/v1/admin"] },
            { ...API, pathPrefixes: ["/v1"], secrets: ["token"] }
          ]
        }
      )
      const path = `https://api.example.com/v1/${token}/send`
      const leading = (value: string) => problemOf(filling(authority)(path, { values: { token: value } }))
      assert.deepStrictEqual([leading("admins"), leading("admin")], ["filled", "unfit"])
    })
  )

  it.effect("are refused where they aren't opened, are nobody's, or stand where none is filled in", () =>
    Effect.gen(function* () {
      const { of } = yield* asking
      const url = "https://api.example.com/v1"
      assert.strictEqual(problemOf(of(url, { body: shut })), "not opened")
      assert.strictEqual(problemOf(of(`${url}?a=${shut}`)), "not opened")
      assert.strictEqual(problemOf(of(url, { headers: { a: shut } })), "not opened")
      assert.strictEqual(problemOf(of(url, { body: `mooring-secret-${"0".repeat(32)}` })), "unknown")
      assert.strictEqual(problemOf(of(url, { headers: { [token]: "a" } })), "misplaced")
      assert.strictEqual(problemOf(of(`${url}?${token}=a`)), "misplaced")
      assert.strictEqual(problemOf(of(url, { headers: { a: token }, values: { token: "\u20ac" } })), "unfit")
    })
  )

  it.effect("are not looked for in bytes, which are sent as they are", () =>
    Effect.gen(function* () {
      const { of } = yield* asking
      const bytes = new TextEncoder().encode(shut)
      assert.strictEqual(Result.getOrThrow(of("https://api.example.com/v1", { body: bytes })).body, bytes)
    })
  )
})
