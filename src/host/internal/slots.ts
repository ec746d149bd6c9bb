/**
 * The sources of an enabled plugin: a connection and a queue each, and a place
 * among the connections of the host.
 */
import * as Effect from "effect/Effect"
import * as Connection from "../../connection/Connection.ts"
import { ConnectionLimit } from "../../connection/ConnectionError.ts"
import type { Place } from "../../connection/Places.ts"
import type * as Source from "../../connection/Source.ts"
import * as IngressQueue from "../../ingress/IngressQueue.ts"
import { monotonic } from "../../internal/monotonic.ts"
import type { Values } from "../../limits/Limits.ts"
import type { PluginRecord } from "../../plugin/PluginRecord.ts"
import type { Setup } from "../../plugin/Setup.ts"
import type { SourceSlot } from "../../plugin/SourceSlot.ts"
import type { Held } from "./held.ts"
import type { Parts, Shared } from "./shared.ts"

interface Slots extends Parts {
  readonly prepared: Omit<Setup, "slots">
  readonly record: PluginRecord
  /** What is said of the plugin to who is asked what is dialled for it. */
  readonly asking: Connection.Options["enablement"]
  readonly held: Held
}

/** The sources of a plugin: those that stay are kept, with all that they counted. */
export const slots = (
  of: Slots,
  sources: ReadonlyArray<Source.Source>,
  former: ReadonlyArray<SourceSlot>,
  shared: Shared
): Effect.Effect<ReadonlyArray<SourceSlot>> =>
  Effect.suspend(() => {
    of.dials.bound(of.held.limits)
    return Effect.forEach(sources, (source, index) => {
      const kept = former.find((slot) => isOf(slot)(source))
      return kept === undefined
        ? newSlot(of, source, index, shared)
        : Effect.sync(() => keep(kept, of, source, index, shared))
    })
  })

/** Whether a source is that of a slot. */
export const isOf =
  ({ connection }: SourceSlot) =>
  ({ ingress, url }: Source.Source): boolean =>
    connection.source.url === url && connection.source.ingress === ingress

const keep = (slot: SourceSlot, of: Slots, source: Source.Source, index: number, shared: Shared): SourceSlot => {
  const isOver = index >= of.held.limits.connectionsPerPlugin
  if (isOver) slot.place?.leave()
  slot.place = isOver ? null : (slot.place ?? shared.places.place(() => slot.connection.wake()))
  const options = connectionOptions(of, source, slot.place, shared)
  slot.connection.reconfigure({ ...options, sink: slot.queue })
  slot.queue.reconfigure(options.limits)
  return slot
}

const newSlot = (of: Slots, source: Source.Source, index: number, shared: Shared) =>
  Effect.gen(function* () {
    const { clock, hostBytes, places } = shared
    const { held, log, record } = of
    const isOver = index >= held.limits.connectionsPerPlugin
    const place = isOver ? null : places.place(() => slot.connection.wake())
    const options = connectionOptions(of, source, place, shared)
    const key = `${of.key}-${record.nextSource()}`
    const queue = yield* IngressQueue.make({
      origin: Object.freeze({
        key,
        source: `websocket:${source.url}`,
        id: source.id,
        url: source.url,
        ingressName: source.ingress
      }),
      display: source.display,
      takes: (kind) => record.takes(source.ingress, kind),
      rules: () => record.rules(source.ingress),
      reply: (text) => record.reply(slot, text),
      limits: options.limits,
      accounting: record.accounting,
      hostBytes,
      turns: record.turns,
      now: () => clock.currentTimeMillisUnsafe(),
      monotonic: monotonic(clock),
      overflowed: (make) => log.report("QueueOverflow", source.id, make),
      paused: () => record.ticker.wake(),
      readied: () => slot.connection.wake(),
      epochBegan: () => record.epochBegan(slot),
      epochEnded: () => record.timers.epochOver(slot)
    })
    const connection = yield* Connection.make({ ...options, sink: queue })
    const slot: SourceSlot = { connection, queue, place, epochSince: 0 }
    return slot
  })

const connectionOptions = (
  { asking, dials, held, log, prepared, ref }: Slots,
  source: Source.Source,
  place: Place | null,
  { activity, changeLog, changed, client, limits, sourceUrl, time, turnNow }: Shared
): Omit<Connection.Options, "sink"> => {
  const tell = changeLog.connection(ref)
  return {
    pluginRef: ref,
    enablement: asking,
    source,
    sourceUrl,
    secrets: {
      valueOf: held.valueOf,
      valuesOf: held.valuesOf,
      maskOf: held.maskOf,
      version: () => held.versionOf(source),
      tls: () => held.tlsOf(source.ingress)
    },
    authority: prepared.authority,
    client,
    dials,
    limits: held.limitsOf(source.ingress),
    refused: refusalOf(source, place, held.limits.connectionsPerPlugin, limits),
    report: (tag, make) => log.report(tag, source.id, make),
    changed: (connection) => {
      tell(connection)
      changed()
    },
    turnNow,
    time,
    activity
  }
}

/** Why a source isn't dialled: there are too many. */
const refusalOf =
  (source: Source.Source, place: Place | null, perPlugin: number, { connectionsPerHost }: Values) =>
  (): Connection.Refusal | undefined => {
    if (place?.isHeld === true) return undefined
    const [per, limit] = place === null ? (["plugin", perPlugin] as const) : (["host", connectionsPerHost] as const)
    return { error: new ConnectionLimit({ url: source.display, per, limit }), reason: "limit" }
  }
