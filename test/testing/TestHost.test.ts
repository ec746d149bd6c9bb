import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { Enablement, GrantStore, OutputCommand, PluginHost } from "mooring"
import { Arbitraries, FakeWebSocket, TestHost } from "mooring/testing"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { accountingProblem, opened, rowOf } from "../support/host.ts"
import { GATEWAY, plugin, refOf } from "../support/plugins.ts"

const echo = plugin({
  handlers: {
    gateway: { websocket_text: (event) => Exit.succeed({ commands: [OutputCommand.send(event, event.text)] }) }
  }
})
const REF = refOf(echo)

const TESTS = fileURLToPath(new URL("..", import.meta.url))
// Hosts whose time passes by itself, and some that are never built.
const REAL_TIME = ["bench", "docs", "examples", "faults", "integration", "limits"]

const addressesOf = (entry: Enablement.Enablement) =>
  entry.grants.websocket.map(({ privateAddresses }) => privateAddresses)

describe("TestHost", () => {
  it.effect("grants what the manifest asks for", () =>
    Effect.gen(function* () {
      const { host, remote } = yield* opened(GATEWAY)
      remote.sendText("hi")
      yield* host.idle
      assert.deepStrictEqual(remote.sent, ["hi"])
    }).pipe(Effect.provide(TestHost.layer({ plugins: [echo] })))
  )

  it.effect("has grants that a test can withdraw", () =>
    Effect.gen(function* () {
      const { host, remote } = yield* opened(GATEWAY)
      yield* (yield* GrantStore.GrantEditor).revoke(REF)
      yield* host.idle
      assert.isFalse(remote.isOpen)
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "failed")
    }).pipe(Effect.provide(TestHost.layer({ plugins: [echo] })))
  )

  it.effect("enables what the test says, with limits of its own", () => {
    const entry = Enablement.trusting(echo, { instance: "two", config: { room: 1 } })
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      const row = yield* rowOf(`${REF}#two`)
      assert.strictEqual(row.lifecycle, "running")
      assert.strictEqual(row.queueCapacity, 3)
    }).pipe(Effect.provide(TestHost.layer({ plugins: [echo], enabled: [entry], limits: { ingressQueueCapacity: 3 } })))
  })

  it.effect("answers dials from the first one on as the test says", () =>
    Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      const [connection] = (yield* rowOf(REF)).websocketConnections
      assert.deepInclude(connection, { state: "stopped", stopReason: "http", attempts: 1 })
    }).pipe(
      Effect.provide(TestHost.layer({ plugins: [echo], answers: { [GATEWAY]: { kind: "refuse", status: 403 } } }))
    )
  )

  it.effect.prop(
    "rule 2: accounts for everything, whatever a server does",
    { script: Arbitraries.serverScript() },
    ({ script }) =>
      Effect.gen(function* () {
        const { host, remote } = yield* opened(GATEWAY)
        for (const action of script) Arbitraries.play(remote, action)
        yield* host.idle
        const row = yield* rowOf(REF)
        assert.isUndefined(accountingProblem(row))
        const texts = script
          .slice(0, script.findIndex(({ kind }) => kind === "close" || kind === "breakOff") >>> 0)
          .flatMap((action) => (action.kind === "text" ? [action.text] : action.kind === "burst" ? action.texts : []))
        assert.strictEqual(row.websocketConnections[0]?.receivedTextFrames, texts.length)
        assert.deepStrictEqual(remote.sent, remote.isOpen ? texts : remote.sent)
      }).pipe(Effect.provide(TestHost.layer({ plugins: [echo] }))),
    { arbitrary: { runs: 100 } }
  )

  it.effect("trusts a plugin with private addresses only if the test says so", () =>
    Effect.sync(() => {
      assert.deepStrictEqual(addressesOf(Enablement.trusting(echo)), [undefined])
      assert.deepStrictEqual(addressesOf(Enablement.trusting(echo, { privateAddresses: true })), [true])
    })
  )

  it.effect("needs nothing but its layer", () =>
    FakeWebSocket.FakeWebSocket.use((fake) => fake.remote(GATEWAY)).pipe(
      Effect.provide(TestHost.layer({ plugins: [echo] })),
      Effect.map((remote) => assert.isFalse(remote.isOpen))
    )
  )
})

const stubborn = plugin({ handlers: { gateway: { websocket_text: () => Effect.uninterruptible(Effect.never) } } })
const live = TestHost.layer({ plugins: [stubborn], limits: { closeGraceMs: 60_000 } })

/** All that can hold up the end: a server that answers no close, a handler that can't be stopped. */
const heldUp = Effect.gen(function* () {
  const fake = yield* FakeWebSocket.FakeWebSocket
  const remote = yield* fake.remote(GATEWAY)
  remote.ignoreClose()
  remote.sendText("never answered")
})

const turnOver = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

describe("a host on the fake network", () => {
  it.effect("is closed at once after a failure, though nobody moves the clock, and the failure is told", () =>
    Effect.gen(function* () {
      const exit = yield* heldUp.pipe(
        Effect.andThen(Effect.sync(() => assert.strictEqual(1, 2, "the message"))),
        Effect.provide(live),
        Effect.exit
      )
      assert.isTrue(Exit.isFailure(exit))
      assert.include(String(exit), "the message")
      const now = yield* Clock.currentTimeMillis
      assert.isAtLeast(now, 60_000)
      // Time stands still again.
      for (let turn = 0; turn < 5; turn++) yield* turnOver
      assert.strictEqual(yield* Clock.currentTimeMillis, now)
    })
  )

  it.effect("takes the time that the test gives it, where nothing failed", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      yield* Effect.provide(heldUp, yield* Layer.buildWithScope(live, scope))
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      for (let turn = 0; turn < 5; turn++) yield* turnOver
      assert.isUndefined(closing.pollUnsafe())
      assert.strictEqual(yield* Clock.currentTimeMillis, 0)
      yield* TestClock.adjust("2 minutes")
      yield* Fiber.join(closing)
    })
  )

  it("is what every host is that a test puts together on a virtual clock", () => {
    const files = Fs.readdirSync(TESTS, { recursive: true, encoding: "utf8" }).filter(
      (file) => file.endsWith(".ts") && !REAL_TIME.includes(file.split(Path.sep)[0] ?? "")
    )
    assert.isAbove(files.length, 50)
    const slow = files.filter((file) =>
      /(?<!failingFast\(\s*)PluginHost\.layer\(/.test(Fs.readFileSync(Path.join(TESTS, file), "utf8"))
    )
    assert.deepStrictEqual(slow, [])
  })
})
