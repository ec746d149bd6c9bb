import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ConnectAnswer, type Read } from "../../../src/node/internal/connectAnswer.ts"
import { int, list } from "../../support/arbitraries.ts"
import { cut } from "../support/received.ts"

/** What becomes of these reads; the rest of the tunnel's first one and all that come after it are together. */
const read = (reads: ReadonlyArray<Buffer>) => {
  const answer = new ConnectAnswer()
  for (const [nth, bytes] of reads.entries()) {
    const said: Read | undefined = answer.take(bytes)
    if (said === undefined) continue
    if (said.kind === "refused") return said.code
    return `tunnel ${Buffer.concat([said.rest, ...reads.slice(nth + 1)]).toString("latin1")}`
  }
  return "more"
}

const OK = "HTTP/1.1 200 Connection established\r\n\r\n"
const headers = (bytes: number) => `X: ${"x".repeat(bytes - 7)}\r\n\r\n`
const LONGEST = `HTTP/1.1 200 OK\r\n${headers(65_536 - 17)}`
const INTERIM = "HTTP/1.1 100 Continue\r\n\r\n"

const CASES: ReadonlyArray<readonly [name: string, answer: string, becomes: string]> = [
  ["200", OK, "tunnel "],
  ["200 with bytes of the tunnel behind it", `${OK}first\r\n\r\n`, "tunnel first\r\n\r\n"],
  ["200 of HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nx", "tunnel x"],
  ["200 without a reason", "HTTP/1.1 200\r\n\r\nx", "tunnel x"],
  ["200 with an empty reason", "HTTP/1.1 200 \r\n\r\nx", "tunnel x"],
  ["another 2xx", "HTTP/1.1 204 No Content\r\n\r\nx", "tunnel x"],
  // RFC 9110, section 9.3.6: what a 2xx says of a body is ignored.
  ["200 that speaks of a body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "tunnel hello"],
  ["200 that speaks of chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "tunnel 0\r\n\r\n"],
  ["interim responses before it", `${INTERIM}HTTP/1.1 103 Early\r\nLink: x\r\n\r\n${OK}x`, "tunnel x"],
  ["an interim response alone", INTERIM, "more"],
  ["an interim response and a refusal", `${INTERIM}HTTP/1.1 502 Bad\r\n\r\n`, "PROXY_502"],
  ["101", "HTTP/1.1 101 Switching Protocols\r\n\r\n", "PROXY_101"],
  ["the last 2xx", "HTTP/1.1 299 Well\r\n\r\nx", "tunnel x"],
  ["300", "HTTP/1.1 300 Multiple Choices\r\n\r\n", "PROXY_300"],
  ["302", "HTTP/1.1 302 Found\r\nLocation: http://evil.test/\r\n\r\n", "PROXY_302"],
  ["407", 'HTTP/1.1 407 Required\r\nProxy-Authenticate: Basic realm="x"\r\n\r\n', "PROXY_407"],
  ["502 with a body", "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\noops", "PROXY_502"],
  ["a status that isn't one", "HTTP/1.1 999 What\r\n\r\n", "PROXY_999"],
  ["a status of 0", "HTTP/1.1 000 What\r\n\r\n", "PROXY_NOT_HTTP"],
  ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n", "PROXY_NOT_HTTP"],
  ["a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", "PROXY_NOT_HTTP"],
  ["another version", "HTTP/2.0 200 OK\r\n\r\n", "PROXY_NOT_HTTP"],
  ["another protocol", "220 mail.example ESMTP\r\n", "PROXY_NOT_HTTP"],
  ["another protocol, cut", "SSH", "PROXY_NOT_HTTP"],
  ["TLS", "\u0015\u0003\u0001", "PROXY_NOT_HTTP"],
  ["a line before it", `\r\n${OK}`, "PROXY_NOT_HTTP"],
  ["nothing of use behind an interim response", `${INTERIM}oops`, "PROXY_NOT_HTTP"],
  ["lines that end in LF alone", "HTTP/1.1 200 OK\n\n", "more"],
  ["as much as it may say", `${LONGEST}x`, "tunnel x"],
  ["a byte too many", LONGEST.replace("X:", "X: "), "PROXY_TOO_LONG"],
  ["interim responses without an end", INTERIM.repeat(3000), "PROXY_TOO_LONG"],
  ["headers without an end", `HTTP/1.1 200 OK\r\n${"X: x\r\n".repeat(20_000)}`, "PROXY_TOO_LONG"]
]

describe("a proxy's answer", () => {
  for (const [name, answer, becomes] of CASES) {
    it(`${name}: ${becomes.split(" ")[0]}, however it is cut`, () => {
      const bytes = Buffer.from(answer, "latin1")
      for (const sizes of [[bytes.length], [1], [2, 3], [1400]]) assert.strictEqual(read(cut(bytes, sizes)), becomes)
    })
  }

  it.effect.prop(
    "loses no byte of the tunnel and takes none for it, however it is cut",
    { sizes: list(int(1, 60), 1, 9), bytes: list(int(0, 255), 0, 50) },
    ({ bytes, sizes }) =>
      Effect.sync(() => {
        const rest = Buffer.from(bytes)
        const all = Buffer.concat([Buffer.from(`${INTERIM}${OK}`), rest])
        assert.strictEqual(read(cut(all, sizes)), `tunnel ${rest.toString("latin1")}`)
      }),
    { arbitrary: { runs: 100 } }
  )

  it("is refused with the first byte that can be no answer's", () => {
    for (let at = 0; at < 12; at++) {
      const wrong = `${OK.slice(0, at)}~`
      assert.strictEqual(read(cut(Buffer.from(wrong), [1])), "PROXY_NOT_HTTP", wrong)
      assert.strictEqual(read([Buffer.from(OK.slice(0, at))]), "more")
    }
  })
})
