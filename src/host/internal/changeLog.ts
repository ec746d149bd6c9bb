/**
 * What is worth a line of the host's log: one for each change, with what it
 * concerns in annotations. Changes for the worse are warnings or errors,
 * recoveries, starts and stops are infos, all others are for debugging.
 */
import type * as LogLevel from "effect/LogLevel"
import type { Connection } from "../../connection/Connection.ts"
import * as Diagnostic from "../../diagnostics/Diagnostic.ts"
import type { Recorded } from "../../diagnostics/DiagnosticLog.ts"
import * as Stack from "../../diagnostics/Stack.ts"
import { formatProblem, type Problem } from "../../internal/wire.ts"
import type { PluginInstance } from "../../plugin/PluginInstance.ts"
import type { PluginDiagnostic } from "../../plugin/PluginRecord.ts"
import type { LogLines } from "./logLines.ts"

const LEVELS = { error: "Error", warning: "Warn", info: "Info" } as const

/** How many of a file's problems are told, so that they leave room for what happens. */
const MOST_PROBLEMS = 20

const ELSEWHERE = "see the plugin's diagnostics"

/** Tells the changes of a host. */
export class ChangeLog {
  readonly #lines: LogLines

  constructor(lines: LogLines) {
    this.#lines = lines
  }

  /** What is enabled was applied, with these problems. */
  applied(plugins: number, problems: ReadonlyArray<Problem>): void {
    const message = `${plugins} ${plugins === 1 ? "plugin is" : "plugins are"} enabled`
    this.#lines.add("Info", () => ({ message, annotations: {} }))
    this.#problems("Warn", "", problems)
  }

  /** What took its place is of no use. */
  rejected(problems: ReadonlyArray<Problem>): void {
    this.#problems("Error", "ReloadRejected: ", problems)
  }

  #problems(level: LogLevel.Severity, tag: string, problems: ReadonlyArray<Problem>): void {
    for (const problem of problems.slice(0, MOST_PROBLEMS)) {
      this.#lines.add(level, () => ({ message: `${tag}${formatProblem(problem)}`, annotations: {} }))
    }
    const more = problems.length - MOST_PROBLEMS
    if (more > 0)
      this.#lines.add(level, () => ({ message: `${tag}and ${more} more, see host.config.problems`, annotations: {} }))
  }

  /** A new diagnostic of a plugin, whose code is the developer's own where it runs in this process. */
  diagnostic(plugin: string, { diagnostic, error }: Recorded<PluginDiagnostic>, isInProcess: boolean): void {
    const { severity, sourceId, stage, tag } = diagnostic
    this.#lines.add(LEVELS[severity], () => ({
      ...told(diagnostic, error, isInProcess),
      annotations: { plugin, ...(sourceId === undefined ? {} : { source: sourceId }), stage, tag }
    }))
  }

  /** Tells how a plugin's lifecycle changes; to be called whenever it may have. */
  plugin(plugin: string): (instance: PluginInstance) => void {
    let last: PluginInstance["lifecycle"] = "ready"
    let hasFailed = false
    return ({ lifecycle, record }) => {
      if (lifecycle === last) return
      last = lifecycle
      const wasWell = !hasFailed
      if (lifecycle === "failed" || lifecycle === "restarting") hasFailed = true
      else if (lifecycle === "running" || lifecycle === "stopped") hasFailed = false
      this.#lines.add(lifecycleLevel(lifecycle), () => ({
        message: lifecycleMessage(lifecycle, wasWell, record.lastError?.tag),
        annotations: { plugin }
      }))
    }
  }

  /** A source's connection has come to another state, or is stopped for another reason. */
  connection(plugin: string, { epoch, source, state, stopReason }: Connection): void {
    this.#lines.add(stateLevel(state, stopReason), () => ({
      message: `${source.display} ${stateMessage(state, stopReason, epoch)}`,
      annotations: { plugin, source: source.id }
    }))
  }
}

/** A message without anything foreign, and the stack where the developer's own code was the cause. */
const told = ({ error: shown, message, tag }: Diagnostic.Diagnostic, error: PluginDiagnostic, isInProcess: boolean) => {
  // What the application's own code said of it, masked as it stands in the diagnostic.
  if (tag === "DialFailed" && typeof shown["reason"] === "string")
    return { message: `${tag}: ${message}: ${shown["reason"]}` }
  if (Diagnostic.isQuoting(tag)) return { message: `${tag}: ${ELSEWHERE}` }
  if (!("cause" in error) || error.cause === undefined) return { message: `${tag}: ${message}` }
  const isOwn = isInProcess && (tag === "InstanceLost" || tag === "StartFailed")
  const stack = isOwn ? Stack.of(error.cause) : undefined
  return { message: `${tag}: ${message}${stack === undefined ? `; ${ELSEWHERE}` : ""}`, stack }
}

const lifecycleLevel = (lifecycle: PluginInstance["lifecycle"]): LogLevel.Severity => {
  if (lifecycle === "failed") return "Error"
  if (lifecycle === "restarting") return "Warn"
  return lifecycle === "running" || lifecycle === "stopped" ? "Info" : "Debug"
}

const lifecycleMessage = (
  lifecycle: PluginInstance["lifecycle"],
  wasWell: boolean,
  tag: string | undefined
): string => {
  const why = tag === undefined ? "" : ` (${tag})`
  if (lifecycle === "running") return `the plugin is running${wasWell ? "" : " again"}`
  if (lifecycle === "failed") return `the plugin has failed${why}`
  return lifecycle === "stopped"
    ? "the plugin has stopped"
    : `the plugin is ${lifecycle}${lifecycle === "restarting" ? why : ""}`
}

const stateLevel = (state: Connection["state"], stopReason: Connection["stopReason"]): LogLevel.Severity => {
  if (state === "open") return "Info"
  if (state !== "stopped" || stopReason === "service") return "Debug"
  return stopReason === "plugin" ? "Info" : "Warn"
}

const stateMessage = (state: Connection["state"], stopReason: Connection["stopReason"], epoch: number): string => {
  if (state === "open") return epoch > 1 ? "is open again" : "is open"
  return state === "stopped" ? `is stopped (${stopReason})` : `is ${state}`
}
