/**
 * What changed in a host since it was last asked, encoded once for whoever
 * reads it, in pieces; and given up soon, so that nobody who reads slowly holds
 * what is old.
 */
import * as Schema from "effect/Schema"
import { hash } from "node:crypto"
import type { HostStatus, PluginStatus } from "../../host/HostStatus.ts"
import * as Status from "../../host/HostStatus.ts"

/** How much is put together before it is handed over. */
export const PIECE_CHARACTERS = 16_384

const encodeRow = Schema.encodeSync(Status.PluginStatus)

/** A row as it stands on the wire. */
export const rowJson = (row: PluginStatus): string => JSON.stringify(encodeRow(row))

const eventOf = (name: string, json: string): string => `event: ${name}\ndata: ${json}\n\n`

export const pluginEvent = (row: PluginStatus): string => eventOf("plugin", rowJson(row))

export const removedEvent = (ref: string): string => eventOf("removed", JSON.stringify({ plugin_ref: ref }))

/** The beginning of a whole status, up to its rows. */
export const statusHead = (status: HostStatus): string => {
  const { plugins: _, ...rest } = Status.encode({ ...status, plugins: [] })
  return `event: status\ndata: ${JSON.stringify(rest).slice(0, -1)},"plugins":[`
}

export const STATUS_END = "]}\n\n"

/** Some rows that changed; `isMore`: and what only a whole status says. */
export class Change {
  readonly refs: ReadonlyArray<string>
  readonly count: number
  readonly isMore: boolean
  #pieces: ReadonlyArray<Uint8Array>

  constructor(removed: ReadonlyArray<string>, changed: ReadonlyArray<PluginStatus>, isMore: boolean) {
    this.isMore = isMore
    this.refs = [...removed, ...changed.map(({ pluginRef }) => pluginRef)]
    this.#pieces = pieces([...removed.map(removedEvent), ...changed.map(pluginEvent)])
    this.count = this.#pieces.length
  }

  /** Undefined where it was given up. */
  piece(at: number): Uint8Array | undefined {
    return this.#pieces[at]
  }

  giveUp(): void {
    this.#pieces = []
  }
}

const pieces = (events: ReadonlyArray<string>): ReadonlyArray<Uint8Array> => {
  const done: Array<Uint8Array> = []
  let text = ""
  for (const event of events) {
    text += event
    if (text.length < PIECE_CHARACTERS) continue
    done.push(Buffer.from(text))
    text = ""
  }
  return text === "" ? done : [...done, Buffer.from(text)]
}

/** A text that differs wherever what it is of does. */
const printOf = (value: unknown): string => hash("sha1", JSON.stringify(value), "base64")

/** What a reader learns by a whole status only. */
const besideRows = ({ host: { config, diagnostics, proxy } }: HostStatus): string =>
  printOf([config, diagnostics, proxy])

/** What was told of a host. */
export class Told {
  #rows = new Map<string, string>()
  #beside = ""

  /** What differs since; undefined where nothing does. */
  since(status: HostStatus): Change | undefined {
    const before = this.#rows
    const hadBeside = this.#beside
    this.#rows = new Map(status.plugins.map((row) => [row.pluginRef, printOf(row)]))
    this.#beside = besideRows(status)
    const removed = [...before.keys()].filter((ref) => !this.#rows.has(ref))
    const changed = status.plugins.filter(({ pluginRef }) => this.#rows.get(pluginRef) !== before.get(pluginRef))
    const isMore = this.#beside !== hadBeside
    return isMore || removed.length + changed.length > 0 ? new Change(removed, changed, isMore) : undefined
  }
}
