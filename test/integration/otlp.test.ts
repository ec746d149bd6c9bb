/** What is pushed arrives in the form of the protocol; a collector that doesn't take it costs nothing but that. */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import { GrantStore, PluginHost } from "mooring"
import { CollectorClient, WsClient } from "mooring/node"
import { Exposition, Metrics, Otlp, Traces } from "mooring/operate"
import { capture } from "../support/log.ts"
import { closedPort, gateway, tcp } from "../support/servers.ts"
import { enable, plugin, refOf } from "../support/plugins.ts"
import { collector, metricNames, spansOf, type Collector } from "../operate/support/collector.ts"

const SECRET = "Bearer hidden-from-everybody"

/** A plugin that answers what a server says, and fails where that says so. */
const feed = (port: number) =>
  plugin({
    sources: [`ws://127.0.0.1:${port}/feed?key=in-the-query`],
    handlers: {
      gateway: { websocket_text: (event) => (event.text === "fail" ? Exit.fail("what the server said") : Exit.void) }
    }
  })

/** A host whose metrics and traces go to a collector, until the scope closes. */
const pushing = (url: string, resolve?: CollectorClient.Options["resolve"]) =>
  Effect.gen(function* () {
    const server = yield* gateway((peer) => {
      peer.send("well")
      peer.send("fail")
    })
    const pkg = feed(server.port)
    const enabled = [enable(pkg)]
    const host = PluginHost.layer({ plugins: [pkg], enabled, limits: { closeGraceMs: 50 } }).pipe(
      Layer.provide(GrantStore.layer(enabled)),
      Layer.provide(WsClient.layer),
      Layer.provideMerge(
        Layer.effect(
          Metric.MetricRegistry,
          Effect.sync(() => new Map())
        )
      ),
      Layer.provideMerge(CollectorClient.layer(resolve === undefined ? {} : { resolve }))
    )
    const context = yield* Layer.build(host)
    const scope = yield* Scope.make()
    yield* Effect.addFinalizer((exit) => Scope.close(scope, exit))
    const to = { url, intervalMs: 50, headers: () => ({ authorization: Redacted.make(SECRET) }) }
    const begun = Effect.gen(function* () {
      yield* Metrics.make({ sample: 1 })
      const tracer = yield* Otlp.make({ metrics: to, traces: to })
      if (tracer !== undefined) yield* Effect.provideService(Traces.make(), Tracer.Tracer, tracer)
    })
    yield* begun.pipe(Effect.provide(context), Scope.provide(scope))
    return { context, scope, ref: refOf(pkg) }
  })

const reported = Effect.flatMap(PluginHost.PluginHost, ({ changes }) =>
  Stream.runHead(Stream.filter(changes, ({ host }) => host.diagnostics.some(({ tag }) => tag === "ExportFailed")))
)

const isOf = (signal: string) => (each: { readonly path: string }) => each.path === `/v1/${signal}`

