/**
 * The metrics and traces that a host file asks for. They begin with the host
 * and end after it, so that the last export tells of its end.
 */
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import type * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import type { PluginHost } from "../../host/PluginHost.ts"
import * as Following from "../../internal/following.ts"
import type { HostFile } from "../../node/HostFile.ts"
import * as TelemetrySettings from "../../node/TelemetrySettings.ts"
import type * as Control from "../../operate/Control.ts"
import * as Exposition from "../../operate/Exposition.ts"
import * as Metrics from "../../operate/Metrics.ts"
import * as Otlp from "../../operate/Otlp.ts"
import * as Traces from "../../operate/Traces.ts"
import { Secrets } from "../../secrets/Secrets.ts"

/** Begins what the file asks for, until the scope closes. */
export const begin = ({
  telemetry: { metrics, traces }
}: HostFile): Effect.Effect<void, never, PluginHost | HttpClient.HttpClient | Scope.Scope> =>
  Effect.gen(function* () {
    if (metrics?.prometheus === true || metrics?.otlp !== undefined) yield* Metrics.make(sampleOf(metrics))
    const tracer = yield* Otlp.make({
      ...(metrics?.otlp === undefined ? {} : { metrics: yield* destinationOf(metrics.otlp, "metrics.otlp") }),
      ...(traces?.otlp === undefined ? {} : { traces: yield* destinationOf(traces.otlp, "traces.otlp") })
    })
    if (tracer !== undefined) {
      yield* Effect.provideService(
        Traces.make({ ...sampleOf(traces), propagate: traces?.propagate === true }),
        Tracer.Tracer,
        tracer
      )
    }
  })

/** What `/metrics` answers, where the file asks for it. */
export const expositionOf = ({ telemetry: { metrics } }: HostFile): Control.Options["metrics"] =>
  metrics?.prometheus === true
    ? { text: Exposition.text, contentType: Exposition.CONTENT_TYPE, open: metrics.open === true }
    : undefined

const sampleOf = (table: { readonly sample?: number } | undefined) =>
  table?.sample === undefined ? {} : { sample: table.sample }

/** With the headers that there are at each export: one that can't be read any more keeps its last content. */
const destinationOf = (otlp: TelemetrySettings.Otlp, at: string) =>
  Effect.gen(function* () {
    const found = TelemetrySettings.headersOf(otlp, at)
    let { headers } = yield* found
    const renew = Effect.map(found, (renewed) => {
      headers = { ...headers, ...renewed.headers }
    })
    yield* Effect.forkScoped(Following.follow(yield* Secrets, "secrets", renew), { startImmediately: true })
    const { interval, url } = otlp
    return { url, headers: () => headers, ...(interval === undefined ? {} : { intervalMs: interval }) }
  })
