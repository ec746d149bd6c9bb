import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { jsonRpcSubscription, type Update } from "../../docs/examples/json-rpc-subscription.ts"
import { assertAccounted } from "../integration/support/host.ts"
import { connectionOf, leavesNothing, resultsOf, run, type Setup, target } from "./support/host.ts"
import { rpcServer } from "./support/rpcServer.ts"

const config = {
  subscribe: { method: "feed_subscribe", params: ["trades"] },
  snapshot: { method: "feed_snapshot", params: [] },
  notification: "feed_changed",
  timeout_ms: 100,
  attempts: 2
}

/** A server, and the example against it; what it received. */
const subscribed = (setup: Partial<Setup> = {}, delay: Effect.Effect<void> = Effect.void) =>
  Effect.gen(function* () {
    const server = yield* rpcServer
    const updates: Array<string> = []
    const received = ({ kind, result }: Update) =>
      Effect.andThen(
        Effect.sync(() => updates.push(`${kind} ${JSON.stringify(result)}`)),
        delay
      )
    const start = run({
      plugin: jsonRpcSubscription({ url: server.urlOf("/rpc"), target, received }),
      // A request that isn't to time out has all the time that a test has.
      config: { ...config, timeout_ms: 60_000 },
      ...setup
    })
    return { server, updates, start }
  })

describe("the JSON-RPC subscription", () => {
  it.live("ends with its host while a request is pending, and leaves no socket and no timer", () =>
    leavesNothing(
      Effect.gen(function* () {
        const { server, start } = yield* subscribed()
        server.answer("feed_snapshot", "silence")
        const { stop, until } = yield* start
        yield* server.expect("open /rpc", "feed_subscribe", "feed_snapshot")
        yield* until(({ timers }) => timers.length === 1)
        yield* stop
        yield* server.expect("close 1001")
        const row = yield* until(({ lifecycle }) => lifecycle === "stopped")
        assert.deepStrictEqual(row.timers, [])
      })
    )
  )
})

