/**
 * The phases of a connection, each with exactly what it needs; what can happen
 * to one, what has to be known for it, and what there is to be done.
 * `transition` says what follows from what.
 */
import type * as Result from "effect/Result"
import type { GrantError } from "../../grants/GrantError.ts"
import type { AuthorizedTarget } from "../../grants/Grants.ts"
import type { ConnectionError, DialError } from "../ConnectionError.ts"
import type { EpochEnd } from "../ConnectionSink.ts"
import type { Unreached } from "../Reachability.ts"
import type * as Reconnect from "../Reconnect.ts"
import type { Source } from "../Source.ts"
import * as History from "./history.ts"

/** What follows once a dial or an epoch that is being ended has gone. */
export type Next =
  /** What the end itself says. */
  | { readonly kind: "decide" }
  /** It stays closed: its plugin closed it. */
  | { readonly kind: "plugin" }
  | { readonly kind: "redial"; readonly atOnce: boolean }

/** What a close by the plugin lies upon: lifting the close lifts no more than that. */
export interface Beneath {
  readonly reason: Reconnect.StopReason | null
  readonly dueAt: number | null
  readonly revision: number
}

/** Times are milliseconds of the clock that is never set. */
export type Phase =
  /** Not dialled yet, or no service runs it. A planned attempt is kept. */
  | { readonly name: "closed"; readonly dueAt: number | null }
  /** Dialled at a time, or, where that is null, as soon as there is room for its events. */
  | { readonly name: "waiting"; readonly dueAt: number | null }
  | {
      readonly name: "stopped"
      readonly reason: Reconnect.StopReason
      readonly dueAt: number | null
      readonly beneath: Beneath | null
    }
  | { readonly name: "dialling"; readonly isDropped: boolean; readonly isRevoked: boolean; readonly next: Next }
  | { readonly name: "open" }
  /** `until`: when it is broken off, in time that was had. */
  | {
      readonly name: "closing"
      readonly isRevoked: boolean
      readonly next: Next
      readonly until: number
      readonly isTerminated: boolean
    }

export type Rest = Extract<Phase, { readonly name: "closed" | "waiting" | "stopped" }>

export interface State {
  readonly phase: Phase
  /** Whether a service runs it, is about to run it again, or has ended for good. */
  readonly service: "runs" | "pauses" | "rests"
  readonly epoch: number
  /** Dials begun since the last open. */
  readonly attempts: number
  readonly history: History.History
  /** The revision of the grants under which a denial was last reported. */
  readonly deniedAt: number | null
}

export const initial: State = {
  phase: { name: "closed", dueAt: null },
  service: "pauses",
  epoch: 0,
  attempts: 0,
  history: History.initial,
  deniedAt: null
}

/** Why a source isn't dialled at all. */
export interface Refusal {
  readonly error: GrantError | DialError
  readonly reason: "grant" | "limit"
}

/** What has to be known before a dial. */
export interface Prospects {
  readonly refusal: Refusal | undefined
  readonly declared: Result.Result<AuthorizedTarget, GrantError>
  /** Whether the queue has room for the events of one more epoch. */
  readonly isReady: boolean
  /** Whether what was resolved was denied under the present grants. */
  readonly isDenied: boolean
  /** Whether the grants are those of the last dial. */
  readonly isSame: boolean
}

/** How an epoch ended: for the decision, for the report, and for the plugin. */
export interface Ended {
  readonly end: Reconnect.End
  readonly cause: ConnectionError | DialError
  readonly told: EpochEnd
}

