import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { SocketUrl } from "mooring"
import * as Filling from "../../src/connection/Filling.ts"
import * as Template from "../../src/secrets/Template.ts"

const isSecret = (name: string) => name === "key"

const problemsOf = (url: string, value: string, headers: { readonly [name: string]: string } = {}) =>
  Filling.problems(url, Filling.of(url, headers, isSecret), () => value).map(({ path }) => path)

/** What a path must not hold (whatever it would be decoded to), and what it may. */
const IN_PATH: ReadonlyArray<readonly [url: string, value: string, isProblem: boolean]> = [
  ["ws://h/a/{key}", "token-", false],
  ["ws://h/a/{key}", "tok en", false],
  ["ws://h/a/{key}", "tok?en", false],
  ["ws://h/a/{key}", "tok#en", false],
  ["ws://h/a/{key}", "tok&en=", false],
  ["ws://h/a/{key}", "{key}x", false],
  ["ws://h/a/{key}", "käsebrot", false],
  ["ws://h/a/{key}", "a/b/c/", true],
  ["ws://h/a/{key}", "../../", true],
  ["ws://h/a/{key}", "a\\b\\c\\", true],
  ["ws://h/a/{key}", "100%25", true],
  ["ws://h/a/{key}", "tok%2f", true],
  ["ws://h/a/{key}", "tok\r\n", true],
  ["ws://h/a/{key}", "token\0", true],
  ["ws://h/a/{key}", "\uff0e\uff0e\uff0e", true],
  ["ws://h/a/{key}", "a\uff0fbc", true],
  ["ws://h/a/{key}", "tok\u0085", true],
  ["ws://h/a/{key}/b", "token;", false],
  ["ws://h/a/{key}/b", ";token", true],
  ["ws://h/a/..{key}", ";token", true],
  ["ws://h/a/.{key}", " token", false],
  ["ws://h/a/.{key}", "      ", true],
  ["ws://h/a?k={key}", "a/b/../%2f\\&=?#{key}", false],
  ["ws://h/a?k={key}", "käse\uff0f", false],
  ["ws://h/a?k={key}", "x".repeat(8192), true],
  ["ws://h/a?k={key}", "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----", true],
  // Not where it leads: what is refused as it is written is denied, and is no value's fault.
  ["ws://{key}/a", "evil.example", false],
  ["ws://h:{key}/a", "999999", false],
  ["{key}://h/a", "secret", false],
  ["ws://h{key}/a", ".evil.example", false],
  ["ws://{key}@h/a", "secret", false]
]

const same = (one: string, other: string) =>
  Filling.isSameServer(Result.getOrThrow(SocketUrl.parse(one)), Result.getOrThrow(SocketUrl.parse(other)))

const basic = (value: string) => Buffer.from(`u:${value}`).toString("base64")

describe("Filling", () => {
  it("refuses values that a path mustn't hold, and takes any in a query but a key that only signs", () => {
    for (const [url, value, isProblem] of IN_PATH) {
      assert.deepStrictEqual(problemsOf(url, value), isProblem ? ["urls"] : [], `${url} ${JSON.stringify(value)}`)
    }
  })

  it("refuses values that a header mustn't hold, unless base64 writes them", () => {
    const headers = { a: "Bearer {key}", b: "{basic:user:key}", c: "plain" }
    for (const value of ["tok\r\nx: y", "tok\nen", "token\0", "\u{1f600}", "\u0100bcdef"]) {
      assert.deepStrictEqual(problemsOf("ws://h/", value, headers), ["headers.a"])
    }
    for (const value of ["token-", "tok\ten", "k\u00e4se--"])
      assert.deepStrictEqual(problemsOf("ws://h/", value, headers), [])
  })

  it("says which secrets were the problem", () => {
    const [problem] = Filling.problems("ws://h/{key}", Filling.of("ws://h/{key}", {}, isSecret), () => "../../x")
    assert.deepStrictEqual(problem?.secrets, ["key"])
  })

  it("tells one server from another by scheme, host and port", () => {
    assert.isTrue(same("ws://h/a?b", "WS://H.:80/c"))
    for (const other of ["wss://h/a", "wss://h:80/a", "ws://i/a", "ws://h:81/a", "ws://h.i/a"]) {
      assert.isFalse(same("ws://h/a", other), other)
    }
  })

  it("tells the credentials that a server may have been sent", () => {
    const filling = Filling.of("ws://h/?{key}", { a: "{basic:u:key}", b: "{key}" }, isSecret)
    assert.deepStrictEqual(
      Filling.credentials(filling, () => ["OLD-ONE", "NEW-ONE"]),
      [basic("OLD-ONE"), basic("NEW-ONE")]
    )
    for (const bare of [Filling.of("ws://h/?{key}", {}, isSecret), Filling.none]) {
      assert.deepStrictEqual(
        Filling.credentials(bare, () => ["A"]),
        []
      )
    }
  })

  it("knows no template in what isn't the operator's", () => {
    assert.deepStrictEqual(
      Filling.of(null, {}, () => true),
      Filling.none
    )
  })

  it("leaves the headers out that have a secret where they may not go, and keeps the others", () => {
    const headers = { a: "Bearer {key}", b: "plain", C: "{other} {basic:u:key}" }
    const filling = Filling.of(null, headers, isSecret)
    const filled = { a: "Bearer S3CRET", b: "plain", C: `{other} Basic ${basic("S3CRET")}` }
    assert.deepStrictEqual(
      Filling.headersOf(headers, filling, () => "S3CRET", true),
      filled
    )
    assert.deepStrictEqual(
      Filling.headersOf(headers, filling, () => "S3CRET", false),
      { b: "plain" }
    )
    assert.deepStrictEqual(Filling.secretsOfHeaders(filling), ["key"])
  })

  const value = Schema.String.check(Schema.makeFilter((found: string) => found.isWellFormed()))

  it.effect.prop(
    "lets no value that it takes change where a URL leads, nor how many segments it has",
    {
      value,
      place: Schema.Literals(["/{key}", "/a/{key}/b", "/a.{key}", "/{key}{key}", "/?{key}", "/a?b={key}&c", "/;{key}"])
    },
    ({ place, value: secret }) =>
      Effect.sync(() => {
        const url = `wss://user.example:8443${place}`
        if (problemsOf(url, secret).length > 0) return
        const template = Filling.of(url, {}, isSecret).url
        assert.isDefined(template)
        if (template === undefined) return
        const before = Result.getOrThrow(SocketUrl.parse(url))
        const after = Result.getOrThrow(SocketUrl.parse(Template.inUrl(template, () => secret)))
        assert.deepStrictEqual([after.scheme, after.host, after.port], [before.scheme, before.host, before.port])
        assert.strictEqual(after.path.split("/").length, before.path.split("/").length)
        assert.notInclude(after.canonical, "#")
      }),
    { arbitrary: { runs: 500 } }
  )
})
