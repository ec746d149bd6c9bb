/** How an application follows its host: waiting for a plugin, reading its diagnostics, and what comes at the end. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Context from "effect/Context"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { OutputCommand, PluginHost } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import * as Feeds from "../../src/host/internal/feeds.ts"
import { onFake, opened, type Setup, settled } from "../support/host.ts"
import { enable, GATEWAY, plugin, refOf } from "../support/plugins.ts"

const echo = plugin({
  name: "echo",
  handlers: {
    gateway: {
      websocket_text: (event) =>
        event.text === "crash"
          ? Effect.die("boom")
          : Exit.succeed({ commands: [OutputCommand.send(event, event.text)] })
    }
  }
})
const REF = refOf(echo)

/** A plugin that starts when it is told to. */
const starting = () => {
  const gate = Promise.withResolvers<void>()
  const slow = plugin({
    name: "slow",
    handlers: () =>
      Effect.as(
        Effect.promise(() => gate.promise),
        {}
      )
  })
  return { slow, open: () => gate.resolve() }
}

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

/** The exit of a fiber, undefined while it runs. */
const exitOf = <A, E>(fiber: Fiber.Fiber<A, E>) => Effect.as(settled, fiber.pollUnsafe())

/** A host in a scope that the test closes. */
const closable = (setup: Setup) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(onFake(setup), scope)
    return {
      host: Context.get(context, PluginHost.PluginHost),
      fake: Context.get(context, FakeWebSocket.FakeWebSocket),
      close: Scope.close(scope, Exit.void)
    }
  })

describe("awaitRunning", () => {
  it.effect("completes once the plugin runs, and at once where it does", () => {
    const { open, slow } = starting()
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      const waiting = yield* fork(host.awaitRunning(refOf(slow)))
      assert.isUndefined(yield* exitOf(waiting))
      open()
      yield* Fiber.join(waiting)
      yield* host.awaitRunning(refOf(slow))
    }).pipe(Effect.provide(onFake({ plugins: [slow] })))
  })

  it.effect("completes after a crash when the plugin runs again", () =>
    Effect.gen(function* () {
      const { host, remote } = yield* opened(GATEWAY)
      remote.sendText("crash")
      yield* host.idle
      const waiting = yield* fork(host.awaitRunning(REF))
      assert.isUndefined(yield* exitOf(waiting))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(waiting)
    }).pipe(Effect.provide(onFake({ plugins: [echo] })))
  )

  it.effect("fails where the plugin is unknown, stopped or has failed, and goes on when it is started", () => {
    const pinned = enable(echo, { instance: "other", version: "2.0.0" })
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      assert.deepInclude(yield* Effect.flip(host.awaitRunning("project:nobody")), { _tag: "PluginUnknown" })
      assert.deepInclude(yield* Effect.flip(host.awaitRunning(`${REF}#other`)), {
        _tag: "ServiceFailed",
        tag: "VersionMismatch"
      })
      yield* host.stop(REF)
      yield* host.idle
      const error = yield* Effect.flip(host.awaitRunning(REF))
      assert.deepInclude(error, { _tag: "ServiceStopped", lifecycle: "stopped" })
      assert.strictEqual(error.message, "the service is stopped")
      yield* host.start(REF)
      yield* host.awaitRunning(REF)
    }).pipe(Effect.provide(onFake({ plugins: [echo], enabled: [enable(echo), pinned] })))
  })

  it.effect("fails where the plugin fails or is disabled meanwhile, or the host ends", () => {
    const { slow } = starting()
    return Effect.gen(function* () {
      const ref = refOf(slow)
      const failing = yield* closable({ plugins: [slow], limits: { startDeadlineMs: 100 } })
      const failed = yield* fork(Effect.flip(failing.host.awaitRunning(ref)))
      yield* TestClock.adjust(100)
      assert.deepInclude(yield* Fiber.join(failed), { _tag: "ServiceFailed", tag: "StartTimeout" })
      yield* failing.close

      const applying = yield* closable({ plugins: [slow] })
      const disabled = yield* fork(Effect.flip(applying.host.awaitRunning(ref)))
      yield* applying.host.apply({ enabled: [] })
      assert.deepInclude(yield* Fiber.join(disabled), { _tag: "PluginUnknown" })
      yield* applying.close

      const ending = yield* closable({ plugins: [slow] })
      const ended = yield* fork(Effect.flip(ending.host.awaitRunning(ref)))
      yield* ending.close
      assert.deepInclude(yield* Fiber.join(ended), { _tag: "ServiceStopped" })
      // And at once, where somebody still asks.
      assert.deepInclude(yield* Effect.flip(ending.host.awaitRunning(ref)), { _tag: "ServiceStopped" })
    })
  })

  it.effect("can be interrupted, and leaves nothing behind", () => {
    const { slow } = starting()
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      const waiting = yield* fork(host.awaitRunning(refOf(slow)))
      yield* settled
      yield* Fiber.interrupt(waiting)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(waiting)))
    }).pipe(Effect.provide(onFake({ plugins: [slow] })))
  })
})

