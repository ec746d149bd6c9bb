import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { VERSION } from "../../src/internal/version.ts"
import { client, serving, textOf, whole, type Read } from "./support/requesting.ts"

/** All that a server was asked. */
const recording = (answer: (read: Read) => Buffer) =>
  Effect.gen(function* () {
    const reads: Array<Read> = []
    const server = yield* serving((read) => {
      reads.push(read)
      read.socket.write(answer(read))
    })
    return { ...server, reads }
  })

describe("a request", () => {
  it.live("is written as it is given, with what the client adds, and its answer comes with all headers", () =>
    Effect.gen(function* () {
      const server = yield* recording(() =>
        whole("né", "200 Fine", "X-One: 1", "set-cookie: a=b", "Set-Cookie: c=d", "x-latin:  \xe9 ", "x-empty:")
      )
      const { send } = yield* client()
      let sent = 0
      const answer = yield* send(`${server.http}v1/a%20b?q=%7B1%7D&q`, {
        method: "PATCH",
        headers: [
          ["X-Own", "a\tb\xe9"],
          ["content-type", "text/plain"]
        ],
        body: Buffer.from("né"),
        onSent: () => sent++
      })
      const [read] = server.reads
      assert.deepStrictEqual(read?.head.split("\r\n"), [
        "PATCH /v1/a%20b?q=%7B1%7D&q HTTP/1.1",
        `host: 127.0.0.1:${server.port}`,
        "connection: keep-alive",
        "accept-encoding: gzip, deflate, br, zstd",
        `user-agent: mooring/${VERSION}`,
        "X-Own: a\tb\xe9",
        "content-type: text/plain",
        "content-length: 3"
      ])
      assert.strictEqual(read?.body.toString(), "né")
      assert.strictEqual(sent, 1)
      assert.strictEqual(answer.status, 200)
      assert.strictEqual(textOf(answer), "né")
      assert.deepStrictEqual(answer.headers, [
        ["content-length", "3"],
        ["x-one", "1"],
        ["set-cookie", "a=b"],
        ["set-cookie", "c=d"],
        ["x-latin", "\xe9"],
        ["x-empty", ""]
      ])
    })
  )

  for (const [method, body, length] of [
    ["GET", null, undefined],
    ["GET", "x", "1"],
    ["HEAD", null, undefined],
    ["POST", null, "0"],
    ["POST", "", "0"],
    ["PUT", "x".repeat(65_536), "65536"],
    ["DELETE", "x", "1"],
    ["get", null, undefined],
    ["M-SEARCH", null, undefined]
  ] as const) {
    it.live(`of ${method} with ${body === null ? "no body" : `${body.length} bytes`} is written so, once`, () =>
      Effect.gen(function* () {
        const server = yield* recording(() => whole())
        const { send } = yield* client()
        const answer = yield* send(server.http, { method, body: body === null ? null : Buffer.from(body) })
        assert.strictEqual(answer.status, 200)
        assert.strictEqual(server.reads.length, 1)
        const [read] = server.reads
        assert.match(read?.head ?? "", new RegExp(`^${method} / HTTP/1\\.1\r\n`))
        assert.strictEqual(/^content-length: (\d+)$/im.exec(read?.head ?? "")?.[1], length)
        assert.strictEqual(read?.body.toString(), body ?? "")
        assert.notMatch(read?.head ?? "", /transfer-encoding|expect/i)
      })
    )
  }

  it.live("says who asks only where its headers don't", () =>
    Effect.gen(function* () {
      const server = yield* recording(() => whole())
      const { send } = yield* client()
      yield* send(server.http, { headers: [["User-Agent", "mine"]] })
      assert.match(server.reads[0]?.head ?? "", /^User-Agent: mine$/m)
      assert.notMatch(server.reads[0]?.head ?? "", /mooring/)
    })
  )

  for (const status of [301, 302, 303, 307, 308]) {
    it.live(`follows no redirect: ${status}`, () =>
      Effect.gen(function* () {
        const server = yield* recording(({ socket }) =>
          whole("", `${status} Elsewhere`, `location: http://127.0.0.1:${socket.localPort}/other`)
        )
        const { send } = yield* client()
        assert.strictEqual((yield* send(server.http)).status, status)
        assert.strictEqual(server.reads.length, 1)
      })
    )
  }

  it.live("to a name that ends with a dot is one to the name", () =>
    Effect.gen(function* () {
      const server = yield* recording(() => whole())
      const { send } = yield* client()
      for (const name of ["api.test", "API.test."]) {
        assert.strictEqual((yield* send(`http://${name}:${server.port}/`)).status, 200)
      }
      const hosts = server.reads.map(({ head }) => /^host: (.*)$/im.exec(head)?.[1])
      assert.deepStrictEqual(hosts, Array(2).fill(`api.test:${server.port}`))
    })
  )

  it.live("keeps no cookies", () =>
    Effect.gen(function* () {
      const server = yield* recording(() => whole("", "200 OK", "set-cookie: a=b; Path=/"))
      const { send } = yield* client()
      yield* send(server.http)
      yield* send(server.http)
      assert.notMatch(server.reads[1]?.head ?? "", /^cookie/im)
    })
  )

  it.live("whose headers can't be written is none", () =>
    Effect.gen(function* () {
      const server = yield* recording(() => whole())
      const { send } = yield* client()
      for (const [name, value] of [
        ["a b", "c"],
        ["a", "b\r\nc: d"],
        ["a", "☃"],
        ["expect", "100-continue"],
        ["transfer-encoding", "chunked"]
      ] as const) {
        const failure = yield* Effect.flip(send(server.http, { method: "POST", headers: [[name, value]] }))
        assert.deepInclude(failure, { _tag: "RequestFailed", phase: "request", code: "EINVAL", sent: false })
      }
      assert.strictEqual(server.reads.length, 0)
    })
  )
})

describe("connections", () => {
  it.live("serve one request after the other, and several at once beside each other", () =>
    Effect.gen(function* () {
      const server = yield* recording(() => whole("x"))
      const { send } = yield* client()
      for (let nth = 0; nth < 3; nth++) yield* send(server.http, { method: "POST" })
      assert.deepStrictEqual(
        server.reads.map(({ connection }) => connection),
        [1, 1, 1]
      )
      yield* Effect.all([send(server.http), send(server.http), send(server.http)], { concurrency: "unbounded" })
      assert.strictEqual(server.sockets.length, 3)
    })
  )
})
