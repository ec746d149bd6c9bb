/** Whatever a server says to a request: there is one end to it, of its own kind, and nothing is left of it. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { RequestClient } from "mooring"
import type * as Net from "node:net"
import * as Servers from "../support/servers.ts"
import { client, response, serving, textOf, whole } from "./support/requesting.ts"

type End = RequestClient.Response | RequestClient.Failure

/** What is wrong with an end in a few words, or what was answered. */
const short = (end: End): string => {
  if (!("_tag" in end)) return `${end.status} ${JSON.stringify(textOf(end))}`
  switch (end._tag) {
    case "RequestFailed":
      return `failed ${end.phase} ${end.code}`
    case "RequestTimeout":
      return `timeout ${end.phase}`
    default:
      return end._tag
  }
}

/** How a GET ends that a server answers like that, which then ends the connection or lets it be. */
const endOf = (
  answer: (socket: Net.Socket) => void,
  settings: { readonly method?: string; readonly deadlineMs?: number; readonly maxBytes?: number } = {}
): Effect.Effect<string, never, Scope.Scope> =>
  Effect.gen(function* () {
    const server = yield* serving(({ nth, socket }) => (nth === 1 ? answer(socket) : socket.write(whole("next"))))
    const { send } = yield* client()
    let sent = 0
    const ends = Effect.match(send(server.http, { ...settings, onSent: () => sent++ }), {
      onFailure: (failure): End => failure,
      onSuccess: (answered): End => answered
    })
    const end = yield* ends
    assert.strictEqual(sent, 1)
    if ("_tag" in end && "sent" in end) assert.isTrue(end.sent)
    yield* Servers.closed(server.sockets)
    // Nothing of it is in the way of the next one.
    assert.strictEqual(textOf(yield* Effect.orDie(send(server.http))), "next")
    return short(end)
  })

const ending = (bytes: string | Buffer) => (socket: Net.Socket) => void socket.end(bytes, "latin1")
const lines = (...all: ReadonlyArray<string>) => all.join("\r\n")

const OK = "HTTP/1.1 200 OK"
const CHUNKED = lines(OK, "transfer-encoding: chunked", "", "")

const NOT_HTTP = "failed headers NOT_HTTP"
const BROKEN = "failed body NOT_HTTP"