export type Input =
  | { readonly kind: "started" | "silenced" | "ending" | "retired" | "forgotten" }
  | { readonly kind: "grants" }
  /** Something that a dial waits for may be there: the time, room in the queue, a place. */
  | { readonly kind: "due" }
  | { readonly kind: "considered"; readonly prospects: Prospects }
  | { readonly kind: "opened" }
  /** The peer's close frame came, or the peer is broken off. */
  | { readonly kind: "closing" }
  | ({ readonly kind: "ended" } & Ended)
  /** A dial came to nothing, so long after its last phase began; without a failure it was dropped. */
  | { readonly kind: "gone"; readonly failure: DialError | GrantError | null; readonly waitedMs: number }
  /** A dial of the host's got through that had reached no server for the same reason as this one. */
  | { readonly kind: "reached" }
  /** There was nothing to dial, and won't be for so many milliseconds; null: until the operator says otherwise. */
  | { readonly kind: "postponed"; readonly waitMs: number | null }
  | { readonly kind: "graceOver" }
  | { readonly kind: "close"; readonly code: number; readonly reason: string }
  | { readonly kind: "reconnect"; readonly code: number; readonly isOther: boolean }
  /** The operator's. */
  | { readonly kind: "redial" }
  /** What it shows to its server may be something else now. */
  | { readonly kind: "renewed" }

export interface Facts {
  readonly now: number
  /** Time that was had: what a close is judged by. */
  readonly had: number
  /** Uniform in [0, 1). */
  readonly random: number
  /** Whether its secrets or its TLS are others than those of its last dial. */
  readonly isRenewed: boolean
  /** Whether manifest and grant cover the source and what was dialled for it. */
  readonly covered: boolean
  readonly revision: number
  readonly source: Source
  readonly closeGraceMs: number
  readonly stoppedRetryMs: number
}

export type Action =
  /** Find out what a dial has to know, and say so at once. */
  | { readonly kind: "consider" }
  | { readonly kind: "dial"; readonly target: AuthorizedTarget }
  | { readonly kind: "drop" }
  /** Let others dial that wait for what this one waited for. */
  | { readonly kind: "reached"; readonly why: Unreached }
  /** Close in order. */
  | { readonly kind: "close"; readonly code: number; readonly reason: string }
  | { readonly kind: "terminate" }
  /** What its socket says from here on is ignored. */
  | { readonly kind: "abandon" }
  /** Deliver nothing more, and discard what waits. */
  | { readonly kind: "revoke" }
  /** What was dialled last, or denied, doesn't count any more. */
  | { readonly kind: "restartRoute" }
  | { readonly kind: "report"; readonly error: GrantError | DialError | ConnectionError }
  | { readonly kind: "tellEnded"; readonly told: EpochEnd; readonly willReconnect: boolean; readonly deliver: boolean }
  | {
      readonly kind: "tellFailed"
      readonly error: DialError
      readonly willReconnect: boolean
      readonly deliver: boolean
    }

export type Step = readonly [State, ReadonlyArray<Action>]

/** Why it isn't dialled; null where it is, or may be. */
export const reasonOf = (phase: Phase): Reconnect.StopReason | null => (phase.name === "stopped" ? phase.reason : null)

/** Whether nothing is open or under way. */
export const isAtRest = (phase: Phase): phase is Rest =>
  phase.name === "closed" || phase.name === "waiting" || phase.name === "stopped"

/** Whether a dial is under way that isn't wanted any more. */
export const isDropped = (phase: Phase): boolean => phase.name === "dialling" && phase.isDropped

/** Whether the dial under way is still wanted. */
export const mayOpen = ({ phase, service }: State): boolean =>
  service === "runs" && phase.name === "dialling" && !phase.isDropped

/** What it is stopped for, but for a close by the plugin itself. */
export const stoppedFor = (phase: Phase, now: number, revision: number): Reconnect.StopReason | null => {
  if (phase.name !== "stopped") return null
  const { beneath } = phase
  if (phase.reason !== "plugin" || beneath === null) return phase.reason
  if (beneath.dueAt !== null && beneath.dueAt <= now) return null
  return beneath.reason === "address" && beneath.revision !== revision ? null : beneath.reason
}

/** What it waits for beside the time. */
export const waitsFor = ({ history, phase, service }: State): Unreached | null =>
  service === "runs" && phase.name === "waiting" && phase.dueAt !== null ? (history.unreached?.why ?? null) : null

/** When the driver has to come back by itself; for a close, in time that was had. */
export const dueAt = ({ phase, service }: State): number | null => {
  if (phase.name === "closing") return phase.until
  return isAtRest(phase) && service === "runs" ? phase.dueAt : null
}
