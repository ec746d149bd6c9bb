import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { Enablement, GrantStore, OutputCommand, PluginHost } from "mooring"
import { Arbitraries, FakeWebSocket, TestHost } from "mooring/testing"
import { accountingProblem, opened, rowOf } from "../support/host.ts"
import { GATEWAY, plugin, refOf } from "../support/plugins.ts"

const echo = plugin({
  handlers: {
    gateway: { websocket_text: (event) => Exit.succeed({ commands: [OutputCommand.send(event, event.text)] }) }
  }
})
const REF = refOf(echo)

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