describe.concurrent("the JSON-RPC subscription", () => {
  it.live("subscribes when it is open, asks for a snapshot, and hands every change on", () =>
    Effect.gen(function* () {
      const { server, start, updates } = yield* subscribed()
      const { untilReported } = yield* start
      yield* server.expect("open /rpc", "feed_subscribe", "feed_snapshot")
      yield* untilReported({ live: 1, snapshots: 1 })
      for (const change of [10, 11, 12]) server.notify(1, change)
      const row = yield* untilReported({ changes: 3 })
      assert.deepStrictEqual(updates, ['snapshot {"number":1}', "change 10", "change 11", "change 12"])
      assert.deepStrictEqual(row.reportedStatus, {
        live: 1,
        changes: 3,
        snapshots: 1,
        ignored: 0,
        gaps: 0,
        last_refusal: null
      })
      // Every request was answered in time, and none of their timers is left.
      assert.deepStrictEqual(row.timers, [])
      assert.deepStrictEqual(row.diagnosticCounts, {})
      assertAccounted(row)
    })
  )

  it.live("sends a request again that got no response, and dials anew after the last attempt", () =>
    Effect.gen(function* () {
      const { server, start, updates } = yield* subscribed({ config })
      server.answer("feed_subscribe", "silence")
      const { untilReported } = yield* start
      yield* server.expect("open /rpc", "feed_subscribe", "feed_subscribe", "close 1001")
      server.answer("feed_subscribe", "result")
      yield* server.expect("open /rpc", "feed_subscribe", "feed_snapshot")
      const row = yield* untilReported({ live: 1, snapshots: 1 })
      assert.deepStrictEqual(row.timers, [])
      assert.deepStrictEqual(resultsOf(row, "websocket_reconnect"), ["executed"])
      assert.strictEqual(connectionOf(row).epoch, 2)
      assert.deepStrictEqual(updates, ['snapshot {"number":1}'])
    })
  )

  it.live("does the same with a snapshot, and ignores the subscription of the connection before", () =>
    Effect.gen(function* () {
      const { server, start, updates } = yield* subscribed({ config })
      server.answer("feed_snapshot", "silence")
      const { untilReported } = yield* start
      yield* server.expect("open /rpc", "feed_subscribe", "feed_snapshot", "feed_snapshot", "close 1001")
      server.answer("feed_snapshot", "result")
      yield* server.expect("open /rpc", "feed_subscribe", "feed_snapshot")
      yield* untilReported({ live: 2, snapshots: 1 })
      server.notify(1, 10)
      server.notify(2, 20)
      yield* untilReported({ live: 2, changes: 1, ignored: 1 })
      assert.deepStrictEqual(updates, ['snapshot {"number":1}', "change 20"])
    })
  )

  it.live("asks again where no reconnect is to be had", () =>
    Effect.gen(function* () {
      const { server, start } = yield* subscribed({ config, policy: "never" })
      server.answer("feed_subscribe", "silence")
      const { until } = yield* start
      const row = yield* until((seen) => resultsOf(seen, "websocket_reconnect").length === 2)
      assert.deepStrictEqual(resultsOf(row, "websocket_reconnect"), ["ReconnectDenied", "ReconnectDenied"])
      assert.deepInclude(connectionOf(row), { state: "open", epoch: 1 })
      yield* server.expect("open /rpc", "feed_subscribe", "feed_subscribe")
    })
  )

  it.live("waits with the next attempt after an error", () =>
    Effect.gen(function* () {
      const { server, start } = yield* subscribed()
      server.answer("feed_subscribe", "error")
      const { untilReported } = yield* start
      const row = yield* untilReported({ live: null, last_refusal: -32_005 })
      assert.deepStrictEqual(
        row.timers.map(({ name }) => name),
        ["subscribe-1"]
      )
      assert.strictEqual(connectionOf(row).sentTextFrames, 1)
    })
  )

  it.live("sends a request again that was answered with an error, when its time is up", () =>
    Effect.gen(function* () {
      const { server, start } = yield* subscribed({ config })
      server.answer("feed_subscribe", "error")
      const { untilReported } = yield* start
      yield* server.expect("open /rpc", "feed_subscribe")
      yield* untilReported({ live: null, last_refusal: -32_005 })
      yield* server.expect("feed_subscribe", "close 1001", "open /rpc", "feed_subscribe")
      server.answer("feed_subscribe", "result")
      yield* server.expect("feed_subscribe", "feed_snapshot")
      yield* untilReported({ live: 1, snapshots: 1 })
    })
  )

  it.live("fails the dispatch of a text that is no message, and goes on", () =>
    Effect.gen(function* () {
      const { server, start, updates } = yield* subscribed()
      const { untilReported } = yield* start
      yield* server.expect("open /rpc", "feed_subscribe", "feed_snapshot")
      yield* untilReported({ snapshots: 1 })
      const texts = ["not JSON", "[]", '{"jsonrpc":"1.0","id":"subscribe-1","result":7}', '{"jsonrpc":"2.0"}']
      for (const text of texts) server.sendText(text)
      server.send({ jsonrpc: "2.0", method: "feed_changed", params: { subscription: 1 } })
      // None of these means anything to it, and none is wrong.
      server.send({ jsonrpc: "2.0", method: "feed_maintenance" })
      server.send({ jsonrpc: "2.0", id: null, error: { code: -32_700, message: "parse error" } })
      server.send({ jsonrpc: "2.0", id: "subscribe-1", result: 9 })
      server.notify(1, 10)
      const row = yield* untilReported({ live: 1, changes: 1 })
      assert.strictEqual(row.dispatchCounters.failed, 5)
      assert.deepStrictEqual(row.diagnosticCounts, { DispatchFailed: 5 })
      assert.deepStrictEqual([row.lifecycle, row.restarts, connectionOf(row).state], ["running", 0, "open"])
      assert.deepStrictEqual(updates, ['snapshot {"number":1}', "change 10"])
      assertAccounted(row)
    })
  )

  it.live("subscribes anew and asks for a snapshot when its server was cut off", () =>
    Effect.gen(function* () {
      const { server, start, updates } = yield* subscribed()
      const { untilReported } = yield* start
      yield* server.expect("open /rpc", "feed_subscribe", "feed_snapshot")
      yield* untilReported({ live: 1, snapshots: 1 })
      server.answer("feed_subscribe", "silence")
      server.destroy()
      yield* server.expect("close 1006", "open /rpc", "feed_subscribe")
      server.notify(1, 10)
      yield* untilReported({ live: null, ignored: 1 })
      server.answer("feed_subscribe", "result")
      server.destroy()
      yield* server.expect("close 1006", "open /rpc", "feed_subscribe", "feed_snapshot")
      yield* untilReported({ live: 2, snapshots: 2 })
      server.notify(2, 20)
      const row = yield* untilReported({ changes: 1, gaps: 0 })
      assert.strictEqual(connectionOf(row).epoch, 3)
      assert.deepStrictEqual(updates, ['snapshot {"number":1}', 'snapshot {"number":2}', "change 20"])
    })
  )

  it.live("asks for a snapshot when changes slid out of its queue", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      let isShut = false
      const delay = Effect.suspend(() => (isShut ? Deferred.await(gate) : Effect.void))
      const limits = { ingressQueueCapacity: 8, burstPatienceMs: 0, dispatchDeadlineMs: 60_000 }
      const { server, start, updates } = yield* subscribed({ limits }, delay)
      const { until, untilReported } = yield* start
      yield* server.expect("open /rpc", "feed_subscribe", "feed_snapshot")
      yield* untilReported({ snapshots: 1 })
      isShut = true
      for (let change = 1; change <= 100; change++) server.notify(1, change)
      yield* until((row) => connectionOf(row).receivedTextFrames === 102)
      yield* Deferred.succeed(gate, undefined)
      yield* server.expect("feed_snapshot")
      const row = yield* until(({ queueDepth, timers }) => timers.length === 0 && queueDepth === 0)
      // Which changes were missed is a matter of when; what came after them is known from a snapshot in any case.
      const { queueDrops } = connectionOf(row)
      assert.isAbove(queueDrops, 0)
      assert.strictEqual(updates.filter((update) => update.startsWith("change")).length, 100 - queueDrops)
      assert.include(updates.slice(updates.indexOf("change 100")).join(), "snapshot")
      assertAccounted(row)
    })
  )

  it.live("is not started with a configuration of another form, and says what is wrong with it", () =>
    Effect.gen(function* () {
      const { start, server } = yield* subscribed({ config: { ...config, timeout_ms: 1 } })
      const { until } = yield* start
      const row = yield* until(({ lifecycle }) => lifecycle === "failed")
      assert.strictEqual(row.lastError?.tag, "ManifestInvalid")
      assert.include(row.lastError?.message, "config.timeout_ms")
      assert.strictEqual(server.unexpected(), 0)
    })
  )
})
