/** Which spans there are, and what stands in them. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import * as Tracer from "effect/Tracer"
import * as Metric from "effect/Metric"
import { OutputCommand, ServicePlugin } from "mooring"
import { Exposition, Metrics, Traces } from "mooring/operate"
import { FakeRequests } from "mooring/testing"
import { onFake, opened, settled } from "../support/host.ts"
import { enable, GATEWAY, plugin, target } from "../support/plugins.ts"
import { sampleKey, scraped } from "./support/prometheus.ts"

const SAID = "what the server said"

const answering = plugin({
  ingress: { eventKinds: ["websocket_text"] },
  handlers: {
    gateway: {
      websocket_text: (event) => {
        switch (event.text) {
          case "fail":
            return Exit.fail(SAID)
          case "slow":
            return Effect.as(Effect.sleep(100), {})
          case "hang":
            return Effect.never
          case "send":
            return Exit.succeed({
              commands: [OutputCommand.send(event, SAID), OutputCommand.send({ url: "ws://nowhere.example/" }, SAID)]
            })
          default:
            return Exit.void
        }
      }
    }
  }
})

/** The spans of a host whose server says these texts. */
const spansOf = (options: Traces.Options, texts: ReadonlyArray<string>) => {
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span: (given) => {
      const span = new Tracer.NativeSpan(given)
      spans.push(span)
      return span
    }
  })
  return Effect.gen(function* () {
    const { host, remote } = yield* opened(GATEWAY)
    for (const text of texts) remote.sendText(text)
    yield* settled
    yield* TestClock.adjust("2 seconds")
    yield* host.idle
    return spans
  }).pipe(
    Effect.provide(
      Traces.layer(options).pipe(
        Layer.provide(Layer.succeed(Tracer.Tracer, tracer)),
        Layer.provideMerge(onFake({ plugins: [answering] }))
      )
    )
  )
}

const ofKind = (spans: ReadonlyArray<Tracer.NativeSpan>, name: string) => spans.filter((span) => span.name === name)

const millisOf = ({ status }: Tracer.NativeSpan): number =>
  status._tag === "Ended" ? Number(status.endTime - status.startTime) / 1e6 : Number.NaN

describe("spans", () => {
  it.effect("are made of dials, and of dispatches that failed or were slow, and of no others", () =>
    Effect.gen(function* () {
      const spans = yield* spansOf({ sample: 0 }, ["well", "fail", "slow", "well"])
      assert.strictEqual(ofKind(spans, "mooring.dial").length, 1)
      const [failed, slow, ...others] = ofKind(spans, "mooring.dispatch")
      assert.deepStrictEqual(others, [])
      assert.strictEqual(failed?.attributes.get("error.type"), "DispatchFailed")
      assert.isUndefined(slow?.attributes.get("error.type"))
      assert.strictEqual(slow === undefined ? Number.NaN : millisOf(slow), 100)
      assert.match(String(failed?.attributes.get("mooring.correlation_id")), /\.2$/)
    })
  )

  it.effect("are made of every dispatch where all are sampled, and of one that was late", () =>
    Effect.gen(function* () {
      const spans = yield* spansOf({ sample: 1 }, ["well", "well", "hang"])
      const [, , late] = ofKind(spans, "mooring.dispatch")
      assert.strictEqual(late?.attributes.get("error.type"), "DispatchTimeout")
      assert.strictEqual(late === undefined ? Number.NaN : millisOf(late), 1000)
    })
  )

  it.effect("are made of each command, with its event's correlation id and its own verdict", () =>
    Effect.gen(function* () {
      const spans = yield* spansOf({ sample: 1 }, ["send"])
      const [dispatch] = ofKind(spans, "mooring.dispatch")
      const commands = ofKind(spans, "mooring.command")
      assert.deepStrictEqual(
        commands.map(({ attributes }) => [attributes.get("mooring.status"), attributes.get("error.type")]),
        [
          ["executed", undefined],
          ["rejected", "CommandUngranted"]
        ]
      )
      for (const { attributes } of commands) {
        assert.strictEqual(attributes.get("mooring.correlation_id"), dispatch?.attributes.get("mooring.correlation_id"))
      }
    })
  )

  it.effect("say nothing that a plugin or a server said", () =>
    Effect.gen(function* () {
      const spans = yield* spansOf({ sample: 1 }, ["fail", "send"])
      assert.isAbove(spans.length, 3)
      for (const { attributes, status } of spans) {
        assert.notInclude(JSON.stringify([...attributes]), SAID)
        if (status._tag === "Ended") assert.notInclude(JSON.stringify(status.exit), SAID)
      }
    })
  )
})

