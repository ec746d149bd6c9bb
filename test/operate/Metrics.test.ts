/** Metrics equal the status at any moment, and go with what they belong to. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import { GrantStore, HostStatus, OutputCommand, PluginHost } from "mooring"
import { Exposition, Metrics } from "mooring/operate"
import { FakeWebSocket } from "mooring/testing"
import { onFake, opened, settled } from "../support/host.ts"
import { heapUsed } from "../support/memory.ts"
import { enable, GATEWAY, plugin, refOf } from "../support/plugins.ts"
import { expected, kinds, sampleKey, scraped } from "./support/prometheus.ts"

const SOURCES = ["ws://127.0.0.1:7700/a", "ws://127.0.0.1:7700/b"]

/** With a registry of its own, as each program has one. */
const metered = (sample: number, setup: Parameters<typeof onFake>[0]) =>
  Metrics.layer({ sample }).pipe(
    Layer.provideMerge(onFake(setup)),
    Layer.provideMerge(
      Layer.effect(
        Metric.MetricRegistry,
        Effect.sync(() => new Map())
      )
    )
  )

/** Every value of a scrape but those that are measured, against the status of the same turn. */
const compare = Effect.gen(function* () {
  const { status } = yield* PluginHost.PluginHost
  const samples = yield* Effect.map(Exposition.text, scraped)
  const now = HostStatus.encode(yield* status)
  const lag = sampleKey("mooring_event_loop_lag_seconds", {})
  assert.isTrue(samples.has(lag))
  samples.delete(lag)
  const measured = [...samples.keys()].filter((key) => /_seconds(?:_bucket|_sum|_count)?\b/.test(key))
  for (const key of measured) samples.delete(key)
  assert.deepStrictEqual(samples, expected(now))
})

const Action = Schema.Union([
  Schema.Struct({
    kind: Schema.Literal("text"),
    source: Schema.Literals([0, 1]),
    says: Schema.Literals(["ok", "fail", "die", "send", "slow"])
  }),
  Schema.Struct({ kind: Schema.Literals(["binary", "close", "break"]), source: Schema.Literals([0, 1]) }),
  Schema.Struct({ kind: Schema.Literal("wait"), ms: Schema.Literals([1, 50, 1000, 6000]) }),
  Schema.Struct({ kind: Schema.Literals(["stop", "start", "revoke", "grant", "settle", "disable", "enable", "fewer"]) })
])

const answering = plugin({
  sources: SOURCES,
  handlers: {
    gateway: {
      websocket_text: (event) => {
        switch (event.text) {
          case "fail":
            return Exit.fail("no")
          case "die":
            return Exit.die(new Error("died"))
          case "send":
            return Exit.succeed({
              commands: [OutputCommand.send(event, "hello"), OutputCommand.send({ url: "ws://other" }, "x")]
            })
          case "slow":
            return Effect.as(Effect.sleep(300), {})
          default:
            return Exit.void
        }
      }
    }
  }
})

