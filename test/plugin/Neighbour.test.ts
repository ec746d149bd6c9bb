import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { TestClock } from "effect/testing"
import { type IngressEvent, OutputCommand, PluginHost, type PluginRuntime } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import { accountingProblem, onFake, rowOf, settled } from "../support/host.ts"
import { GATEWAY, plugin } from "../support/plugins.ts"

const REF = "project:test.plugin"

/** A runtime whose instances can be lost, as those of a sandbox can. */
const lossy = (options: { readonly failStart?: number } = {}) => {
  const starts: Array<PluginRuntime.Start> = []
  const handled: Array<string> = []
  const released: Array<number> = []
  let lose: Deferred.Deferred<PluginRuntime.Loss> | undefined
  const handle = (event: IngressEvent.AnyEvent): Effect.Effect<PluginRuntime.Output | void, unknown> => {
    handled.push(event.kind === "websocket_text" && "text" in event ? event.text : event.kind)
    if (!("text" in event)) return Exit.void
    if (event.text === "hang") return Effect.never
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
          return { handle, stop: Effect.void, lost: Deferred.await(lost) }
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
      assert.lengthOf(starts, 3)
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
})