const API = "https://api.example.com/v1/"

/** A plugin that requests what each text says. */
const asking = ServicePlugin.make({
  id: "test.asking",
  version: "1.0.0",
  ingresses: { gateway: { sources: [GATEWAY], eventKinds: ["websocket_text"] } },
  websocket: [target],
  request: [{ scheme: "https", host: "api.example.com", methods: ["GET"], pathPrefixes: ["/v1"] }],
  handlers: {
    gateway: {
      websocket_text: ({ text }) => Exit.succeed({ commands: [OutputCommand.request("GET", `${API}${text}`, {})] })
    }
  }
})

const grants = {
  permissions: asking.manifest.permissions,
  websocket: [{ scheme: "ws", host: "127.0.0.1", port: "*", path_prefixes: ["/"] }],
  request: [{ scheme: "https", host: "api.example.com", methods: ["GET"], path_prefixes: ["/v1"] }]
}

describe("a request", () => {
  for (const propagate of [true, false]) {
    it.effect(`has a span and a measurement, and ${propagate ? "carries the context" : "carries none"}`, () => {
      const spans: Array<Tracer.NativeSpan> = []
      const tracer = Tracer.make({
        span: (given) => {
          const span = new Tracer.NativeSpan(given)
          spans.push(span)
          return span
        }
      })
      return Effect.gen(function* () {
        const fake = yield* FakeRequests.FakeRequests
        yield* fake.answer(`${API}well`, { afterMs: 250 })
        yield* fake.answer(`${API}broken`, { kind: "fail", phase: "tcp", code: "ECONNRESET" })
        const { host, remote } = yield* opened(GATEWAY)
        remote.sendText("well")
        yield* settled
        yield* TestClock.adjust(250)
        remote.sendText("broken")
        yield* host.idle
        const [well, broken, ...others] = ofKind(spans, "mooring.request")
        assert.deepStrictEqual(others, [])
        if (well === undefined || broken === undefined) return assert.fail("no span")
        assert.strictEqual(millisOf(well), 250)
        assert.match(String(well.attributes.get("mooring.correlation_id")), /\.1$/)
        assert.isUndefined(well.attributes.get("error.type"))
        assert.strictEqual(broken.attributes.get("error.type"), "RequestFailed")
        const [sent] = yield* fake.requests
        const carried = sent?.headers.filter(([name]) => name === "traceparent").map(([, value]) => value)
        assert.deepStrictEqual(carried, propagate ? [`00-${well.traceId}-${well.spanId}-01`] : [])
        const samples = yield* Effect.map(Exposition.text, scraped)
        assert.strictEqual(
          samples.get(sampleKey("mooring_request_seconds_count", { plugin: "project:test.asking" })),
          2
        )
        assert.strictEqual(
          samples.get(sampleKey("mooring_request_seconds_sum", { plugin: "project:test.asking" })),
          0.25
        )
      }).pipe(
        Effect.provide(
          Layer.merge(Traces.layer({ propagate }), Metrics.layer({ sample: 1 })).pipe(
            Layer.provide(Layer.succeed(Tracer.Tracer, tracer)),
            Layer.provideMerge(onFake({ plugins: [asking], enabled: [enable(asking, { grants })] })),
            Layer.provideMerge(
              Layer.effect(
                Metric.MetricRegistry,
                Effect.sync(() => new Map())
              )
            )
          )
        )
      )
    })
  }
})
