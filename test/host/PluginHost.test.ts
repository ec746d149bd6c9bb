import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { GrantStore, HostStatus, OutputCommand, PluginHost } from "mooring"
import { FakeWebSocket, TestHost } from "mooring/testing"
import { onFake, rowOf } from "../support/host.ts"
import { enable, GATEWAY, plugin, refOf } from "../support/plugins.ts"

const echo = plugin({
  name: "echo",
  handlers: {
    gateway: {
      websocket_text: (event) => Exit.succeed({ commands: [OutputCommand.send(event, `re: ${event.text}`)] })
    }
  }
})

describe("PluginHost", () => {
  it.effect("hands a text to the handler and its answer to the socket", () =>
    Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const remote = yield* fake.remote(GATEWAY)
      remote.sendText("hi")
      yield* host.idle
      assert.deepStrictEqual(remote.sent, ["re: hi"])
      const row = yield* rowOf(refOf(echo))
      assert.deepInclude(row, { lifecycle: "running", queueDepth: 0, restarts: 0, worker: null })
      assert.deepInclude(row.dispatchCounters, { enqueued: 2, dispatched: 2, inFlight: 0 })
      assert.deepInclude(row.outputCommandResults[0], { kind: "websocket_send", status: "executed" })
    }).pipe(Effect.provide(onFake({ plugins: [echo] })))
  )

  it.effect("encodes its status as the contract has it, and decodes it again", () =>
    Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const remote = yield* fake.remote(GATEWAY)
      remote.sendText("hi")
      remote.close(4000, "bye")
      yield* host.idle
      const status = yield* host.status
      const encoded = HostStatus.encode(status)
      const json: unknown = JSON.parse(JSON.stringify(encoded))
      assert.deepStrictEqual(yield* Schema.decodeUnknownEffect(HostStatus.HostStatus)(json), status)
    }).pipe(Effect.provide(onFake({ plugins: [echo] })))
  )

  it.effect("shows a plugin that can't run as a row with its reason", () => {
    const other = plugin({ name: "other" })
    const enabled = [
      enable(echo),
      enable(echo, { instance: "two", version: "2.0.0" }),
      enable(echo, { instance: "three", digest: `sha256:${"0".repeat(64)}` }),
      enable(other)
    ]
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      const { plugins } = yield* host.status
      assert.deepStrictEqual(
        plugins.map((row) => [row.pluginRef, row.lifecycle, row.lastError?.tag ?? null]),
        [
          ["project:test.echo", "running", null],
          ["project:test.echo#two", "failed", "VersionMismatch"],
          ["project:test.echo#three", "failed", "DigestMismatch"],
          ["project:test.other", "failed", "PackageUnreadable"]
        ]
      )
    }).pipe(Effect.provide(onFake({ plugins: [echo], enabled })))
  })

  it.effect("names in status the files that may be why a digest differs, as foreign text, and in no message", () => {
    const suspects = [".DS_Store", "a\u202e\n.js~"]
    const enabled = [enable(echo, { digest: `sha256:${"0".repeat(64)}` })]
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      const { plugins } = yield* host.status
      const [diagnostic] = plugins[0]?.diagnostics ?? []
      assert.deepStrictEqual(diagnostic?.error["suspects"], [".DS_Store", "a\ufffd\ufffd.js~"])
      assert.notInclude(diagnostic?.message, "DS_Store")
      // Later than what would be a repeat of it.
      yield* TestClock.adjust("2 seconds")
      yield* host.apply({ plugins: [{ ...echo, digest: `sha256:${"1".repeat(64)}`, suspects: [] }], enabled })
      yield* host.idle
      const [again] = (yield* host.status).plugins
      assert.notProperty(again?.diagnostics.at(-1)?.error, "suspects")
    }).pipe(Effect.provide(onFake({ plugins: [{ ...echo, suspects }], enabled })))
  })

  it.effect("runs one entry of each id and instance, and reports the others", () =>
    Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      const { host: own, plugins } = yield* host.status
      assert.strictEqual(plugins.length, 1)
      assert.strictEqual(own.config.state, "partly")
      assert.strictEqual(own.config.problems[0]?.path, "enabled[1]")
    }).pipe(Effect.provide(onFake({ plugins: [echo], enabled: [enable(echo), enable(echo)] })))
  )

  it.effect("stops a plugin and starts it again, with its counters", () =>
    Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const first = yield* fake.remote(GATEWAY)
      first.sendText("a")
      yield* host.idle
      yield* host.stop(refOf(echo))
      yield* host.idle
      const stopped = yield* rowOf(refOf(echo))
      assert.strictEqual(stopped.lifecycle, "stopped")
      assert.deepInclude(stopped.websocketConnections[0], { state: "stopped", stopReason: "service", epoch: 1 })
      assert.isFalse(first.isOpen)
      yield* host.start(refOf(echo))
      const second = yield* fake.remote(GATEWAY, 2)
      second.sendText("b")
      yield* host.idle
      assert.deepStrictEqual(second.sent, ["re: b"])
      const row = yield* rowOf(refOf(echo))
      assert.deepInclude(row.websocketConnections[0], { state: "open", epoch: 2, receivedTextFrames: 2 })
    }).pipe(Effect.provide(onFake({ plugins: [echo] })))
  )

  it.effect("says which plugins it doesn't know", () =>
    Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      const error = yield* Effect.flip(host.stop("project:nobody"))
      assert.strictEqual(error._tag, "PluginUnknown")
    }).pipe(Effect.provide(onFake({ plugins: [] })))
  )

  it.effect("computes its status without waiting for a plugin that never answers", () => {
    const stuck = plugin({ handlers: { gateway: { websocket_open: () => Effect.never } } })
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const remote = yield* fake.remote(GATEWAY)
      yield* TestClock.adjust(10)
      remote.sendText("waits")
      yield* TestClock.adjust(40)
      const row = yield* rowOf(refOf(stuck))
      assert.deepInclude(row.dispatchCounters, { inFlight: 1 })
      assert.deepInclude(row, { queueDepth: 1, queueBytes: 5, oldestQueuedMs: 40 })
    }).pipe(Effect.provide(onFake({ plugins: [stuck] })))
  })

  it.effect("tells of changes at once and then whenever something changed; a slow reader skips", () =>
    Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      const epochs: Array<number> = []
      const reading = Promise.withResolvers<void>()
      const reader = yield* host.changes.pipe(
        Stream.tap((status) =>
          Effect.sync(() => epochs.push(status.plugins[0]?.websocketConnections[0]?.epoch ?? 0)).pipe(
            Effect.andThen(epochs.length === 1 ? Effect.promise(() => reading.promise) : Effect.void)
          )
        ),
        Stream.takeUntil((status) => status.plugins[0]?.websocketConnections[0]?.epoch === 4),
        Stream.runDrain,
        Effect.forkChild({ startImmediately: true })
      )
      for (const nth of [1, 2, 3]) {
        const remote = yield* fake.remote(GATEWAY, nth)
        remote.breakOff()
        yield* TestClock.adjust("1 minute")
        yield* host.idle
      }
      reading.resolve()
      yield* Fiber.join(reader)
      // The first one at once, and of all that came while it read no more than the last.
      assert.strictEqual(epochs[0], 1)
      assert.isAtMost(epochs.length, 3)
    }).pipe(Effect.provide(onFake({ plugins: [echo] })))
  )

  it.effect("rule 9: closing the scope closes every socket in order and ends every loop", () => {
    const stubborn = plugin({
      name: "stubborn",
      sources: ["ws://127.0.0.1:7700/stubborn"],
      handlers: { gateway: { websocket_text: () => Effect.never } }
    })
    const enabled = [enable(echo), enable(stubborn)]
    return Effect.gen(function* () {
      const scope = yield* Scope.make()
      const fake = yield* FakeWebSocket.FakeWebSocket
      const layer = TestHost.failingFast(PluginHost.layer({ plugins: [echo, stubborn], enabled })).pipe(
        Layer.provide(GrantStore.layer(enabled))
      )
      yield* Layer.buildWithScope(layer, scope)
      const remotes = [yield* fake.remote(GATEWAY), yield* fake.remote("ws://127.0.0.1:7700/stubborn")]
      remotes[1]?.sendText("never answered")
      yield* TestClock.adjust(1)
      yield* Scope.close(scope, Exit.void)
      for (const remote of remotes) {
        assert.isFalse(remote.isOpen)
        assert.deepStrictEqual(remote.closeFrame, { code: 1001, reason: "" })
      }
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* fake.dials).length, 2)
    }).pipe(Effect.provide(FakeWebSocket.layer))
  })
})
