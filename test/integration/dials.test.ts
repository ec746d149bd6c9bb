import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Socket } from "node:net"
import * as Servers from "../support/servers.ts"
import { assertSeen, errorOf, eventually, runHost, secondsUntilNext, SOON, type Setup, the } from "./support/host.ts"

const DIALS_AGAIN = "waiting"

/** What an event says of an error beside its tag and message: what there is of these. */
const detailsOf = ({ code, phase, retry_after_ms: retryAfterMs, status }: { readonly [field: string]: unknown }) =>
  Object.fromEntries(
    Object.entries({ code, phase, retryAfterMs, status }).filter(([, value]) => value !== undefined && value !== null)
  )

/** Waits for the one dial to fail, checks what every failed dial has in common, and hands over what can be seen. */
const fails = (
  setup: Setup,
  { error, fields, state }: { readonly error: string; readonly fields: object; readonly state: string }
) =>
  Effect.gen(function* () {
    const { handed, until } = yield* runHost(setup)
    const seen = yield* until(({ events }) => events.length > 0)
    const follows = state === DIALS_AGAIN ? "dials again" : "stops"
    assertSeen(seen, {
      state,
      epoch: 0,
      events: [`error 0 ${error}, ${follows}`],
      diagnostics: [`warning ${error} × 1`]
    })
    assert.deepInclude(errorOf(seen, error), { _tag: error, url: the(setup.sources[0]), ...fields })
    assert.strictEqual(the(seen.plugin.diagnostics[0]).stage, "dial")
    assert.deepInclude(seen.connection, { opens: 0, attempts: 1, lastClose: null })
    const last = the(seen.connection.lastError ?? undefined)
    assert.strictEqual(last.tag, error)
    assert.deepStrictEqual<unknown>(the(handed[0]).payload, {
      url: setup.sources[0],
      error: { tag: error, message: last.message, ...detailsOf(errorOf(seen, error)) },
      willReconnect: state === DIALS_AGAIN
    })
    return seen
  })

/** Answers well, but one byte every 20 ms. */
const drip = (socket: Socket, request: string) => {
  const bytes = Servers.switching(request)
  let sent = 0
  const timer = setInterval(() => socket.write(bytes.subarray(sent, ++sent)), 20)
  socket.on("close", () => clearInterval(timer))
}

const late = (phase: string) => ({ error: "OpenTimeout", fields: { deadline_ms: 200, phase }, state: DIALS_AGAIN })
const rejected = (status: number, state = DIALS_AGAIN) => ({ error: "HandshakeRejected", fields: { status }, state })

