/**
 * What a row of the table says: one for each connection, and for a plugin
 * without any a row of its own. Everything but the note is plain ASCII, whatever
 * somebody else wrote.
 */
import type { ConnectionStatus, HostStatus, PluginStatus } from "../../host/HostStatus.ts"
import { isDown, isRecent, ofLifecycle, ofSource, told, TROUBLE, type Trouble } from "../../operate/page/trouble.ts"

export interface Row {
  readonly plugin: string
  readonly state: string
  readonly trouble: Trouble
  /** Counts, null where there is no connection. */
  readonly received: number | null
  readonly waiting: number | null
  readonly dropped: number | null
  readonly sent: number | null
  /** What is wrong, or else what there is to say. The only text that may be foreign. */
  readonly note: string
}

/** All rows, those with trouble first, else in the order of the plugins. */
export const rowsOf = (status: HostStatus): ReadonlyArray<Row> => {
  const at = Date.parse(status.host.at)
  return status.plugins.flatMap((plugin) => ofPlugin(plugin, at)).toSorted((one, other) => other.trouble - one.trouble)
}

const ofPlugin = (plugin: PluginStatus, at: number): ReadonlyArray<Row> => {
  const { lifecycle, queueDepth, websocketConnections: connections } = plugin
  const row = { plugin: ascii(plugin.pluginRef), state: lifecycle, trouble: ofLifecycle(lifecycle) }
  if (connections.length === 0) {
    const own = { received: null, waiting: queueDepth, dropped: null, sent: null }
    return [{ ...row, ...own, note: wrongWith(plugin) ?? reported(plugin) }]
  }
  // What is wrong with the plugin, or was until a moment ago, is told once.
  const isPast = lifecycle === "running" && isRecent(plugin.lastError, at)
  return connections.map((connection, index) => {
    const isFirst = index === 0
    const counts = countsOf(connection)
    const id = connections.length === 1 ? "" : `${connection.id}  `
    if (lifecycle !== "running" && lifecycle !== "stopped") {
      return { ...row, ...counts, note: isFirst ? (wrongWith(plugin) ?? connection.url) : id + connection.url }
    }
    const trouble = Math.max(ofSource(connection), isFirst && isPast ? TROUBLE.past : TROUBLE.none) as Trouble
    const past = isFirst && isPast ? wrongWith(plugin) : undefined
    const note = id + (whyDown(connection) ?? past ?? described(connection, isFirst ? reported(plugin) : ""))
    return { plugin: row.plugin, state: stateOf(connection), trouble, ...counts, note }
  })
}

/** Of an open connection how it flows: that it is open follows. */
const stateOf = ({ flow, state }: ConnectionStatus): string => (state === "open" ? flow : state)

const countsOf = ({ queueDepth, queueDrops, receivedBinaryFrames, receivedTextFrames, ...sent }: ConnectionStatus) => ({
  received: receivedTextFrames + receivedBinaryFrames,
  waiting: queueDepth,
  dropped: queueDrops,
  sent: sent.sentTextFrames + sent.sentBinaryFrames
})

const wrongWith = ({ lastError }: PluginStatus): string | undefined => told(lastError)

/** Why a connection isn't there though it should be. */
const whyDown = (connection: ConnectionStatus): string | undefined => {
  const { lastError, stopReason } = connection
  if (!isDown(connection)) return undefined
  return told(lastError) ?? (stopReason === null ? undefined : `stopped: ${stopReason}`)
}

const described = ({ lastClose, stopReason, url }: ConnectionStatus, report: string): string =>
  [
    report,
    lastClose === null ? "" : `last closed with ${lastClose.code}`,
    url,
    stopReason === "plugin" ? "stopped by the plugin" : ""
  ]
    .filter((part) => part !== "")
    .join("  ")

const reported = ({ reportedStatus }: PluginStatus): string =>
  reportedStatus === null ? "" : JSON.stringify(reportedStatus)

/** References are nothing else; what isn't one moves no column. */
const ascii = (text: string): string => text.replace(/[^!-~]/gu, "?")
