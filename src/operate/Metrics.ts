/**
 * The metrics of a host, in the metric registry of Effect: whatever exporter a
 * program has, it has them too.
 *
 * Counters and gauges are read from the status when somebody collects, and equal
 * it then; until then they cost nothing. Histograms measure a sample. Series go with what they belong to:
 * after an entry or a source is removed they are gone from the next collection
 * and from memory.
 *
 * @since 0.5.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import type { HostStatus } from "../host/HostStatus.ts"
import type { ObservedDial, ObservedRow, ObservedSource, Observer, SourceName } from "../host/Observer.ts"
import { PluginHost } from "../host/PluginHost.ts"
import type { TimedDispatch } from "../plugin/PluginWatch.ts"
import type { WatchedRequest } from "../requests/RequestWatch.ts"
import * as Catalogue from "./internal/catalogue.ts"
import { Reading } from "./internal/reading.ts"
import { Sampler } from "./internal/sampler.ts"
import { Series } from "./internal/series.ts"

/**
 * The names of all metrics, as a collector sees them.
 *
 * @category constants
 * @since 0.5.0
 */
export const names: ReadonlyArray<string> = [
  Catalogue.LAG,
  ...Catalogue.host,
  Catalogue.CONFIG_STATE,
  ...Catalogue.plugin,
  Catalogue.LIFECYCLE,
  Catalogue.DIAGNOSTICS,
  ...Catalogue.connection,
  Catalogue.CONNECTION_STATE,
  Catalogue.SOURCE_INFO,
  Catalogue.DISPATCH,
  Catalogue.QUEUE_WAIT,
  Catalogue.DIAL,
  Catalogue.ROUND_TRIP,
  Catalogue.REQUEST,
  Catalogue.DROPPED
].map(({ name }) => name)

/**
 * `sample` is the share of what histograms measure, from 0 to 1; what isn't
 * measured costs nothing.
 *
 * @category models
 * @since 0.5.0
 */
export interface Options {
  readonly sample?: number
}

const DEFAULT_SAMPLE = 0.01

/**
 * Registers the metrics of the host in the registry of this effect's context,
 * until the scope closes.
 *
 * @category constructors
 * @since 0.5.0
 */
export const make = Effect.fnUntraced(function* ({ sample = DEFAULT_SAMPLE }: Options = {}): Effect.fn.Return<
  void,
  never,
  PluginHost | Scope.Scope
> {
  const host = yield* PluginHost
  const context = yield* Effect.context<never>()
  const random = yield* Random.Random
  const sampled = () => new Sampler(sample, () => random.nextDoubleUnsafe()).hit
  const status = () => Effect.runSyncWith(context)(host.status)
  const series = new HostSeries({ context, status, sampled })
  yield* Effect.addFinalizer(() => Effect.sync(() => series.remove()))
  yield* host.observe(series)
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
  readonly context: Context.Context<never>
  readonly status: () => HostStatus
  /** Makes what decides which of one kind are measured. */
  readonly sampled: () => () => boolean
}

/** All series of a host: its own, and for each row a part with a part for each source. */
class HostSeries implements Observer {
  readonly #own: Series
  readonly #rows: Series
  readonly #reading: Reading
  readonly wantsDispatch: () => boolean
  readonly #wantsDial: () => boolean
  readonly #wantsRoundTrip: () => boolean
  readonly #wantsRequest: () => boolean

  constructor({ context, sampled, status }: Given) {
    this.wantsDispatch = sampled()
    this.#wantsDial = sampled()
    this.#wantsRoundTrip = sampled()
    this.#wantsRequest = sampled()
    this.#own = new Series(context)
    this.#rows = new Series(context)
    this.#reading = new Reading(status)
    const { help, name, read } = Catalogue.LAG
    // Before all others: with it a collection begins.
    this.#own.gauge(name, help, () => read(this.#reading.fresh))
    const host = () => this.#reading.host
    for (const metric of Catalogue.host) this.#own.read(metric, host)
    this.#own.states(Catalogue.CONFIG_STATE, host)
  }

  remove(): void {
    this.#own.remove()
    this.#rows.remove()
  }

  readonly row = ({ pluginRef, sources, tags }: ObservedRow): void => {
    const row = this.#rowOf(pluginRef)
    for (const tag of tags) this.#diagnostics(row, pluginRef, tag)
    const staying = new Set(sources.map(({ id }) => partOf("source", id)))
    for (const part of row.parts) if (part.startsWith("source ") && !staying.has(part)) row.drop(part)
    for (const source of sources)
      if (row.find(partOf("source", source.id)) === undefined) this.#source(row, pluginRef, source)
  }

  readonly gone = (pluginRef: string): void => this.#rows.drop(pluginRef)

  readonly diagnosed = (pluginRef: string, tag: string): void => {
    // What has ended may still say something, and nobody would take its series away again.
    const row = this.#rows.find(pluginRef)
    if (row !== undefined) this.#diagnostics(row, pluginRef, tag)
  }

  readonly dispatched = (pluginRef: string, { ms, queuedMs }: TimedDispatch): void => {
    const row = this.#rows.find(pluginRef)
    row?.measured(Catalogue.DISPATCH, ms)
    row?.measured(Catalogue.QUEUE_WAIT, queuedMs)
  }

  readonly dialled = (pluginRef: string, { ms, source }: ObservedDial): void => {
    if (this.#wantsDial()) this.#sourceOf(pluginRef, source)?.measured(Catalogue.DIAL, ms)
  }

  readonly roundTrip = (pluginRef: string, source: SourceName, ms: number): void => {
    if (this.#wantsRoundTrip()) this.#sourceOf(pluginRef, source)?.measured(Catalogue.ROUND_TRIP, ms)
  }

  readonly requested = (pluginRef: string): WatchedRequest | undefined =>
    this.#wantsRequest()
      ? { traceparent: undefined, ended: (ms) => this.#rows.find(pluginRef)?.measured(Catalogue.REQUEST, ms) }
      : undefined

  #sourceOf(pluginRef: string, { id }: SourceName): Series | undefined {
    return this.#rows.find(pluginRef)?.find(partOf("source", id))
  }

  #rowOf(pluginRef: string): Series {
    const known = this.#rows.find(pluginRef)
    if (known !== undefined) return known
    const row = this.#rows.part(pluginRef, { plugin: pluginRef })
    const status = () => this.#reading.plugin(pluginRef)
    for (const metric of Catalogue.plugin) row.read(metric, status)
    row.states(Catalogue.LIFECYCLE, status)
    return row
  }

  #source(row: Series, pluginRef: string, { id, ingressName, url }: ObservedSource): void {
    const source = row.part(partOf("source", id), { ingress: ingressName, source: id })
    const status = () => this.#reading.connection(pluginRef, id)
    for (const metric of Catalogue.connection) source.read(metric, status)
    source.states(Catalogue.CONNECTION_STATE, status)
    source.gauge(Catalogue.SOURCE_INFO.name, Catalogue.SOURCE_INFO.help, () => 1, { url })
  }

  #diagnostics(row: Series, pluginRef: string, tag: string): void {
    const name = partOf("tag", tag)
    if (row.find(name) !== undefined) return
    const { help, name: metric, read } = Catalogue.DIAGNOSTICS
    row.part(name, { tag }).counter(metric, help, () => {
      const status = this.#reading.plugin(pluginRef)
      return status === undefined ? 0 : read(status, tag)
    })
  }
}

/** What a row has by that name: a source's id and a tag may be the same word. */
const partOf = (kind: "source" | "tag", name: string): string => `${kind} ${name}`