describe("metrics", () => {
  it.effect.prop(
    "equal the status's counters at any moment, whatever comes, ends, stops, is revoked, disabled or enabled",
    { actions: Schema.Array(Action).check(Schema.isMaxLength(30)) },
    ({ actions }) => {
      const quick = { reconnect: { initial_ms: 10, max_ms: 50, stable_ms: 0 } }
      const enabled = [enable(answering, { sources: { gateway: quick } })]
      const fewer = [enable(answering, { sources: { gateway: { ...quick, urls: SOURCES.slice(0, 1) } } })]
      const ref = refOf(answering)
      return Effect.gen(function* () {
        const fake = yield* FakeWebSocket.FakeWebSocket
        const host = yield* PluginHost.PluginHost
        const grants = yield* GrantStore.GrantEditor
        const grant = GrantStore.grantOf(enabled[0] ?? (yield* Effect.die("no enablement")))
        yield* settled
        for (const action of actions) {
          const remote = "source" in action ? (yield* fake.remotes(SOURCES[action.source] ?? "")).at(-1) : undefined
          switch (action.kind) {
            case "text":
              remote?.sendText(action.says)
              break
            case "binary":
              remote?.sendBinary(3)
              break
            case "close":
              remote?.close(4000, "bye")
              break
            case "break":
              remote?.breakOff()
              break
            case "wait":
              yield* TestClock.adjust(action.ms)
              break
            case "stop":
              yield* Effect.ignore(host.stop(ref))
              break
            case "start":
              yield* Effect.ignore(host.start(ref))
              break
            case "revoke":
              yield* grants.revoke(ref)
              break
            case "grant":
              yield* grants.set(ref, grant)
              break
            case "disable":
              yield* host.apply({ enabled: [] })
              break
            case "enable":
              yield* host.apply({ enabled })
              break
            case "fewer":
              yield* host.apply({ enabled: fewer })
              break
            case "settle":
              yield* settled
              break
          }
          yield* compare
        }
        yield* host.apply({ enabled: [] })
        yield* TestClock.adjust("10 seconds")
        yield* settled
        yield* compare
        assert.notInclude(yield* Exposition.text, "plugin=")
      }).pipe(Effect.provide(metered(1, { plugins: [answering], enabled, limits: { ingressQueueCapacity: 6 } })))
    },
    { arbitrary: { runs: 150 }, timeout: 120_000 }
  )

  it.effect(
    "measure dispatches, waits, dials and round trips where they are sampled, and nothing where they aren't",
    () =>
      Effect.gen(function* () {
        const { host, remote } = yield* opened(GATEWAY)
        for (let sent = 0; sent < 9; sent++) remote.sendText("x")
        yield* host.idle
        yield* TestClock.adjust("2 seconds")
        yield* host.idle
        const samples = yield* Effect.map(Exposition.text, scraped)
        const ref = "project:test.plugin"
        const [connection] = (yield* host.plugin(ref)).websocketConnections
        const source = { plugin: ref, ingress: "gateway", source: connection?.id ?? "" }
        assert.strictEqual(samples.get(sampleKey("mooring_dispatch_seconds_count", { plugin: ref })), 9)
        assert.strictEqual(samples.get(sampleKey("mooring_queue_wait_seconds_count", { plugin: ref })), 9)
        assert.strictEqual(samples.get(sampleKey("mooring_dial_seconds_count", source)), 1)
        assert.isAbove(samples.get(sampleKey("mooring_round_trip_seconds_count", source)) ?? 0, 0)
      }).pipe(
        Effect.provide(
          metered(1, {
            plugins: [plugin({ ingress: { eventKinds: ["websocket_text"] } })],
            limits: { pingIntervalMs: 1000, pongDeadlineMs: 500 }
          })
        )
      )
  )

  it.effect("measure nothing at a sample of 0", () =>
    Effect.gen(function* () {
      const { host, remote } = yield* opened(GATEWAY)
      for (let sent = 0; sent < 99; sent++) remote.sendText("x")
      yield* host.idle
      assert.notInclude(yield* Exposition.text, "dispatch_seconds")
    }).pipe(Effect.provide(metered(0, { plugins: [plugin({})] })))
  )

  it.effect("time a handler by what it took", () =>
    Effect.gen(function* () {
      const { host, remote } = yield* opened(GATEWAY)
      remote.sendText("x")
      yield* settled
      yield* TestClock.adjust(300)
      yield* host.idle
      const samples = yield* Effect.map(Exposition.text, scraped)
      const of = { plugin: "project:test.plugin" }
      assert.strictEqual(samples.get(sampleKey("mooring_dispatch_seconds_sum", of)), 0.3)
    }).pipe(
      Effect.provide(
        metered(1, {
          plugins: [
            plugin({
              ingress: { eventKinds: ["websocket_text"] },
              handlers: { gateway: { websocket_text: () => Effect.as(Effect.sleep(300), {}) } }
            })
          ]
        })
      )
    )
  )

  it.effect("say what kind each of them is, by Prometheus's rules of names", () =>
    Effect.gen(function* () {
      const { host, remote } = yield* opened(GATEWAY)
      remote.sendText("x")
      yield* host.idle
      const told = kinds(yield* Exposition.text)
      assert.includeMembers([...Metrics.names], [...told.keys()])
      for (const [name, kind] of told) {
        const measured = name.endsWith("_seconds") && name !== "mooring_event_loop_lag_seconds"
        assert.strictEqual(kind, name.endsWith("_total") ? "COUNTER" : measured ? "HISTOGRAM" : "GAUGE", name)
      }
    }).pipe(Effect.provide(metered(1, { plugins: [plugin({})] })))
  )

  it("have each name once", () => {
    const { names } = Metrics
    assert.strictEqual(new Set(names).size, names.length)
  })
})

describe("series", () => {
  it.effect(
    "and the heap are back where they were after an entry was enabled and disabled 10,000 times",
    () =>
      Effect.gen(function* () {
        const host = yield* PluginHost.PluginHost
        const registry = yield* Metric.MetricRegistry
        const enabled = [enable(answering)]
        const churn = (times: number) =>
          Effect.gen(function* () {
            for (let time = 0; time < times; time++) {
              yield* host.apply({ enabled })
              yield* host.apply({ enabled: [] })
            }
            yield* settled
            yield* TestClock.adjust("10 seconds")
            yield* settled
          })
        yield* churn(500)
        const [series, heap] = [registry.size, heapUsed()]
        yield* churn(10_000)
        assert.strictEqual(registry.size, series)
        assert.isBelow(heapUsed() - heap, 4 * 1_048_576)
        yield* host.apply({ enabled })
        assert.isAbove(registry.size, series + 50)
      }).pipe(Effect.provide(metered(1, { plugins: [answering], enabled: [] }))),
    120_000
  )
})
