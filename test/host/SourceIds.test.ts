import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { IngressEventWire, type IngressEvent, OutputCommand, PluginHost, ServicePlugin } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import * as Source from "../../src/connection/Source.ts"
import { onFake, rowOf } from "../support/host.ts"
import { GATEWAY, plugin, refOf, target } from "../support/plugins.ts"

const ONE = `${GATEWAY}?room=1`
const TWO = `${GATEWAY}?room=2`
const [FIRST, SECOND] = [Source.idOf("gateway", ONE), Source.idOf("gateway", TWO)]

/** Notes every event, and answers a text with a send to an epoch that never was, and a timer. */
const noting = (seen: Array<IngressEvent.AnyEvent> = []) => {
  const note = (event: IngressEvent.AnyEvent) => {
    seen.push(event)
    return Exit.void
  }
  return ServicePlugin.make({
    id: "test.noting",
    version: "1.0.0",
    websocket: [target],
    ingresses: {
      gateway: {
        sources: [ONE, TWO],
        eventKinds: ["websocket_open", "websocket_text", "timer", "command_result", "order"]
      }
    },
    handlers: {
      gateway: {
        websocket_open: note,
        websocket_text: (event) => {
          seen.push(event)
          return Exit.succeed({
            commands: [
              OutputCommand.send(event.url, event.text, { epoch: 7 }),
              OutputCommand.setTimer("t", { afterMs: 100 })
            ]
          })
        },
        timer: note,
        command_result: note,
        order: note
      }
    }
  })
}

const REF = refOf(noting())

/** Both sources are open, and the plugin has seen it. */
const both = Effect.gen(function* () {
  const fake = yield* FakeWebSocket.FakeWebSocket
  const host = yield* PluginHost.PluginHost
  const first = yield* fake.remote(ONE)
  const second = yield* fake.remote(TWO)
  yield* host.idle
  return { fake, host, first, second }
})

describe("the id of a source", () => {
  it.effect("tells sources that differ by their query apart, in the status and in every event", () => {
    const seen: Array<IngressEvent.AnyEvent> = []
    return Effect.gen(function* () {
      const { host, second } = yield* both
      second.sendText("hi")
      yield* host.deliver(REF, { ingressName: "gateway", kind: "order", payload: 1 })
      yield* host.idle
      const row = yield* rowOf(REF)
      assert.deepStrictEqual(
        row.websocketConnections.map(({ id, url }) => [id, url]),
        [
          [FIRST, GATEWAY],
          [SECOND, GATEWAY]
        ]
      )
      const ids = new Map(
        seen.map((event) => [event.kind === "websocket_open" ? event.url : event.kind, event.sourceId])
      )
      assert.deepStrictEqual(
        [...ids],
        [
          [ONE, FIRST],
          [TWO, SECOND],
          ["websocket_text", SECOND],
          // The text was answered as it came.
          ["command_result", null],
          ["order", null]
        ]
      )
      for (const event of seen) {
        assert.strictEqual(IngressEventWire.encode(event).source_id, event.sourceId)
      }
    }).pipe(Effect.provide(onFake({ plugins: [noting(seen)] })))
  })

  it.effect("tells whose diagnostic it is, and is absent where it is no source's", () =>
    Effect.gen(function* () {
      const { first, host, second } = yield* both
      first.sendText("to another epoch")
      yield* host.idle
      first.breakOff()
      second.breakOff()
      yield* host.idle
      const { diagnostics } = yield* rowOf(REF)
      const shown = diagnostics.map((one) => [one.tag, one.sourceId, one.count])
      assert.deepStrictEqual(shown, [
        ["StaleEpoch", FIRST, 1],
        // They differ by their query alone: not a repeat.
        ["ConnectionClosed", FIRST, 1],
        ["ConnectionClosed", SECOND, 1]
      ])
      yield* Effect.exit(host.deliver(REF, { ingressName: "gateway", kind: "unknown", payload: 1 }))
      const last = (yield* rowOf(REF)).diagnostics.at(-1)
      assert.strictEqual(last?.tag, "EventInvalid")
      assert.isFalse(Object.hasOwn(last ?? {}, "sourceId"))
    }).pipe(Effect.provide(onFake({ plugins: [noting()] })))
  )

  it.effect("names a source to `reconnect` as its URL does, and no other one", () =>
    Effect.gen(function* () {
      const { fake, host } = yield* both
      const epochs = Effect.map(rowOf(REF), (row) => row.websocketConnections.map(({ epoch }) => epoch))
      yield* host.reconnect(REF, SECOND)
      yield* fake.remote(TWO, 2)
      yield* host.idle
      assert.deepStrictEqual(yield* epochs, [1, 2])
      yield* host.reconnect(REF, `websocket:WS://127.0.0.1:7700/gateway?room=1`)
      yield* fake.remote(ONE, 2)
      yield* host.idle
      assert.deepStrictEqual(yield* epochs, [2, 2])
      for (const unknown of ["", FIRST.slice(1), `${FIRST}0`, GATEWAY]) {
        const exit = yield* Effect.exit(host.reconnect(REF, unknown))
        assert.deepStrictEqual(exit, Exit.fail(new PluginHost.SourceUnknown({ pluginRef: REF })), unknown)
      }
    }).pipe(Effect.provide(onFake({ plugins: [noting()] })))
  )

  it.effect("rule 1: is never that of two sources: a plugin with such URLs doesn't start", () => {
    // Found by trying: SHA-256 of both begins with 4c5905df.
    const sources = [`${GATEWAY}?43282`, `${GATEWAY}?112059`]
    const pkg = plugin({ sources })
    return Effect.gen(function* () {
      const { host, dials } = yield* Effect.all({ host: PluginHost.PluginHost, dials: FakeWebSocket.FakeWebSocket })
      yield* host.idle
      const row = yield* rowOf(refOf(pkg))
      assert.strictEqual(row.lifecycle, "failed")
      assert.strictEqual(row.lastError?.tag, "ManifestInvalid")
      assert.include(row.lastError?.message, "4c5905df")
      assert.lengthOf(yield* dials.dials, 0)
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })
})
