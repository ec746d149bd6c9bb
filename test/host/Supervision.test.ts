import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { TestClock } from "effect/testing"
import { GrantStore, OutputCommand, PluginHost, type PluginRuntime } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import { accountingProblem, onFake, opened, rowOf, settled } from "../support/host.ts"
import { heapUsed } from "../support/memory.ts"
import { enable, GATEWAY, plugin, refOf } from "../support/plugins.ts"

const REF = "project:test.plugin"

const OTHER = "ws://127.0.0.1:7700/other"

const start = opened(GATEWAY)

const handling = (
  text: (event: {
    readonly text: string
    readonly url: string
    readonly ingressName: string
  }) => Effect.Effect<PluginRuntime.Output | void, unknown>
) => {
  const starts: Array<PluginRuntime.StartReason> = []
  let running = 0
  let most = 0
  const pkg = plugin({
    handlers: ({ reason }) =>
      Effect.gen(function* () {
        starts.push(reason)
        most = Math.max(most, ++running)
        yield* Effect.addFinalizer(() => Effect.sync(() => running--))
        return { gateway: { websocket_text: text } }
      })
  })
  return { pkg, starts, most: () => most }
}

describe("a handler", () => {
  for (const [ms, outcome] of [
    [999, { dispatched: 2, timedOut: 0 }],
    [1001, { dispatched: 1, timedOut: 1 }]
  ] as const) {
    it.effect(`rule 6: that finishes after ${ms} ms is ${ms < 1000 ? "answered" : "interrupted"}`, () => {
      const { pkg } = handling((event) =>
        Effect.as(Effect.sleep(ms), { commands: [OutputCommand.send(event, "done")] })
      )
      return Effect.gen(function* () {
        const { remote } = yield* start
        remote.sendText("x")
        yield* settled
        yield* TestClock.adjust(ms)
        yield* settled
        assert.deepInclude((yield* rowOf(REF)).dispatchCounters, outcome)
        assert.deepStrictEqual(remote.sent, ms < 1000 ? ["done"] : [])
      }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
    })
  }

  it.effect(
    "rule 6: that is uninterruptible for 3 s is charged at its deadline, and nothing starts before it ends",
    () => {
      const { most, pkg, starts } = handling((event) =>
        Effect.uninterruptible(Effect.as(Effect.sleep(3000), { commands: [OutputCommand.send(event, "late")] }))
      )
      return Effect.gen(function* () {
        const { fake, remote } = yield* start
        remote.sendText("x")
        remote.sendText("y")
        yield* settled
        yield* TestClock.adjust(1000)
        yield* settled
        const late = yield* rowOf(REF)
        assert.deepInclude(late.dispatchCounters, { timedOut: 1, inFlight: 0, discarded: 2 })
        assert.isFalse(remote.isOpen)
        yield* TestClock.adjust(1900)
        yield* settled
        assert.lengthOf(starts, 1)
        yield* TestClock.adjust(100)
        yield* settled
        assert.strictEqual((yield* rowOf(REF)).lifecycle, "restarting")
        yield* TestClock.adjust(100)
        yield* fake.remote(GATEWAY, 2)
        assert.deepStrictEqual(starts, ["first", "crash"])
        assert.strictEqual(most(), 1)
        assert.deepStrictEqual(remote.sent, [])
        const row = yield* rowOf(REF)
        assert.deepStrictEqual(row.outputCommandResults, [])
        assert.deepStrictEqual(row.diagnosticCounts["DispatchTimeout"], 1)
        assert.isUndefined(accountingProblem(row))
      }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
    }
  )

  it.effect("rule 6: that never ends leaves its service failed, and closes its sockets all the same", () => {
    const { most, pkg, starts } = handling(() => Effect.uninterruptible(Effect.never))
    return Effect.gen(function* () {
      const { remote } = yield* start
      remote.sendText("x")
      yield* settled
      yield* TestClock.adjust(1000)
      yield* settled
      assert.isFalse(remote.isOpen)
      yield* TestClock.adjust(5000)
      yield* settled
      assert.deepInclude(yield* rowOf(REF), { lifecycle: "failed", retryAt: null })
      yield* TestClock.adjust("3 hours")
      yield* settled
      assert.lengthOf(starts, 1)
      assert.strictEqual(most(), 1)
      const { diagnosticCounts } = yield* rowOf(REF)
      assert.deepInclude(diagnosticCounts, { DispatchTimeout: 1, InstanceUnstoppable: 1 })
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("rule 6: a promise that settles after the deadline executes nothing", () => {
    const gate = Promise.withResolvers<PluginRuntime.Output>()
    const { pkg } = handling(() => Effect.promise(() => gate.promise))
    return Effect.gen(function* () {
      const { fake, host, remote } = yield* start
      remote.sendText("x")
      yield* settled
      yield* TestClock.adjust(1000)
      yield* settled
      gate.resolve({ commands: [OutputCommand.send(GATEWAY, "late", { epoch: "any" })], state: "late" })
      yield* TestClock.adjust(100)
      const second = yield* fake.remote(GATEWAY, 2)
      yield* host.idle
      assert.deepStrictEqual([remote.sent, second.sent], [[], []])
      assert.deepStrictEqual((yield* rowOf(REF)).outputCommandResults, [])
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })
})

/** Crashes a plugin again and again, each time with a flood that waits; how often it was restarted. */
const crashes = (count: number) =>
  Effect.gen(function* () {
    const fake = yield* FakeWebSocket.FakeWebSocket
    const host = yield* PluginHost.PluginHost
    for (let crash = 0; crash < count; crash++) {
      // The fake network keeps the server's ends of all connections, and what they sent.
      const remote = (yield* fake.remotes(GATEWAY)).at(-1)
      remote?.sendBurst(Array.from({ length: 500 }, (_, n) => `${crash} ${n} ${"x".repeat(200)}`))
      yield* TestClock.adjust(5001)
      yield* host.idle
    }
    return (yield* rowOf(REF)).restarts
  })

describe("a runtime that returns nonsense", () => {
  const unreadable = new Proxy(
    {},
    {
      getPrototypeOf: () => {
        throw new Error("don't look")
      }
    }
  )
  for (const [what, answer] of [
    ["undefined", Effect.succeed(undefined)],
    ["null", Effect.succeed(null)],
    ["an empty object", Effect.succeed({})],
    ["a stop that is no effect", Effect.succeed({ handle: () => Exit.void, stop: () => {} })],
    ["an error that can't be looked at", Effect.fail(unreadable)]
  ] as const) {
    it.effect(`rule 10: ${what} is a start that failed`, () => {
      const pkg = { ...plugin({}), runtime: { start: () => answer as Effect.Effect<PluginRuntime.Instance, unknown> } }
      return Effect.gen(function* () {
        const host = yield* PluginHost.PluginHost
        yield* host.idle
        const row = yield* rowOf(REF)
        assert.strictEqual(row.lifecycle, "failed")
        assert.strictEqual(row.lastError?.tag, "StartFailed")
        yield* host.stop(REF)
        yield* host.idle
        assert.strictEqual((yield* rowOf(REF)).lifecycle, "stopped")
      }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
    })
  }
})

describe("a service", () => {
  it.effect("rule 10: reports a finalizer that dies", () => {
    const pkg = plugin({
      handlers: () =>
        Effect.as(
          Effect.addFinalizer(() => Effect.die("boom")),
          {}
        )
    })
    return Effect.gen(function* () {
      const { host } = yield* start
      yield* host.stop(REF)
      yield* host.idle
      const row = yield* rowOf(REF)
      assert.strictEqual(row.lifecycle, "stopped")
      assert.strictEqual(row.lastError?.tag, "DispatchFailed")
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("that is denied while it waits for its next start waits on, and promises no start meanwhile", () => {
    const pkg = plugin({ handlers: { gateway: { websocket_open: () => Effect.die("boom") } } })
    const granted = GrantStore.grantOf(enable(pkg))
    return Effect.gen(function* () {
      const { fake, host } = yield* start
      const grants = yield* GrantStore.GrantEditor
      for (let tick = 0; tick < 100 && (yield* rowOf(REF)).restarts < 4; tick++) {
        yield* TestClock.adjust(100)
        yield* host.idle
      }
      const { retryAt } = yield* rowOf(REF)
      const dials = (yield* fake.dials).length
      yield* grants.revoke(REF)
      yield* settled
      assert.deepInclude(yield* rowOf(REF), { lifecycle: "failed", retryAt: null })
      yield* grants.set(REF, granted)
      yield* host.idle
      assert.deepInclude(yield* rowOf(REF), { retryAt })
      assert.lengthOf(yield* fake.dials, dials)
      yield* TestClock.adjust(1000)
      yield* fake.remote(GATEWAY, dials + 1)
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("whose start never ends is interrupted, and one that doesn't heed that is given up", () => {
    let starts = 0
    const pkg = plugin({
      handlers: () =>
        Effect.suspend(() => {
          starts++
          return Effect.uninterruptible(Effect.never)
        })
    })
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      const fake = yield* FakeWebSocket.FakeWebSocket
      yield* settled
      yield* TestClock.adjust(5000)
      yield* settled
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "starting")
      yield* TestClock.adjust(5000)
      yield* settled
      const row = yield* rowOf(REF)
      assert.deepInclude(row, { lifecycle: "failed", retryAt: null })
      assert.strictEqual(row.lastError?.tag, "InstanceUnstoppable")
      yield* host.restart(REF)
      yield* TestClock.adjust("2 hours")
      yield* settled
      assert.strictEqual(starts, 1)
      assert.deepStrictEqual(yield* fake.dials, [])
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  for (const [how, stop, tag] of [
    ["fails", Effect.fail("no"), "DispatchFailed"],
    ["dies", Effect.die("boom"), "DispatchFailed"],
    ["never ends", Effect.never, "DispatchTimeout"],
    ["never ends and heeds nothing", Effect.uninterruptible(Effect.never), "InstanceUnstoppable"]
  ] as const) {
    it.effect(`whose stop ${how} stops all the same`, () => {
      const pkg = { ...plugin({}), runtime: { start: () => Effect.succeed({ handle: () => Exit.void, stop }) } }
      return Effect.gen(function* () {
        const { host, remote } = yield* start
        yield* host.stop(REF)
        yield* settled
        assert.isFalse(remote.isOpen)
        yield* TestClock.adjust(10_000)
        yield* settled
        const row = yield* rowOf(REF)
        assert.strictEqual(row.lifecycle, "stopped")
        assert.strictEqual(row.lastError?.tag, tag)
      }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
    })
  }

  it.effect(
    "rule 12: that crashes on every event of a flood keeps to its budget, and costs its neighbour nothing",
    () => {
      const heard: Array<string> = []
      const crashing = plugin({ name: "crashing", handlers: { gateway: { websocket_text: () => Effect.die("boom") } } })
      const neighbour = plugin({
        name: "neighbour",
        sources: [OTHER],
        handlers: {
          gateway: {
            websocket_text: (event) => {
              heard.push(event.text)
              return Exit.succeed({ commands: [OutputCommand.send(event, event.text)] })
            }
          }
        }
      })
      const quick = { gateway: { reconnect: { initial_ms: 1, max_ms: 1, stable_ms: 0 } } }
      return Effect.gen(function* () {
        const { fake, host } = yield* start
        const other = yield* fake.remote(OTHER)
        let flooded = 0
        for (let tick = 0; tick < 20_000; tick++) {
          const latest = (yield* fake.remotes(GATEWAY)).at(-1)
          if (latest?.isOpen === true) {
            latest.sendBurst(Array.from({ length: 50 }, () => "x".repeat(100)))
            flooded += 50
          }
          other.sendText(String(tick))
          yield* TestClock.adjust(100)
          if (tick % 10 === 0) yield* host.idle
        }
        yield* host.idle
        const row = yield* rowOf(refOf(crashing))
        // In 2,000 s: at first 6 starts within a minute, then failed for 5, 10 and 20 minutes, with 6 starts after each.
        const starts = row.restarts + (row.diagnosticCounts["InstanceLost"] ?? 0)
        assert.isAtMost(starts, 50)
        assert.isAtLeast(row.restarts, 10)
        assert.isUndefined(accountingProblem(row))
        assert.isAbove(flooded, 100)
        assert.strictEqual(row.queueDepth, 0)
        assert.isAtMost(row.diagnostics.length, 256)
        assert.deepStrictEqual(
          heard,
          Array.from({ length: 20_000 }, (_, tick) => String(tick))
        )
        assert.deepStrictEqual(other.sent, heard)
        assert.deepInclude(yield* rowOf(refOf(neighbour)), { restarts: 0, diagnosticCounts: {} })
      }).pipe(
        Effect.provide(
          onFake({
            plugins: [crashing, neighbour],
            enabled: [enable(crashing, { sources: quick }), enable(neighbour)]
          })
        )
      )
    },
    60_000
  )

  it.effect(
    "rule 3: that crashes on every event of a flood for ever holds no more memory for it",
    () => {
      const crashing = plugin({ handlers: { gateway: { websocket_text: () => Effect.die("boom") } } })
      const quick = { gateway: { reconnect: { initial_ms: 1, max_ms: 1, stable_ms: 0 } } }
      return Effect.gen(function* () {
        yield* start
        const first = yield* crashes(100)
        const before = heapUsed()
        const last = yield* crashes(300)
        const grown = (heapUsed() - before) / (last - first)
        assert.isAtLeast(last - first, 100)
        // 500 texts of 200 bytes are 100 KiB; what the fake network and the clock keep of a connection is less than 5.
        assert.isBelow(grown, 10 * 1024)
      }).pipe(
        Effect.provide(
          onFake({
            plugins: [crashing],
            enabled: [enable(crashing, { sources: quick })],
            limits: { restarts: 1000, restartWindowMs: 1000, ingressQueueCapacity: 1000 }
          })
        )
      )
    },
    60_000
  )
})
