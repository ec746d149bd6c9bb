/** What a plugin is told of a connection's ends and failed dials, against what the connection does next. */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { TestClock } from "effect/testing"
import { ConnectionError, GrantStore, IngressEventWire, type IngressEvent, OutputCommand, PluginHost } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import { reportedOf } from "../../src/connection/ConnectionSink.ts"
import { either, int, list, oneOf } from "../support/arbitraries.ts"
import { accountingProblem, onFake, rowOf } from "../support/host.ts"
import { enable, GATEWAY, plugin } from "../support/plugins.ts"

const REF = "project:test.plugin"
const url = "ws://h/"

const connection = Effect.map(rowOf(REF), (row) => row.websocketConnections[0] ?? assert.fail("no connection"))

/** Notes every event; `close` closes, `again` reconnects, anything else is sent back. */
const noting = (events: Array<IngressEvent.IngressEvent>) => {
  const note = (event: IngressEvent.IngressEvent) => {
    events.push(event)
    return Exit.void
  }
  return plugin({
    handlers: {
      gateway: {
        websocket_open: note,
        websocket_close: note,
        websocket_error: note,
        websocket_text: (event) => {
          const commands = new Map([
            ["close", OutputCommand.close(event)],
            ["again", OutputCommand.reconnect(event)]
          ])
          return Exit.succeed({ commands: [commands.get(event.text) ?? OutputCommand.send(event, event.text)] })
        }
      }
    }
  })
}

describe("an error in an event", () => {
  it.each([
    [new ConnectionError.OpenTimeout({ url, phase: "tls", deadlineMs: 5 }), { phase: "tls" }],
    [new ConnectionError.DialFailed({ url, phase: "dns", code: "ENOTFOUND" }), { phase: "dns", code: "ENOTFOUND" }],
    [
      new ConnectionError.DialFailed({ url, phase: "url", code: "EUNRESOLVED", reason: "why" }),
      { phase: "url", code: "EUNRESOLVED" }
    ],
    [
      new ConnectionError.HandshakeRejected({ url, status: 503, problem: "no", retryAfterMs: 0 }),
      { status: 503, retry_after_ms: 0 }
    ],
    [new ConnectionError.HandshakeRejected({ url, status: 403, problem: "no", retryAfterMs: null }), { status: 403 }],
    [new ConnectionError.HandshakeRejected({ url, status: null, problem: "no", retryAfterMs: null }), {}],
    [new ConnectionError.AddressDenied({ url, address: "10.0.0.1" }), {}],
    [new ConnectionError.ConnectionClosed({ url, code: 1006, reason: "", clean: false }), { code: 1006 }],
    [new ConnectionError.MessageTooLarge({ url, what: "fragments", limit: 3 }), { what: "fragments" }],
    [new ConnectionError.ProtocolViolation({ url, problem: "it is wrong" }), {}],
    [new ConnectionError.ControlFlood({ url, limit: 3 }), {}],
    [new ConnectionError.KeepaliveTimeout({ url, what: "unanswered", afterMs: 3 }), { what: "unanswered" }],
    [new ConnectionError.DataStale({ url, afterMs: 3 }), {}]
  ] as const)("has of %o what there is, and nothing that is null", (error, fields) => {
    const reported = reportedOf(error)
    const wire = Object.fromEntries(
      Object.entries(reported).map(([key, value]) => [key === "retryAfterMs" ? "retry_after_ms" : key, value])
    )
    assert.deepStrictEqual<unknown>(wire, { tag: error._tag, message: error.message, ...fields })
  })

  it.effect("is the same in the event and on the wire, with what will be obeyed of a Retry-After", () => {
    const events: Array<IngressEvent.IngressEvent> = []
    const limits = { retryAfterMs: 60_000 }
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      yield* fake.answer(GATEWAY, { kind: "refuse", status: 503, retryAfterMs: 7_200_000 })
      yield* host.idle
      yield* host.reconnect(REF, GATEWAY)
      yield* host.idle
      const error = events.findLast((event) => event.kind === "websocket_error") ?? assert.fail("no error")
      assert.deepInclude(IngressEventWire.encode(error).payload, { will_reconnect: true })
      assert.deepInclude(Object(IngressEventWire.encode(error).payload).error, {
        tag: "HandshakeRejected",
        status: 503,
        retry_after_ms: 60_000
      })
    }).pipe(Effect.provide(onFake({ plugins: [noting(events)], limits })))
  })
})

