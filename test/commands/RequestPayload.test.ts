import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as OutputCommand from "../../src/commands/OutputCommand.ts"
import { RequestPayload } from "../../src/commands/RequestPayload.ts"

const URL = "https://api.example.com/v1"

const problemsOf = (payload: unknown): ReadonlyArray<string> => {
  const decoded = OutputCommand.decode({ kind: "host_request_dispatch", payload })
  return Result.isSuccess(decoded) ? [] : decoded.failure.problems.map(({ message, path }) => `${path}: ${message}`)
}

const headers = (table: { readonly [name: string]: unknown }) => problemsOf({ method: "GET", url: URL, headers: table })

const many = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`x-${index}`, "v"] as const))

/** RFC 9110, section 9: methods as they are written; 5.6.2: what a token is. */
describe("the method of a request", () => {
  it.each(["GET", "POST", "get", "M-SEARCH", "PROPFIND", "!#$%&'*+-.^_`|~09Az", "X".repeat(64), "CONNECT", "TRACE"])(
    "may be %s",
    (method) => {
      assert.deepStrictEqual(problemsOf({ method, url: URL }), [])
    }
  )

  it.each([
    "",
    " ",
    "GET ",
    " GET",
    "G ET",
    "GET\r\n",
    "GET\nX: y",
    "G\u0000ET",
    "G\u00cbT",
    "GE(T)",
    "GET/1",
    "a:b",
    "X".repeat(65)
  ])("isn't %j", (method) => {
    assert.match(problemsOf({ method, url: URL })[0] ?? "", /^payload\.method: Expected/)
  })
})

describe("the headers of a request", () => {
  it.each([
    [{}],
    [{ accept: "application/json", "X-Api-Version": "2" }],
    [{ "content-type": "text/plain; charset=utf-8" }],
    [{ empty: "" }],
    [{ tab: "a\tb" }],
    [{ latin: "caf\u00e9 \u00a0\u00ff" }],
    [{ authorization: "Bearer x", cookie: "a=b", range: "bytes=0-1", "if-none-match": "*", referer: "x" }],
    [{ "accept-language": "de", "x-forwarded-for": "1.2.3.4", "security-token": "a", proxied: "b", tea: "c" }],
    [{ __proto__x: "a", constructor: "b", toString: "c" }],
    [many(32)],
    [{ long: "v".repeat(16_380) }]
  ])("may be %j", (table) => {
    assert.deepStrictEqual(headers(table), [])
  })

  // RFC 9110, 7.6.1 and 10.1.1; RFC 9112, 6; Fetch, "forbidden request-header".
  it.each([
    "host",
    "connection",
    "keep-alive",
    "content-length",
    "transfer-encoding",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "accept-encoding",
    "http2-settings",
    "proxy-authorization",
    "proxy-connection",
    "sec-fetch-site",
    "sec-websocket-key"
  ])("are not %s, in whichever case", (name) => {
    for (const written of [name, name.toUpperCase(), name.replace(/^./u, (first) => first.toUpperCase())]) {
      assert.deepStrictEqual(headers({ [written]: "x" }), [
        "payload.headers.\u2026: Expected a header name that is not the host's own"
      ])
    }
  })

  it.each([
    ["an empty name", { "": "x" }],
    ["a space in a name", { "a b": "x" }],
    ["a space behind a name", { "content-length ": "1" }],
    ["a colon in a name", { "a:b": "x" }],
    ["a line end in a name", { "a\r\nb": "x" }],
    ["a NUL in a name", { "a\u0000": "x" }],
    ["a name beyond ASCII", { "\u00e4": "x" }],
    ["a Kelvin sign that would be a k in lower case", { "\u212aeep-alive": "x" }],
    ["a line end in a value", { a: "x\r\ny: z" }],
    ["a line feed in a value", { a: "x\ny" }],
    ["a carriage return in a value", { a: "x\ry" }],
    ["a NUL in a value", { a: "x\u0000" }],
    ["a DEL in a value", { a: "x\u007f" }],
    ["a C1 control in a value", { a: "x\u0085" }],
    ["a line separator in a value", { a: "x\u2028" }],
    ["a value beyond Latin-1", { a: "\u0100" }],
    ["a character whose low byte is a line feed", { a: "\u010a" }],
    ["an emoji", { a: "\u{1f600}" }],
    ["half a surrogate pair", { a: "\ud800" }],
    ["a value that is a number", { a: 1 }],
    ["a value that is a list", { a: ["x"] }],
    ["a value that is null", { a: null }],
    ["a name twice, in another case", { "X-A": "1", "x-a": "2" }],
    ["33 of them", many(33)],
    ["more than 16 KiB", { long: "v".repeat(16_381) }]
  ])("have no %s", (_what, table) => {
    assert.isNotEmpty(headers(table))
  })

  it("rule 11: are not repeated in what is said of them", () => {
    const said = [...headers({ "SECRET name": "x" }), ...headers({ a: "SECRET\n" }), ...headers({ SECRET: 1 })].join()
    assert.notInclude(said, "SECRET")
  })
})

