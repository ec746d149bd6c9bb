/** Limits of a plugin's own, and of a source's, in place of the host's. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import { Enablement, type IngressEvent, Limits, OutputCommand, PluginHost, type PluginRuntime } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import { onFake, rowOf } from "../support/host.ts"
import { enable, FINE, GATEWAY, plugin } from "../support/plugins.ts"

const REF = "project:test.plugin"
const OTHER = "project:test.other"
const SECOND = "ws://127.0.0.1:7700/second"

/** Its handler takes as long as a text says, in milliseconds, or sends as many bytes as it says. */
const handlers = {
  gateway: {
    websocket_text: (event: IngressEvent.WebSocketText) => {
      const [what, number = "0"] = event.text.split(" ")
      if (what === "sleep") return Effect.as(Effect.sleep(Number(number)), {})
      if (what === "timers") {
        const names = Array.from({ length: Number(number) }, (_, index) => `t${index}`)
        return Exit.succeed({ commands: names.map((name) => OutputCommand.setTimer(name, { afterMs: 60_000 })) })
      }
      if (what === "status") return Exit.succeed({ status: "x".repeat(Number(number)) })
      if (what === "state") return Exit.succeed({ state: "x".repeat(Number(number)) })
      return Exit.succeed(what === "send" ? { commands: [OutputCommand.send(event, "x".repeat(Number(number)))] } : {})
    }
  }
}

const one = plugin({ handlers })
const other = plugin({ name: "other", sources: [FINE], handlers })

interface Own {
  readonly limits?: { readonly [key: string]: number }
  readonly sources?: { readonly [key: string]: unknown }
}

/** The one with limits of its own, beside the other which has none. */
const hosting = (mine: Own, host: Partial<Limits.Values> = {}, pkg: PluginRuntime.PluginPackage = one) =>
  onFake({ plugins: [pkg, other], enabled: [enable(pkg, { ...mine }), enable(other)], limits: host })

const ofSource = (limits: { readonly [key: string]: number }): Own => ({ sources: { gateway: { limits } } })

const both = Effect.gen(function* () {
  const fake = yield* FakeWebSocket.FakeWebSocket
  const host = yield* PluginHost.PluginHost
  return { fake, host, mine: yield* fake.remote(GATEWAY), theirs: yield* fake.remote(FINE) }
})

const connectionOf = (ref: string) =>
  Effect.map(rowOf(ref), (row) => row.websocketConnections[0] ?? assert.fail("no connection"))

const errors = (ref: string) =>
  Effect.map(rowOf(ref), (row) => row.outputCommandResults.map(({ error, status }) => error?.tag ?? status))

const tags = (ref: string) => Effect.map(rowOf(ref), ({ diagnosticCounts }) => Object.keys(diagnosticCounts))

/** Both are told the same; the tags of each one's diagnostics. */
const told = (...texts: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { host, mine, theirs } = yield* both
    for (const text of texts) {
      mine.sendText(text)
      theirs.sendText(text)
      yield* host.idle
    }
    return { mine: yield* tags(REF), theirs: yield* tags(OTHER) }
  })

