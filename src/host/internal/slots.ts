/**
 * The sources of an enabled plugin: a connection and a queue each, and a place
 * among the connections of the host.
 */
import * as Effect from "effect/Effect"
import * as Connection from "../../connection/Connection.ts"
import { ConnectionLimit } from "../../connection/ConnectionError.ts"
import type { SourceSecrets } from "../../connection/internal/route.ts"
import type { Place, Waiter } from "../../connection/Places.ts"
import type * as Source from "../../connection/Source.ts"
import type { TlsSettings } from "../../connection/WebSocketClient.ts"
import type { Accounting, HostBytes } from "../../ingress/Accounting.ts"
import type { QueueOverflow } from "../../ingress/IngressError.ts"
import type { IngressEvent, SourceOrigin } from "../../ingress/IngressEvent.ts"
import * as IngressQueue from "../../ingress/IngressQueue.ts"
import type { TextRules } from "../../ingress/TextRules.ts"
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
  Effect.sync(() => {
    of.dials.bound(of.held.limits)
    return sources.map((source, index) => {
      const kept = former.find((slot) => isOf(slot)(source))
      return kept === undefined ? new Slot(of, source, index, shared) : keep(kept, of, source, index, shared)
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
  slot.place = isOver ? null : (slot.place ?? shared.places.place(slot.connection))
  const options = new ConnectionOptions(of, source, slot.place, slot.queue, shared)
  slot.connection.reconfigure(options)
  slot.queue.reconfigure(options.limits)
  return slot
}

/**
 * A source, and what its queue asks of what is around it: one object, where a closure for each question took a
 * kilobyte of every idle connection.
 */
class Slot implements SourceSlot, IngressQueue.Options, Waiter {
  readonly connection: Connection.Connection
  readonly queue: IngressQueue.IngressQueue
  place: Place | null
  epochSince = 0
  readonly origin: SourceOrigin
  readonly display: string
  readonly limits: Values
  readonly accounting: Accounting
  readonly hostBytes: HostBytes
  readonly turns: IngressQueue.Options["turns"]
  readonly now: () => number
  readonly monotonic: () => number
  readonly #record: PluginRecord
  readonly #log: Parts["log"]

  constructor(of: Slots, source: Source.Source, index: number, shared: Shared) {
    const { held, log, record } = of
    const { display, id, ingress: ingressName, url } = source
    this.#record = record
    this.#log = log
    const key = `${of.key}-${record.nextSource()}`
    this.origin = Object.freeze({ key, source: `websocket:${url}`, id, url, ingressName })
    this.display = display
    this.limits = held.limitsOf(ingressName)
    this.accounting = record.accounting
    this.hostBytes = shared.hostBytes
    this.turns = record.turns
    this.now = shared.clocks.now
    this.monotonic = shared.clocks.monotonic
    const isOver = index >= held.limits.connectionsPerPlugin
    this.place = isOver ? null : shared.places.place(this)
    this.queue = new IngressQueue.IngressQueue(this)
    const options = new ConnectionOptions(of, source, this.place, this.queue, shared)
    this.connection = new Connection.Connection(options, shared.clocks)
  }

  takes(kind: IngressEvent["kind"]): boolean {
    return this.#record.takes(this.origin.ingressName, kind)
  }

  rules(): TextRules | null {
    return this.#record.rules(this.origin.ingressName)
  }

  reply(text: string): boolean {
    return this.#record.reply(this, text)
  }

  overflowed(make: () => QueueOverflow): void {
    this.#log.report("QueueOverflow", this.origin.id, make)
  }

  paused(): void {
    this.#record.ticker.wake()
  }

  readied(): void {
    this.wake()
  }

  /** It has a place. */
  wake(): void {
    this.connection.wake()
  }

  epochBegan(): void {
    this.#record.epochBegan(this)
  }

  epochEnded(): void {
    this.#record.timers.epochOver(this)
  }
}

/** What a connection is given. What others have as well is theirs, and asked for there. */
class ConnectionOptions implements Connection.Options {
  readonly source: Source.Source
  readonly sink: IngressQueue.IngressQueue
  readonly secrets: SourceSecrets
  readonly limits: Values
  readonly #of: Slots
  readonly #place: Place | null
  readonly #shared: Shared

  constructor(of: Slots, source: Source.Source, place: Place | null, sink: IngressQueue.IngressQueue, shared: Shared) {
    this.source = source
    this.sink = sink
    this.secrets = new Secrets(of, source)
    this.limits = of.held.limitsOf(source.ingress)
    this.#of = of
    this.#place = place
    this.#shared = shared
  }

  get pluginRef(): string {
    return this.#of.ref
  }

  get enablement(): Connection.Options["enablement"] {
    return this.#of.asking
  }

  get authority(): Connection.Options["authority"] {
    return this.#of.prepared.authority
  }

  get dials(): Connection.Options["dials"] {
    return this.#of.dials
  }

  get sourceUrl(): Connection.Options["sourceUrl"] {
    return this.#shared.sourceUrl
  }

  get client(): Connection.Options["client"] {
    return this.#shared.client
  }

  get time(): Connection.Options["time"] {
    return this.#shared.time
  }

  turnNow(): number {
    return this.#shared.turnNow()
  }

  activity(delta: 1 | -1): void {
    this.#shared.activity(delta)
  }

  report(tag: Connection.Reported["_tag"], make: () => Connection.Reported): void {
    this.#of.log.report(tag, this.source.id, make)
  }

  dialled(ms: number, failure: string | null): void {
    this.#shared.observers.dialled(this.#of.ref, this.source, ms, failure)
  }

  roundTrip(ms: number): void {
    this.#shared.observers.roundTrip(this.#of.ref, this.source, ms)
  }

  changed(connection: Connection.Connection): void {
    this.#shared.changeLog.connection(this.#of.ref, connection)
    this.#shared.changed()
  }

  /** Why it isn't dialled: there are too many. */
  refused(): Connection.Refusal | undefined {
    if (this.#place?.isHeld === true) return undefined
    const [per, limit] =
      this.#place === null
        ? (["plugin", this.#of.held.limits.connectionsPerPlugin] as const)
        : (["host", this.#shared.limits.connectionsPerHost] as const)
    return { error: new ConnectionLimit({ url: this.source.display, per, limit }), reason: "limit" }
  }
}

class Secrets implements SourceSecrets {
  readonly #held: Held
  readonly #record: PluginRecord
  readonly #source: Source.Source

  constructor({ held, record }: Slots, source: Source.Source) {
    this.#held = held
    this.#record = record
    this.#source = source
  }

  get names(): SourceSecrets["names"] {
    return this.#held.names
  }

  get standIns(): SourceSecrets["standIns"] {
    return this.#record.standIns
  }

  get valueOf(): SourceSecrets["valueOf"] {
    return this.#held.valueOf
  }

  get valuesOf(): SourceSecrets["valuesOf"] {
    return this.#held.valuesOf
  }

  get maskOf(): SourceSecrets["maskOf"] {
    return this.#held.maskOf
  }

  version(): number {
    return this.#held.versionOf(this.#source)
  }

  tls(): TlsSettings | undefined {
    return this.#held.tlsOf(this.#source.ingress)
  }
}