describe("the body of a request", () => {
  it.each([
    [{}],
    [{ text: "" }],
    [{ text: "\u{1f600}" }],
    [{ base64: "" }],
    [{ base64: "AA==" }],
    [{ base64: "AAA=" }],
    [{ base64: "+/+/" }]
  ])("may be %j", (body) => {
    assert.deepStrictEqual(problemsOf({ method: "GET", url: URL, ...body }), [])
  })

  // RFC 4648, sections 3.2, 3.3, 4 and 5.
  it.each([
    [{ text: "a", base64: "AA==" }],
    [{ text: "", base64: "" }],
    [{ text: "\ud800" }],
    [{ text: null }],
    [{ base64: "A" }],
    [{ base64: "AA" }],
    [{ base64: "AA=" }],
    [{ base64: "A===" }],
    [{ base64: "====" }],
    [{ base64: "AA==AA==" }],
    [{ base64: "-_-_" }],
    [{ base64: "AA==\n" }],
    [{ base64: "A A=" }],
    [{ body: "a" }]
  ])("isn't %j", (body) => {
    assert.isNotEmpty(problemsOf({ method: "POST", url: URL, ...body }))
  })

  it("is made of a text or of bytes in process", () => {
    const of = (body: string | Uint8Array) =>
      OutputCommand.request("POST", URL, { body, headers: { a: "b" }, timeoutMs: 5, commandId: "c" })
    const rest = { method: "POST", url: URL, headers: { a: "b" }, timeout_ms: 5 }
    const kind = "host_request_dispatch"
    assert.deepStrictEqual(of("hi"), { kind, payload: { ...rest, text: "hi" }, command_id: "c" })
    const bytes = of(new Uint8Array([255, 0]))
    assert.deepStrictEqual(bytes, { kind, payload: { ...rest, base64: "/wA=" }, command_id: "c" })
    assert.isTrue(Result.isSuccess(OutputCommand.decode(bytes)))
    assert.deepStrictEqual(OutputCommand.request("GET", URL), { kind, payload: { method: "GET", url: URL } })
  })
})

describe("the deadline of a request", () => {
  it.each([1, 15_000, 86_400_000])("may be %d ms", (timeout_ms) => {
    assert.deepStrictEqual(problemsOf({ method: "GET", url: URL, timeout_ms }), [])
  })

  it.each([0, -1, 1.5, Number.NaN, Infinity, 86_400_001, "1000", null])("isn't %s", (timeout_ms) => {
    assert.match(problemsOf({ method: "GET", url: URL, timeout_ms })[0] ?? "", /^payload\.timeout_ms: /)
  })
})

/** What is written, and what of it is read otherwise. */
type Form = readonly [
  wire: object,
  named: { readonly bytes?: ReadonlyArray<number>; readonly [field: string]: unknown }
]

const saidOf = (change: object) => problemsOf({ method: "GET", url: URL, ...change }).join()

describe("the payload of a request", () => {
  it.each<Form>([
    [{ method: "GET", url: URL }, {}],
    [
      { method: "GET", url: URL, text: "", timeout_ms: 5 },
      { text: "", timeoutMs: 5 }
    ],
    [
      { method: "GET", url: URL, base64: "/wA=", headers: { A: "b" } },
      { bytes: [255, 0], headers: { A: "b" } }
    ],
    [
      { method: "GET", url: URL, base64: "", timeout_ms: 86_400_000 },
      { bytes: [], timeoutMs: 86_400_000 }
    ]
  ])("is read and written as %j", (wire, { bytes, ...named }) => {
    const decoded = Schema.decodeUnknownSync(RequestPayload)(wire)
    const body = bytes === undefined ? {} : { bytes: Uint8Array.from(bytes) }
    assert.deepStrictEqual(decoded, { method: "GET", url: URL, ...named, ...body })
    assert.deepStrictEqual(Schema.encodeUnknownSync(RequestPayload)(decoded), wire)
  })

  it("is refused with what was expected", () => {
    assert.include(saidOf({ method: "G ET" }), "Expected a method: a token of HTTP")
    assert.include(saidOf({ headers: many(33) }), "Expected at most 32 headers")
    assert.include(saidOf({ headers: { A: "1", a: "2" } }), "Expected each name once, in whichever case")
    assert.include(saidOf({ headers: { a: "v".repeat(16_384) } }), "Expected at most 16384 bytes of names and values")
    assert.include(saidOf({ headers: { a: "\n" } }), "Expected tab and printable Latin-1")
    assert.include(saidOf({ text: "a", base64: "" }), "Expected text or base64, not both")
  })
})
