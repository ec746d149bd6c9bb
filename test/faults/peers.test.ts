/** Peers that fall silent, are stopped, are killed, or have forgotten. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { OutputCommand } from "mooring"
import * as Servers from "../support/servers.ts"
import { assertAccounted, eventually, runHost, type Seen, SOON, the } from "../integration/support/host.ts"
import { proxy } from "./support/proxy.ts"
import { startServer } from "./support/serverChild.ts"

const LIMITS = { pingIntervalMs: 150, pongDeadlineMs: 300 }

/** Answers each text with three. */
const three = (event: Parameters<typeof OutputCommand.send>[0]) =>
  Exit.succeed({ commands: ["1", "2", "3"].map((text) => OutputCommand.send(event, text)) })

const errorsOf = ({ plugin }: Seen) =>
  plugin.diagnostics.filter(({ tag }) => tag === "KeepaliveTimeout").map(({ error }) => error)

/** A gateway behind a proxy, which writes down what it got and can send. */
const behindProxy = Effect.gen(function* () {
  const got: Array<string> = []
  const peers: Array<{ readonly send: (text: string) => void }> = []
  const server = yield* Servers.gateway((peer) => {
    peers.push(peer)
    peer.on("message", (data: Buffer) => got.push(data.toString()))
  })
  const line = yield* proxy(server.port)
  return { got, line, say: (text: string) => peers.at(-1)?.send(text) }
})

/** Waits until pings have been answered. */
const lively = ({ connection }: Seen) => connection.state === "open" && connection.lastPongAt !== null

describe("a peer that falls silent", () => {
  it.live("both ways is noticed by the ping that nothing follows, and what it never got is told", () =>
    Effect.gen(function* () {
      const { got, line, say } = yield* behindProxy
      const { handed, until, untilOpen } = yield* runHost({
        sources: [line.url],
        limits: LIMITS,
        reconnect: SOON,
        text: three
      })
      yield* untilOpen(1)
      say("before")
      yield* until((seen) => lively(seen) && got.length === 3 && seen.connection.unconfirmedFrames === 0)
      // Its text still comes in, and the answers are lost.
      line.lose("out")
      say("after")
      yield* until(({ connection }) => connection.sentTextFrames === 6)
      line.lose("out", "in")
      const seen = yield* until((now) => errorsOf(now).length === 1)
      assert.deepInclude(the(errorsOf(seen)[0]), { what: "silent", url: line.url })
      line.heal()
      yield* untilOpen(2)
      const close = handed.find(({ kind }) => kind === "websocket_close")
      assert.deepInclude(close, { epoch: 1, code: 1006, clean: false, unconfirmed: 3, willReconnect: true })
      assert.deepStrictEqual(got, ["1", "2", "3"])
      const after = yield* until(({ plugin }) => plugin.queueDepth === 0)
      assert.deepStrictEqual(
        after.events.filter((event) => event.startsWith("error")),
        ["error 1 KeepaliveTimeout, dials again"]
      )
      assert.strictEqual(after.connection.unconfirmedAtEnds, 3)
      assertAccounted(after.plugin)
    })
  )

  it.live("in its hearing alone is noticed though it goes on talking", () =>
    Effect.gen(function* () {
      const { line, say } = yield* behindProxy
      const { until, untilOpen } = yield* runHost({ sources: [line.url], limits: LIMITS, reconnect: SOON })
      yield* untilOpen(1)
      yield* until(lively)
      line.lose("out")
      const talking = setInterval(() => say("still talking"), 20)
      yield* Effect.addFinalizer(() => Effect.sync(() => clearInterval(talking)))
      const seen = yield* until((now) => errorsOf(now).length === 1)
      assert.deepInclude(the(errorsOf(seen)[0]), { what: "unanswered" })
      assertAccounted(seen.plugin)
    })
  )

  it.live("in its speech alone is noticed though it gets everything", () =>
    Effect.gen(function* () {
      const { line } = yield* behindProxy
      const { until, untilOpen } = yield* runHost({ sources: [line.url], limits: LIMITS, reconnect: SOON })
      yield* untilOpen(1)
      yield* until(lively)
      line.lose("in")
      const seen = yield* until((now) => errorsOf(now).length === 1)
      assert.deepInclude(the(errorsOf(seen)[0]), { what: "silent" })
    })
  )

  it.live("and has forgotten the connection by the time it is asked is a reset, and dialled anew", () =>
    Effect.gen(function* () {
      const { line } = yield* behindProxy
      const { until, untilOpen } = yield* runHost({ sources: [line.url], limits: LIMITS, reconnect: SOON })
      yield* untilOpen(1)
      yield* until(lively)
      line.forget()
      yield* until(({ events }) => events.includes("close 1 1006 unclean, dials again"))
      line.heal()
      const seen = yield* untilOpen(2)
      assert.deepStrictEqual(errorsOf(seen), [])
    })
  )
})

