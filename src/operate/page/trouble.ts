/**
 * How badly off a plugin and its sources are: what the dashboard and the table
 * of a terminal have first. It imports nothing, so that both can load it.
 */

/** From what needs nobody to what is broken; the highest comes first. */
export const TROUBLE = { none: 0, past: 1, passing: 2, down: 3, failed: 4 } as const

export type Trouble = (typeof TROUBLE)[keyof typeof TROUBLE]

/** For how long what went wrong is told of a plugin that runs again. */
const PAST_MS = 60_000

/** Of a source what tells how it is. */
interface Source {
  readonly state: string
  readonly stopReason: string | null
  readonly flow: string
}

interface Failure {
  readonly tag: string
  readonly message: string
  readonly at: string
}

export const ofLifecycle = (lifecycle: string): Trouble => {
  if (lifecycle === "failed") return TROUBLE.failed
  if (lifecycle === "restarting") return TROUBLE.down
  return TROUBLE.none
}

/** Stopped by the plugin's own word, or with its service: as it was wanted. */
export const isWanted = (stopReason: string | null): boolean => stopReason === "plugin" || stopReason === "service"

export const ofSource = ({ flow, state, stopReason }: Source): Trouble => {
  if (state === "stopped") return isWanted(stopReason) ? TROUBLE.none : TROUBLE.down
  if (state === "waiting") return TROUBLE.passing
  return state === "open" && flow === "sliding" ? TROUBLE.passing : TROUBLE.none
}

/** Whether a source isn't there though it should be. */
export const isDown = ({ state, stopReason }: Source): boolean =>
  state === "waiting" || (state === "stopped" && !isWanted(stopReason))

export const isRecent = (failure: Failure | null, at: number): boolean =>
  failure !== null && at - Date.parse(failure.at) < PAST_MS

/** A failure in one text, its tag once. */
export const told = (failure: Failure | null): string | undefined => {
  if (failure === null) return undefined
  return failure.message.startsWith(failure.tag) ? failure.message : `${failure.tag}: ${failure.message}`
}
