/**
 * Pushes metrics and traces to a collector of OpenTelemetry, as JSON over HTTP,
 * by Effect's own exporters.
 *
 * At most one export is under way; what can't be sent is dropped and counted
 * (`mooring_exports_dropped_total`), with one `ExportFailed` among the host's
 * diagnostics while it lasts. The end waits at most a second for the last
 * export, all signals together. Exports go directly to the collector, through no
 * proxy, and redirects aren't followed.
 *
 * @since 0.5.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as OtlpExporter from "effect/observability/OtlpExporter"
import * as OtlpMetrics from "effect/observability/OtlpMetrics"
import * as OtlpSerialization from "effect/observability/OtlpSerialization"
import * as OtlpTracer from "effect/observability/OtlpTracer"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import { PluginHost } from "../host/PluginHost.ts"
import { VERSION } from "../internal/version.ts"
import * as Catalogue from "./internal/catalogue.ts"
import { Sender, type Signal } from "./internal/sender.ts"
import { Series } from "./internal/series.ts"

/**
 * Where one signal goes: the base URL of the collector, to which `/v1/metrics`
 * or `/v1/traces` is appended, and how often; `headers` is asked at each export.
 *
 * @category models
 * @since 0.5.0
 */
export interface Destination {
  readonly url: string
  readonly intervalMs?: number
  readonly headers?: () => { readonly [name: string]: Redacted.Redacted<string> }
}

/**
 * What is pushed, and where to.
 *
 * @category models
 * @since 0.5.0
 */
export interface Options {
  readonly metrics?: Destination
  readonly traces?: Destination
}

/**
 * What the headers of an export are now.
 *
 * @category models
 * @since 0.5.0
 */
export type Headers = NonNullable<Destination["headers"]>

const DEFAULT_INTERVAL_MS = 10_000
const MOST_SPANS = 512
const LAST_EXPORT_MS = 1000
const RESOURCE = { serviceName: "mooring", serviceVersion: VERSION }

/** What an exporter of Effect's is told. */
interface Settings {
  readonly url: string
  readonly resource: typeof RESOURCE
  readonly exportInterval: number
  readonly maxBatchSize: number
}

type Exporter<A> = (
  settings: Settings
) => Effect.Effect<
  A,
  never,
  HttpClient.HttpClient | OtlpSerialization.OtlpSerialization | OtlpExporter.Flusher | Scope.Scope
>

/** What all exporters of a program share: with one flusher all signals are flushed together. */
const shared = Layer.merge(OtlpExporter.layerFlusher, OtlpSerialization.layerJson)

/**
 * Begins to push the metrics of this effect's registry, until the scope closes;
 * the tracer whose spans are pushed, where traces are.
 *
 * @category constructors
 * @since 0.5.0
 */
export const make = Effect.fnUntraced(function* ({
  metrics,
  traces
}: Options): Effect.fn.Return<Tracer.Tracer | undefined, never, PluginHost | HttpClient.HttpClient | Scope.Scope> {
  const { report } = yield* PluginHost
  const sender = new Sender(yield* HttpClient.HttpClient, report)
  const services = yield* Layer.build(shared)
  const pushed = <A>(signal: Signal, to: Destination | undefined, exporter: Exporter<A>) =>
    to === undefined
      ? Effect.undefined
      : Effect.flatMap(lineOf(sender, signal, to), ({ client, settings }) =>
          exporter(settings).pipe(Effect.provideService(HttpClient.HttpClient, client), Effect.provide(services))
        )
  yield* pushed("metrics", metrics, OtlpMetrics.make)
  const tracer = yield* pushed("traces", traces, OtlpTracer.make)
  const { flush } = Context.get(services, OtlpExporter.Flusher)
  // The first to run at the end: what the exporters do by themselves is nothing by then.
  yield* Effect.addFinalizer(() =>
    Effect.andThen(Effect.timeoutOption(Effect.interruptible(flush), LAST_EXPORT_MS), sender.end)
  )
  return tracer
})

/** By which client a signal's exporter sends, and how; what was dropped of it is a metric until the scope closes. */
const lineOf = (sender: Sender, signal: Signal, to: Destination) =>
  Effect.gen(function* () {
    const { headers = () => ({}), intervalMs = DEFAULT_INTERVAL_MS, url } = to
    const { client, dropped } = sender.line(signal, headers)
    const series = new Series(yield* Effect.context<never>(), { signal })
    yield* Effect.addFinalizer(() => Effect.sync(() => series.remove()))
    series.counter(Catalogue.DROPPED.name, Catalogue.DROPPED.help, dropped)
    const settings: Settings = {
      url: `${url.replace(/\/+$/, "")}/v1/${signal}`,
      resource: RESOURCE,
      exportInterval: intervalMs,
      maxBatchSize: MOST_SPANS
    }
    return { client, settings }
  })