describe("the process of a peer", () => {
  it.live("that is stopped is noticed, and its successor found once it goes on", () =>
    Effect.gen(function* () {
      const server = yield* startServer
      const { until, untilOpen } = yield* runHost({
        sources: [server.url],
        limits: { ...LIMITS, openDeadlineMs: 500 },
        reconnect: SOON
      })
      yield* untilOpen(1)
      yield* until(lively)
      server.signal("SIGSTOP")
      const seen = yield* until((now) => errorsOf(now).length === 1)
      assert.deepInclude(the(errorsOf(seen)[0]), { what: "silent" })
      // The system opens TCP in its place; the upgrade is never answered.
      yield* until(({ plugin }) => plugin.diagnostics.some(({ error }) => error["phase"] === "upgrade"))
      server.signal("SIGCONT")
      yield* until(({ connection }) => connection.state === "open" && connection.epoch >= 2)
    })
  )

  it.live("that is killed ends the connection at once, and is dialled until it is back", () =>
    Effect.gen(function* () {
      const server = yield* startServer
      const { until, untilOpen } = yield* runHost({ sources: [server.url], reconnect: SOON })
      yield* untilOpen(1)
      server.signal("SIGKILL")
      const seen = yield* until(({ events }) => events.includes("close 1 1006 unclean, dials again"))
      assert.include(seen.events, "error 1 ConnectionClosed, dials again")
      yield* until(({ plugin }) => plugin.diagnostics.some(({ error }) => error["code"] === "ECONNREFUSED"))
      yield* server.again
      yield* untilOpen(2)
    })
  )
})

describe("a flood", () => {
  it.live("of pings or pongs ends the connection as ControlFlood, and what pongs it got is bounded", () =>
    Effect.gen(function* () {
      for (const opcode of [Servers.PING, 10]) {
        const { url } = yield* Servers.answering((socket, request) => {
          const flood = Array.from({ length: 5000 }, () => Servers.frame(opcode, "x".repeat(125)))
          socket.write(Buffer.concat([Servers.switching(request), Servers.text("before"), ...flood]))
        })
        const { until } = yield* runHost({ sources: [url] })
        const seen = yield* until(({ events }) => events.some((event) => event.startsWith("close")))
        assert.deepStrictEqual(seen.events, [
          "open 1",
          "text 1.1 before",
          "error 1 ControlFlood, dials again",
          "close 1 1006 unclean, dials again"
        ])
        assertAccounted(seen.plugin)
      }
    })
  )

  it.live("of binary frames is counted one by one and ends nothing", () =>
    Effect.gen(function* () {
      const { url } = yield* Servers.answering((socket, request) => {
        const flood = Array.from({ length: 20_000 }, () => Servers.frame(2, "x"))
        socket.write(Buffer.concat([Servers.switching(request), ...flood, Servers.text("after")]))
      })
      const { until } = yield* runHost({ sources: [url] })
      const { connection, plugin } = yield* until(({ events }) => events.includes("text 1.1 after"))
      assert.strictEqual(connection.receivedBinaryFrames, 20_000)
      assert.strictEqual(plugin.diagnosticCounts["BinaryUnsupported"], 20_000)
      assert.strictEqual(connection.state, "open")
    })
  )
})

describe("a peer that reads slowly", () => {
  it.live("gets everything, in order, and no clock fires", () =>
    Effect.gen(function* () {
      const bytes: Array<Buffer> = []
      const { url } = yield* Servers.answering((socket, request) => {
        socket.write(Buffer.concat([Servers.switching(request), Servers.text("go")]))
        socket.removeAllListeners("data")
        socket.on("data", (chunk: Buffer) => {
          bytes.push(chunk)
          socket.pause()
          setTimeout(() => socket.resume(), 1)
        })
      })
      const texts = Array.from({ length: 16 }, (_, nth) => String(nth % 10).repeat(60_000))
      const { seen } = yield* runHost({
        sources: [url],
        limits: { ...LIMITS, sendStallMs: 1000, outputBytes: 2_000_000 },
        text: (event) => Exit.succeed({ commands: texts.map((text) => OutputCommand.send(event, text)) })
      })
      const sent = texts.reduce((sum, text) => sum + text.length + 8, 0)
      const got = Effect.sync(() => bytes.reduce((sum, { length }) => sum + length, 0))
      yield* eventually(got, (count) => count >= sent, 20_000)
      const { connection, plugin } = yield* seen
      assert.strictEqual(connection.state, "open")
      assert.deepStrictEqual(plugin.diagnosticCounts, {})
    })
  )
})