describe("a dial", () => {
  const limits = { openDeadlineMs: 200 }

  for (const [name, scheme, phase, answer] of [
    ["never answered", "ws", "upgrade", () => {}],
    ["never answered by TLS", "wss", "tls", () => {}],
    ["answered one byte every 20 ms", "ws", "upgrade", drip]
  ] as const) {
    it.live(`that is ${name} ends at the deadline`, () =>
      Effect.gen(function* () {
        const { open, port } = yield* Servers.answering(answer)
        const began = performance.now()
        yield* fails({ sources: [`${scheme}://127.0.0.1:${port}/`], limits }, late(phase))
        yield* eventually(Effect.sync(open), (count) => count === 0)
        const millis = performance.now() - began
        assert.isAtLeast(millis, 200)
        assert.isBelow(millis, 2000)
      })
    )
  }

  for (const [status, text] of [
    [401, "Unauthorized"],
    [403, "Forbidden"]
  ] as const) {
    it.live(`that is answered with ${status} stops and is tried again after 15 minutes`, () =>
      Effect.gen(function* () {
        const { open, url } = yield* Servers.answering((socket) => {
          // A body that never comes doesn't hold it up.
          socket.write(Servers.response(`${status} ${text}`, "content-length: 1000"))
        })
        const seen = yield* fails({ sources: [url], reconnect: SOON }, rejected(status, "stopped http"))
        assert.strictEqual(secondsUntilNext(seen), 900)
        yield* eventually(Effect.sync(open), (count) => count === 0)
      })
    )
  }

  it.live("that is redirected waits, and the redirect isn't followed", () =>
    Effect.gen(function* () {
      const elsewhere = yield* Servers.gateway(() => {})
      const { sockets, url } = yield* Servers.answering((socket) => {
        socket.end(Servers.response("302 Found", `location: ${elsewhere.url}`, "content-length: 0"))
      })
      const seen = yield* fails({ sources: [url] }, rejected(302))
      assert.strictEqual(secondsUntilNext(seen), 1800)
      assert.strictEqual(sockets.length, 1)
      assert.strictEqual(elsewhere.sockets.length, 0)
    })
  )

  it.live("that is answered with 426 waits for its backoff", () =>
    Effect.gen(function* () {
      const { url } = yield* Servers.answering((socket) => {
        socket.end(Servers.response("426 Upgrade Required", "content-length: 0"))
      })
      assert.strictEqual(secondsUntilNext(yield* fails({ sources: [url] }, rejected(426))), 1800)
    })
  )

  it.live("that is answered with 503 and Retry-After waits at least that long", () =>
    Effect.gen(function* () {
      const { url } = yield* Servers.answering((socket) => {
        socket.end(Servers.response("503 Service Unavailable", "retry-after: 3600", "content-length: 0"))
      })
      const seen = yield* fails(
        { sources: [url], reconnect: SOON },
        {
          ...rejected(503),
          fields: { status: 503, retry_after_ms: 3_600_000 }
        }
      )
      assert.strictEqual(secondsUntilNext(seen), 3600)
    })
  )

  const wrong = { status: 101 }
  const unacceptable = [
    ["something that isn't HTTP", { status: null }, () => Buffer.from("SSH-2.0-OpenSSH_9.6\r\n")],
    ["a wrong Sec-WebSocket-Accept", wrong, () => Servers.switching("sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==")],
    ["an extension that wasn't offered", wrong, (request) => Servers.switching(request, "sec-websocket-extensions: x")],
    ["a subprotocol that wasn't offered", wrong, (request) => Servers.switching(request, "sec-websocket-protocol: b")],
    ["a subprotocol in another case", wrong, (request) => Servers.switching(request, "sec-websocket-protocol: A")],
    ["two subprotocols", wrong, (request) => Servers.switching(request, "sec-websocket-protocol: a, a")],
    ["an empty subprotocol", wrong, (request) => Servers.switching(request, "sec-websocket-protocol:")],
    [
      "some protocol though none was offered",
      wrong,
      (request) => Servers.switching(request, "sec-websocket-protocol: a")
    ]
  ] as const satisfies ReadonlyArray<readonly [string, object, (request: string) => Buffer]>
  for (const [name, fields, bytes] of unacceptable) {
    it.live(`that is answered with ${name} is rejected`, () =>
      Effect.gen(function* () {
        const { open, url } = yield* Servers.answering((socket, request) => {
          socket.write(Buffer.concat([bytes(request), Servers.text("never read")]))
        })
        const subprotocols = name.includes("subprotocol") ? ["a", "c"] : []
        yield* fails({ sources: [url], subprotocols }, { ...rejected(101), fields })
        yield* eventually(Effect.sync(open), (count) => count === 0)
      })
    )
  }

  for (const [name, header, subprotocol] of [
    ["one of the subprotocols that were offered", ["sec-websocket-protocol: c"], "c"],
    ["no subprotocol though some were offered", [], null]
  ] as const) {
    it.live(`that is answered with ${name} opens`, () =>
      Effect.gen(function* () {
        const { url } = yield* Servers.answering((socket, request) => {
          assert.match(request, /^sec-websocket-protocol: *a, ?c\r$/im)
          socket.write(Buffer.concat([Servers.switching(request, ...header), Servers.text("hi")]))
        })
        const { until } = yield* runHost({ sources: [url], subprotocols: ["a", "c"] })
        const seen = yield* until(({ events }) => events.length === 2)
        assertSeen(seen, { state: "open", epoch: 1, events: ["open 1", "text 1.1 hi"], diagnostics: [] })
        assert.strictEqual(seen.connection.subprotocol, subprotocol)
      })
    )
  }

  for (const [name, answer] of [
    ["by FIN", (socket) => socket.end()],
    ["by RST", (socket) => socket.resetAndDestroy()],
    ["after half of an answer", (socket) => socket.end("HTTP/1.1 101 Switching Protocols\r\nupgrade: webso")],
    ["by RST after half of an answer", (socket) => socket.write("HTTP/1.1 101 Sw", () => socket.resetAndDestroy())]
  ] as const satisfies ReadonlyArray<readonly [string, (socket: Socket) => void]>) {
    it.live(`to a server that reads the upgrade and hangs up ${name} is rejected without a status`, () =>
      Effect.gen(function* () {
        const { url } = yield* Servers.answering(answer)
        yield* fails({ sources: [url] }, { ...rejected(0), fields: { status: null, retry_after_ms: null } })
      })
    )
  }

  it.live("to a port on which nobody listens fails", () =>
    Effect.gen(function* () {
      const sources = [`ws://127.0.0.1:${yield* Servers.closedPort}/`]
      const fields = { phase: "tcp", code: "ECONNREFUSED" }
      yield* fails({ sources }, { error: "DialFailed", fields, state: DIALS_AGAIN })
    })
  )

  it.live("with TLS to a server that has none fails", () =>
    Effect.gen(function* () {
      const { port } = yield* Servers.gateway(() => {})
      const fields = { phase: "tls" }
      yield* fails({ sources: [`wss://127.0.0.1:${port}/`] }, { error: "DialFailed", fields, state: DIALS_AGAIN })
    })
  )

  it.live("of a name that doesn't resolve fails", () =>
    Effect.gen(function* () {
      const target = "nonexistent.invalid"
      const sources = [`ws://${target}:1/`]
      yield* fails({ sources, target }, { error: "DialFailed", fields: { phase: "dns" }, state: DIALS_AGAIN })
    })
  )

  it.live("of a granted name that resolves to a loopback address is denied, and nothing is dialled", () =>
    Effect.gen(function* () {
      const { port, sockets } = yield* Servers.gateway(() => {})
      const setup = { sources: [`ws://localhost:${port}/`], target: "localhost", reconnect: SOON }
      const seen = yield* fails(setup, { error: "AddressDenied", fields: {}, state: "stopped address" })
      assert.strictEqual(secondsUntilNext(seen), 60)
      assert.include(["127.0.0.1", "::1"], errorOf(seen, "AddressDenied")["address"])
      assert.strictEqual(sockets.length, 0)
    })
  )

  it.live("of such a name succeeds where the grant has private_addresses", () =>
    Effect.gen(function* () {
      const { port } = yield* Servers.gateway((peer) => peer.send("hi"))
      const setup = { sources: [`ws://localhost:${port}/`], target: "localhost", grant: { private_addresses: true } }
      const { until } = yield* runHost(setup)
      const seen = yield* until(({ events }) => events.length === 2)
      assertSeen(seen, { state: "open", epoch: 1, events: ["open 1", "text 1.1 hi"], diagnostics: [] })
      assert.strictEqual(seen.connection.remoteAddress, "127.0.0.1")
    })
  )
})