// Most of these are from the tests of llhttp, as they were in 2026: response/{invalid,content-length,transfer-encoding}.md.
const TABLE: ReadonlyArray<readonly [name: string, bytes: string, end: string]> = [
  ["nothing", "", "failed headers ECONNRESET"],
  ["another protocol", lines("HTP/1.1 200 OK", "", ""), NOT_HTTP],
  ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", NOT_HTTP],
  ["an alert of TLS", Buffer.from("15030100020228", "hex").toString("latin1"), NOT_HTTP],
  ["an extra digit in the major version", lines("HTTP/01.1 200 OK", "", ""), NOT_HTTP],
  ["an extra digit in the minor version", lines("HTTP/1.01 200 OK", "", ""), NOT_HTTP],
  ["a version that there isn't", lines("HTTP/5.6 200 OK", "", ""), NOT_HTTP],
  ["a tab after the version", lines("HTTP/1.1\t200 OK", "", ""), NOT_HTTP],
  ["two spaces before the status", lines("HTTP/1.1  200 OK", "", ""), NOT_HTTP],
  ["a status of one digit", lines("HTTP/1.1 2 OK", "", ""), NOT_HTTP],
  ["a status of 000", lines("HTTP/1.1 000 Odd", "content-length: 0", "", ""), NOT_HTTP],
  ["a status that nobody knows", lines("HTTP/1.1 999 Odd", "content-length: 0", "", ""), '999 ""'],
  ["a space before the first header", lines(OK, " Host: foo", "", ""), NOT_HTTP],
  ["line feeds only", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", NOT_HTTP],
  ["a carriage return in a header", lines(OK, "Foo: 1\rBar: 2", "", ""), NOT_HTTP],
  ["a zero byte in a header", lines(OK, "Foo: 1\0", "", ""), NOT_HTTP],
  ["one header of 20 KB", lines(OK, `a: ${"x".repeat(20_000)}`, "", ""), "failed headers HEADERS_TOO_LARGE"],
  [
    "2,000 headers",
    lines(OK, ...Array.from({ length: 2000 }, (_, nth) => `a${nth}: xxxxx`), "", ""),
    "failed headers HEADERS_TOO_LARGE"
  ],

  ["a body up to the end", lines(OK, "", "hello"), '200 "hello"'],
  ["a body of HTTP/1.0", lines("HTTP/1.0 200 OK", "", "hello"), '200 "hello"'],
  ["a body with more bytes than it says", lines(OK, "content-length: 4", "", "hello"), '200 "hell"'],
  ["a body with fewer bytes than it says", lines(OK, "content-length: 6", "", "hello"), "failed body ECONNRESET"],
  [
    "a last body with fewer bytes than it says",
    lines(OK, "connection: close", "content-length: 6", "", "hello"),
    "failed body LENGTH_MISMATCH"
  ],
  ["two lengths", lines(OK, "content-length: 5", "content-length: 6", "", "hello!"), NOT_HTTP],
  ["a negative length", lines(OK, "content-length: -1", "", "hello"), NOT_HTTP],
  ["a length that no number holds", lines(OK, `content-length: ${"9".repeat(30)}`, "", "hello"), NOT_HTTP],
  ["a length with a letter", lines(OK, "content-length: 5x", "", "hello"), NOT_HTTP],
  [
    "a length beside chunks",
    lines(OK, "content-length: 5", "transfer-encoding: chunked", "", "5", "hello", "0", "", ""),
    NOT_HTTP
  ],

  ["chunks", `${CHUNKED}2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n`, '200 "hello"'],
  ["chunks with extensions", `${CHUNKED}5;a=b;c="d;e"\r\nhello\r\n0\r\n\r\n`, '200 "hello"'],
  ["chunks with trailers", `${CHUNKED}5\r\nhello\r\n0\r\nx-a: b\r\n\r\n`, '200 "hello"'],
  [
    "a coding of the transfer that isn't chunked",
    lines(OK, "transfer-encoding: chunkedchunked", "", "hello"),
    '200 "hello"'
  ],
  ["a space after a chunk's size", `${CHUNKED}5  \r\nhello\r\n0\r\n\r\n`, BROKEN],
  ["a negative chunk", `${CHUNKED}-5\r\nhello\r\n0\r\n\r\n`, BROKEN],
  ["a chunk's size with 0x", `${CHUNKED}0x5\r\nhello\r\n0\r\n\r\n`, BROKEN],
  ["a chunk's size that no number holds", `${CHUNKED}fffffffffffffffff\r\nhello\r\n0\r\n\r\n`, BROKEN],
  ["no line end after a chunk", `${CHUNKED}5\r\nhello0\r\n\r\n`, BROKEN],
  ["line feeds only around chunks", `${CHUNKED}5\nhello\n0\n\n`, BROKEN],
  ["an empty chunk's size", `${CHUNKED}\r\nhello\r\n0\r\n\r\n`, BROKEN],
  ["an extension without a semicolon", `${CHUNKED}2 erf\r\naa\r\n0\r\n\r\n`, BROKEN],
  ["no extension after a semicolon", `${CHUNKED}2;\r\naa\r\n0\r\n\r\n`, BROKEN],
  ["an open quote in an extension", `${CHUNKED}5;a="b; c\r\nhello\r\n0\r\n\r\n`, BROKEN],
  ["no last chunk", `${CHUNKED}5\r\nhello\r\n`, "failed body ECONNRESET"],
  ["half a chunk", `${CHUNKED}5\r\nhel`, "failed body ECONNRESET"],

  ["two answers", `${whole("one").toString()}${whole("two").toString()}`, '200 "one"'],
  ["an answer and more", `${whole("one").toString()}junk`, '200 "one"'],
  ["100", `${lines("HTTP/1.1 100 Continue", "", "")}${whole("hello").toString()}`, '200 "hello"'],
  [
    "several 1xx",
    lines("HTTP/1.1 102 Processing", "", "HTTP/1.1 103 Early Hints", "link: a", "", OK, "content-length: 2", "", "he"),
    '200 "he"'
  ],
  ["a 1xx of line feeds", `HTTP/1.1 100 Continue\n\n${whole("hello").toString()}`, '200 "hello"'],
  ["1xx only", lines("HTTP/1.1 100 Continue", "", ""), "failed headers ECONNRESET"],
  ["100 KB of 1xx", "HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n".repeat(3000), "failed headers HEADERS_TOO_LARGE"],
  ["101", lines("HTTP/1.1 101 Switching Protocols", "", ""), "failed headers UNASKED_UPGRADE"],
  [
    "101 with an upgrade",
    lines("HTTP/1.1 101 Switching Protocols", "connection: upgrade", "upgrade: websocket", "", ""),
    "failed headers UNASKED_UPGRADE"
  ],
  ["101 after 100", lines("HTTP/1.1 100 Continue", "", "HTTP/1.1 101 Odd", "", ""), "failed headers UNASKED_UPGRADE"],
  [
    "an upgrade that it offers",
    lines(OK, "connection: upgrade", "upgrade: h2c", "content-length: 5", "", "hello"),
    '200 "hello"'
  ],
  ["204", lines("HTTP/1.1 204 No Content", "", ""), '204 ""'],
  ["204 with a body", lines("HTTP/1.1 204 No Content", "content-length: 5", "", "hello"), '204 ""'],
  ["304 of a length", lines("HTTP/1.1 304 Not Modified", "content-length: 5", "", ""), '304 ""']
]

describe("a request that is answered with", () => {
  for (const [name, bytes, end] of TABLE) {
    it.live(`${name} ends so: ${end}`, () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* endOf(ending(bytes)), end)
      })
    )
  }
})