describe("a limit of a plugin's own", () => {
  it.effect("is the deadline of its handlers", () =>
    Effect.gen(function* () {
      const { mine, theirs } = yield* both
      mine.sendText("sleep 1500")
      theirs.sendText("sleep 1500")
      yield* TestClock.adjust(1000)
      assert.strictEqual((yield* rowOf(OTHER)).lastError?.tag, "DispatchTimeout")
      yield* TestClock.adjust(500)
      const row = yield* rowOf(REF)
      assert.deepStrictEqual([row.lastError, row.dispatchCounters.dispatched, row.restarts], [null, 2, 0])
      mine.sendText("sleep 3000")
      yield* TestClock.adjust(1900)
      assert.isNull((yield* rowOf(REF)).lastError)
      yield* TestClock.adjust(200)
      assert.strictEqual((yield* rowOf(REF)).lastError?.tag, "DispatchTimeout")
    }).pipe(Effect.provide(hosting({ limits: { dispatch_deadline_ms: 2000 } })))
  )

  it.effect("is the deadline of its start", () => {
    const slow = {
      ...one,
      runtime: {
        ...one.runtime,
        start: (options: Parameters<typeof one.runtime.start>[0]) =>
          Effect.andThen(Effect.sleep(7000), one.runtime.start(options))
      }
    }
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* TestClock.adjust(6999)
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "starting")
      yield* TestClock.adjust(1)
      yield* host.awaitRunning(REF)
    }).pipe(Effect.provide(hosting({ limits: { start_deadline_ms: 8000 } }, {}, slow)))
  })

  it.effect("bounds its outputs, states, statuses and timers", () => {
    const limits = {
      command_payload_bytes: 9216,
      output_bytes: 10_240,
      state_bytes: 100,
      reported_status_bytes: 100,
      timers_per_plugin: 1
    }
    const entry = { limits, sources: { gateway: { limits: { send_text_bytes: 1024 } } } }
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* host.awaitRunning(REF)
      assert.deepStrictEqual(yield* told("state 99"), { mine: ["OutputInvalid"], theirs: [] })
      assert.deepStrictEqual(yield* told("status 99"), { mine: ["OutputInvalid"], theirs: [] })
      assert.deepStrictEqual(yield* told("state 98", "status 98"), { mine: ["OutputInvalid"], theirs: [] })
      yield* told("timers 2")
      assert.deepStrictEqual(yield* errors(REF), ["executed", "TimerLimit"])
      assert.deepStrictEqual(yield* errors(OTHER), ["executed", "executed"])
      const after = yield* told("send 11000")
      assert.deepStrictEqual([after.mine.includes("OutputTooLarge"), after.theirs], [true, []])
    }).pipe(Effect.provide(hosting(entry)))
  })

  it.effect("is how many connections it may have, of those that the host has", () => {
    const pkg = plugin({ sources: [GATEWAY, SECOND], handlers })
    const states = Effect.map(rowOf(REF), (row) => row.websocketConnections.map(({ state }) => state))
    return Effect.gen(function* () {
      yield* Effect.provide(
        Effect.gen(function* () {
          const host = yield* PluginHost.PluginHost
          yield* host.idle
          assert.deepStrictEqual(yield* states, ["open", "stopped"])
        }),
        hosting({ limits: { connections_per_plugin: 1 } }, {}, pkg)
      )
      yield* Effect.provide(
        Effect.gen(function* () {
          const host = yield* PluginHost.PluginHost
          yield* host.idle
          // The smaller of both holds.
          assert.deepStrictEqual(yield* states, ["open", "stopped"])
        }),
        hosting({ limits: { connections_per_plugin: 100 } }, { connectionsPerHost: 1 }, pkg)
      )
    })
  })

  it.effect("is how many dials it may have under way, and another one after it was changed", () => {
    const urls = Array.from({ length: 6 }, (_, index) => `ws://127.0.0.1:7700/never/${index}`)
    const pkg = plugin({ sources: urls })
    const answers = Object.fromEntries(urls.map((url) => [url, { kind: "never" as const }]))
    const enabled = (most: number) => [enable(pkg, { limits: { dials_at_once_per_plugin: most } })]
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      yield* TestClock.adjust(1000)
      assert.strictEqual((yield* fake.dials).length, 2)
      yield* host.apply({ enabled: enabled(5) })
      yield* TestClock.adjust(1000)
      // None that waited has had the turn of one that was given up.
      const dialled = (yield* fake.dials).map(({ url }) => url)
      assert.deepStrictEqual(dialled, [...urls.slice(0, 2), ...urls.slice(0, 5)])
    }).pipe(Effect.provide(onFake({ plugins: [pkg], enabled: enabled(2), answers })))
  })
})