describe("a close event", () => {
  it.effect("says how many frames of its epoch no pong confirmed", () => {
    const events: Array<IngressEvent.IngressEvent> = []
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const counts = [3, 0, 1]
      for (const [index, count] of counts.entries()) {
        const remote = yield* fake.remote(GATEWAY, index + 1)
        yield* host.idle
        for (let sent = 0; sent < count; sent++) remote.sendText("echo")
        yield* host.idle
        remote.close(1000)
        yield* TestClock.adjust("1 minute")
        yield* host.idle
      }
      const closes = events.filter((event) => event.kind === "websocket_close")
      assert.deepStrictEqual(
        closes.map((event) => Object(IngressEventWire.encode(event).payload).unconfirmed),
        counts
      )
    }).pipe(Effect.provide(onFake({ plugins: [noting(events)] })))
  })
})

type Step =
  | { readonly kind: "close"; readonly code: number }
  | { readonly kind: "say"; readonly text: "close" | "again" }
  | { readonly kind: "answer"; readonly answer: FakeWebSocket.Answer }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "break" | "reconnect" | "revoke" | "grant" | "restart" }

const fail = (error: ConnectionError.DialError): FakeWebSocket.Answer => ({ kind: "fail", error })

const Step: Arbitrary.Arbitrary<Step> = either<Step>(
  Arbitrary.all({ kind: oneOf("close"), code: oneOf(1000, 1001, 1008, 4004, 4999) }),
  Arbitrary.all({ kind: oneOf("say"), text: oneOf("close", "again") }),
  Arbitrary.all({
    kind: oneOf("answer"),
    answer: oneOf<ReadonlyArray<FakeWebSocket.Answer>[number]>(
      { kind: "accept" },
      { kind: "accept" },
      { kind: "refuse", status: 401 },
      { kind: "refuse", status: 503, retryAfterMs: 120_000 },
      fail(new ConnectionError.DialFailed({ url: GATEWAY, phase: "tcp", code: "ECONNREFUSED" })),
      fail(new ConnectionError.AddressDenied({ url: GATEWAY, address: "10.0.0.1" }))
    )
  }),
  Arbitrary.all({ kind: oneOf("wait"), ms: either(int(1, 2000), oneOf(60_000, 900_000)) }),
  Arbitrary.all({ kind: oneOf("break", "break", "reconnect", "revoke", "grant", "restart") })
)

describe("will_reconnect", () => {
  it.effect.prop(
    "is true exactly if the state `waiting` follows, whatever ended, for whatever reason",
    {
      policy: oneOf("backoff", "backoff", "backoff", "never"),
      maxAttempts: oneOf(0, 0, 2),
      stopCodes: oneOf<ReadonlyArray<ReadonlyArray<number>>[number]>([], [4004, 1008]),
      steps: list(Step, 5, 40)
    },
    ({ maxAttempts, policy, steps, stopCodes }) => {
      const events: Array<IngressEvent.IngressEvent> = []
      const pkg = noting(events)
      const reconnect = { policy, max_attempts: maxAttempts, stop_codes: stopCodes }
      const enabled = [enable(pkg, { sources: { gateway: { reconnect } } })]
      return Effect.gen(function* () {
        const fake = yield* FakeWebSocket.FakeWebSocket
        const host = yield* PluginHost.PluginHost
        const grants = yield* GrantStore.GrantEditor
        const enact = Effect.fnUntraced(function* (step: Step) {
          const remote = (yield* fake.remotes(GATEWAY)).at(-1)
          switch (step.kind) {
            case "close":
              return remote?.close(step.code)
            case "break":
              return remote?.breakOff()
            case "say":
              return remote?.sendText(step.text)
            case "answer":
              return yield* fake.answer(GATEWAY, step.answer)
            case "wait":
              return yield* TestClock.adjust(step.ms)
            case "reconnect":
              return yield* Effect.orDie(host.reconnect(REF, GATEWAY))
            case "restart":
              return yield* Effect.orDie(host.restart(REF))
            case "revoke":
              return yield* grants.revoke(REF)
            case "grant":
              return yield* grants.replace(enabled)
          }
        })
        yield* host.idle
        for (const step of steps) {
          const before = events.length
          yield* enact(step)
          yield* host.idle
          const told = events.slice(before).at(-1)
          // Another dial that came of the same step would have told of itself.
          if (told === undefined || !("willReconnect" in told)) continue
          const { state, stopReason } = yield* connection
          assert.strictEqual(state === "waiting", told.willReconnect, `${step.kind}: ${state} ${stopReason}`)
        }
        assert.isUndefined(accountingProblem(yield* rowOf(REF)))
      }).pipe(Effect.provide(onFake({ plugins: [pkg], enabled })))
    },
    { arbitrary: { runs: 120 } }
  )
})