describe("a collector", () => {
  it.live("gets metrics and spans in the form of its protocol, and the header that is its own", () =>
    Effect.gen(function* () {
      const { came, exports, mostAtOnce, url } = yield* collector()
      const { context, scope } = yield* pushing(`${url}/`)
      const failed = (each: { readonly path: string; readonly body: string }) =>
        isOf("traces")(each) && each.body.includes("DispatchFailed")
      const dispatch = yield* came(failed)
      yield* came((each) => isOf("metrics")(each) && each.body.includes("mooring_dial_seconds"))
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(mostAtOnce(), 1)
      for (const each of exports.filter(isOf("metrics"))) {
        assert.includeMembers([...Metrics.names], [...metricNames(each)])
      }
      const spans = exports.filter(isOf("traces")).flatMap(spansOf)
      assert.includeMembers(
        spans.map(({ name }) => name),
        ["mooring.dial", "mooring.dispatch"]
      )
      const span = spansOf(dispatch).find(({ status }) => status.code === 2)
      const keys = span?.attributes.map(({ key }) => key) ?? []
      assert.includeMembers(keys, ["mooring.plugin", "mooring.ingress", "mooring.correlation_id", "error.type"])
      for (const { body, headers } of exports) {
        assert.strictEqual(headers.authorization, SECRET)
        assert.notMatch(body, /hidden-from-everybody|in-the-query|what the server said|[/]work[/]|node_modules/)
      }
      const status = yield* Effect.provide(
        Effect.flatMap(PluginHost.PluginHost, (host) => host.status),
        context
      )
      assert.notInclude(JSON.stringify(status), "hidden-from-everybody")
    }).pipe(Effect.scoped)
  )

  it.live("that doesn't take them is logged in the host's own words alone", () => {
    const { lines, logged } = capture()
    const told = () => lines.filter(({ message }) => message.startsWith("ExportFailed"))
    return logged(
      Effect.gen(function* () {
        const { context } = yield* pushing(`http://127.0.0.1:${yield* closedPort}`)
        yield* Effect.provide(reported, context)
        yield* Effect.repeat(Effect.sleep(10), { until: () => told().length > 0 })
        for (const { annotations, level, message } of told()) {
          assert.match(message, /^ExportFailed: (?:metrics|traces) can't be exported: ECONNREFUSED$/)
          assert.deepStrictEqual([level, annotations], ["Error", {}])
        }
      })
    ).pipe(Effect.scoped)
  })

  /** Those that don't take what they are sent, and why that is said to be. */
  const hostile: ReadonlyArray<
    readonly [what: string, reason: RegExp | null, at: Effect.Effect<string, never, Scope.Scope>]
  > = [
    ["that refuses", /ECONNREFUSED/, Effect.map(closedPort, (port) => `http://127.0.0.1:${port}`)],
    [
      "that answers 503",
      /status 503/,
      Effect.map(
        collector((answer) => answer.writeHead(503).end("a word of its own")),
        urlOf
      )
    ],
    [
      "that leads elsewhere",
      /status 307/,
      Effect.map(
        collector((answer) => answer.writeHead(307, { location: "/" }).end()),
        urlOf
      )
    ],
    [
      "that breaks off",
      /ECONNRESET/,
      Effect.map(
        collector((answer) => answer.destroy()),
        urlOf
      )
    ],
    [
      "that never answers",
      null,
      Effect.map(
        collector(() => {}),
        urlOf
      )
    ],
    [
      "that swallows",
      null,
      Effect.map(
        tcp(() => {}),
        ({ port }) => `http://127.0.0.1:${port}`
      )
    ],
    ["whose name never resolves", null, Effect.succeed("http://silent.example:4318")]
  ]

  for (const [what, reason, at] of hostile) {
    it.live(`${what} holds up nothing, not the end either, and is told of once`, () =>
      Effect.gen(function* () {
        const { context, scope } = yield* pushing(yield* at, () => Stream.never)
        if (reason !== null) {
          yield* Effect.provide(reported, context)
          const { host } = yield* Effect.provide(
            Effect.flatMap(PluginHost.PluginHost, (each) => each.status),
            context
          )
          const tags = host.diagnostics.filter(({ tag }) => tag === "ExportFailed")
          assert.isAtMost(tags.length, 2)
          for (const { message, stage } of tags) {
            assert.match(message, reason)
            assert.notInclude(message, "a word of its own")
            assert.strictEqual(stage, "host")
          }
          assert.match(
            yield* Effect.provide(Exposition.text, context),
            /^mooring_exports_dropped_total\{signal="metrics"\} [1-9]/m
          )
        }
        const [took] = yield* Effect.timed(Scope.close(scope, Exit.void))
        // It waits for a second; this is ten times that.
        assert.isBelow(Duration.toMillis(took), 10_000)
      }).pipe(Effect.scoped)
    )
  }
})

function urlOf({ url }: Collector): string {
  return url
}