describe("stopped", () => {
  it.effect("completes once the sockets are closed, at once where nothing runs, and fails for who is unknown", () =>
    Effect.gen(function* () {
      const { host, remote } = yield* opened(GATEWAY)
      const waiting = yield* fork(host.stopped(REF))
      remote.ignoreClose()
      yield* host.stop(REF)
      assert.isUndefined(yield* exitOf(waiting))
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(waiting)
      assert.isFalse(remote.isOpen)
      yield* host.stopped(REF)
      assert.deepInclude(yield* Effect.flip(host.stopped("project:nobody")), { _tag: "PluginUnknown" })
    }).pipe(Effect.provide(onFake({ plugins: [echo] })))
  )

  it.effect("completes where a plugin is disabled and has ended, also for who asks while it ends", () =>
    Effect.gen(function* () {
      const { host, remote } = yield* opened(GATEWAY)
      const before = yield* fork(host.stopped(REF))
      remote.ignoreClose()
      yield* host.apply({ enabled: [] })
      const meanwhile = yield* fork(host.stopped(REF))
      assert.isUndefined(yield* exitOf(before))
      assert.isUndefined(yield* exitOf(meanwhile))
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(before)
      yield* Fiber.join(meanwhile)
    }).pipe(Effect.provide(onFake({ plugins: [echo] })))
  )

  it.effect("completes where a plugin has failed, and at the host's end", () =>
    Effect.gen(function* () {
      const { close, host } = yield* closable({
        plugins: [echo],
        enabled: [enable(echo), enable(echo, { instance: "other", version: "2.0.0" })]
      })
      yield* host.stopped(`${REF}#other`)
      const waiting = yield* fork(host.stopped(REF))
      assert.isUndefined(yield* exitOf(waiting))
      yield* close
      yield* Fiber.join(waiting)
    })
  )
})

describe("plugin", () => {
  it.effect("is one row of the status", () =>
    Effect.gen(function* () {
      const { host, remote } = yield* opened(GATEWAY)
      remote.sendText("x")
      yield* host.idle
      assert.deepStrictEqual(yield* host.plugin(REF), (yield* host.status).plugins[0])
      assert.deepInclude(yield* Effect.flip(host.plugin("project:nobody")), { _tag: "PluginUnknown" })
    }).pipe(Effect.provide(onFake({ plugins: [echo] })))
  )
})

describe("changes", () => {
  it.effect("end with the host, with a last status that comes after everything has stopped", () =>
    Effect.gen(function* () {
      const { close, fake, host } = yield* closable({ plugins: [echo] })
      yield* fake.remote(GATEWAY)
      yield* host.idle
      const reading = yield* fork(Stream.runCollect(host.changes))
      yield* settled
      yield* close
      const last = (yield* Fiber.join(reading)).at(-1)
      assert.strictEqual(last?.plugins[0]?.lifecycle, "stopped")
      assert.strictEqual(last?.plugins[0]?.websocketConnections[0]?.state, "stopped")
      // Who comes late is told the same, and doesn't wait.
      const late = yield* Stream.runCollect(host.changes)
      assert.deepStrictEqual(late.at(-1)?.plugins[0]?.lifecycle, "stopped")
    })
  )
})