it.live("an answer is the same however it is cut into pieces", () =>
  Effect.gen(function* () {
    const bytes = Buffer.concat([
      Buffer.from("HTTP/1.1 100 Continue\r\na: b\r\n\r\nHTTP/1.1 103 \r\n\r\n"),
      Buffer.from(`${CHUNKED}5\r\nhello\r\n0\r\n\r\n`)
    ])
    const server = yield* serving(({ nth, socket }) => {
      socket.setNoDelay()
      const rest = bytes.subarray(nth)
      socket.write(bytes.subarray(0, nth))
      setImmediate(() => setImmediate(() => socket.write(rest)))
    })
    const { send } = yield* client()
    for (let nth = 1; nth < bytes.length; nth++) {
      const answer = yield* send(server.http, { method: "POST" })
      assert.strictEqual(`${nth} ${textOf(answer)}`, `${nth} hello`)
    }
  })
)

/** What goes on and on, until the socket ends. */
const forever = (socket: Net.Socket, everyMs: number, next: () => string | Buffer) => {
  const timer = setInterval(() => socket.write(next()), everyMs)
  socket.on("close", () => clearInterval(timer))
}

describe("a deadline ends a request to a server that", () => {
  for (const [name, answer, phase] of [
    ["never answers", () => {}, "headers"],
    ["drips its headers", (socket) => (socket.write(`${OK}\r\n`), forever(socket, 5, () => "a: b\r\n")), "headers"],
    ["drips one header", (socket) => (socket.write(`${OK}\r\na:`), forever(socket, 5, () => "b")), "headers"],
    ["drips 1xx", (socket) => forever(socket, 5, () => "HTTP/1.1 103 \r\n\r\n"), "headers"],
    ["drips its body", (socket) => (socket.write(CHUNKED), forever(socket, 5, () => "1\r\na\r\n")), "body"],
    [
      "drips a body that has no end",
      (socket) => (socket.write(lines(OK, "", "")), forever(socket, 5, () => "a")),
      "body"
    ],
    [
      "drips an empty gzip",
      (socket) => (socket.write(lines(OK, "content-encoding: gzip", "", "")), forever(socket, 5, () => "\0")),
      "body"
    ],
    ["stops in the middle of a body", (socket) => socket.write(lines(OK, "content-length: 9", "", "he")), "body"],
    ["stops in the middle of a chunk", (socket) => socket.write(`${CHUNKED}9\r\nhe`), "body"]
  ] as ReadonlyArray<readonly [string, (socket: Net.Socket) => unknown, string]>) {
    it.live(`${name}, and its connection`, () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* endOf((socket) => void answer(socket), { deadlineMs: 150 }), `timeout ${phase}`)
      })
    )
  }

  it.live("takes nothing of a request: its connection ends, and it says so", () =>
    Effect.gen(function* () {
      const server = yield* Servers.tcp((socket) => setImmediate(() => socket.pause()))
      const { send } = yield* client()
      const big = Buffer.alloc(16 * 1024 * 1024)
      const url = `http://127.0.0.1:${server.port}/`
      const failure = yield* Effect.flip(send(url, { method: "POST", body: big, deadlineMs: 150 }))
      assert.deepInclude(failure, { _tag: "RequestTimeout", phase: "request", sent: true })
    })
  )

  it.live("is silent when TLS is to be agreed on: nothing was sent", () =>
    Effect.gen(function* () {
      const server = yield* Servers.tcp(() => {})
      const { send } = yield* client()
      let sent = 0
      const asks = send(`https://127.0.0.1:${server.port}/`, { deadlineMs: 150, onSent: () => sent++ })
      assert.deepInclude(yield* Effect.flip(asks), { _tag: "RequestTimeout", phase: "tls", sent: false })
      assert.strictEqual(sent, 0)
      yield* Servers.closed(server.sockets)
    })
  )
})

