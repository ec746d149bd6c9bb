/**
 * Requests hidden in what two readers of one connection may read in two ways:
 * the forms are those of RFC 9112 (sections 2.2, 5.1, 5.2, 6.1, 6.3, 7.1, 11.2),
 * of llhttp's own tests and of the public collections of such cases.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { PluginHost } from "mooring"
import * as Net from "node:net"
import { plugin, refOf } from "../support/plugins.ts"
import { ACTING, served, where } from "./support/api.ts"
import * as Raw from "./support/raw.ts"

const pkg = plugin({})
const REF = encodeURIComponent(refOf(pkg))

/** What must not be read as a request. */
const HIDDEN = `${[`POST /plugins/${REF}/stop HTTP/1.1`, ...ACTING].join("\r\n")}\r\n\r\n`
const SIZE = Buffer.byteLength(HIDDEN)
const HEX = SIZE.toString(16)

const post = (headers: ReadonlyArray<string>, body: string) =>
  `${["POST /healthz HTTP/1.1", "Host: localhost", ...headers].join("\r\n")}\r\n\r\n${body}`

const CHUNKED = `${HEX}\r\n${HIDDEN}\r\n0\r\n\r\n`

/** In each the hidden request stands in a body, or in what no reader may go on behind. */
const cases: Readonly<Record<string, string>> = {
  "a body by its length": post([`Content-Length: ${SIZE}`], HIDDEN),
  "a body of GET": `GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${SIZE}\r\n\r\n${HIDDEN}`,
  "a body in chunks": post(["Transfer-Encoding: chunked"], CHUNKED),
  "a length and chunks": post(["Content-Length: 4", "Transfer-Encoding: chunked"], CHUNKED),
  "chunks and a length": post([`Content-Length: ${SIZE + 5}`, "Transfer-Encoding: chunked"], `0\r\n\r\n${HIDDEN}`),
  "two lengths": post(["Content-Length: 0", `Content-Length: ${SIZE}`], HIDDEN),
  "two lengths, the other way": post([`Content-Length: ${SIZE}`, "Content-Length: 0"], HIDDEN),
  "two lengths in one": post([`Content-Length: 0, ${SIZE}`], HIDDEN),
  "a signed length": post([`Content-Length: +0`], HIDDEN),
  "a negative length": post([`Content-Length: -1`], HIDDEN),
  "a hexadecimal length": post([`Content-Length: 0x0`], HIDDEN),
  "a length beyond numbers": post([`Content-Length: 18446744073709551616`], HIDDEN),
  "an empty length": post(["Content-Length: "], HIDDEN),
  "a space before the colon": post(["Content-Length : 0", `Content-Length: ${SIZE}`], HIDDEN),
  "a tab before the colon": post(["Transfer-Encoding\t: chunked"], `0\r\n\r\n${HIDDEN}`),
  "a space before the name": post([" Transfer-Encoding: chunked"], `0\r\n\r\n${HIDDEN}`),
  "a folded line": post(["X-Note: a\r\n Content-Length: 0", `Content-Length: ${SIZE}`], HIDDEN),
  "a folded value": post(["Transfer-Encoding:\r\n chunked"], `0\r\n\r\n${HIDDEN}`),
  "another coding": post(["Transfer-Encoding: xchunked"], `0\r\n\r\n${HIDDEN}`),
  "a coding behind chunked": post(["Transfer-Encoding: chunked, identity"], `0\r\n\r\n${HIDDEN}`),
  "chunked twice": post(["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], `0\r\n\r\n${HIDDEN}`),
  "a vertical tab": post(["Transfer-Encoding: \x0bchunked"], `0\r\n\r\n${HIDDEN}`),
  "a null byte in a value": post(["Transfer-Encoding: chunked\0"], `0\r\n\r\n${HIDDEN}`),
  "a null byte in a name": post(["Transfer-Enc\0oding: chunked"], `0\r\n\r\n${HIDDEN}`),
  "a bare LF between headers": `POST /healthz HTTP/1.1\r\nHost: localhost\nContent-Length: 0\r\n\r\n${HIDDEN}`,
  "a bare LF behind the head": `POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${SIZE}\n\n${HIDDEN}`,
  "a bare CR in a header": post([`X-Note: a\rContent-Length: 0`, `Content-Length: ${SIZE}`], HIDDEN),
  "a bare CR behind the line": `POST /healthz HTTP/1.1\rHost: localhost\r\n\r\n${HIDDEN}`,
  "a size with a sign": post(["Transfer-Encoding: chunked"], `+0\r\n\r\n${HIDDEN}`),
  "a size as 0x": post(["Transfer-Encoding: chunked"], `0x0\r\n\r\n${HIDDEN}`),
  "a size behind a space": post(["Transfer-Encoding: chunked"], ` 0\r\n\r\n${HIDDEN}`),
  "a size beyond numbers": post(["Transfer-Encoding: chunked"], `10000000000000000\r\n\r\n${HIDDEN}`),
  "a size before a bare LF": post(["Transfer-Encoding: chunked"], `0\n\n${HIDDEN}`),
  "an extension with a bare LF": post(["Transfer-Encoding: chunked"], `${HEX};a\nb\r\n${HIDDEN}\r\n0\r\n\r\n`),
  "an extension with a bare CR": post(["Transfer-Encoding: chunked"], `${HEX};a\rb\r\n${HIDDEN}\r\n0\r\n\r\n`),
  extensions: post(["Transfer-Encoding: chunked"], `${HEX};a=b;c="d"\r\n${HIDDEN}\r\n0\r\n\r\n`),
  "a long extension": post(["Transfer-Encoding: chunked"], `${HEX};${"a".repeat(20_000)}\r\n${HIDDEN}\r\n0\r\n\r\n`),
  "no line end behind a chunk": post(["Transfer-Encoding: chunked"], `1\r\nab0\r\n\r\n${HIDDEN}`),
  "a bare LF behind a chunk": post(["Transfer-Encoding: chunked"], `1\r\na\n0\r\n\r\n${HIDDEN}`),
  "trailers that frame": post(
    ["Transfer-Encoding: chunked"],
    `${HEX}\r\n${HIDDEN}\r\n0\r\nContent-Length: 0\r\nHost: evil.example\r\n\r\n`
  ),
  "a version before chunks": `POST /healthz HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${HIDDEN}`,
  "a version that isn't": `POST /healthz HTTP/1.2\r\nHost: localhost\r\n\r\n${HIDDEN}`,
  "no version": `POST /healthz\r\n\r\n${HIDDEN}`,
  "another protocol": `POST /healthz RTSP/1.0\r\nHost: localhost\r\n\r\n${HIDDEN}`,
  "HTTP/2 by prior knowledge": `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${HIDDEN}`,
  "an upgrade to HTTP/2": post(
    ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk", `Content-Length: ${SIZE}`],
    HIDDEN
  ),
  "a tunnel": `CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n${HIDDEN}`,
  "a line end in the target": `GET /healthz\rX HTTP/1.1\r\nHost: localhost\r\n\r\n${HIDDEN}`,
  "a space in the target": `GET /healthz x HTTP/1.1\r\nHost: localhost\r\n\r\n${HIDDEN}`,
  "a head without end": `POST /healthz HTTP/1.1\r\nHost: localhost\r\n${"X-Note: a\r\n".repeat(4000)}\r\n${HIDDEN}`
}

describe("a request hidden in another", () => {
  it.live("is a request where it stands by itself: it stops the plugin", () =>
    Effect.gen(function* () {
      const text = `GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n${HIDDEN.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")}`
      assert.deepStrictEqual(Raw.statusesIn(yield* Raw.exchange(yield* where, text)), [200, 202])
      const host = yield* PluginHost.PluginHost
      yield* host.stopped(refOf(pkg))
    }).pipe(Effect.provide(served({ plugins: [pkg] })))
  )

  it.live.each(Object.entries(cases))("%s", ([, text]) =>
    Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      const answers = Raw.statusesIn(yield* Raw.untilAnswered(yield* where, text))
      assert.notInclude(answers, 202)
      // Behind an early answer there is at most one that ends the connection.
      assert.deepStrictEqual(answers.slice(1), answers.length > 1 ? [400] : [])
      yield* host.idle
      assert.strictEqual((yield* host.plugin(refOf(pkg))).lifecycle, "running")
    }).pipe(Effect.provide(served({ plugins: [pkg] })))
  )

  it.live("what can't be read behind an answer under way ends it, and nothing stands in it", () =>
    Effect.gen(function* () {
      const to = yield* where
      const came = yield* Effect.callback<string>((resume) => {
        let text = ""
        const socket = Net.connect(to)
        socket.setEncoding("latin1")
        socket.once("data", () => socket.write("\0\r\n\r\n"))
        socket.on("data", (chunk: string) => (text += chunk))
        socket.on("error", () => {})
        socket.on("close", () => resume(Effect.succeed(text)))
        socket.write("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return Effect.sync(() => socket.destroy())
      })
      assert.deepStrictEqual(Raw.statusesIn(came), [200])
    }).pipe(Effect.provide(served({ plugins: [pkg] })))
  )
})
