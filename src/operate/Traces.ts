/**
 * Spans of what a host does, by the tracer of Effect: one for each dial, each
 * dispatch that is slow, failed or sampled, and each command, with the
 * correlation id of the event that they belong to.
 *
 * Each is made when what it tells of has ended, with the times of that: nothing
 * is made of what isn't told. An error is told by its tag alone, and nothing
 * that a plugin or a server said stands in a span.
 *
 * @since 0.5.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import type { Recorded } from "../commands/CommandResult.ts"
import type { Asker } from "../commands/RequestPort.ts"
import type { ObservedDial, Observer } from "../host/Observer.ts"
import { PluginHost } from "../host/PluginHost.ts"
import { correlationId } from "../ingress/Origin.ts"
import type { TimedDispatch } from "../plugin/PluginWatch.ts"
import type { WatchedRequest } from "../requests/RequestWatch.ts"
import { Sampler } from "./internal/sampler.ts"

/**
 * `sample` is the share of the dispatches that have a span though they were
 * well and quick, from 0 to 1; `slowMs` is from when on one is slow.
 *
 * @category models
 * @since 0.5.0
 */
export interface Options {
  readonly sample?: number
  readonly slowMs?: number
  /** Whether requests carry the context of their span (W3C Trace Context). */
  readonly propagate?: boolean
}

const DEFAULT_SAMPLE = 0.01
const DEFAULT_SLOW_MS = 100

/**
 * Makes spans with the tracer of this effect's context, until the scope closes.
 *
 * @category constructors
 * @since 0.5.0
 */
export const make = Effect.fnUntraced(function* ({
  sample = DEFAULT_SAMPLE,
  slowMs = DEFAULT_SLOW_MS,
  propagate = false
}: Options = {}): Effect.fn.Return<void, never, PluginHost | Scope.Scope> {
  const host = yield* PluginHost
  const tracer = yield* Tracer.Tracer
  const random = yield* Random.Random
  const clock = yield* Clock.clockWith(Effect.succeed)
  const isSampled = new Sampler(sample, () => random.nextDoubleUnsafe()).hit
  yield* host.observe(new Spans({ tracer, clock, isSampled, slowMs, propagate }))
})

/**
 * The same as a layer over a host.
 *
 * @category layers
 * @since 0.5.0
 */
export const layer = (options: Options = {}): Layer.Layer<never, never, PluginHost> =>
  Layer.effectDiscard(make(options))

interface Given {
  readonly tracer: Tracer.Tracer
  readonly clock: Clock.Clock
  readonly isSampled: () => boolean
  readonly slowMs: number
  readonly propagate: boolean
}

type Attributes = { readonly [name: string]: string | number }

class Spans implements Observer {
  readonly #given: Given

  constructor(given: Given) {
    this.#given = given
  }

  /** Which are slow is known only at their end. */
  readonly wantsDispatch = (): boolean => true

  readonly dispatched = (pluginRef: string, { event, failure, ms, queuedMs }: TimedDispatch): void => {
    const isSampled = this.#given.isSampled()
    if (!isSampled && failure === null && ms < this.#given.slowMs) return
    const { id, ingressName } = event.origin
    this.#span("mooring.dispatch", "consumer", ms, failure, {
      "mooring.plugin": pluginRef,
      "mooring.ingress": ingressName,
      ...(id === null ? {} : { "mooring.source": id }),
      "mooring.correlation_id": correlationId(event.origin, event.sequence),
      "mooring.queued_ms": queuedMs
    })
  }

  readonly dialled = (pluginRef: string, { failure, ms, source: { id, ingressName } }: ObservedDial): void => {
    this.#span("mooring.dial", "client", ms, failure, {
      "mooring.plugin": pluginRef,
      "mooring.ingress": ingressName,
      "mooring.source": id
    })
  }

  readonly executed = (pluginRef: string, { error, kind, origin, sequence, status }: Recorded): void => {
    this.#span("mooring.command", "producer", 0, error?.tag ?? null, {
      "mooring.plugin": pluginRef,
      "mooring.ingress": origin.ingressName,
      "mooring.correlation_id": correlationId(origin, sequence),
      // What can't be read as a command has whatever kind its plugin made up.
      "mooring.command": error?.tag === "CommandMalformed" || kind === null ? "unknown" : kind,
      "mooring.status": status
    })
  }

  /** Begun with the request, for its server may be told of it. */
  readonly requested = (pluginRef: string, { correlationId: id, ingressName }: Asker): WatchedRequest => {
    const span = this.#begin("mooring.request", "client", this.#given.clock.currentTimeNanosUnsafe(), {
      "mooring.plugin": pluginRef,
      "mooring.ingress": ingressName,
      ...(id === undefined ? {} : { "mooring.correlation_id": id })
    })
    const ids = `${span.traceId.padStart(32, "0")}-${span.spanId.padStart(16, "0")}`
    return {
      traceparent: this.#given.propagate ? `00-${ids}-01` : undefined,
      ended: (_, failure) => this.#end(span, failure)
    }
  }

  /** What has just ended, and took so long. */
  #span(name: string, kind: Tracer.SpanKind, ms: number, failure: string | null, attributes: Attributes): void {
    const startTime = this.#given.clock.currentTimeNanosUnsafe() - BigInt(Math.round(ms * 1e6))
    this.#end(this.#begin(name, kind, startTime, attributes), failure)
  }

  #begin(name: string, kind: Tracer.SpanKind, startTime: bigint, attributes: Attributes): Tracer.Span {
    const around = { parent: Option.none(), annotations: Context.empty(), links: [] }
    const span = this.#given.tracer.span({ ...around, name, kind, startTime, root: true, sampled: true })
    for (const [key, value] of Object.entries(attributes)) span.attribute(key, value)
    return span
  }

  #end(span: Tracer.Span, failure: string | null): void {
    if (failure !== null) span.attribute("error.type", failure)
    span.end(this.#given.clock.currentTimeNanosUnsafe(), failure === null ? Exit.void : Exit.fail(failure))
  }
}