describe("a body of more bytes than it may have", () => {
  const MiB = 1024 * 1024
  const piece = Buffer.alloc(65_536, "a")
  /** Writes for as long as somebody reads, and counts. */
  const flooding = (head: string, framed: (bytes: Buffer) => Buffer) =>
    Effect.map(
      serving(({ socket }) => {
        socket.write(head)
        const bytes = framed(piece)
        const more = () => {
          while (!socket.destroyed && socket.write(bytes));
        }
        socket.on("drain", more)
        more()
      }),
      (server) => ({ ...server, written: () => server.sockets.reduce((sum, socket) => sum + socket.bytesWritten, 0) })
    )

  for (const [name, head, framed] of [
    ["of 10 GiB", lines(OK, `content-length: ${10 * 1024 * MiB}`, "", ""), (bytes: Buffer) => bytes],
    ["without an end", lines(OK, "", ""), (bytes: Buffer) => bytes],
    ["in chunks", CHUNKED, (bytes: Buffer) => Buffer.concat([Buffer.from("10000\r\n"), bytes, Buffer.from("\r\n")])],
    ["of an encoded one", lines(OK, "content-encoding: br", "", ""), (bytes: Buffer) => bytes]
  ] as const) {
    it.live(`${name} is read no further than that`, () =>
      Effect.gen(function* () {
        const server = yield* flooding(`${head.slice(0, -2)}x-y: z\r\n\r\n`, framed)
        const { send } = yield* client()
        const failure = yield* Effect.flip(send(server.http, { maxBytes: 100_000 }))
        assert.deepInclude(failure, { _tag: "ResponseTooLarge", status: 200, limit: 100_000, sent: true })
        if (failure._tag === "ResponseTooLarge") assert.deepInclude(failure.headers, ["x-y", "z"])
        yield* Servers.closed(server.sockets)
        // What the kernel takes is beside that.
        assert.isBelow(server.written(), 16 * MiB)
      })
    )
  }

  for (const over of [0, 1]) {
    it.live(over === 0 ? "is none at its bound" : "is told one byte above it", () =>
      Effect.gen(function* () {
        const body = "x".repeat(1000 + over)
        for (const bytes of [whole(body), response("200 OK", [], body)]) {
          const end = yield* endOf((socket) => void socket.end(bytes), { maxBytes: 1000 })
          assert.strictEqual(end, over === 0 ? `200 "${body}"` : "ResponseTooLarge")
        }
      })
    )
  }

  it.live("is not there at all where nothing may come", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* endOf(ending(whole("")), { maxBytes: 0 }), '200 ""')
      assert.strictEqual(yield* endOf(ending(whole("x")), { maxBytes: 0 }), "ResponseTooLarge")
      assert.strictEqual(
        yield* endOf(ending(lines(OK, "content-length: 9", "", "")), { method: "HEAD", maxBytes: 0 }),
        '200 ""'
      )
    })
  )
})

describe("an interruption", () => {
  for (const [name, answer] of [
    ["before the answer", () => {}],
    ["within its headers", (socket) => void socket.write(`${OK}\r\na: b`)],
    ["within its body", (socket) => void socket.write(lines(OK, "content-length: 9", "", "he"))]
  ] as ReadonlyArray<readonly [string, (socket: Net.Socket) => void]>) {
    it.live(`${name} ends the connection, as the server sees`, () =>
      Effect.gen(function* () {
        const asked = yield* Deferred.make<void>()
        const server = yield* serving(({ socket }) => {
          answer(socket)
          Deferred.doneUnsafe(asked, Exit.void)
        })
        const { send } = yield* client()
        const fiber = yield* Effect.forkChild(send(server.http))
        yield* Deferred.await(asked)
        yield* Fiber.interrupt(fiber)
        yield* Servers.closed(server.sockets)
      })
    )
  }

  it.live("by the end of the client's scope ends what is under way, and what waits", () =>
    Effect.gen(function* () {
      const server = yield* serving(({ nth, socket }) => nth === 1 && socket.write(whole("x")))
      const { close, send } = yield* client()
      yield* send(server.http)
      yield* close
      yield* Servers.closed(server.sockets)
    })
  )
})
