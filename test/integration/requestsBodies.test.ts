/** Encoded bodies whatever the status, and answers that end after each of their bytes. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Net from "node:net"
import * as Zlib from "node:zlib"
import { client, response, serving, textOf, whole } from "./support/requesting.ts"

const TEXT = JSON.stringify({ message: "a text that says the same, a text that says the same" })

const ENCODERS = [
  ["gzip", Zlib.gzipSync],
  ["x-gzip", Zlib.gzipSync],
  ["deflate", Zlib.deflateSync],
  ["deflate", Zlib.deflateRawSync],
  ["br", Zlib.brotliCompressSync],
  ["zstd", Zlib.zstdCompressSync]
] as const

const CHUNKED = "transfer-encoding: chunked"

const chunked = (body: Buffer) =>
  Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from("\r\n0\r\n\r\n")])

/** What a server answers one after the other, each over whichever connection it is asked. */
const inTurn = (answers: ReadonlyArray<Buffer>) => serving(({ nth, socket }) => socket.write(answers[nth - 1] ?? ""))

describe("a body is decoded", () => {
  for (const status of ["200 OK", "206 Partial", "404 Not Found", "429 Too Many Requests", "500 Oops"]) {
    it.live(`of ${status}, in each coding and framing`, () =>
      Effect.gen(function* () {
        const cases = ENCODERS.flatMap(([name, encode]) => {
          const body = encode(TEXT)
          const headers = [`Content-Encoding: ${name}`, "x-own: 1"]
          return [
            whole(body, status, ...headers),
            response(status, [CHUNKED, ...headers], chunked(body)),
            whole(encode(encode(TEXT)), status, `content-encoding: ${name}`, `content-encoding: ${name}`, "x-own: 1")
          ]
        })
        const server = yield* inTurn(cases)
        const { send } = yield* client()
        for (const _ of cases) {
          const answer = yield* send(server.http)
          assert.strictEqual(`${answer.status}`, status.slice(0, 3))
          assert.strictEqual(textOf(answer), TEXT)
          const left = answer.headers.filter(([name]) => name !== "transfer-encoding")
          assert.deepStrictEqual(left, [["x-own", "1"]])
        }
        assert.strictEqual(server.sockets.length, 1)
      })
    )
  }

  it.live("but not where there is none: to HEAD, of 204 and 304", () =>
    Effect.gen(function* () {
      const headers = ["content-encoding: gzip", "content-length: 25"]
      const answers = [response("200 OK", headers), response("204 None", headers), response("304 Same", headers)]
      const server = yield* inTurn(answers)
      const { send } = yield* client()
      for (const [method, status] of [
        ["HEAD", 200],
        ["GET", 204],
        ["GET", 304]
      ] as const) {
        const answer = yield* send(server.http, { method })
        assert.strictEqual(answer.status, status)
        assert.deepStrictEqual(answer.headers, [
          ["content-encoding", "gzip"],
          ["content-length", "25"]
        ])
        assert.strictEqual(answer.body.length, 0)
      }
    })
  )

  it.live("which takes nothing where its coding is the identity, or none is named", () =>
    Effect.gen(function* () {
      const cases = ["identity", "identity, identity", ""].flatMap((name) => [
        whole(Buffer.from(TEXT), "200 OK", `content-encoding: ${name}`, "x-own: 1"),
        response("200 OK", [CHUNKED, `content-encoding: ${name}`, "x-own: 1"], chunked(Buffer.from(TEXT)))
      ])
      const server = yield* inTurn(cases)
      const { send } = yield* client()
      for (const _ of cases) {
        const answer = yield* send(server.http)
        assert.strictEqual(textOf(answer), TEXT)
        const left = answer.headers.filter(([name]) => name !== "transfer-encoding")
        assert.deepStrictEqual(left, [["x-own", "1"]])
      }
    })
  )

  it.live("and is as it came where a coding is unknown", () =>
    Effect.gen(function* () {
      const body = Buffer.from("\0\xff", "latin1")
      const server = yield* inTurn([whole(body, "200 OK", "content-encoding: compress, gzip")])
      const { send } = yield* client()
      const answer = yield* send(server.http)
      assert.deepStrictEqual(Buffer.from(answer.body), body)
      assert.deepStrictEqual(answer.headers, [
        ["content-length", "2"],
        ["content-encoding", "compress, gzip"]
      ])
    })
  )

  for (const [name, headers, body, code] of [
    ["is none of its coding", ["content-encoding: gzip"], "no gzip", "Z_DATA_ERROR"],
    ["is cut", ["content-encoding: br"], Zlib.brotliCompressSync(TEXT).subarray(0, -1), "Z_BUF_ERROR"],
    ["has six codings", ["content-encoding: br,br,br,br,br,br"], "x", "TOO_MANY_CODINGS"]
  ] as const) {
    for (const status of ["200 OK", "500 Oops"]) {
      it.live(`and where it ${name} there is no answer: ${status}`, () =>
        Effect.gen(function* () {
          const server = yield* inTurn([whole(Buffer.from(body), status, ...headers), whole("next")])
          const { send } = yield* client()
          const failure = yield* Effect.flip(send(server.http))
          assert.deepInclude(failure, { _tag: "RequestFailed", phase: "body", code, sent: true })
          assert.strictEqual(textOf(yield* send(server.http)), "next")
        })
      )
    }
  }

  it.live("as far as it may be: a bomb is too large, for twenty at once", () =>
    Effect.gen(function* () {
      const bomb = Zlib.gzipSync(Buffer.alloc(200 * 1024 * 1024), { level: 9 })
      const server = yield* serving(({ socket }) => socket.write(whole(bomb, "200 OK", "content-encoding: gzip")))
      const { send } = yield* client()
      const failures = yield* Effect.all(
        Array.from({ length: 20 }, () => Effect.flip(send(server.http))),
        { concurrency: "unbounded" }
      )
      for (const failure of failures) assert.deepInclude(failure, { _tag: "ResponseTooLarge", limit: 262_144 })
    })
  )
})

