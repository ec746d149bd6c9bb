import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { InterimResponses } from "../../../src/node/internal/interimResponses.ts"

/** What is left of bytes that come in pieces of these sizes, the last one again and again; or why they were refused. */
const passed = (text: string, sizes: ReadonlyArray<number>, interim = new InterimResponses()): string => {
  interim.begin()
  const bytes = Buffer.from(text, "latin1")
  let left = ""
  for (let at = 0, nth = 0; at < bytes.length; nth++) {
    const size = sizes[Math.min(nth, sizes.length - 1)] ?? bytes.length
    const found = interim.take(bytes.subarray(at, at + size))
    if (found.kind === "refused") return found.code
    left += found.bytes.toString("latin1")
    at += size
  }
  return left
}

const ANSWER = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nHTTP/1.1 "
const INTERIM = [
  "HTTP/1.1 100 Continue\r\n\r\n",
  "HTTP/1.0 199\r\na: b\r\nHTTP/1.1 200 OK: no\r\n\r\n",
  "HTTP/1.1 102 x\n\n"
]

describe("interim responses", () => {
  it.effect.prop(
    "are taken out, and nothing else is, however the bytes are cut",
    {
      interim: Schema.Array(
        Schema.Literals(["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.0 199\r\na: b\r\n\r\n", "HTTP/1.1 102 x\n\n", "\r\n"])
      ),
      sizes: Schema.NonEmptyArray(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 40 }))),
      rest: Schema.Literals([
        ANSWER,
        "HTTP/2.0 100",
        "HTP/1.1 100",
        "\0",
        "http/1.1 100",
        "HTTP/1.1 000 \r\n\r\n",
        "HTTP/1\r.1 100",
        "\xff"
      ])
    },
    ({ interim, rest, sizes }) =>
      Effect.sync(() => {
        assert.strictEqual(passed(`${interim.join("")}${rest}`, sizes), rest)
      })
  )

  it("are passed over up to their empty line alone", () => {
    for (const interim of INTERIM) assert.strictEqual(passed(`${interim}${ANSWER}`, [Infinity]), ANSWER)
  })

  it("end with an upgrade that nobody asked for", () => {
    for (const size of [1, Infinity]) {
      assert.strictEqual(passed("HTTP/1.1 101 ", [size]), "UNASKED_UPGRADE")
      assert.strictEqual(passed(`${INTERIM.join("")}HTTP/1.1 101 `, [size]), "UNASKED_UPGRADE")
    }
    assert.strictEqual(passed("HTTP/1.1 200 101 ", [1]), "HTTP/1.1 200 101 ")
  })

  it("have 64 KiB together, and an answer has no such bound", () => {
    const one = "HTTP/1.1 100\r\n\r\n"
    const most = Math.floor((65_536 - 10) / one.length)
    const longest = `${one.repeat(most)}${ANSWER}${"x".repeat(100_000)}`
    assert.strictEqual(passed(longest, [1000]), longest.slice(one.length * most))
    assert.strictEqual(passed(one.repeat(most + 2), [1000]), "HEADERS_TOO_LARGE")
    const head = "HTTP/1.1 100\r\na: "
    assert.strictEqual(passed(`${head}${"x".repeat(65_536 - head.length)}`, [1000]), "")
    assert.strictEqual(passed(`${head}${"x".repeat(65_537 - head.length)}`, [1000]), "HEADERS_TOO_LARGE")
  })

  it("come before each answer, and only there", () => {
    const interim = new InterimResponses()
    for (let nth = 0; nth < 3; nth++) {
      assert.strictEqual(passed(`${INTERIM[0]}${ANSWER}${INTERIM[0]}`, [1], interim), `${ANSWER}${INTERIM[0]}`)
    }
  })

  it("come only where one is expected", () => {
    const interim = new InterimResponses()
    assert.deepStrictEqual(interim.take(Buffer.from(INTERIM[0] ?? "")), {
      kind: "bytes",
      bytes: Buffer.from(INTERIM[0] ?? "")
    })
  })
})
