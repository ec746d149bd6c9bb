import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { PluginRuntime } from "mooring"
import { chatGateway } from "../../docs/examples/chat-gateway.ts"
import { assertAccounted } from "../integration/support/host.ts"
import { chatServer, type ChatServer, TOKEN } from "./support/chatServer.ts"
import { connectionOf, leavesNothing, resultsOf, run, type Setup, target } from "./support/host.ts"

const pluginFor = (server: ChatServer) => chatGateway({ url: server.urlOf("/gateway"), target })

const runFor = (server: ChatServer, setup: Partial<Setup> = {}) =>
  run({ plugin: pluginFor(server), config: { token: TOKEN }, ...setup })

/** A server with the example connected to it, logged in. */
const loggedIn = (setup: Partial<Setup> = {}) =>
  Effect.gen(function* () {
    const server = yield* chatServer()
    const running = yield* runFor(server, setup)
    yield* server.expect("open /gateway", "identify")
    yield* running.untilReported({ phase: "ready", seq: 1, identified: 1 })
    return { server, ...running }
  })

/** The same package, except that its code dies of the text "die". */
const mortal = (plugin: PluginRuntime.PluginPackage): PluginRuntime.PluginPackage => ({
  ...plugin,
  runtime: {
    start: (start) =>
      Effect.map(plugin.runtime.start(start), (instance) =>
        instance.batches !== undefined
          ? assert.fail("what is in process takes one event at a time")
          : {
              ...instance,
              handle: (event) =>
                event.kind === "websocket_text" && "text" in event && event.text === "die"
                  ? Effect.die(new Error("it died"))
                  : instance.handle(event)
            }
      )
  }
})

describe("the chat gateway", () => {
  it.live("ends with its host, and leaves no socket and no timer", () =>
    leavesNothing(
      Effect.gen(function* () {
        const { server, stop, until } = yield* loggedIn()
        yield* until(({ timers }) => timers.length === 1)
        yield* stop
        yield* server.expect("close 4000")
        const row = yield* until(({ lifecycle }) => lifecycle === "stopped")
        assert.deepStrictEqual(row.timers, [])
      })
    )
  )
})

