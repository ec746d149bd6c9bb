/**
 * The sources of an enabled plugin: a connection and a queue each, and their
 * places among the connections of the host.
 */
import * as Effect from "effect/Effect"
import * as Connection from "../../connection/Connection.ts"
import { ConnectionLimit } from "../../connection/ConnectionError.ts"
import type * as Source from "../../connection/Source.ts"
import * as IngressQueue from "../../ingress/IngressQueue.ts"
import { monotonic } from "../../internal/monotonic.ts"
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
    leavePlaces(of.key, former, shared)
    of.dials.bound(of.held.limits)
    return Effect.forEach(sources, (source, index) => {
      const refused = refusalOf(of, source, index, shared)
      // Places are given in the order in which sources are enabled.
      refused()
      const options = connectionOptions(of, source, refused, shared)
      const kept = former.find(
        ({ connection }) => connection.source.url === source.url && connection.source.ingress === source.ingress
      )
      return kept === undefined ? newSlot(of, source, options, shared) : Effect.sync(() => keep(kept, options))
    })
  })

const placeOf = (key: string, { ingress, url }: Source.Source): string => `${key} ${ingress} ${url}`

/** Gives back the places that a plugin's sources have among `connections_per_host`. */
export const leavePlaces = (key: string, gone: ReadonlyArray<SourceSlot>, { places }: Shared): void => {
  for (const { connection } of gone) places.delete(placeOf(key, connection.source))
}

const keep = (slot: SourceSlot, options: Omit<Connection.Options, "sink">): SourceSlot => {
  slot.connection.reconfigure({ ...options, sink: slot.queue })
  slot.queue.reconfigure(options.limits)
  return slot
}

const newSlot = (of: Slots, source: Source.Source, options: Omit<Connection.Options, "sink">, shared: Shared) =>
  Effect.gen(function* () {
    const { clock, hostBytes } = shared
    const { log, record } = of
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
    const slot: SourceSlot = { connection, queue, epochSince: 0 }
    return slot
  })

const connectionOptions = (
  { asking, dials, held, log, prepared, ref }: Slots,
  source: Source.Source,
  refused: Connection.Options["refused"],
  { activity, changeLog, changed, client, sourceUrl, time, turnNow }: Shared
): Omit<Connection.Options, "sink"> => {
  const tell = changeLog.connection(ref)
  return {
    pluginRef: ref,
    enablement: asking,
    source,
    sourceUrl,
    secrets: { valueOf: held.valueOf, tls: () => held.tlsOf(source.ingress) },
    authority: prepared.authority,
    client,
    dials,
    limits: held.limitsOf(source.ingress),
    refused,
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

// Made here, so that it holds nothing of the lists that a connection was found in.
const refusalOf = ({ held, key }: Slots, source: Source.Source, index: number, shared: Shared) => {
  const { connectionsPerPlugin } = held.limits
  return () => (index >= connectionsPerPlugin ? tooMany(source, connectionsPerPlugin) : refusal(key, source, shared))
}

const tooMany = ({ display: url }: Source.Source, limit: number): Connection.Refusal => ({
  error: new ConnectionLimit({ url, per: "plugin", limit }),
  reason: "limit"
})

/** Why a source isn't dialled: there are too many. */
const refusal = (key: string, source: Source.Source, { limits, places }: Shared): Connection.Refusal | undefined => {
  const url = source.display
  const place = placeOf(key, source)
  if (!places.has(place) && places.size >= limits.connectionsPerHost) {
    return { error: new ConnectionLimit({ url, per: "host", limit: limits.connectionsPerHost }), reason: "limit" }
  }
  places.add(place)
  return undefined
}