const LONG = process.env["MOORING_FAULTS"] === "long"

/** After which bytes an answer ends: each of its headers, its first and last ones, and some between; in the long form each. */
const steps = (length: number): ReadonlyArray<number> =>
  Array.from({ length }, (_, at) => at).filter((at) => LONG || at < 120 || at > length - 20 || at % 5003 === 0)

const BODY = Buffer.alloc(65_536, "0123456789abcdef")
// As random as what doesn't get shorter.
const NOISE = Buffer.from(Array.from({ length: 65_536 }, (_, at) => (at * 7919 + ((at * at) >> 5)) & 0xff))

const ANSWERS: ReadonlyArray<readonly [name: string, bytes: Buffer, body: Buffer]> = [
  ["of a length", whole(BODY, "200 OK", "a: b"), BODY],
  ["in chunks", response("200 OK", [CHUNKED], chunked(BODY)), BODY],
  ["the last one", whole(BODY, "200 OK", "connection: close"), BODY],
  ["after a 103", Buffer.concat([Buffer.from("HTTP/1.1 103 Early\r\nlink: a\r\n\r\n"), whole(BODY)]), BODY],
  ["that is encoded", whole(Zlib.gzipSync(NOISE), "200 OK", "content-encoding: gzip"), NOISE]
]

const ENDS: ReadonlyArray<readonly [name: string, end: (socket: Net.Socket) => void]> = [
  ["ends", (socket) => void socket.end()],
  ["is reset", (socket) => void socket.resetAndDestroy()]
]

describe("a connection that", () => {
  for (const [how, end] of ENDS) {
    for (const [name, bytes, body] of ANSWERS) {
      it.live(
        `${how} after each byte of an answer ${name} is one failure, never half an answer`,
        () =>
          Effect.gen(function* () {
            const places = steps(bytes.length)
            const server = yield* serving(({ nth, socket }) => {
              const place = places[nth - 1]
              if (place === undefined) socket.write(bytes)
              else socket.write(bytes.subarray(0, place), () => end(socket))
            })
            const { send } = yield* client()
            for (const place of places) {
              const exit = yield* Effect.exit(send(server.http, { method: "POST" }))
              assert.isTrue(Exit.isFailure(exit), `an answer after ${place} bytes`)
              const failure = Exit.isFailure(exit) ? yield* Effect.flip(exit) : undefined
              assert.deepInclude(failure, { _tag: "RequestFailed", sent: true })
              if (failure?._tag !== "RequestFailed") continue
              assert.include(["headers", "body"], failure.phase)
              assert.include(["ECONNRESET", "LENGTH_MISMATCH", "EPIPE"], failure.code)
            }
            assert.deepStrictEqual(Buffer.from((yield* send(server.http, { method: "POST" })).body), body)
          }),
        LONG ? 1_200_000 : 30_000
      )
    }

    it.live(`${how} after a body without a length is ${how === "ends" ? "its end" : "a failure"}`, () =>
      Effect.gen(function* () {
        const server = yield* serving(({ socket }) => {
          socket.write("HTTP/1.1 200 OK\r\n\r\nhello", () => setImmediate(() => end(socket)))
        })
        const { send } = yield* client()
        const exit = yield* Effect.exit(send(server.http))
        if (how === "ends") assert.strictEqual(Exit.isSuccess(exit) ? textOf(exit.value) : "", "hello")
        else {
          const failure = Exit.isFailure(exit) ? yield* Effect.flip(exit) : undefined
          assert.deepInclude(failure, { _tag: "RequestFailed", phase: "body", code: "ECONNRESET", sent: true })
        }
      })
    )
  }
})
