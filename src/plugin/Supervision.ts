/**
 * What follows a crash or a failed start: another start after a backoff, or a
 * service that has failed and is tried again much later. Pure.
 *
 * @since 0.1.0
 */
import type { Values } from "../limits/Limits.ts"

/**
 * What a service does.
 *
 * @category models
 * @since 0.1.0
 */
export type Lifecycle = "ready" | "starting" | "running" | "restarting" | "stopping" | "stopped" | "failed"

/**
 * What follows. `at` is milliseconds of the clock that decides, null where only
 * the operator can help.
 *
 * @category models
 * @since 0.1.0
 */
export type Decision =
  | { readonly lifecycle: "restarting"; readonly at: number }
  | { readonly lifecycle: "failed"; readonly at: number | null }

/**
 * What a plugin has been through.
 *
 * @category models
 * @since 0.1.0
 */
export interface History {
  /** When it crashed, within the window, the last one included. */
  readonly crashes: ReadonlyArray<number>
  /** How often it has failed in a row. */
  readonly failures: number
}

/**
 * A plugin that has been through nothing.
 *
 * @category constructors
 * @since 0.1.0
 */
export const initial: History = { crashes: [], failures: 0 }

type Limits = Pick<Values, "restarts" | "restartWindowMs" | "failedRetryMs">

const FIRST_BACKOFF_MS = 100
const LONGEST_BACKOFF_MS = 5000
const LONGEST_RETRY_MS = 3_600_000

/**
 * Decides after a crash.
 *
 * @category decisions
 * @since 0.1.0
 */
export const crashed = (history: History, now: number, limits: Limits): readonly [Decision, History] => {
  const crashes = [...history.crashes.filter((at) => at > now - limits.restartWindowMs), now]
  if (crashes.length > limits.restarts) return failed({ ...history, crashes }, now, limits)
  const backoff = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (crashes.length - 1))
  return [
    { lifecycle: "restarting", at: now + backoff },
    { ...history, crashes }
  ]
}

/**
 * Decides after a first start that failed, or where the crashes are too many.
 *
 * @category decisions
 * @since 0.1.0
 */
export const failed = (history: History, now: number, limits: Limits): readonly [Decision, History] => {
  const longest = Math.max(LONGEST_RETRY_MS, limits.failedRetryMs)
  const retry = Math.min(longest, limits.failedRetryMs * 2 ** Math.min(history.failures, 30))
  return [
    { lifecycle: "failed", at: limits.failedRetryMs === 0 ? null : now + retry },
    { crashes: [], failures: history.failures + 1 }
  ]
}

/**
 * The history after an instance has run without a crash until now: a service
 * that was stable for a whole window begins anew.
 *
 * @category decisions
 * @since 0.1.0
 */
export const ran = (history: History, startedAt: number, now: number, limits: Limits): History =>
  now - startedAt >= limits.restartWindowMs ? initial : history
