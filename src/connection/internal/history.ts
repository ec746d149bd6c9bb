/**
 * What a source went through, as far as it decides when it is dialled again:
 * ends in a row and the dials of its window. Times are milliseconds of the
 * clock that is never set.
 */
import type { ReconnectSettings } from "../../manifest/Enablement.ts"
import type { Unreached } from "../Reachability.ts"
import * as Reconnect from "../Reconnect.ts"
import type { Source } from "../Source.ts"

export interface History {
  /** Ends in a row, each before the connection was stable. */
  readonly failures: number
  /** Dials in a row whose name had a denied address. */
  readonly denials: number
  /** Why the last dial reached no server, and how many in a row did. */
  readonly unreached: { readonly why: Unreached; readonly times: number } | null
  readonly dials: ReadonlyArray<number>
}

export const initial: History = { failures: 0, denials: 0, unreached: null, dials: [] }

/** A dial begins. */
export const began = (history: History, now: number, { maxAttempts, windowMs }: ReconnectSettings): History =>
  maxAttempts === 0 ? history : { ...history, dials: [...history.dials.filter((at) => at > now - windowMs), now] }

/** The dial that began last was none. */
export const undone = (history: History): History => ({ ...history, dials: history.dials.slice(0, -1) })

const inWindow = ({ dials }: History, now: number, { windowMs }: ReconnectSettings): number =>
  dials.filter((at) => at > now - windowMs).length

/** Whether the dials of the window are used up. */
export const isExhausted = (history: History, now: number, settings: ReconnectSettings): boolean =>
  settings.maxAttempts > 0 && inWindow(history, now, settings) >= settings.maxAttempts

/** What follows an end. */
export const decide = (
  history: History,
  end: Reconnect.End,
  {
    now,
    random,
    source,
    stoppedRetryMs
  }: { readonly now: number; readonly random: number; readonly source: Source; readonly stoppedRetryMs: number }
): readonly [Reconnect.Decision, History] => {
  const { reconnect: settings, stopCodes } = source
  const failures = Reconnect.isStable(end, settings) ? 0 : history.failures
  const unreached = end.kind === "dial" ? end.unreached : null
  const times = history.unreached?.times ?? 0
  const dialsInWindow = inWindow(history, now, settings)
  const isDenied = end.kind === "dial" && end.error._tag === "AddressDenied"
  const denials = isDenied ? history.denials : 0
  const situation = { settings, stopCodes, stoppedRetryMs, dialsInWindow, failures, denials, times, now, random }
  const decision = Reconnect.decide(end, situation)
  // It says nothing of the server, and is none of those that the budget is for.
  if (unreached !== null) return [decision, { ...undone(history), unreached: { why: unreached, times: times + 1 } }]
  return [decision, { ...history, failures: failures + 1, denials: isDenied ? denials + 1 : denials, unreached: null }]
}
