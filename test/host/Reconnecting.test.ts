import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import {
  ConnectionError,
  GrantStore,
  type IngressEvent,
  OutputCommand,
  PluginHost,
  SourceUrl,
  type WebSocketTarget
} from "mooring"
import { FakeWebSocket } from "mooring/testing"
import * as Source from "../../src/connection/Source.ts"
import { accountingProblem, onFake, opened, rowOf, settled } from "../support/host.ts"
import { enable, GATEWAY, plugin } from "../support/plugins.ts"

const REF = "project:test.plugin"
const SOURCE_ID = Source.idOf("gateway", GATEWAY)
const RESUME = "ws://127.0.0.1:7700/resume?session=secret"
const ELSEWHERE = "ws://127.0.0.1:7700/elsewhere/secret"

const websocket: ReadonlyArray<WebSocketTarget.WebSocketTarget> = [
  { scheme: "ws", host: "127.0.0.1", port: 7700, pathPrefixes: ["/gateway", "/resume"] }
]

/** A plugin that does what a text says in JSON, and notes what happens to its connection. */
const driven = (seen: Array<string> = []) => {
  const note = (event: IngressEvent.IngressEvent) => {
    const follows = "willReconnect" in event ? (event.willReconnect ? " again" : " stops") : ""
    seen.push(`${event.kind.replace("websocket_", "")} ${event.epoch}${follows}`)
    return Exit.void
  }
  return plugin({
    websocket,
    handlers: {
      gateway: {
        websocket_open: note,
        websocket_close: note,
        websocket_error: note,
        websocket_text: (event) =>
          Exit.succeed({ commands: JSON.parse(event.text) as ReadonlyArray<OutputCommand.Command> }),
        timer: (event) =>
          event.name === "die" ? Effect.die("boom") : Exit.succeed({ commands: WISHES.get(event.name) ?? [] })
      }
    }
  })
}

const LIFT = [OutputCommand.reconnect(GATEWAY, { epoch: "any" })]
const HOME = [OutputCommand.reconnect(GATEWAY, { epoch: "any", dialUrl: null })]
const BOTH = [OutputCommand.close(GATEWAY, { epoch: "any" }), ...LIFT]
/** What the plugin asks for when a timer of that name fires. */
const WISHES = new Map([
  ["lift", LIFT],
  ["home", HOME],
  ["both", BOTH],
  ["twice", [...BOTH, ...BOTH]]
])

const resume = (sequence: number) => `ws://127.0.0.1:7700/resume/${sequence}`

const say = (...commands: ReadonlyArray<OutputCommand.Command>) => JSON.stringify(commands)

const start = opened(GATEWAY)

const connection = Effect.map(rowOf(REF), (row) => {
  const [first] = row.websocketConnections
  if (first === undefined) throw new Error("no connection")
  return first
})
const results = Effect.map(rowOf(REF), (row) =>
  row.outputCommandResults.map(({ error, status }) => error?.tag ?? status)
)
const dialled = Effect.flatMap(FakeWebSocket.FakeWebSocket, ({ dials }) =>
  Effect.map(dials, (all) => all.map(({ url }) => url))
)

