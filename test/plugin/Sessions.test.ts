import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { PluginHost } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import { accountingProblem, onFake, rowOf, settled } from "../support/host.ts"
import { enable, plugin } from "../support/plugins.ts"

const REF = "project:test.plugin"
const [DEAF, FINE] = ["ws://127.0.0.1:7700/deaf", "ws://127.0.0.1:7700/fine"]

let starts = 0
const pkg = plugin({
  sources: [DEAF, FINE],
  handlers: () =>
    Effect.sync(() => {
      starts++
      return { gateway: { websocket_text: () => Effect.die("boom") } }
    })
})

/** The plugin has just crashed, and the peer of one of its sources doesn't answer the close. */
const crashed = Effect.gen(function* () {
  starts = 0
  const fake = yield* FakeWebSocket.FakeWebSocket
  const host = yield* PluginHost.PluginHost
  const deaf = yield* fake.remote(DEAF)
  const fine = yield* fake.remote(FINE)
  yield* host.idle
  deaf.ignoreClose()
  fine.sendText("die")
  yield* settled
  return { fake, host, deaf }
})

const states = Effect.map(rowOf(REF), ({ lifecycle, websocketConnections }) => [
  lifecycle,
  ...websocketConnections.map(({ state }) => state)
])

/** Lets so many milliseconds pass, and what is due in them happen. */
const pass = (ms: number) => Effect.andThen(TestClock.adjust(ms), settled)

describe("a source whose peer never answers a close", () => {
  it.effect("doesn't hold up the restart of the others, and is dialled once its own socket is gone", () =>
    Effect.gen(function* () {
      const { deaf, fake, host } = yield* crashed
      assert.deepStrictEqual(yield* states, ["restarting", "closing", "closed"])
      yield* pass(100)
      const again = yield* fake.remote(FINE, 2)
      assert.deepStrictEqual(yield* states, ["running", "closing", "open"])
      assert.isTrue(again.isOpen)
      yield* pass(4800)
      assert.lengthOf(yield* fake.remotes(DEAF), 1)
      assert.isTrue(deaf.isOpen)
      yield* pass(200)
      const second = yield* fake.remote(DEAF, 2)
      yield* host.idle
      assert.isFalse(deaf.isOpen)
      assert.isTrue(second.isOpen)
      assert.deepStrictEqual([starts, yield* states], [2, ["running", "open", "open"]])
      assert.isUndefined(accountingProblem(yield* rowOf(REF)))
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  )

  it.effect("is waited for by a plugin that crashes once more", () =>
    Effect.gen(function* () {
      const { fake, host } = yield* crashed
      yield* pass(100)
      const again = yield* fake.remote(FINE, 2)
      yield* settled
      again.sendText("die")
      yield* settled
      yield* pass(200)
      yield* fake.remote(FINE, 3)
      assert.deepStrictEqual(yield* states, ["running", "closing", "open"])
      yield* pass(5000)
      yield* fake.remote(DEAF, 2)
      yield* host.idle
      assert.lengthOf(yield* fake.remotes(DEAF), 2)
      assert.isUndefined(accountingProblem(yield* rowOf(REF)))
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  )

  it.effect("is waited for by a plugin that is stopped, before it has stopped, and by one that has failed", () =>
    Effect.gen(function* () {
      const { fake, host } = yield* crashed
      yield* host.stop(REF)
      yield* pass(4900)
      assert.deepStrictEqual(yield* states, ["stopping", "closing", "closed"])
      yield* pass(200)
      assert.deepStrictEqual(yield* states, ["stopped", "stopped", "stopped"])
      yield* host.start(REF)
      yield* fake.remote(DEAF, 2)
      assert.strictEqual(starts, 2)
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  )

  it.effect("is waited for by a plugin that has crashed too often, before it has failed", () =>
    Effect.gen(function* () {
      yield* crashed
      assert.deepStrictEqual(yield* states, ["restarting", "closing", "closed"])
      yield* pass(4900)
      assert.deepStrictEqual(yield* states, ["restarting", "closing", "closed"])
      yield* pass(200)
      assert.deepStrictEqual(yield* states, ["failed", "stopped", "stopped"])
      assert.strictEqual(starts, 1)
    }).pipe(Effect.provide(onFake({ plugins: [pkg], limits: { restarts: 0 } })))
  )

  it.effect("is waited for by what is enabled instead", () =>
    Effect.gen(function* () {
      const { deaf, fake, host } = yield* crashed
      yield* host.apply({ enabled: [enable(pkg, { sources: { gateway: { urls: [FINE] } } })] })
      yield* pass(4900)
      assert.isTrue(deaf.isOpen)
      assert.strictEqual(starts, 1)
      yield* pass(200)
      yield* fake.remote(FINE, 2)
      yield* host.idle
      assert.isFalse(deaf.isOpen)
      assert.deepStrictEqual(yield* states, ["running", "open"])
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  )

  it.effect("rule 9: is waited for by a plugin that is disabled, and by its host", () =>
    Effect.gen(function* () {
      const { deaf, host } = yield* crashed
      yield* pass(100)
      yield* host.apply({ enabled: [] })
      yield* pass(4800)
      assert.lengthOf((yield* host.status).plugins, 1)
      assert.isTrue(deaf.isOpen)
      yield* pass(200)
      assert.lengthOf((yield* host.status).plugins, 0)
      assert.isFalse(deaf.isOpen)
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  )
})
