import { assert, describe, it } from "@effect/vitest"
import { AddressDenied } from "../../../src/connection/ConnectionError.ts"
import { GrantRevoked } from "../../../src/grants/GrantError.ts"
import { answerOf, problemOf } from "../../../src/requests/internal/answers.ts"
import { RequestFailed, RequestTimeout, ResponseTooLarge, type Headers } from "../../../src/requests/RequestError.ts"

const utf8 = new TextEncoder()
const answered = (body: Uint8Array, headers: Headers = []) => answerOf({ status: 200, headers, body }, null)
const url = "https://h/"
const mask = (text: string) => text.replaceAll("hunter22", "***")

describe("the body of an answer", () => {
  it.each(["", "plain", "caf\u00e9 \u{1f600}", "\u0000\u0001", "\ufeffa mark at the beginning"])(
    "is a text where it is UTF-8: %j",
    (text) => {
      assert.strictEqual(answered(utf8.encode(text)).body, text)
    }
  )

  // RFC 3629, section 3: overlong forms, surrogates, what is beyond, and what is cut off.
  it.each([[[0xff]], [[0xc0, 0x80]], [[0xed, 0xa0, 0x80]], [[0xf4, 0x90, 0x80, 0x80]], [[0x61, 0xe2, 0x82]], [[0x80]]])(
    "is bytes where it isn't: %j",
    (bytes) => {
      const given = Uint8Array.from(bytes)
      const { body } = answered(given)
      assert.deepStrictEqual(body, given)
      assert.notStrictEqual(body, given, "the plugin's own")
    }
  )

  it("is bytes in a coding that nobody undid, whatever they read as", () => {
    assert.deepStrictEqual(answered(utf8.encode("x"), [["Content-Encoding", "compress"]]).body, utf8.encode("x"))
  })

  it("is an empty text where there is none, whatever a coding its headers tell of: to HEAD, of 204 and 304", () => {
    assert.strictEqual(answered(new Uint8Array(), [["content-encoding", "gzip"]]).body, "")
  })
})

describe("the headers of an answer", () => {
  it("are by name in lower case, several of one name in a list, and of set-cookie the names of the cookies", () => {
    const { headers } = answered(new Uint8Array(), [
      ["Content-Type", "text/plain"],
      ["VIA", "a"],
      ["via", "b, c"],
      ["Set-Cookie", "session=secret; Path=/; HttpOnly"],
      ["set-cookie", "  id = 7"],
      ["set-cookie", "nameless"],
      ["set-cookie", "=valued"],
      ["__proto__", "x"]
    ])
    assert.deepStrictEqual(Object.entries(headers), [
      ["content-type", "text/plain"],
      ["via", "a, b, c"],
      ["set-cookie", "session, id, , "],
      ["__proto__", "x"]
    ])
    assert.strictEqual(Object.getPrototypeOf(headers), Object.prototype)
  })

  it("rule 11: have secrets replaced, as the body has", () => {
    const body = utf8.encode('{"you":"hunter22"}')
    assert.deepStrictEqual(
      answerOf(
        {
          status: 302,
          headers: [
            ["location", "/?key=hunter22"],
            ["set-cookie", "hunter22=1"]
          ],
          body
        },
        mask
      ),
      { status: 302, headers: { location: "/?key=***", "set-cookie": "***" }, body: '{"you":"***"}' }
    )
  })
})

describe("why there is no answer", () => {
  it.each([
    [
      new RequestFailed({ url, phase: "tcp", code: "ECONNREFUSED", sent: false }),
      { tag: "RequestFailed", sent: false, phase: "tcp", code: "ECONNREFUSED" }
    ],
    [
      new RequestTimeout({ url, phase: "headers", deadlineMs: 5, sent: true }),
      { tag: "RequestTimeout", sent: true, phase: "headers" }
    ],
    [
      new ResponseTooLarge({ url, status: 200, what: "body", limit: 5, sent: true, headers: [["X-Key", "hunter22"]] }),
      { tag: "ResponseTooLarge", sent: true, status: 200, headers: { "x-key": "***" } }
    ],
    [new GrantRevoked({ url }), { tag: "GrantRevoked", sent: true }],
    [new AddressDenied({ url, address: "10.0.0.1" }), { tag: "AddressDenied", sent: true }]
  ])("is told with what its tag has: %s", (failure, expected) => {
    const { message, ...told } = problemOf(failure, true, mask)
    assert.strictEqual(message, failure.message)
    assert.deepStrictEqual<object>(told, expected)
  })
})