describe("websocket_reconnect", () => {
  it.effect("closes with its code and dials anew after the backoff, at the URL that it asks for", () => {
    const seen: Array<string> = []
    return Effect.gen(function* () {
      const { fake, host, remote } = yield* start
      remote.sendText(say(OutputCommand.reconnect(GATEWAY, { code: 4000, dialUrl: RESUME })))
      yield* host.idle
      assert.deepStrictEqual(remote.closeFrame, { code: 4000, reason: "" })
      assert.deepInclude(yield* connection, { state: "waiting", url: GATEWAY, epoch: 1 })
      assert.deepStrictEqual(yield* results, ["executed"])
      yield* TestClock.adjust(499)
      assert.lengthOf(yield* fake.dials, 1)
      yield* TestClock.adjust(1)
      const second = yield* fake.remote(RESUME)
      yield* host.idle
      assert.deepInclude(yield* connection, { state: "open", url: GATEWAY, epoch: 2 })
      // From now on: also after an end that nobody asked for, and back again with null.
      second.breakOff()
      yield* host.idle
      yield* TestClock.adjust("1 minute")
      const third = yield* fake.remote(RESUME, 2)
      third.sendText(say(OutputCommand.reconnect(GATEWAY, { dialUrl: null })))
      yield* host.idle
      yield* TestClock.adjust("1 minute")
      yield* fake.remote(GATEWAY, 2)
      yield* host.idle
      assert.deepStrictEqual(seen, [
        "open 1",
        "close 1 again",
        "open 2",
        "error 2 again",
        "close 2 again",
        "open 3",
        "close 3 again",
        "open 4"
      ])
      const row = yield* rowOf(REF)
      assert.isUndefined(accountingProblem(row))
      assert.notInclude(JSON.stringify(yield* host.status), "secret")
    }).pipe(Effect.provide(onFake({ plugins: [driven(seen)] })))
  })

  it.effect("rule 1: is refused where manifest or grant don't cover what is to be dialled, and changes nothing", () =>
    Effect.gen(function* () {
      const { host, remote } = yield* start
      remote.sendText(
        say(
          OutputCommand.reconnect(GATEWAY, { dialUrl: ELSEWHERE }),
          OutputCommand.reconnect(GATEWAY, { dialUrl: "http://127.0.0.1/secret" }),
          OutputCommand.reconnect("ws://127.0.0.1:7700/other")
        )
      )
      yield* host.idle
      assert.deepStrictEqual(yield* results, ["CommandUngranted", "CommandUngranted", "CommandUngranted"])
      assert.isTrue(remote.isOpen)
      assert.deepInclude(yield* connection, { state: "open" })
      assert.notInclude(JSON.stringify(yield* host.status), "secret")
    }).pipe(Effect.provide(onFake({ plugins: [driven()] })))
  )

  it.effect(
    "rule 1: stops the source when the grant no longer covers what is dialled, until the plugin gives it up",
    () => {
      const pkg = driven()
      const granted = GrantStore.grantOf(enable(pkg))
      const narrow = { ...granted, websocket: granted.websocket.map((one) => ({ ...one, pathPrefixes: ["/gateway"] })) }
      return Effect.gen(function* () {
        const { fake, host, remote } = yield* start
        const grants = yield* GrantStore.GrantEditor
        remote.sendText(
          say(
            OutputCommand.reconnect(GATEWAY, { dialUrl: RESUME }),
            OutputCommand.setTimer("lift", { afterMs: 60_000, everyMs: 1000 })
          )
        )
        yield* host.idle
        yield* TestClock.adjust(500)
        const resumed = yield* fake.remote(RESUME)
        yield* host.idle
        yield* grants.set(REF, narrow)
        yield* host.idle
        assert.isFalse(resumed.isOpen)
        assert.deepInclude(yield* connection, { state: "stopped", stopReason: "grant" })
        assert.strictEqual((yield* rowOf(REF)).diagnosticCounts["TargetUngranted"], 1)
        // A wish for the same URL is refused; it stays as it is, without dialling again and again.
        yield* TestClock.adjust("2 minutes")
        yield* host.idle
        assert.lengthOf(yield* fake.dials, 2)
        assert.strictEqual((yield* results).at(-1), "CommandUngranted")
        // Granted again, it is dialled again.
        yield* grants.set(REF, granted)
        yield* fake.remote(RESUME, 2)
      }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
    }
  )

  it.effect("lifts the plugin's own close, and a stop by close code", () => {
    const pkg = driven()
    const sources = { gateway: { reconnect: { stop_codes: [4004] } } }
    return Effect.gen(function* () {
      const { fake, host, remote } = yield* start
      remote.sendText(say(OutputCommand.setTimer("lift", { afterMs: 10_000 }), OutputCommand.close(GATEWAY)))
      yield* host.idle
      assert.deepInclude(yield* connection, { state: "stopped", stopReason: "plugin" })
      yield* TestClock.adjust(10_000)
      yield* host.idle
      assert.deepInclude(yield* connection, { state: "waiting", stopReason: null })
      yield* TestClock.adjust(1000)
      const second = yield* fake.remote(GATEWAY, 2)
      second.sendText(say(OutputCommand.setTimer("lift", { afterMs: 10_000 })))
      yield* host.idle
      second.close(4004)
      yield* host.idle
      assert.deepInclude(yield* connection, { state: "stopped", stopReason: "close_code" })
      yield* TestClock.adjust(12_000)
      yield* fake.remote(GATEWAY, 3)
    }).pipe(Effect.provide(onFake({ plugins: [pkg], enabled: [enable(pkg, { sources })] })))
  })

  it.effect("is denied where it is not the plugin's to lift, or its budget is used up, and leaves what is open", () => {
    const pkg = driven()
    const reconnect = { initial_ms: 10, max_ms: 10, max_attempts: 2, window_ms: 600_000 }
    return Effect.gen(function* () {
      const { fake, host, remote } = yield* start
      remote.sendText(say(OutputCommand.reconnect(GATEWAY)))
      yield* host.idle
      yield* TestClock.adjust(10)
      const second = yield* fake.remote(GATEWAY, 2)
      second.sendText(say(OutputCommand.reconnect(GATEWAY), OutputCommand.setTimer("lift", { afterMs: 1000 })))
      yield* host.idle
      assert.deepStrictEqual(yield* results, ["executed", "ReconnectDenied", "executed"])
      assert.isTrue(second.isOpen)
      const denied = (yield* rowOf(REF)).diagnostics.find(({ tag }) => tag === "ReconnectDenied")
      assert.deepInclude(denied?.error, { stop_reason: "exhausted" })
      second.breakOff()
      yield* host.idle
      assert.deepInclude(yield* connection, { state: "stopped", stopReason: "exhausted" })
      yield* TestClock.adjust(1000)
      yield* host.idle
      assert.strictEqual((yield* results).at(-1), "ReconnectDenied")
      assert.lengthOf(yield* fake.dials, 2)
    }).pipe(Effect.provide(onFake({ plugins: [pkg], enabled: [enable(pkg, { sources: { gateway: { reconnect } } })] })))
  })

  for (const [status, policy, reason] of [
    [403, "backoff", "http"],
    [0, "backoff", "address"],
    [503, "never", "never"]
  ] as const) {
    it.effect(`is denied while the source is stopped for ${reason}`, () => {
      const pkg = driven()
      return Effect.gen(function* () {
        const { fake, host, remote } = yield* start
        remote.sendText(say(OutputCommand.setTimer("lift", { afterMs: 40_000 })))
        yield* host.idle
        const error = new ConnectionError.AddressDenied({ url: GATEWAY, address: "10.0.0.1" })
        yield* fake.answer(GATEWAY, status === 0 ? { kind: "fail", error } : { kind: "refuse", status })
        remote.breakOff()
        yield* host.idle
        yield* TestClock.adjust(20_000)
        yield* host.idle
        assert.deepInclude(yield* connection, { state: "stopped", stopReason: reason })
        yield* TestClock.adjust(20_000)
        yield* host.idle
        const row = yield* rowOf(REF)
        assert.strictEqual(row.outputCommandResults.at(-1)?.error?.tag, "ReconnectDenied")
        assert.deepInclude(row.diagnostics.at(-1)?.error, { stop_reason: reason })
        assert.deepInclude(yield* connection, { state: "stopped", stopReason: reason })
        // The operator may.
        yield* fake.answer(GATEWAY, { kind: "accept" })
        yield* host.reconnect(REF, GATEWAY)
        yield* fake.remote(GATEWAY, 2)
      }).pipe(
        Effect.provide(
          onFake({ plugins: [pkg], enabled: [enable(pkg, { sources: { gateway: { reconnect: { policy } } } })] })
        )
      )
    })
  }

  it.effect("rule 8: is for one epoch like any command, and rule 3: can't dial faster than the schedule", () =>
    Effect.gen(function* () {
      const { fake, host, remote } = yield* start
      remote.sendText(say(OutputCommand.reconnect(GATEWAY, { epoch: 7 }), OutputCommand.reconnect(GATEWAY)))
      remote.sendText(say(OutputCommand.reconnect(GATEWAY)))
      yield* host.idle
      assert.deepStrictEqual((yield* results).slice(0, 2), ["StaleEpoch", "executed"])
      // Each one that opens at once is closed at once again: the waits grow.
      let opens = 1
      for (let second = 0; second < 120; second++) {
        yield* TestClock.adjust(1000)
        yield* host.idle
        const latest = (yield* fake.remotes(GATEWAY)).at(-1)
        if (latest?.isOpen === true) {
          opens++
          latest.sendText(say(OutputCommand.reconnect(GATEWAY)))
          yield* host.idle
        }
      }
      assert.isAtMost(opens, 9)
      assert.isUndefined(accountingProblem(yield* rowOf(REF)))
    }).pipe(Effect.provide(onFake({ plugins: [driven()] })))
  )

  it.effect("shortens no wait, and begins none anew", () =>
    Effect.gen(function* () {
      const { fake, host, remote } = yield* start
      remote.sendText(say(OutputCommand.setTimer("lift", { afterMs: 100, everyMs: 1000 })))
      yield* host.idle
      yield* fake.answer(GATEWAY, { kind: "refuse", status: 503, retryAfterMs: 60_000 })
      remote.breakOff()
      yield* host.idle
      yield* TestClock.adjust(500)
      yield* host.idle
      const { nextAttemptAt } = yield* connection
      assert.strictEqual(Date.parse(nextAttemptAt ?? ""), 60_500)
      yield* TestClock.adjust(59_000)
      yield* host.idle
      assert.deepInclude(yield* connection, { state: "waiting", nextAttemptAt })
      assert.isAbove((yield* results).filter((status) => status === "executed").length, 30)
      assert.lengthOf(yield* fake.dials, 2)
    }).pipe(Effect.provide(onFake({ plugins: [driven()], limits: { commandResultsKept: 100 } })))
  )

  it.effect("lifts the plugin's own close even if the service crashes before anything was dialled", () => {
    const pkg = plugin({
      websocket,
      handlers: {
        gateway: {
          websocket_text: (event) =>
            Exit.succeed({
              commands: [
                OutputCommand.close(event),
                OutputCommand.setTimer("lift", { afterMs: 100 }),
                OutputCommand.setTimer("die", { afterMs: 100 })
              ]
            }),
          timer: (event) => (event.name === "die" ? Effect.die("boom") : Exit.succeed({ commands: LIFT }))
        }
      }
    })
    return Effect.gen(function* () {
      const { fake, host, remote } = yield* start
      remote.sendText("go")
      yield* host.idle
      yield* TestClock.adjust("1 minute")
      yield* host.idle
      yield* fake.remote(GATEWAY, 2)
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("isn't lost to a stop code that comes before the server has answered the close", () => {
    const pkg = plugin({
      ingress: { stopCodes: [4004] },
      handlers: { gateway: { websocket_text: (event) => Exit.succeed({ commands: [OutputCommand.reconnect(event)] }) } }
    })
    return Effect.gen(function* () {
      const { fake, host, remote } = yield* start
      remote.ignoreClose()
      remote.sendText("again")
      yield* settled
      assert.isNotNull(remote.closeFrame)
      remote.close(4004)
      yield* host.idle
      assert.strictEqual((yield* rowOf(REF)).outputCommandResults.at(-1)?.status, "executed")
      assert.deepInclude(yield* connection, { state: "waiting" })
      yield* TestClock.adjust("1 second")
      yield* fake.remote(GATEWAY, 2)
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect.each(["both", "twice"])("shortens no Retry-After by closing first: %s", (wish) =>
    Effect.gen(function* () {
      const { fake, host, remote } = yield* start
      remote.sendText(say(OutputCommand.setTimer(wish, { afterMs: 10_000, everyMs: 10_000 })))
      yield* host.idle
      yield* fake.answer(GATEWAY, { kind: "refuse", status: 503, retryAfterMs: 3_600_000 })
      remote.breakOff()
      yield* host.idle
      yield* TestClock.adjust(500)
      yield* host.idle
      const { nextAttemptAt } = yield* connection
      for (let times = 0; times < 20; times++) {
        yield* TestClock.adjust("1 minute")
        yield* host.idle
      }
      assert.deepInclude(yield* connection, { state: "waiting", nextAttemptAt })
      assert.lengthOf(yield* fake.dials, 2)
      assert.notInclude(yield* results, "ReconnectDenied")
    }).pipe(Effect.provide(onFake({ plugins: [driven()] })))
  )

  for (const [what, answer, dials] of [
    ["a 403", { kind: "refuse", status: 403 }, 2],
    [
      "a denied address",
      { kind: "fail", error: new ConnectionError.AddressDenied({ url: GATEWAY, address: "10.0.0.1" }) },
      // At once, after a minute, after two more: by its own schedule.
      4
    ],
    ["a budget that is used up", { kind: "refuse", status: 500 }, 3]
  ] as const) {
    it.effect(`doesn't lift ${what} by closing first`, () => {
      const pkg = driven()
      const reconnect = { initial_ms: 10, max_ms: 10, max_attempts: 3, window_ms: 600_000 }
      return Effect.gen(function* () {
        const { fake, host, remote } = yield* start
        remote.sendText(say(OutputCommand.setTimer("both", { afterMs: 60_000, everyMs: 61_000 })))
        yield* host.idle
        yield* fake.answer(GATEWAY, answer)
        remote.breakOff()
        for (let second = 0; second < 590; second++) {
          yield* host.idle
          yield* TestClock.adjust(1000)
        }
        yield* host.idle
        assert.lengthOf(yield* fake.dials, dials)
        assert.include(yield* results, "ReconnectDenied")
        assert.deepInclude(yield* connection, { state: "stopped", stopReason: "plugin" })
      }).pipe(
        Effect.provide(onFake({ plugins: [pkg], enabled: [enable(pkg, { sources: { gateway: { reconnect } } })] }))
      )
    })
  }

  it.effect("resets no backoff of dials that never open, whatever stable_ms says", () => {
    const pkg = plugin({
      websocket,
      handlers: {
        gateway: {
          websocket_text: () =>
            Exit.succeed({ commands: [OutputCommand.setTimer("again", { afterMs: 100, everyMs: 1000 })] }),
          timer: ({ sequence }) =>
            Exit.succeed({ commands: [OutputCommand.reconnect(GATEWAY, { epoch: "any", dialUrl: resume(sequence) })] })
        }
      }
    })
    const sources = { gateway: { reconnect: { stable_ms: 0 } } }
    return Effect.gen(function* () {
      const { fake, host, remote } = yield* start
      remote.sendText("go")
      yield* host.idle
      for (let sequence = 0; sequence < 200; sequence++) yield* fake.answer(resume(sequence), { kind: "never" })
      yield* fake.answer(GATEWAY, { kind: "never" })
      remote.breakOff()
      for (let second = 0; second < 120; second++) {
        yield* TestClock.adjust(1000)
        yield* settled
      }
      assert.isBelow((yield* fake.dials).length, 20)
    }).pipe(Effect.provide(onFake({ plugins: [pkg], enabled: [enable(pkg, { sources })] })))
  })

  it.effect("gives up a dial under way to another URL", () =>
    Effect.gen(function* () {
      const { fake, host, remote } = yield* start
      remote.sendText(say(OutputCommand.setTimer("a", { afterMs: 60_000 })))
      yield* host.idle
      yield* fake.answer(RESUME, { kind: "never" })
      remote.sendText(say(OutputCommand.reconnect(GATEWAY, { dialUrl: RESUME })))
      yield* host.idle
      yield* TestClock.adjust(500)
      yield* fake.dialled(RESUME, 1)
      assert.deepInclude(yield* connection, { state: "connecting" })
      yield* host.reconnect(REF, GATEWAY)
      yield* fake.dialled(RESUME, 2)
      yield* settled
      assert.deepInclude(yield* connection, { state: "connecting", attempts: 2 })
      yield* host.restart(REF)
      // Started anew by the operator, the source's own URL is dialled.
      yield* fake.remote(GATEWAY, 2)
    }).pipe(Effect.provide(onFake({ plugins: [driven()] })))
  )
})

describe("websocket_close", () => {
  it.effect("holds though the service crashes before the server has answered", () =>
    Effect.gen(function* () {
      const { fake, remote } = yield* start
      remote.ignoreClose()
      remote.sendText(say(OutputCommand.close(GATEWAY), OutputCommand.setTimer("die", { afterMs: 100 })))
      yield* settled
      yield* TestClock.adjust(100)
      yield* settled
      yield* TestClock.adjust("1 minute")
      yield* settled
      assert.deepInclude(yield* connection, { state: "stopped", stopReason: "plugin" })
      assert.deepInclude(yield* rowOf(REF), { lifecycle: "running", restarts: 1 })
      assert.lengthOf(yield* fake.dials, 1)
    }).pipe(Effect.provide(onFake({ plugins: [driven()] })))
  )
})

describe("PluginHost.reconnect", () => {
  it.effect("isn't lost while the service restarts", () => {
    const pkg = driven()
    const sources = { gateway: { reconnect: { stop_codes: [4004] } } }
    return Effect.gen(function* () {
      const { fake, host, remote } = yield* start
      remote.sendText(say(OutputCommand.setTimer("die", { afterMs: 1000 })))
      yield* host.idle
      remote.close(4004)
      yield* host.idle
      yield* TestClock.adjust(1000)
      yield* settled
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "restarting")
      assert.deepInclude(yield* connection, { state: "stopped", stopReason: "close_code" })
      yield* host.reconnect(REF, GATEWAY)
      yield* TestClock.adjust(100)
      yield* fake.remote(GATEWAY, 2)
    }).pipe(Effect.provide(onFake({ plugins: [pkg], enabled: [enable(pkg, { sources })] })))
  })

  it.effect("does nothing for a service that never started", () => {
    const pkg = plugin({ handlers: () => Effect.fail("no") })
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      yield* host.reconnect(REF, GATEWAY)
      yield* host.idle
      assert.deepInclude(yield* connection, { state: "stopped", stopReason: "service" })
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("isn't promised by the status of a service that was stopped", () =>
    Effect.gen(function* () {
      const { fake, host, remote } = yield* start
      yield* fake.answer(GATEWAY, { kind: "refuse", status: 403 })
      remote.breakOff()
      yield* host.idle
      yield* TestClock.adjust(5000)
      yield* host.idle
      assert.isNotNull((yield* connection).nextAttemptAt)
      yield* host.stop(REF)
      yield* host.idle
      assert.deepInclude(yield* connection, { state: "stopped", stopReason: "http", nextAttemptAt: null })
    }).pipe(Effect.provide(onFake({ plugins: [driven()] })))
  )

  it.effect("says so where the grant is gone by then", () => {
    const pkg = driven()
    const granted = GrantStore.grantOf(enable(pkg))
    const sources = { gateway: { reconnect: { stop_codes: [4004] } } }
    return Effect.gen(function* () {
      const { host, remote } = yield* start
      const grants = yield* GrantStore.GrantEditor
      remote.close(4004)
      yield* host.idle
      yield* grants.set(REF, { ...granted, websocket: [] })
      yield* host.reconnect(REF, GATEWAY)
      yield* host.idle
      assert.deepInclude(yield* connection, { state: "stopped", stopReason: "grant" })
      assert.strictEqual((yield* connection).lastError?.tag, "TargetUngranted")
    }).pipe(Effect.provide(onFake({ plugins: [pkg], enabled: [enable(pkg, { sources })] })))
  })

  it.effect("closes an open connection in order and dials at once", () => {
    const seen: Array<string> = []
    return Effect.gen(function* () {
      const { fake, host, remote } = yield* start
      yield* host.reconnect(REF, `websocket:${GATEWAY}`)
      yield* fake.remote(GATEWAY, 2)
      yield* host.idle
      assert.deepStrictEqual(remote.closeFrame, { code: 1001, reason: "" })
      assert.deepStrictEqual(seen, ["open 1", "close 1 again", "open 2"])
      assert.strictEqual((yield* Effect.flip(host.reconnect(REF, RESUME)))._tag, "SourceUnknown")
      assert.strictEqual((yield* Effect.flip(host.reconnect("project:x", GATEWAY)))._tag, "PluginUnknown")
    }).pipe(Effect.provide(onFake({ plugins: [driven(seen)] })))
  })
})

const withUrl = (resolve: (request: SourceUrl.Request) => Effect.Effect<SourceUrl.Answer, unknown>) =>
  Effect.provide(Layer.provide(onFake({ plugins: [driven()] }), Layer.succeed(SourceUrl.SourceUrl, { resolve })))

describe("SourceUrl", () => {
  it.effect("is asked before every dial, and what it answers is dialled and shown nowhere", () => {
    const requests: Array<SourceUrl.Request> = []
    return Effect.gen(function* () {
      const { fake, host } = yield* Effect.all({ fake: FakeWebSocket.FakeWebSocket, host: PluginHost.PluginHost })
      const first = yield* fake.remote(`${GATEWAY}?ticket=1-secret`)
      yield* host.idle
      first.sendText(say(OutputCommand.send(GATEWAY, "heard"), OutputCommand.reconnect(GATEWAY, { dialUrl: RESUME })))
      yield* host.idle
      assert.deepStrictEqual(first.sent, ["heard"])
      yield* TestClock.adjust(500)
      yield* fake.remote(`${RESUME}?ticket=2-secret`)
      yield* host.idle
      const enablement = { id: REF, instance: null, config: {} }
      const request = { pluginRef: REF, enablement, ingressName: "gateway", sourceId: SOURCE_ID, url: GATEWAY }
      assert.deepStrictEqual(requests, [
        { ...request, dialUrl: null },
        { ...request, dialUrl: RESUME }
      ])
      assert.notInclude(JSON.stringify(yield* host.status), "secret")
    }).pipe(
      withUrl((request) =>
        Effect.sync(() => `${request.dialUrl ?? request.url}?ticket=${requests.push(request)}-secret`)
      )
    )
  })

  it.effect("fails a dial where it fails, dies, or never answers, and the source is dialled again", () => {
    let asked = 0
    const answers: ReadonlyArray<Effect.Effect<SourceUrl.Answer, unknown>> = [
      Effect.fail("no"),
      Effect.die("boom"),
      Effect.suspend(() => {
        throw new Error(`no answer from ${RESUME}`)
      }),
      Effect.interrupt,
      Effect.succeed(undefined as unknown as string),
      Effect.never
    ]
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      for (let minute = 0; minute < 8; minute++) {
        yield* TestClock.adjust("1 minute")
        yield* host.idle
      }
      yield* fake.remote(GATEWAY)
      const row = yield* rowOf(REF)
      assert.deepStrictEqual(row.diagnosticCounts, { DialFailed: 5, OpenTimeout: 1 })
      assert.deepInclude(row.diagnostics[0]?.error, { phase: "url", code: "EUNRESOLVED", reason: "no" })
      assert.notInclude(JSON.stringify(yield* host.status), "secret")
    }).pipe(withUrl(({ url }) => answers[asked++] ?? Effect.succeed(url)))
  })

  it.effect("rule 1: can't lead where manifest and grant don't", () =>
    Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      yield* TestClock.adjust("1 hour")
      yield* host.idle
      assert.deepStrictEqual(yield* fake.dials, [])
      assert.deepInclude(yield* connection, { state: "stopped", stopReason: "grant", attempts: 1 })
      assert.deepStrictEqual((yield* rowOf(REF)).diagnosticCounts, { TargetUndeclared: 1 })
      assert.notInclude(JSON.stringify(yield* host.status), "secret")
    }).pipe(withUrl(() => Effect.succeed(ELSEWHERE)))
  )

  it.effect("rule 1: a stop for its answer isn't the plugin's to lift", () => {
    let asked = 0
    let answer = GATEWAY
    return Effect.gen(function* () {
      const { host, remote } = yield* start
      remote.sendText(say(OutputCommand.setTimer("lift", { afterMs: 60_000, everyMs: 1000 })))
      yield* host.idle
      answer = ELSEWHERE
      remote.breakOff()
      for (let second = 0; second < 200; second++) {
        yield* host.idle
        yield* TestClock.adjust(1000)
      }
      yield* host.idle
      assert.deepInclude(yield* connection, { state: "stopped", stopReason: "grant" })
      assert.strictEqual(asked, 2)
      assert.strictEqual((yield* results).at(-1), "ReconnectDenied")
    }).pipe(
      withUrl(() =>
        Effect.sync(() => {
          asked++
          return answer
        })
      )
    )
  })

  const Url = Schema.Literals([
    GATEWAY,
    RESUME,
    ELSEWHERE,
    "wss://127.0.0.1:7700/gateway",
    "ws://10.0.0.1/gateway",
    "not a URL"
  ])

  it.effect.prop(
    "rule 1: whatever it answers and the plugin asks for, nothing is dialled that isn't covered",
    { answers: Schema.Array(Url).check(Schema.isMaxLength(8)), wishes: Schema.Array(Url).check(Schema.isMaxLength(8)) },
    ({ answers, wishes }) => {
      let asked = 0
      return Effect.gen(function* () {
        const fake = yield* FakeWebSocket.FakeWebSocket
        const host = yield* PluginHost.PluginHost
        yield* host.idle
        for (const wish of wishes) {
          for (const url of [GATEWAY, RESUME]) {
            const remote = (yield* fake.remotes(url)).at(-1)
            if (remote?.isOpen === true) remote.sendText(say(OutputCommand.reconnect(GATEWAY, { dialUrl: wish })))
          }
          yield* host.idle
          yield* TestClock.adjust("2 minutes")
          yield* host.idle
          yield* host.reconnect(REF, GATEWAY)
          yield* host.idle
        }
        for (const url of yield* dialled) assert.isTrue(url.startsWith(GATEWAY) || url === RESUME, url)
        assert.isUndefined(accountingProblem(yield* rowOf(REF)))
      }).pipe(withUrl(({ dialUrl, url }) => Effect.sync(() => answers[asked++] ?? dialUrl ?? url)))
    },
    { arbitrary: { runs: 60 } }
  )
})
