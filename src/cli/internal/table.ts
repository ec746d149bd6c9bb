/**
 * The status for people: a row per connection, and for a plugin without one a
 * row of its own.
 */
import type { ConnectionStatus, HostStatus, PluginStatus } from "../../host/HostStatus.ts"
import { clean, cut, pad, widthOf } from "./cells.ts"

interface Column {
  readonly heading: string
  readonly side: "left" | "right"
  /** The widest that a cell may be, so that one long text leaves room for the others. */
  readonly most: number
}

const text = (heading: string, most: number): Column => ({ heading, side: "right", most })
const count = (heading: string): Column => ({ heading, side: "left", most: 16 })

const COLUMNS: ReadonlyArray<Column> = [
  text("PLUGIN", 32),
  text("SERVICE", 12),
  text("ID", 8),
  text("SOURCE", 48),
  text("STATE", 20),
  count("EPOCH"),
  count("RECEIVED"),
  count("WAITING"),
  count("DROPPED"),
  count("SENT"),
  text("NOTE", 160)
]

// In a narrow terminal these give way first, in this order, down to this.
const NARROWED = ["SOURCE", "PLUGIN"]
const NARROWEST = 12
const GAP = "  "

/** The lines of the table, each at most `width` columns. */
export const table = (status: HostStatus, width: number): ReadonlyArray<string> => {
  const cells = status.plugins.flatMap(rowsOf).map((row) => row.map(clean))
  const widths = fitted([HEADINGS, ...cells], width)
  const lines = [HEADINGS, ...cells].map((row) =>
    COLUMNS.map(({ side }, at) => pad(cut(row[at] ?? "", widths[at] ?? 0), widths[at] ?? 0, side)).join(GAP)
  )
  return [headOf(status), ...lines].map((line) => cut(line.trimEnd(), width))
}

const HEADINGS = COLUMNS.map(({ heading }) => heading)

/** As wide as the widest cell, and all but the note within the width as far as they can be. */
const fitted = (rows: ReadonlyArray<ReadonlyArray<string>>, width: number): ReadonlyArray<number> => {
  const widths = COLUMNS.map(({ most }, at) =>
    Math.min(
      most,
      rows.reduce((widest, row) => Math.max(widest, widthOf(row[at] ?? "")), 0)
    )
  )
  let over = widths.slice(0, -1).reduce((sum, column) => sum + column + GAP.length, 0) - width
  for (const at of NARROWED.map((heading) => HEADINGS.indexOf(heading))) {
    const less = Math.min(over, (widths[at] ?? 0) - NARROWEST)
    if (less <= 0) continue
    widths[at] = (widths[at] ?? 0) - less
    over -= less
  }
  return widths
}

const headOf = ({ host }: HostStatus): string =>
  [
    `mooring ${host.version}`,
    `up ${figure(host.uptimeMs / 1000)} s`,
    `${figure(host.rssBytes === null ? null : host.rssBytes / 1_048_576)} MiB`,
    `loop lag ${host.eventLoopLagMs} ms`
  ].join("  ")

/** A whole number, or a dash for what the system doesn't tell. */
const figure = (value: number | null): string =>
  value === null || !Number.isFinite(value) ? "\u2013" : String(Math.round(value))

const rowsOf = (plugin: PluginStatus): ReadonlyArray<ReadonlyArray<string>> => {
  const own = [plugin.pluginRef, plugin.lifecycle]
  const [first, ...rest] = plugin.websocketConnections
  if (first === undefined) return [[...own, ...NO_CONNECTION, plugin.lastError?.message ?? ""]]
  return [
    [...own, ...connection(first, plugin.lastError?.message ?? reported(plugin))],
    ...rest.map((other) => ["", "", ...connection(other, "")])
  ]
}

const NO_CONNECTION = ["", "", "", "", "", "", "", ""]

const connection = (row: ConnectionStatus, note: string): ReadonlyArray<string> => [
  row.id,
  row.url,
  row.stopReason === null ? row.state : `${row.state} (${row.stopReason})`,
  figure(row.epoch),
  figure(row.receivedTextFrames),
  figure(row.queueDepth),
  figure(row.queueDrops),
  figure(row.sentTextFrames),
  noteOf(row, note)
]

const noteOf = (row: ConnectionStatus, note: string): string => {
  const isDown = row.state === "waiting" || (row.state === "stopped" && row.stopReason !== "service")
  if (isDown && row.lastError !== null) return row.lastError.message
  if (note !== "" || row.lastClose === null) return note
  return `last closed with code ${row.lastClose.code}`
}

const reported = (plugin: PluginStatus): string =>
  plugin.reportedStatus === null ? "" : JSON.stringify(plugin.reportedStatus)
