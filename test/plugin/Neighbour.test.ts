import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { TestClock } from "effect/testing"
import { GrantStore, type IngressEvent, OutputCommand, PluginHost, type PluginRuntime } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import { accountingProblem, onFake, rowOf, settled } from "../support/host.ts"
import { GATEWAY, plugin } from "../support/plugins.ts"

const REF = "project:test.plugin"

/** A runtime whose instances can be lost, as those of a sandbox can. */
const lossy = (options: { readonly failStart?: number; readonly lost?: Effect.Effect<PluginRuntime.Loss> } = {}) => {
  const starts: Array<PluginRuntime.Start> = []
  const handled: Array<string> = []
  const released: Array<number> = []
  let lose: Deferred.Deferred<PluginRuntime.Loss> | undefined
  const handle = (event: IngressEvent.AnyEvent): Effect.Effect<PluginRuntime.Output | void, unknown> => {
    handled.push(event.kind === "websocket_text" && "text" in event ? event.text : event.kind)
    if (!("text" in event)) return Exit.void
    if (event.text === "hang") return Effect.never
    if (event.text === "stubborn") return Effect.uninterruptible(Effect.sleep(3000))
    if (event.text === "forever") return Effect.uninterruptible(Effect.never)
    if (event.text === "timer") {
      return Exit.succeed({ commands: [OutputCommand.setTimer("beat", { afterMs: 500, url: GATEWAY })] })
    }
    return Exit.succeed({ state: event.text })
  }
  const pkg: PluginRuntime.PluginPackage = {
    ...plugin({}),
    runtime: {
      start: (start) =>
        Effect.gen(function* () {
          starts.push(start)
          if (starts.length === options.failStart) return yield* Effect.fail("no worker")
          yield* Effect.addFinalizer(() => Effect.sync(() => released.push(starts.length)))
          const lost = yield* Deferred.make<PluginRuntime.Loss>()
          lose = lost
          return { handle, stop: Effect.void, lost: options.lost ?? Deferred.await(lost) }
        })
    }
  }
  return {
    pkg,
    starts,
    handled,
    released,
    lose: (how: PluginRuntime.Loss) =>
      Effect.suspend(() => Deferred.succeed(lose ?? Deferred.makeUnsafe<PluginRuntime.Loss>(), how))
  }
}

describe("an instance whose sandbox was ended for a neighbour", () => {
  it.effect("rule 12: starts again at once with its connections, waiting events and timers, and isn't charged", () => {
    const { handled, lose, pkg, released, starts } = lossy()
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const remote = yield* fake.remote(GATEWAY)
      for (const text of ["timer", "kept", "hang", "waits", "waits too"]) remote.sendText(text)
      yield* settled
      yield* lose("neighbour")
      yield* host.idle
      assert.deepStrictEqual(
        starts.map(({ reason, state }) => [reason, state]),
        [
          ["first", null],
          ["neighbour", "kept"]
        ]
      )
      assert.deepStrictEqual(released, [1])
      assert.isTrue(remote.isOpen)
      yield* TestClock.adjust(500)
      yield* host.idle
      assert.deepStrictEqual(handled, ["websocket_open", "timer", "kept", "hang", "waits", "waits too", "timer"])
      const row = yield* rowOf(REF)
      assert.deepInclude(row, { lifecycle: "running", restarts: 0 })
      assert.deepInclude(row.dispatchCounters, { failed: 1, discarded: 0, dispatched: 6 })
      assert.deepStrictEqual(row.diagnosticCounts, { InstanceLost: 1 })
      assert.deepInclude(row.websocketConnections[0], { state: "open", epoch: 1 })
      assert.isUndefined(accountingProblem(row))
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("loses nothing where no event was in flight", () => {
    const { lose, pkg, starts } = lossy()
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      for (let times = 0; times < 20; times++) {
        yield* lose("neighbour")
        yield* host.idle
      }
      assert.lengthOf(starts, 21)
      const row = yield* rowOf(REF)
      assert.deepInclude(row, { lifecycle: "running", restarts: 0 })
      assert.deepStrictEqual(row.diagnosticCounts, {})
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("that can't be started again has crashed: its sessions end, and it is tried after a backoff", () => {
    const { lose, pkg, starts } = lossy({ failStart: 2 })
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const remote = yield* fake.remote(GATEWAY)
      yield* host.idle
      yield* lose("neighbour")
      yield* host.idle
      assert.isFalse(remote.isOpen)
      assert.deepInclude(yield* rowOf(REF), { lifecycle: "restarting", restarts: 1 })
      yield* TestClock.adjust(100)
      yield* fake.remote(GATEWAY, 2)
      assert.deepStrictEqual(
        starts.map(({ reason }) => reason),
        ["first", "neighbour", "crash"]
      )
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("ends where the operator stops it meanwhile", () => {
    const { lose, pkg, starts } = lossy()
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const remote = yield* fake.remote(GATEWAY)
      yield* host.idle
      yield* lose("neighbour")
      yield* host.stop(REF)
      yield* host.idle
      assert.isFalse(remote.isOpen)
      assert.lengthOf(starts, 1)
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "stopped")
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("that crashed itself is restarted like any crash", () => {
    const { lose, pkg, starts } = lossy()
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const remote = yield* fake.remote(GATEWAY)
      remote.sendText("kept")
      remote.sendText("hang")
      remote.sendText("lost")
      yield* settled
      yield* lose("crash")
      yield* host.idle
      const row = yield* rowOf(REF)
      assert.deepInclude(row, { lifecycle: "restarting", restarts: 1 })
      assert.deepInclude(row.dispatchCounters, { failed: 1, discarded: 2 })
      assert.isFalse(remote.isOpen)
      yield* TestClock.adjust(100)
      yield* fake.remote(GATEWAY, 2)
      assert.deepInclude(starts[1], { reason: "crash", state: "kept" })
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("rule 1: isn't started again where its grant went while the old one ended", () => {
    const { lose, pkg, starts } = lossy()
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const grants = yield* GrantStore.GrantEditor
      const remote = yield* fake.remote(GATEWAY)
      remote.sendText("stubborn")
      yield* settled
      yield* lose("neighbour")
      yield* settled
      yield* grants.revoke(REF)
      for (let second = 0; second < 6; second++) {
        yield* settled
        yield* TestClock.adjust(1000)
      }
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "failed")
      assert.lengthOf(starts, 1)
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("rule 6: whose handler never ends is given up, and its sources say so", () => {
    const { lose, pkg, starts } = lossy()
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const remote = yield* fake.remote(GATEWAY)
      remote.sendText("forever")
      yield* settled
      yield* lose("neighbour")
      for (let second = 0; second < 15; second++) {
        yield* settled
        yield* TestClock.adjust(1000)
      }
      const row = yield* rowOf(REF)
      assert.strictEqual(row.lifecycle, "failed")
      assert.isFalse(remote.isOpen)
      assert.deepInclude(row.websocketConnections[0], { state: "stopped", stopReason: "service" })
      assert.lengthOf(starts, 1)
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("rule 10: has crashed where the runtime can't say any more whether it is there", () => {
    const { pkg } = lossy({ lost: Effect.die(new Error("the channel broke")) })
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      const row = yield* rowOf(REF)
      assert.strictEqual(row.lifecycle, "restarting")
      assert.strictEqual(row.diagnosticCounts["InstanceLost"], 1)
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("rule 9: stops though the runtime's watch for losses can't be interrupted", () => {
    const { pkg } = lossy({ lost: Effect.uninterruptible(Effect.never) })
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      yield* host.stop(REF)
      yield* host.idle
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "stopped")
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })
})
