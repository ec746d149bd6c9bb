/** Which connection a request goes over, and whose it is. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import type * as Net from "node:net"
import * as Servers from "../support/servers.ts"
import { client, serving, servingSecurely, whole, type Read } from "./support/requesting.ts"

const CA = Servers.tlsFiles.ca.toString()
const { client: shown } = Servers.tlsFiles
const CERTIFICATE = { cert: shown.cert.toString(), key: Redacted.make(shown.key.toString()) }

/** A server that answers all with its name, and over which of its connections each came. */
const recording = (...headers: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const reads: Array<Read> = []
    const server = yield* serving((read) => {
      reads.push(read)
      read.socket.write(whole("x", "200 OK", ...headers))
    })
    return { ...server, over: () => reads.map(({ connection }) => connection) }
  })

const POST = { method: "POST" }

describe("a connection", () => {
  it.live("serves one request after the other, whichever they are", () =>
    Effect.gen(function* () {
      const server = yield* recording()
      const { send } = yield* client()
      for (const path of ["", "v1", "v2?q"]) yield* send(`${server.http}${path}`, path === "v1" ? POST : {})
      assert.deepStrictEqual(server.over(), [1, 1, 1])
    })
  )

  it.live("serves one at a time", () =>
    Effect.gen(function* () {
      const server = yield* recording()
      const { send } = yield* client()
      yield* Effect.all([send(server.http), send(server.http), send(server.http)], { concurrency: "unbounded" })
      assert.strictEqual(server.sockets.length, 3)
      yield* Effect.all([send(server.http), send(server.http)], { concurrency: "unbounded" })
      assert.strictEqual(server.sockets.length, 3)
    })
  )

  for (const [name, one, other] of [
    ["owner", { owner: "project:a" }, { owner: "project:b" }],
    ["policy of addresses", { privateAddresses: true }, { privateAddresses: false }]
  ] as const) {
    it.live(`is never another's: ${name}`, () =>
      Effect.gen(function* () {
        const server = yield* recording()
        const { send } = yield* client()
        for (const settings of [one, other, one, other]) yield* send(server.http, settings)
        assert.deepStrictEqual(server.over(), [1, 2, 1, 2])
      })
    )
  }

  it.live("is never another's: a target that is granted otherwise", () =>
    Effect.gen(function* () {
      const server = yield* recording()
      const { send } = yield* client()
      // The granted target of the test lists the method, too.
      for (const method of ["GET", "PUT", "GET", "PUT"]) yield* send(server.http, { method })
      assert.deepStrictEqual(server.over(), [1, 2, 1, 2])
    })
  )

  it.live("is never another's: TLS settings, and a certificate that was replaced", () =>
    Effect.gen(function* () {
      const names: Array<string> = []
      const server = yield* servingSecurely((read) => read.socket.write(whole("x")), {
        SNICallback: (name, done) => {
          names.push(name)
          done(null)
        }
      })
      const { send } = yield* client()
      const url = `https://gateway.test:${server.port}/`
      const settings = [
        { ca: CA },
        { ca: `# the same, written otherwise\n${CA}` },
        { ca: CA, ...CERTIFICATE },
        { ca: CA, serverName: "gateway.test" }
      ]
      for (const tls of [...settings, ...settings]) yield* send(url, { tls })
      assert.deepStrictEqual(names, Array(4).fill("gateway.test"))
    })
  )

  for (const [name, headers] of [
    ["ends after this answer", ["connection: close"]],
    ["ends at once", ["keep-alive: timeout=1"]]
  ] as const) {
    it.live(`isn't used again where the server says that it ${name}`, () =>
      Effect.gen(function* () {
        const server = yield* recording(...headers)
        const { send } = yield* client()
        for (let nth = 0; nth < 3; nth++) yield* send(server.http)
        assert.deepStrictEqual(server.over(), [1, 2, 3])
      })
    )
  }

  it.live("is used after more than a second only for what may be asked twice", () =>
    Effect.gen(function* () {
      const server = yield* recording()
      const { send } = yield* client()
      yield* send(server.http)
      yield* Effect.sleep("1100 millis")
      yield* send(server.http, { method: "HEAD" })
      assert.deepStrictEqual(server.over(), [1, 1])
      yield* send(server.http)
      yield* Effect.sleep("1100 millis")
      yield* send(server.http, POST)
      assert.deepStrictEqual(server.over(), [1, 1, 2, 3])
      yield* send(server.http)
      assert.deepStrictEqual(server.over(), [1, 1, 2, 3, 3])
    })
  )

  it.live("waits four seconds for a next request, then ends", () =>
    Effect.gen(function* () {
      const server = yield* recording()
      const { send } = yield* client()
      yield* send(server.http)
      assert.strictEqual(server.open(), 1)
      yield* Servers.closed(server.sockets)
    })
  )

  it.live("that says something while it waits is closed, and that is nobody's answer", () =>
    Effect.gen(function* () {
      const server = yield* serving(({ connection, socket }) => {
        socket.write(whole(`${connection}`), () => {
          if (connection === 1) setImmediate(() => socket.write(whole("poison")))
        })
      })
      const { send } = yield* client()
      yield* send(server.http, POST)
      yield* Servers.closed(server.sockets)
      assert.strictEqual(Buffer.from((yield* send(server.http, POST)).body).toString(), "2")
    })
  )

  it.live("that broke while it waited is none, and nothing was sent over it", () =>
    Effect.gen(function* () {
      for (const end of [(socket: Net.Socket) => socket.end(), (socket: Net.Socket) => socket.resetAndDestroy()]) {
        const server = yield* serving(({ socket }) => socket.write(whole("x")))
        const { send } = yield* client()
        yield* send(server.http, POST)
        const [first] = server.sockets
        if (first !== undefined) end(first)
        yield* Servers.closed(server.sockets)
        let sent = 0
        yield* send(server.http, { ...POST, onSent: () => sent++ })
        assert.strictEqual(sent, 1)
        assert.strictEqual(server.sockets.length, 2)
      }
    })
  )

  it.live(
    "that ends exactly when the next request arrives, a thousand times: each is seen once at most",
    () =>
      Effect.gen(function* () {
        const seen = new Map<string, number>()
        const server = yield* serving(({ body, head, socket }) => {
          const id = body.toString()
          if (!head.startsWith("POST /idle")) return void socket.write(whole("x"))
          seen.set(id, (seen.get(id) ?? 0) + 1)
          // Half of them end the connection that they came over, and half of these reset it.
          const nth = Number(id)
          if (nth % 2 === 0) socket.write(whole("x"))
          else if (nth % 4 === 1) socket.end()
          else socket.resetAndDestroy()
        })
        const { send } = yield* client()
        let failed = 0
        for (let nth = 0; nth < 1000; nth++) {
          yield* send(server.http, POST)
          const waiting = server.sockets.filter(({ destroyed }) => !destroyed).at(-1)
          // The other half's end crosses them on the way.
          if (nth % 2 === 0) waiting?.[nth % 4 === 0 ? "end" : "resetAndDestroy"]()
          const body = Buffer.from(`${nth}`)
          const exit = yield* Effect.exit(send(`${server.http}idle`, { ...POST, body }))
          if (Exit.isSuccess(exit)) assert.strictEqual(seen.get(`${nth}`), 1)
          else {
            failed++
            assert.deepInclude(yield* Effect.flip(exit), { _tag: "RequestFailed", sent: true, code: "ECONNRESET" })
            assert.isAtMost(seen.get(`${nth}`) ?? 0, 1)
          }
        }
        assert.isAtLeast(failed, 500)
      }),
    120_000
  )
})

