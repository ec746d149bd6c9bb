/**
 * The decision what follows after a dial failed or a connection ended: dial
 * again, when, or stop, why and for how long. Pure: time and chance come in as
 * numbers.
 *
 * Backoff is exponential with full jitter: uniform between 0 and
 * min(cap, initial · 2ⁿ); where no server was reached it ends at 5 s, and neither
 * counts these dials nor is counted by them.
 *
 * @since 0.1.0
 */
import type { ReconnectSettings } from "../manifest/Enablement.ts"
import type { DialError } from "./ConnectionError.ts"
import type { Unreached } from "./Reachability.ts"

/**
 * Why a source isn't dialled.
 *
 * @category models
 * @since 0.1.0
 */
export type StopReason =
  | "grant"
  | "address"
  | "http"
  | "close_code"
  | "plugin"
  | "exhausted"
  | "limit"
  | "never"
  | "service"

/**
 * What follows. Times are milliseconds of the clock of the situation; a stop
 * whose `at` is null lasts until somebody decides otherwise.
 *
 * @category models
 * @since 0.1.0
 */
export type Decision =
  | { readonly state: "waiting"; readonly at: number }
  | { readonly state: "stopped"; readonly reason: StopReason; readonly at: number | null }

/**
 * What came to an end: a dial, an epoch, or whatever there was, because the
 * plugin asks for another dial. `openForMs` is null where nothing was open.
 *
 * @category models
 * @since 0.1.0
 */
export type End =
  | { readonly kind: "dial"; readonly error: DialError; readonly unreached: Unreached | null }
  | { readonly kind: "epoch"; readonly code: number; readonly openForMs: number }
  | { readonly kind: "requested"; readonly openForMs: number | null }

/**
 * What a decision needs to know.
 *
 * @category models
 * @since 0.1.0
 */
export interface Situation {
  readonly settings: ReconnectSettings
  readonly stopCodes: ReadonlyArray<number>
  readonly stoppedRetryMs: number
  /** Dials within the window, this one included. */
  readonly dialsInWindow: number
  /** Ends in a row, each before the connection was stable. */
  readonly failures: number
  /** Dials in a row before this one whose name had a denied address. */
  readonly denials: number
  /** Dials in a row before this one that reached no server. */
  readonly times: number
  readonly now: number
  /** Uniform in [0, 1). */
  readonly random: number
}

const FIRST_DENIAL_MS = 60_000
const LONGEST_UNREACHED_MS = 5000

/**
 * Decides.
 *
 * @category decisions
 * @since 0.1.0
 */
export const decide = (end: End, situation: Situation): Decision => {
  const { now, settings } = situation
  const atLeast = end.kind === "dial" && end.error._tag === "HandshakeRejected" ? (end.error.retryAfterMs ?? 0) : 0
  // What a server can cause is tried again after a while; what the operator decides isn't.
  const later = situation.stoppedRetryMs === 0 ? null : now + Math.max(atLeast, situation.stoppedRetryMs)
  if (end.kind === "epoch" && situation.stopCodes.includes(end.code)) {
    return { state: "stopped", reason: "close_code", at: later }
  }
  if (end.kind === "dial") {
    // A wrong answer may be gone soon: what a network says before somebody has logged in to it, for example.
    if (end.error._tag === "AddressDenied") {
      const soon = now + Math.min(situation.stoppedRetryMs, FIRST_DENIAL_MS * 2 ** Math.min(situation.denials, 52))
      return { state: "stopped", reason: "address", at: later === null ? null : soon }
    }
    if (end.error._tag === "ConnectionLimit") return { state: "stopped", reason: "limit", at: null }
    if (end.error._tag === "HandshakeRejected" && (end.error.status === 401 || end.error.status === 403)) {
      return { state: "stopped", reason: "http", at: later }
    }
  }
  if (settings.policy === "never") return { state: "stopped", reason: "never", at: null }
  if (end.kind === "dial" && end.unreached !== null) {
    return { state: "waiting", at: now + backoff(situation, situation.times, LONGEST_UNREACHED_MS) }
  }
  if (settings.maxAttempts > 0 && situation.dialsInWindow >= settings.maxAttempts) {
    return { state: "stopped", reason: "exhausted", at: later }
  }
  return { state: "waiting", at: now + Math.max(atLeast, backoff(situation, situation.failures, settings.maxMs)) }
}

/**
 * Whether an epoch lasted long enough for the backoff to start anew.
 *
 * @category decisions
 * @since 0.1.0
 */
export const isStable = (end: End, settings: ReconnectSettings): boolean =>
  end.kind !== "dial" && end.openForMs !== null && end.openForMs >= settings.stableMs

const backoff = ({ random, settings }: Situation, n: number, longest: number): number =>
  Math.round(random * Math.min(longest, settings.maxMs, settings.initialMs * 2 ** Math.min(n, 52)))
