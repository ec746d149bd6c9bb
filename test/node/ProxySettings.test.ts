import { assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { ProxySettings } from "mooring/node"

const GOOD = [
  ["http://proxy.test", { host: "proxy.test", port: 80, isSecure: false }],
  ["http://proxy.test:3128/", { host: "proxy.test", port: 3128, isSecure: false }],
  ["https://proxy.test", { host: "proxy.test", port: 443, isSecure: true }],
  ["http://[::1]:3128", { host: "::1", port: 3128, isSecure: false }],
  ["http://127.1:3128", { host: "127.0.0.1", port: 3128, isSecure: false }],
  ["http://PROXY.test:3128", { host: "proxy.test", port: 3128, isSecure: false }]
] as const

const BAD = [
  "",
  "proxy.test:3128",
  "//proxy.test",
  "socks5://127.0.0.1:1080",
  "ws://127.0.0.1:3128",
  "http://",
  "http://user:secret@127.0.0.1:3128",
  "http://user@127.0.0.1",
  "http://127.0.0.1:0",
  "http://127.0.0.1:65536",
  "http://127.0.0.1/path",
  "http://127.0.0.1/?query",
  "http://127.0.0.1/#hash",
  "http://300.0.0.1"
]

const authorizedBy = (authorization: string) =>
  ProxySettings.parse({ connect: "http://proxy.test", authorization: Redacted.make(authorization) })

describe("the settings of a proxy", () => {
  it("are an origin, and nothing else is of use", () => {
    for (const [connect, expected] of GOOD) {
      assert.deepStrictEqual(ProxySettings.parse({ connect }), { ...expected, authorization: undefined })
      assert.deepStrictEqual(ProxySettings.decode({ connect }), Result.succeed({ connect }))
    }
    for (const connect of [...BAD, undefined, 3128] as ReadonlyArray<string>) {
      assert.isUndefined(ProxySettings.parse({ connect }), connect)
      const [problem] = Result.getOrThrow(Result.flip(ProxySettings.decode({ connect })))
      assert.strictEqual(problem?.path, "connect")
    }
  })

  it("have an authorization that fits a line of HTTP, or are of no use", () => {
    for (const value of ["Basic dXNlcjpzZWNyZXQ=", "x", "a\tb c", "\u00e4"]) assert.isDefined(authorizedBy(value))
    for (const value of ["", " x", "x ", "x\r\nHost: evil", "x\n", "x\u0000", "\u20ac", "x\u007f"]) {
      assert.isUndefined(authorizedBy(value), JSON.stringify(value))
    }
  })

  it("are decoded as a host file writes them, with all that is wrong at once and nothing of it", () => {
    const connect = "https://proxy.test:3129"
    for (const authorization of [{ file: "proxy.auth" }, { env: "PROXY_AUTH" }]) {
      assert.deepStrictEqual(
        ProxySettings.decode({ connect, authorization }),
        Result.succeed({ connect, authorization })
      )
    }
    const problems = Result.getOrThrow(
      Result.flip(ProxySettings.decode({ authorization: "Basic SECRET", conect: "http://user:SECRET@proxy.test" }))
    )
    assert.sameMembers(
      problems.map(({ path }) => path),
      ["authorization", "conect", "connect"]
    )
    assert.notInclude(JSON.stringify(problems), "SECRET")
    const [refused] = Result.getOrThrow(Result.flip(ProxySettings.decode({ connect: "http://user:SECRET@proxy.test" })))
    assert.notInclude(JSON.stringify(refused), "SECRET")
  })
})