describe("when the grants of an owner change", () => {
  it.live("what waits is closed at once, of that owner alone", () =>
    Effect.gen(function* () {
      const server = yield* recording()
      const { release, send } = yield* client()
      yield* send(server.http, { owner: "a" })
      yield* send(server.http, { owner: "b" })
      yield* release("a", () => true)
      yield* Servers.closed(server.sockets.slice(0, 1))
      assert.isFalse(server.sockets[1]?.destroyed)
      yield* send(server.http, { owner: "a" })
      yield* send(server.http, { owner: "b" })
      assert.deepStrictEqual(server.over(), [1, 2, 3, 2])
    })
  )

  it.live("what is under way ends as revoked unless it is kept, and a kept one's connection after it", () =>
    Effect.gen(function* () {
      const waiting: Array<Net.Socket> = []
      const server = yield* serving(({ head, socket }) =>
        head.includes(" /slow") ? void waiting.push(socket) : socket.write(whole("x"))
      )
      const { release, send } = yield* client()
      const slow = `${server.http}slow`
      const begun = (owner: string, method: string) =>
        Effect.forkChild(Effect.exit(send(slow, { owner, method })), { startImmediately: true })
      const revoked = yield* begun("a", "POST")
      const kept = yield* begun("a", "GET")
      const other = yield* begun("b", "POST")
      while (waiting.length < 3) yield* Effect.sleep("1 millis")
      yield* release("a", ({ method }) => method === "GET")
      assert.deepInclude(yield* Effect.flip(yield* Fiber.join(revoked)), { _tag: "GrantRevoked", url: slow })
      yield* Effect.suspend(() => Servers.closed(waiting.slice(0, 1)))
      for (const socket of waiting) if (!socket.destroyed) socket.write(whole("late"))
      for (const fiber of [kept, other]) assert.isTrue(Exit.isSuccess(yield* Fiber.join(fiber)))
      yield* send(server.http, { owner: "a" })
      assert.strictEqual(server.sockets.length, 4)
      yield* send(server.http, { owner: "b" })
      assert.strictEqual(server.sockets.length, 4)
    })
  )
})