describe("a limit of a source's own", () => {
  it.effect("is the deadline of its dials", () =>
    Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* TestClock.adjust(600)
      assert.strictEqual((yield* connectionOf(REF)).lastError?.tag, "OpenTimeout")
      assert.isNull((yield* connectionOf(OTHER)).lastError)
      yield* TestClock.adjust(9500)
      assert.strictEqual((yield* connectionOf(OTHER)).lastError?.tag, "OpenTimeout")
      yield* host.stop(REF)
    }).pipe(
      Effect.provide(
        onFake({
          plugins: [one, other],
          enabled: [enable(one, { ...ofSource({ open_deadline_ms: 500 }) }), enable(other)],
          answers: { [GATEWAY]: { kind: "never" }, [FINE]: { kind: "never" } }
        })
      )
    )
  )

  it.effect("is the capacity of its queue, in the status too", () =>
    Effect.gen(function* () {
      const { mine, theirs } = yield* both
      mine.sendText("sleep 500")
      theirs.sendText("sleep 500")
      yield* TestClock.adjust(1)
      for (const remote of [mine, theirs]) remote.sendBurst(Array.from({ length: 40 }, () => "x"))
      // What one read brought may exceed it; what comes once it slides may not.
      yield* TestClock.adjust(100)
      for (const remote of [mine, theirs]) remote.sendBurst(Array.from({ length: 40 }, () => "y"))
      const [bounded, others] = [yield* connectionOf(REF), yield* connectionOf(OTHER)]
      assert.deepStrictEqual([bounded.queueCapacity, bounded.flow], [4, "sliding"])
      assert.isAbove(bounded.queueDrops, 0)
      assert.deepStrictEqual([others.queueCapacity, others.flow, others.queueDrops], [1024, "flowing", 0])
      assert.strictEqual((yield* rowOf(REF)).queueCapacity, 1024)
    }).pipe(Effect.provide(hosting(ofSource({ ingress_queue_capacity: 4, burst_patience_ms: 50 }))))
  )

  it.effect("is another capacity once it was changed, and nothing that was counted is lost", () =>
    Effect.gen(function* () {
      const { host, mine } = yield* both
      mine.sendText("x")
      yield* host.idle
      yield* host.apply({
        enabled: [enable(one, { ...ofSource({ ingress_queue_capacity: 9 }) }), enable(other)]
      })
      yield* host.idle
      const { queueCapacity, receivedTextFrames, state } = yield* connectionOf(REF)
      assert.deepStrictEqual([queueCapacity, receivedTextFrames, state], [9, 1, "open"])
    }).pipe(Effect.provide(hosting({})))
  )

  it.effect("is how long a text that is sent may be, and how much may wait", () =>
    Effect.gen(function* () {
      const { host, mine, theirs } = yield* both
      for (const remote of [mine, theirs]) {
        remote.sendText("send 11")
        remote.sendText("send 10")
      }
      yield* host.idle
      assert.deepStrictEqual(yield* errors(REF), ["CommandTooLarge", "executed"])
      assert.deepStrictEqual(yield* errors(OTHER), ["executed", "executed"])
      const [diagnostic] = (yield* rowOf(REF)).diagnostics
      assert.deepInclude(diagnostic?.error, { what: "text", limit: 10 })
    }).pipe(Effect.provide(hosting(ofSource({ send_text_bytes: 10 }))))
  )

  it.effect("is its grace when it closes", () =>
    Effect.gen(function* () {
      const { host, mine, theirs } = yield* both
      mine.ignoreClose()
      theirs.ignoreClose()
      yield* host.stop(REF)
      yield* host.stop(OTHER)
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(
        [(yield* connectionOf(REF)).state, (yield* connectionOf(OTHER)).state],
        ["stopped", "closing"]
      )
      yield* TestClock.adjust(4000)
      assert.strictEqual((yield* connectionOf(OTHER)).state, "stopped")
    }).pipe(Effect.provide(hosting(ofSource({ close_grace_ms: 1000 }))))
  )
})

const ended = (ref: string) => Effect.map(connectionOf(ref), ({ epoch, lastError }) => [epoch, lastError?.tag ?? null])