describe("signals", () => {
  it.effect("reach a fast reader while a slow one reads nothing, and end for both", () =>
    Effect.gen(function* () {
      const feeds = Feeds.make<{ readonly nth: number }>()
      const reading = Promise.withResolvers<void>()
      const slow = yield* fork(Stream.runCount(Stream.tap(feeds.signals, () => Effect.promise(() => reading.promise))))
      let seen = 0
      const fast = yield* fork(Stream.runForEach(feeds.signals, () => Effect.sync(() => seen++)))
      yield* settled
      assert.strictEqual(seen, 1)
      for (let nth = 0; nth < 10; nth++) {
        feeds.changed()
        yield* settled
      }
      assert.strictEqual(seen, 11)
      yield* feeds.end
      yield* Fiber.join(fast)
      assert.strictEqual(seen, 12)
      reading.resolve()
      // The one at once, and the last of all that came meanwhile.
      assert.strictEqual(yield* Fiber.join(slow), 2)
      assert.strictEqual(yield* Stream.runCount(feeds.signals), 1)
    })
  )
})

describe("diagnostics", () => {
  it.effect("come as they are recorded, each once and with whose it is, and end with the host", () =>
    Effect.gen(function* () {
      const { close, fake, host } = yield* closable({ plugins: [echo] })
      const remote = yield* fake.remote(GATEWAY)
      remote.sendBinary(1)
      yield* host.idle
      const reading = yield* fork(Stream.runCollect(host.diagnostics))
      yield* settled
      remote.sendBinary(1)
      yield* TestClock.adjust("1 second")
      remote.sendBinary(1)
      remote.sendBinary(1)
      yield* host.idle
      yield* close
      const told = yield* Fiber.join(reading)
      assert.deepStrictEqual(
        told.map(({ diagnostic, pluginRef, skipped }) => [pluginRef, diagnostic.tag, diagnostic.count, skipped]),
        [
          // The one before the subscription was there already, and so was its repeat.
          [REF, "BinaryUnsupported", 1, 0],
          [REF, "ConnectionClosed", 1, 0]
        ]
      )
      assert.strictEqual(told[0]?.diagnostic.at, "1970-01-01T00:00:01.000Z")
      assert.deepStrictEqual(yield* Stream.runCollect(host.diagnostics), [])
    })
  )

  it.effect("say to each slow reader how many it has missed, and hold up nobody", () =>
    Effect.gen(function* () {
      const feeds = Feeds.make<{ readonly nth: number }>()
      const reading = Promise.withResolvers<void>()
      const slow = yield* fork(
        Stream.runCollect(
          Stream.tap(feeds.records, ({ nth }) => (nth === 1 ? Effect.promise(() => reading.promise) : Effect.void))
        )
      )
      const fast = yield* fork(
        Stream.runFold(
          feeds.records,
          () => 0,
          (sum, { skipped }) => sum + skipped + 1
        )
      )
      yield* settled
      feeds.recorded({ nth: 1 })
      yield* settled
      for (let nth = 2; nth <= 1000; nth++) {
        feeds.recorded({ nth })
        if (nth % 100 === 0) yield* settled
      }
      yield* settled
      reading.resolve()
      yield* feeds.end
      const told = yield* Fiber.join(slow)
      assert.strictEqual(told[0]?.skipped, 0)
      assert.strictEqual(told.at(-1)?.nth, 1000)
      assert.isAtMost(told.length, 257)
      // Nothing is told twice, and nothing is missing that isn't said to be.
      let before = 0
      for (const { nth, skipped } of told) {
        assert.strictEqual(nth, before + skipped + 1)
        before = nth
      }
      assert.strictEqual(yield* Fiber.join(fast), 1000)
    })
  )

  it.effect("begin for each reader with its subscription", () =>
    Effect.gen(function* () {
      const feeds = Feeds.make<{ readonly nth: number }>()
      for (let nth = 1; nth <= 10; nth++) feeds.recorded({ nth })
      const reader = yield* fork(Stream.runCollect(feeds.records))
      yield* settled
      feeds.recorded({ nth: 11 })
      yield* feeds.end
      assert.deepStrictEqual(yield* Fiber.join(reader), [{ nth: 11, skipped: 0 }])
    })
  )
})