describe.concurrent("the chat gateway", () => {
  it.live("logs in, sends heartbeats, answers messages, and keeps the connection that acknowledges", () =>
    Effect.gen(function* () {
      const server = yield* chatServer(1000)
      const { untilReported, seen } = yield* runFor(server)
      yield* server.expect("open /gateway", "identify", "heartbeat 1", "heartbeat 1")
      server.say("hello")
      server.say("!ping")
      yield* server.expect("says pong in general (MESSAGE_CREATE)")
      yield* untilReported({ phase: "ready", seq: 3, identified: 1, resumed: 0, answered: 1 })
      yield* server.expect("heartbeat 3")
      const row = yield* seen
      assert.deepInclude(connectionOf(row), { state: "open", epoch: 1, attempts: 0 })
      assert.deepStrictEqual(
        row.timers.map(({ everyMs, name }) => [name, everyMs]),
        [["heartbeat", 1000]]
      )
      assert.deepStrictEqual(row.diagnosticCounts, {})
      // Too short to be masked by the host: it is the plugin that doesn't tell.
      assert.notInclude(JSON.stringify(row), TOKEN)
      assertAccounted(row)
    })
  )

  it.live("dials the resume URL when a heartbeat wasn't acknowledged, and misses nothing", () =>
    Effect.gen(function* () {
      const server = yield* chatServer(1000)
      server.acknowledges = false
      const { untilReported } = yield* runFor(server)
      yield* server.expect("open /gateway", "identify", "heartbeat 1")
      server.say("hello")
      yield* server.expect("close 4000")
      server.acknowledges = true
      server.say("!ping")
      yield* server.expect("open /resume", "resume session-1 2", "says pong in general (MESSAGE_CREATE)", "heartbeat 4")
      const row = yield* untilReported({ phase: "ready", seq: 4, identified: 1, resumed: 1 })
      assert.deepInclude(connectionOf(row), { state: "open", epoch: 2 })
      assert.strictEqual(connectionOf(row).url, server.urlOf("/gateway"))
    })
  )

  it.live("sends heartbeats as often as the host's timers allow where the server wants more", () =>
    Effect.gen(function* () {
      const server = yield* chatServer(1)
      const { seen } = yield* runFor(server)
      yield* server.expect("open /gateway", "identify", "heartbeat 1")
      const row = yield* seen
      assert.deepStrictEqual(
        row.timers.map(({ everyMs }) => everyMs),
        [1000]
      )
      assert.deepStrictEqual(row.diagnosticCounts, {})
    })
  )

  it.live("answers a heartbeat request at once", () =>
    Effect.gen(function* () {
      const { server } = yield* loggedIn()
      server.send({ op: 1, d: null })
      yield* server.expect("heartbeat 1")
    })
  )

  it.live("resumes elsewhere when the server asks for it", () =>
    Effect.gen(function* () {
      const { server, untilReported } = yield* loggedIn()
      server.send({ op: 7, d: null })
      yield* server.expect("close 4000", "open /resume", "resume session-1 1")
      yield* untilReported({ phase: "ready", resumed: 1 })
    })
  )

  for (const [how, end, journal] of [
    ["closes with a code", (server) => server.close(1012), "close 1012"],
    ["is cut off", (server) => server.destroy(), "close 1006"]
  ] satisfies ReadonlyArray<[string, (server: ChatServer) => void, string]>) {
    it.live(`resumes at the resume URL when the server ${how}, again and again`, () =>
      Effect.gen(function* () {
        const { server, untilReported } = yield* loggedIn()
        end(server)
        yield* server.expect(journal, "open /resume", "resume session-1 1")
        yield* untilReported({ phase: "ready", seq: 2, resumed: 1 })
        end(server)
        yield* server.expect(journal, "open /resume", "resume session-1 2")
        yield* untilReported({ phase: "ready", seq: 3, resumed: 2 })
      })
    )
  }

  it.live("resumes at the declared URL where the resume URL can't be dialled", () =>
    Effect.gen(function* () {
      const { server, untilReported } = yield* loggedIn()
      server.resumes = false
      server.send({ op: 7, d: null })
      yield* server.expect("close 4000", "open /gateway", "resume session-1 1")
      const row = yield* untilReported({ phase: "ready", resumed: 1 })
      assert.strictEqual(row.diagnosticCounts["HandshakeRejected"], 1)
    })
  )

  it.live("resumes a session that is said to be invalid for now", () =>
    Effect.gen(function* () {
      const { server, untilReported } = yield* loggedIn()
      server.send({ op: 9, d: true })
      yield* server.expect("close 4000", "open /resume", "resume session-1 1")
      yield* untilReported({ resumed: 1 })
    })
  )

  it.live("logs in anew at the declared URL when the session is no more", () =>
    Effect.gen(function* () {
      const { server, untilReported } = yield* loggedIn()
      server.send({ op: 7, d: null })
      yield* server.expect("close 4000", "open /resume", "resume session-1 1")
      yield* untilReported({ resumed: 1 })
      server.forget()
      server.destroy()
      yield* server.expect("close 1006", "open /resume", "resume session-1 2", "close 4000")
      yield* server.expect("open /gateway", "identify")
      yield* untilReported({ phase: "ready", seq: 1, identified: 2, resumed: 1 })
    })
  )

  it.live("logs in anew after a close code that ends the session", () =>
    Effect.gen(function* () {
      const { server, untilReported } = yield* loggedIn()
      server.close(4009)
      yield* server.expect("close 4009", "open /gateway", "identify")
      yield* untilReported({ phase: "ready", identified: 2, resumed: 0 })
    })
  )

  it.live("is not dialled again after a close code that is fatal", () =>
    Effect.gen(function* () {
      const server = yield* chatServer()
      const { untilReported } = yield* runFor(server, { config: { token: "wrong" } })
      yield* server.expect("open /gateway", "close 4004")
      const row = yield* untilReported({ phase: "disconnected", seq: null })
      const { lastClose, nextAttemptAt, state, stopReason } = connectionOf(row)
      assert.deepStrictEqual([state, stopReason, lastClose?.code], ["stopped", "close_code", 4004])
      assert.isAbove(Date.parse(nextAttemptAt ?? ""), Date.now() + 600_000)
      assert.deepStrictEqual(resultsOf(row, "websocket_reconnect"), [])
      assert.strictEqual(server.unexpected(), 0)
    })
  )

  it.live("resumes when its code has died", () =>
    Effect.gen(function* () {
      const server = yield* chatServer()
      const { untilReported } = yield* runFor(server, { plugin: mortal(pluginFor(server)) })
      yield* server.expect("open /gateway", "identify")
      server.say("hello")
      yield* untilReported({ seq: 2 })
      server.sendText("die")
      yield* server.expect("close 4000")
      server.say("!ping")
      yield* server.expect("open /gateway", "resume session-1 2", "says pong in general (MESSAGE_CREATE)")
      // A new instance counts anew.
      const row = yield* untilReported({ phase: "ready", seq: 4, identified: 0, resumed: 1 })
      assert.deepStrictEqual([row.lifecycle, row.restarts], ["running", 1])
    })
  )

  it.live("resumes at the declared URL where no grant covers the resume URL", () =>
    Effect.gen(function* () {
      const { server, until, untilReported } = yield* loggedIn({ granted: ["/gateway"] })
      server.send({ op: 7, d: null })
      yield* server.expect("close 4000", "open /gateway", "resume session-1 1")
      yield* untilReported({ phase: "ready", resumed: 1 })
      server.say("!ping")
      yield* server.expect("says pong in general (MESSAGE_CREATE)")
      const row = yield* until(({ diagnosticCounts }) => (diagnosticCounts["CommandUngranted"] ?? 0) === 2)
      const once = ["executed", "CommandUngranted"]
      // For the request of the server, and for the close that followed.
      assert.deepStrictEqual(resultsOf(row, "websocket_reconnect"), [...once, ...once])
    })
  )

  it.live("fails the dispatch of a payload that is malformed, and goes on", () =>
    Effect.gen(function* () {
      const { server, until, untilReported } = yield* loggedIn()
      server.sendText("not JSON")
      server.send({ op: "10" })
      server.send({ op: 10, d: { heartbeat_interval: -1 } })
      server.send({ op: 0, s: 7, t: "MESSAGE_CREATE", d: { content: 1 } })
      const row = yield* until(({ dispatchCounters }) => dispatchCounters.failed === 4)
      assert.deepStrictEqual(row.diagnosticCounts, { DispatchFailed: 4 })
      // What it doesn't know it passes over.
      server.send({ op: 99 })
      server.send({ op: 0, s: 2, t: "TYPING_START", d: null })
      server.send({ op: 0, s: 3, t: "MESSAGE_CREATE", d: { channel_id: "general", content: "!ping" } })
      yield* server.expect("says pong in general (MESSAGE_CREATE)")
      const after = yield* untilReported({ phase: "ready", seq: 3 })
      assert.strictEqual(after.dispatchCounters.failed, 4)
      assertAccounted(after)
    })
  )
})
