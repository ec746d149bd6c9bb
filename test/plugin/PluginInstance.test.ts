import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { TestClock } from "effect/testing"
import { PluginHost, type ServicePlugin } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import { onFake, rowOf, settled } from "../support/host.ts"
import { GATEWAY, plugin } from "../support/plugins.ts"

const REF = "project:test.plugin"

describe("PluginInstance", () => {
  it.effect("starts a crashed plugin again with its state, and dials anew", () => {
    const starts: Array<ServicePlugin.Start> = []
    const pkg = plugin({
      handlers: (start) => {
        starts.push(start)
        return Effect.succeed({
          gateway: {
            websocket_text: (event) =>
              event.text === "die" ? Effect.die("boom") : Exit.succeed({ state: { last: event.text } })
          }
        })
      }
    })
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const remote = yield* fake.remote(GATEWAY)
      remote.sendText("kept")
      remote.sendText("die")
      remote.sendText("discarded")
      yield* host.idle
      const down = yield* rowOf(REF)
      assert.strictEqual(down.lifecycle, "restarting")
      assert.isNotNull(down.retryAt)
      assert.isFalse(remote.isOpen)
      assert.strictEqual(down.websocketConnections[0]?.state, "closed")
      yield* TestClock.adjust(100)
      yield* fake.remote(GATEWAY, 2)
      yield* host.idle
      assert.deepStrictEqual(
        starts.map(({ reason, state }) => ({ reason, state })),
        [
          { reason: "first", state: null },
          { reason: "crash", state: { last: "kept" } }
        ]
      )
      assert.deepInclude(yield* rowOf(REF), { lifecycle: "running", restarts: 1 })
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("fails after too many crashes, and is tried again much later", () => {
    const pkg = plugin({ handlers: { gateway: { websocket_open: () => Effect.die("boom") } } })
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      yield* fake.remote(GATEWAY)
      for (let second = 0; second < 30; second++) {
        yield* TestClock.adjust("1 second")
        yield* host.idle
      }
      const row = yield* rowOf(REF)
      assert.deepInclude(row, { lifecycle: "failed", restarts: 5 })
      assert.strictEqual((yield* fake.dials).length, 6)
      assert.deepInclude(row.websocketConnections[0], { state: "stopped", stopReason: "service" })
      yield* TestClock.adjust("5 minutes")
      yield* fake.remote(GATEWAY, 7)
      assert.isAbove((yield* fake.dials).length, 6)
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("fails at once where the first start fails, without a dial", () => {
    const pkg = plugin({ handlers: () => Effect.fail("no database") })
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      const row = yield* rowOf(REF)
      assert.strictEqual(row.lifecycle, "failed")
      assert.strictEqual(row.lastError?.tag, "StartFailed")
      assert.isNotNull(row.retryAt)
      assert.strictEqual((yield* fake.dials).length, 0)
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("ends a start that never returns at its deadline", () => {
    const pkg = plugin({ handlers: () => Effect.never })
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      yield* TestClock.adjust(4999)
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "starting")
      yield* TestClock.adjust(1)
      yield* host.idle
      const row = yield* rowOf(REF)
      assert.strictEqual(row.lifecycle, "failed")
      assert.strictEqual(row.lastError?.tag, "StartTimeout")
      assert.strictEqual((yield* fake.dials).length, 0)
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("releases what a plugin acquired when its instance ends", () => {
    const held: Array<string> = []
    const pkg = plugin({
      handlers: () =>
        Effect.acquireRelease(
          Effect.sync(() => held.push("acquired")),
          () => Effect.sync(() => held.push("released"))
        ).pipe(Effect.as({}))
    })
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      assert.deepStrictEqual(held, ["acquired"])
      yield* host.stop(REF)
      yield* host.idle
      assert.deepStrictEqual(held, ["acquired", "released"])
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("rule 9: gives up on a plugin whose resources are never released, and starts none beside it", () => {
    let starts = 0
    const pkg = plugin({
      handlers: () =>
        Effect.acquireRelease(
          Effect.sync(() => {
            starts++
          }),
          () => Effect.never
        ).pipe(Effect.as({ gateway: { websocket_text: () => Effect.die("boom") } }))
    })
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const remote = yield* fake.remote(GATEWAY)
      remote.sendText("die")
      yield* settled
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "restarting")
      yield* TestClock.adjust(5000)
      yield* host.idle
      const row = yield* rowOf(REF)
      assert.deepInclude(row, { lifecycle: "failed", retryAt: null })
      assert.strictEqual(row.lastError?.tag, "InstanceUnstoppable")
      yield* host.start(REF)
      yield* host.idle
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "failed")
      assert.strictEqual(starts, 1)
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("rule 6: starts no instance beside a handler that goes on, even when the operator asks for it", () => {
    const gate = Promise.withResolvers<void>()
    const pkg = plugin({
      handlers: { gateway: { websocket_text: () => Effect.uninterruptible(Effect.promise(() => gate.promise)) } }
    })
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const remote = yield* fake.remote(GATEWAY)
      remote.sendText("for ever")
      yield* settled
      yield* TestClock.adjust(1000)
      yield* settled
      yield* TestClock.adjust(5000)
      yield* settled
      yield* host.start(REF)
      yield* settled
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "failed")
      assert.strictEqual((yield* fake.dials).length, 1)
      gate.resolve()
      yield* settled
      yield* host.start(REF)
      yield* fake.remote(GATEWAY, 2)
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("reports a stop that fails as what it is", () => {
    const pkg = {
      ...plugin({}),
      runtime: { start: () => Effect.succeed({ handle: () => Exit.void, stop: Effect.fail("no") }) }
    }
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      yield* host.stop(REF)
      yield* host.idle
      const row = yield* rowOf(REF)
      assert.strictEqual(row.lifecycle, "stopped")
      assert.strictEqual(row.lastError?.message, "the plugin's stop failed")
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("starts when it is stopped and started again while it starts", () => {
    const slow = { release: true }
    const pkg = plugin({
      handlers: () =>
        Effect.gen(function* () {
          yield* Effect.addFinalizer(() => (slow.release ? Effect.sleep(1000) : Effect.void))
          yield* Effect.sleep(2000)
          return {}
        })
    })
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* settled
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "starting")
      yield* host.stop(REF)
      yield* settled
      yield* TestClock.adjust(500)
      yield* settled
      yield* host.start(REF)
      yield* settled
      for (let second = 0; second < 5; second++) {
        yield* TestClock.adjust(1000)
        yield* settled
      }
      assert.deepInclude(yield* rowOf(REF), { lifecycle: "running", lastError: null })
      slow.release = false
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })
})
