/**
 * The last hour of each plugin and of each of its sources, in this browser's
 * memory only: made of what the document says at the end of each slot, and of
 * how its counters have grown meanwhile. What goes from the document is
 * forgotten.
 */
import type { Connection, Row } from "./document.ts"
import { received, sent } from "./summary.ts"
import { SLOT_MS, slotOf, Track, type TrackCopy } from "./track.ts"

/** The states of a plugin, from the bottom of a chart to its top. */
export const LIFECYCLES = ["failed", "restarting", "stopped", "stopping", "ready", "starting", "running"] as const

/** The states of a source. */
export const STATES = ["stopped", "waiting", "closed", "closing", "connecting", "open"] as const

/** What is kept of a plugin. */
export const OF_PLUGIN = { lifecycle: 0, starts: 1, crashes: 2, waiting: 3, dispatched: 4 } as const

/** What is kept of a source; a rate is frames a second. */
export const OF_SOURCE = { state: 0, received: 1, sent: 2, dropped: 3, opens: 4 } as const

export const sourceKey = (ref: string, id: string): string => `${ref}\n${id}`

type Counts = ReadonlyArray<number>

const countsOf = (row: Row): Counts => [row.restarts, row.dispatch_counters.dispatched]

const countsOfSource = (connection: Connection): Counts => [
  received(connection),
  sent(connection),
  connection.queue_drops,
  connection.opens
]

/** How much counters have grown; nothing where they began anew. */
const growth = (now: Counts, before: Counts | undefined): Counts =>
  now.map((value, index) => (before === undefined ? Number.NaN : Math.max(0, value - (before[index] ?? value))))

const perSecond = (count = Number.NaN): number => (count * 1000) / SLOT_MS

export interface HistoryCopy {
  readonly tracks: ReadonlyArray<readonly [key: string, track: TrackCopy]>
}

export class History {
  #tracks = new Map<string, Track>()
  #before = new Map<string, Counts>()
  #lifecycles = new Map<string, string>()
  #starts = new Map<string, number>()
  #slot: number

  constructor(at: number) {
    this.#slot = slotOf(at)
  }

  /** The slot that was recorded last. */
  get slot(): number {
    return this.#slot
  }

  track(key: string): Track | undefined {
    return this.#tracks.get(key)
  }

  /** A row has changed: what the end of a slot doesn't tell is counted. */
  see(row: Row): void {
    const ref = row.plugin_ref
    const before = this.#lifecycles.get(ref)
    if (before !== undefined && before !== "running" && row.lifecycle === "running") {
      this.#starts.set(ref, (this.#starts.get(ref) ?? 0) + 1)
    }
    this.#lifecycles.set(ref, row.lifecycle)
    this.#begin(ref, countsOf(row))
    for (const connection of row.websocket_connections) {
      const key = sourceKey(ref, connection.id)
      this.#begin(key, countsOfSource(connection))
      if (connection.last_close !== null) this.#of(key, WIDTH.source).end(connection.last_close)
    }
  }

  /** A slot has ended; false where it was recorded already. */
  record(rows: ReadonlyMap<string, Row>, at: number): boolean {
    const slot = slotOf(at)
    if (slot <= this.#slot) return false
    // What has grown in a longer while tells no rate.
    if (slot > this.#slot + 1) this.#before.clear()
    this.#slot = slot
    const keys = new Set<string>()
    for (const row of rows.values()) this.#plugin(row, keys)
    for (const key of this.#tracks.keys()) if (!keys.has(key)) this.#tracks.delete(key)
    for (const key of this.#before.keys()) if (!keys.has(key)) this.#before.delete(key)
    for (const ref of this.#lifecycles.keys()) if (!rows.has(ref)) this.#lifecycles.delete(ref)
    this.#starts.clear()
    return true
  }

  get copy(): HistoryCopy {
    return { tracks: [...this.#tracks].map(([key, track]) => [key, track.copy]) }
  }

  /** What another tab has seen. */
  adopt({ tracks }: HistoryCopy): void {
    for (const [key, track] of tracks) this.#of(key, track.columns.length).adopt(track)
  }

  #plugin(row: Row, keys: Set<string>): void {
    const ref = row.plugin_ref
    const [crashes = Number.NaN, dispatched] = this.#grown(ref, countsOf(row))
    keys.add(ref)
    this.#of(ref, WIDTH.plugin).put(this.#slot, [
      LIFECYCLES.indexOf(row.lifecycle),
      this.#starts.get(ref) ?? 0,
      crashes,
      row.queue_depth,
      perSecond(dispatched)
    ])
    for (const connection of row.websocket_connections) this.#source(ref, connection, keys)
  }

  #source(ref: string, connection: Connection, keys: Set<string>): void {
    const key = sourceKey(ref, connection.id)
    const [came, went, dropped = Number.NaN, opens = Number.NaN] = this.#grown(key, countsOfSource(connection))
    keys.add(key)
    this.#of(key, WIDTH.source).put(this.#slot, [
      STATES.indexOf(connection.state),
      perSecond(came),
      perSecond(went),
      dropped,
      opens
    ])
  }

  /** What is seen for the first time has grown by nothing until then. */
  #begin(key: string, counts: Counts): void {
    if (!this.#before.has(key)) this.#before.set(key, counts)
  }

  #grown(key: string, counts: Counts): Counts {
    const grown = growth(counts, this.#before.get(key))
    this.#before.set(key, counts)
    return grown
  }

  #of(key: string, width: number): Track {
    const known = this.#tracks.get(key)
    if (known !== undefined) return known
    const track = new Track(width, this.#slot)
    this.#tracks.set(key, track)
    return track
  }
}

const WIDTH = { plugin: Object.keys(OF_PLUGIN).length, source: Object.keys(OF_SOURCE).length }