describe("a heartbeat of a source's own", () => {
  it.effect("is off for a server that answers none, and on for every other", () =>
    Effect.gen(function* () {
      const { mine, theirs } = yield* both
      mine.ignorePings()
      theirs.ignorePings()
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual([mine.pings.length, yield* ended(REF)], [0, [1, null]])
      assert.isAbove(theirs.pings.length, 0)
      assert.strictEqual((yield* connectionOf(OTHER)).lastError?.tag, "KeepaliveTimeout")
    }).pipe(Effect.provide(hosting(ofSource({ ping_interval_ms: 0 }), { pingIntervalMs: 30_000 })))
  )

  it.effect("has a deadline of its own", () =>
    Effect.gen(function* () {
      const { mine, theirs } = yield* both
      mine.ignorePings()
      theirs.ignorePings()
      // The first ping goes out about a second after the open.
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual([(yield* ended(REF))[1], (yield* ended(OTHER))[1]], ["KeepaliveTimeout", null])
    }).pipe(Effect.provide(hosting(ofSource({ pong_deadline_ms: 2000 }), { pingIntervalMs: 30_000 })))
  )
})

const own = (path: string, limits: Partial<Limits.Values>) => ({ path, limits })

describe("limits of one's own", () => {
  const host = Limits.defaults
  const plugins = Object.keys(Limits.PluginLimits.to.fields)
  const sources = Object.keys(Limits.SourceLimits.to.fields)

  it("are those that CONTRACT marks, each for a plugin or for a source", () => {
    assert.strictEqual(plugins.length, 14)
    assert.strictEqual(sources.length, 12)
    assert.deepStrictEqual(
      plugins.filter((key) => sources.includes(key)),
      []
    )
    for (const key of [...plugins, ...sources]) assert.property(host, key)
  })

  it("have the ranges of the host's", () => {
    for (const [key, schema] of [
      ...plugins.map((each) => [each, Limits.PluginLimits] as const),
      ...sources.map((each) => [each, Limits.SourceLimits] as const)
    ]) {
      for (const value of [-1, 0.5, Number.MAX_SAFE_INTEGER, null, "1"]) {
        const isTaken = Schema.is(Schema.toType(schema))({ [key]: value })
        assert.strictEqual(isTaken, false, `${key} ${value}`)
      }
    }
    const made = Enablement.make({ ...Enablement.trusting(one), limits: { dispatchDeadlineMs: 0 } })
    assert.strictEqual(made._tag, "Failure")
  })

  const none = own("limits", {})

  it("that can't work together are named where they are set, whichever half it is", () => {
    const problems: ReadonlyArray<readonly [ReturnType<typeof own>, ReturnType<typeof own> | undefined, string]> = [
      [none, undefined, ""],
      [
        own("limits", { commandPayloadBytes: 300_000 }),
        undefined,
        "limits.command_payload_bytes: Expected at most output_bytes"
      ],
      [own("limits", { outputBytes: 1024 }), undefined, "limits.output_bytes: Expected at least command_payload_bytes"],
      [
        none,
        own("s.limits", { maxMessageBytes: 5_000_000 }),
        "s.limits.max_message_bytes: Expected at most half of ingress_queue_bytes"
      ],
      [
        none,
        own("s.limits", { ingressQueueBytes: 1_000_000 }),
        "s.limits.ingress_queue_bytes: Expected at least twice max_message_bytes"
      ],
      [none, own("s.limits", { ingressQueueBytes: 1_000_000, maxMessageBytes: 500_000 }), ""],
      [
        own("limits", { commandPayloadBytes: 10_000 }),
        own("s.limits", { sendTextBytes: 1809 }),
        "s.limits.send_text_bytes: Expected at most command_payload_bytes less 8192"
      ],
      [own("limits", { commandPayloadBytes: 10_000 }), own("s.limits", { sendTextBytes: 1808 }), ""],
      [
        none,
        own("s.limits", { sendBufferBytes: 65_535 }),
        "s.limits.send_buffer_bytes: Expected at least send_text_bytes"
      ]
    ]
    for (const [ofPlugin, ofOne, expected] of problems) {
      const found = Limits.problemsOf(host, ofPlugin, ofOne).map(({ message, path }) => `${path}: ${message}`)
      assert.strictEqual(found.join("; "), expected)
    }
  })
})
