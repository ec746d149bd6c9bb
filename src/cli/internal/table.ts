/**
 * The status for people: a row per connection, and for a plugin without one a
 * row of its own.
 */
import type { ConnectionStatus, HostStatus, PluginStatus } from "../../host/HostStatus.ts"

const HEADINGS = [
  "PLUGIN",
  "SERVICE",
  "ID",
  "SOURCE",
  "STATE",
  "EPOCH",
  "RECEIVED",
  "WAITING",
  "DROPPED",
  "SENT",
  "NOTE"
]

/** The lines of the table, each at most `width` columns. */
export const table = (status: HostStatus, width: number): ReadonlyArray<string> => {
  const rows = [HEADINGS, ...status.plugins.flatMap(rowsOf)]
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const { host } = status
  const memory = host.rssBytes === null ? "?" : Math.round(host.rssBytes / 1_048_576)
  const head = `mooring ${host.version}  up ${Math.round(host.uptimeMs / 1000)} s  ${memory} MiB  loop lag ${host.eventLoopLagMs} ms`
  return [head, ...rows.map((row) => row.map((cell, column) => pad(cell, column, widths)).join("  "))].map((line) =>
    line.trimEnd().slice(0, width)
  )
}

const NUMBERS: ReadonlySet<number> = new Set([5, 6, 7, 8, 9])

const pad = (cell: string, column: number, widths: ReadonlyArray<number>): string => {
  const width = widths[column] ?? 0
  return NUMBERS.has(column) ? cell.padStart(width) : cell.padEnd(width)
}

const rowsOf = (plugin: PluginStatus): ReadonlyArray<ReadonlyArray<string>> => {
  const own = [plugin.pluginRef, plugin.lifecycle]
  const [first, ...rest] = plugin.websocketConnections
  if (first === undefined) return [[...own, "", "", "", "", "", "", "", "", plugin.lastError?.message ?? ""]]
  return [
    [...own, ...connection(first, plugin.lastError?.message ?? reported(plugin))],
    ...rest.map((other) => ["", "", ...connection(other, "")])
  ]
}

const connection = (row: ConnectionStatus, note: string): ReadonlyArray<string> => [
  row.id,
  row.url,
  row.stopReason === null ? row.state : `${row.state} (${row.stopReason})`,
  String(row.epoch),
  String(row.receivedTextFrames),
  String(row.queueDepth),
  String(row.queueDrops),
  String(row.sentTextFrames),
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
