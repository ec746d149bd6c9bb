/**
 * What has changed in a plugin's row of the status, in words.
 */
import type { ConnectionStatus, PluginStatus } from "../../host/HostStatus.ts"
import type { DevLines } from "./devLines.ts"

/** Tells how one row became another; of a plugin that wasn't there, how it is. */
export const tellChanges = (
  before: PluginStatus | undefined,
  now: PluginStatus | undefined,
  lines: Pick<DevLines, "say" | "result">
): void => {
  if (now === undefined || before?.pluginRef !== now.pluginRef) {
    if (before !== undefined && before.lifecycle !== "stopped")
      lines.say("plugin", `${before.pluginRef} is enabled no more`)
    if (now === undefined) return
  }
  const known = before?.pluginRef === now.pluginRef ? before : undefined
  for (const result of newOf(known?.outputCommandResults ?? [], now.outputCommandResults)) lines.result(result)
  if (known?.lifecycle !== now.lifecycle && SHOWN.has(now.lifecycle)) lines.say("plugin", lifecycleOf(now))
  for (const connection of now.websocketConnections) {
    const former = known?.websocketConnections.find(({ id }) => id === connection.id)
    const text = stateOf(connection)
    if (text !== undefined && (former === undefined || stateOf(former) !== text)) lines.say("source", text)
  }
}

const SHOWN: ReadonlySet<PluginStatus["lifecycle"]> = new Set(["running", "restarting", "stopped", "failed"])

const lifecycleOf = ({ lastError, lifecycle, pluginRef, restarts, retryAt }: PluginStatus): string => {
  const why = lastError === null ? "" : ` (${lastError.tag})`
  const next = retryAt === null ? "" : `; another start at ${retryAt}, or once it has changed`
  if (lifecycle === "failed") return `${pluginRef} has failed${why}${next}`
  if (lifecycle === "restarting") return `${pluginRef} is started again after a crash${why}`
  return `${pluginRef} ${lifecycle === "stopped" ? "has stopped" : "is running"}${restarts > 0 ? `, restarts: ${restarts}` : ""}`
}

/** What is worth a line of it; undefined while it is on its way. */
const stateOf = ({
  epoch,
  id,
  ingressName,
  lastClose,
  lastError,
  nextAttemptAt,
  state,
  stopReason,
  url
}: ConnectionStatus): string | undefined => {
  const named = `${ingressName} ${id} ${url}`
  if (state === "open") return `${named} is open, epoch ${epoch}`
  if (state === "stopped")
    return stopReason === "service" ? undefined : `${named} is stopped: ${stopReason}${reasonOf(lastError)}`
  if (state !== "waiting") return undefined
  const closed = lastClose === null ? "" : ` (close code ${lastClose.code})`
  return `${named} is dialled again at ${nextAttemptAt ?? "its time"}${reasonOf(lastError)}${closed}`
}

const reasonOf = (error: ConnectionStatus["lastError"]): string => (error === null ? "" : `: ${error.tag}`)

type Results = PluginStatus["outputCommandResults"]

/** The results that weren't there before. */
const newOf = (before: Results, now: Results): Results => {
  const last = before.at(-1)
  const at = last === undefined ? -1 : now.findLastIndex((each) => isSame(each, last))
  return now.slice(at + 1)
}

const isSame = (one: Results[number], other: Results[number]): boolean =>
  one.commandId === other.commandId && one.sourceEventId === other.sourceEventId && one.recordedAt === other.recordedAt
