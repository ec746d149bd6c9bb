/** A collector on loopback: keeps what it is sent, and answers as it is told. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Schema from "effect/Schema"
import * as Http from "node:http"

/** The fields of the protocol's JSON encoding (opentelemetry-proto), as far as they are sent. */
const Nanos = Schema.String.check(Schema.isPattern(/^[1-9][0-9]{0,19}$/))
const Value = Schema.Union([
  Schema.Struct({ stringValue: Schema.String }),
  Schema.Struct({ boolValue: Schema.Boolean }),
  Schema.Struct({ intValue: Schema.Union([Schema.Int, Schema.String]) }),
  Schema.Struct({ doubleValue: Schema.Finite })
])
const Attributes = Schema.Array(Schema.Struct({ key: Schema.String, value: Value }))
const Resource = Schema.Struct({ attributes: Attributes, droppedAttributesCount: Schema.Int })
const Point = Schema.Struct({
  attributes: Attributes,
  startTimeUnixNano: Nanos,
  timeUnixNano: Nanos,
  asDouble: Schema.Finite
})
const HistogramPoint = Schema.Struct({
  attributes: Attributes,
  startTimeUnixNano: Nanos,
  timeUnixNano: Nanos,
  count: Schema.Int,
  sum: Schema.Finite,
  min: Schema.Finite,
  max: Schema.Finite,
  bucketCounts: Schema.Array(Schema.Int),
  explicitBounds: Schema.Array(Schema.Finite)
})
const named = { name: Schema.String, description: Schema.String, unit: Schema.String }
const MetricData = Schema.Union([
  Schema.Struct({ ...named, gauge: Schema.Struct({ dataPoints: Schema.Array(Point) }) }),
  Schema.Struct({
    ...named,
    sum: Schema.Struct({
      aggregationTemporality: Schema.Literal(2),
      isMonotonic: Schema.Literal(true),
      dataPoints: Schema.Array(Point)
    })
  }),
  Schema.Struct({
    ...named,
    histogram: Schema.Struct({ aggregationTemporality: Schema.Literal(2), dataPoints: Schema.Array(HistogramPoint) })
  })
])
const MetricsData = Schema.Struct({
  resourceMetrics: Schema.Array(
    Schema.Struct({
      resource: Resource,
      scopeMetrics: Schema.Array(
        Schema.Struct({ scope: Schema.Struct({ name: Schema.String }), metrics: Schema.Array(MetricData) })
      )
    })
  )
})
const Span = Schema.Struct({
  traceId: Schema.String.check(Schema.isPattern(/^[0-9a-f]{32}$/)),
  spanId: Schema.String.check(Schema.isPattern(/^[0-9a-f]{16}$/)),
  name: Schema.String,
  kind: Schema.Literals([1, 2, 3, 4, 5]),
  startTimeUnixNano: Nanos,
  endTimeUnixNano: Nanos,
  attributes: Attributes,
  droppedAttributesCount: Schema.Int,
  events: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      timeUnixNano: Nanos,
      attributes: Attributes,
      droppedAttributesCount: Schema.Int
    })
  ),
  droppedEventsCount: Schema.Int,
  status: Schema.Struct({ code: Schema.Literals([0, 1, 2]), message: Schema.optionalKey(Schema.String) }),
  links: Schema.Array(Schema.Never),
  droppedLinksCount: Schema.Int
})
const TracesData = Schema.Struct({
  resourceSpans: Schema.Array(
    Schema.Struct({
      resource: Resource,
      scopeSpans: Schema.Array(
        Schema.Struct({
          scope: Schema.Struct({ name: Schema.String, version: Schema.String }),
          spans: Schema.Array(Span)
        })
      )
    })
  )
})

const strictly = { errors: "all", onExcessProperty: "error" } as const
const metricsIn = Schema.decodeUnknownSync(Schema.fromJsonString(MetricsData), strictly)
const tracesIn = Schema.decodeUnknownSync(Schema.fromJsonString(TracesData), strictly)

export interface Export {
  readonly path: string
  readonly headers: Http.IncomingHttpHeaders
  readonly body: string
}

/** The names of the metrics of an export. */
export const metricNames = ({ body }: Export): ReadonlyArray<string> =>
  metricsIn(body).resourceMetrics.flatMap(({ scopeMetrics }) =>
    scopeMetrics.flatMap(({ metrics }) => metrics.map(({ name }) => name))
  )

/** The spans of an export. */
export const spansOf = ({ body }: Export): ReadonlyArray<typeof Span.Type> =>
  tracesIn(body).resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))

export interface Collector {
  readonly url: string
  readonly port: number
  readonly exports: ReadonlyArray<Export>
  /** How many exports are being answered, at the most at once. */
  readonly mostAtOnce: () => number
  /** Completes once an export has come of which that holds. */
  readonly came: (holds: (each: Export) => boolean) => Effect.Effect<Export>
}

/** `answer` may leave it unanswered. */
export const collector = (
  answer: (response: Http.ServerResponse) => void = (response) => response.end("{}")
): Effect.Effect<Collector, never, Scope.Scope> =>
  Effect.gen(function* () {
    const exports: Array<Export> = []
    const waiting = new Set<() => void>()
    let atOnce = 0
    let most = 0
    const server = Http.createServer((request, response) => {
      let body = ""
      most = Math.max(most, ++atOnce)
      response.on("close", () => atOnce--)
      request.setEncoding("utf8")
      request.on("data", (chunk) => {
        body += String(chunk)
      })
      request.on("end", () => {
        exports.push({ path: request.url ?? "", headers: request.headers, body })
        for (const look of waiting) look()
        answer(response)
      })
    })
    const port = yield* Effect.acquireRelease(
      Effect.callback<number>((resume) => {
        server.listen(0, "127.0.0.1", () => {
          const address = server.address()
          resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
        })
      }),
      () =>
        Effect.sync(() => {
          server.closeAllConnections()
          server.close()
        })
    )
    const came = (holds: (each: Export) => boolean) =>
      Effect.callback<Export>((resume) => {
        const look = () => {
          const found = exports.find(holds)
          if (found === undefined) return
          waiting.delete(look)
          resume(Effect.succeed(found))
        }
        waiting.add(look)
        look()
        return Effect.sync(() => waiting.delete(look))
      }).pipe(
        Effect.timeoutOrElse({
          duration: "20 seconds",
          orElse: () => Effect.die(new Error(`none came; there were ${exports.map(({ path }) => path).join(", ")}`))
        })
      )
    return { url: `http://127.0.0.1:${port}`, port, exports, mostAtOnce: () => most, came }
  })
