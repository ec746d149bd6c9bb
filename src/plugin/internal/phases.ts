/**
 * The phases of a plugin's service, each with exactly what it needs; what the
 * operator wants, apart from what is; what can happen to a service, what has to
 * be known for it, and what there is to be done. `transition` says what follows
 * from what.
 */
import type { GrantError } from "../../grants/GrantError.ts"
import type { Values } from "../../limits/Limits.ts"
import type { DispatchTimeout, InstanceLost } from "../PluginError.ts"
import type { OwnError } from "../PluginRecord.ts"
import type { StartReason } from "../PluginRuntime.ts"
import * as Supervision from "../Supervision.ts"
import type { StartProblem } from "./lifetime.ts"

/** What a service failed for, and when that was, in Unix milliseconds. */
export interface Failure {
  readonly error: OwnError
  readonly at: number
}

/** What helps a service that has failed. Times are milliseconds of the clock that is never set. */
export type Retry =
  | { readonly kind: "at"; readonly at: number; readonly isDenied: boolean }
  | { readonly kind: "whenGranted" }
  /** The operator alone. */
  | { readonly kind: "never" }

/** Nothing of the plugin runs. */
export type Rest =
  /** Started as soon as it may be. */
  | { readonly name: "ready" }
  /** It crashed, and is started again at a time. */
  | { readonly name: "restarting"; readonly failure: Failure; readonly at: number }
  | { readonly name: "stopped" }
  | { readonly name: "failed"; readonly failure: Failure; readonly retry: Retry }

/** Why an instance ends. */
export type Why =
  /** It is to, in order. A grant that went is told of where it is back by then. */
  | { readonly kind: "stopped"; readonly withdrawn: GrantError | null }
  /** Its sandbox was lost for another's sake: its sessions go on, and another is started in its place. */
  | { readonly kind: "neighbour" }
  | { readonly kind: "crashed"; readonly failure: Failure }
  /** What follows is known already. Until then it is shown as what it was. */
  | { readonly kind: "decided"; readonly rest: Rest; readonly lifecycle: Supervision.Lifecycle }

/** `since`: when the sessions began; null: they haven't. */
export type Phase =
  /** Nobody supervises it yet. */
  | { readonly name: "new" }
  | Rest
  /** Another setup is taken over. */
  | { readonly name: "adopting" }
  | { readonly name: "starting"; readonly since: number | null }
  | { readonly name: "running"; readonly since: number }
  | { readonly name: "ending"; readonly since: number | null; readonly why: Why }
  /** It was disabled, or the host is closed. */
  | { readonly name: "over"; readonly lifecycle: "stopped" | "failed" }

export interface Desired {
  readonly power: "run" | "stop" | "end"
  /** Grows whenever the service is to begin anew. */
  readonly generation: number
  /** Grows with each other setup. */
  readonly setup: number
}

export interface State {
  readonly desired: Desired
  /** Which of what was desired it is that runs, or ran last. */
  readonly actual: Pick<Desired, "generation" | "setup">
  readonly phase: Phase
  /** What the next instance is told it is started for. */
  readonly reason: StartReason
  readonly hasRun: boolean
  readonly history: Supervision.History
  readonly restarts: number
  /** The revision of the grants under which a denial was last reported. */
  readonly deniedAt: number | null
}

export const initial: State = {
  desired: { power: "run", generation: 1, setup: 1 },
  actual: { generation: 0, setup: 0 },
  phase: { name: "new" },
  reason: "first",
  hasRun: false,
  history: Supervision.initial,
  restarts: 0,
  deniedAt: null
}

export type Input =
  /** It is supervised from now on. */
  | { readonly kind: "supervised" }
  /** The operator's. */
  | { readonly kind: "start" | "stop" | "restart" | "replace" | "end" }
  | { readonly kind: "grants" }
  /** Something that a start waits for may be there: the time, the end of what ran before. */
  | { readonly kind: "due" }
  /** A setup was taken over, or nothing can run. */
  | { readonly kind: "adopted"; readonly problem: OwnError | null }
  | { readonly kind: "started" }
  /** There is no instance; without a problem it wasn't wanted any more. */
  | { readonly kind: "unstarted"; readonly problem: StartProblem | null }
  /** The instance has ended by itself. */
  | { readonly kind: "lost"; readonly end: "neighbour" | InstanceLost | DispatchTimeout }
  /** The instance, and all that it acquired, has gone; or it can't be ended. */
  | { readonly kind: "vacant"; readonly isStuck: boolean }
  /** No other follows it by itself. */
  | { readonly kind: "gone" }

export interface Facts {
  readonly now: number
  /** Unix milliseconds. */
  readonly at: number
  readonly limits: Pick<Values, "restarts" | "restartWindowMs" | "failedRetryMs">
  /** Whether there is anything to run; false: another setup alone helps. */
  readonly isUsable: boolean
  /** Why the service may not run under the present grants; null: it may. */
  readonly denial: GrantError | null
  readonly revision: number
  /** Whether sockets of earlier sessions are still being closed. */
  readonly isClosing: boolean
  /** What ran under this reference before: whether it is still being ended, or can't be. */
  readonly ghosts: "none" | "ending" | "stuck"
}

export type Action =
  /** Take the setup over that is wanted. */
  | { readonly kind: "adopt" }
  /** What the sources were stopped for doesn't count any more. */
  | { readonly kind: "forget" }
  | { readonly kind: "launch" }
  /** The start under way isn't wanted any more. */
  | { readonly kind: "interrupt" }
  /** Nothing more is handed over. */
  | { readonly kind: "halt" }
  /** End the sessions: nothing more is delivered, what waits is discarded, the sockets are closed in order. */
  | { readonly kind: "hangUp" }
  /** Say that it has gone once no socket is being closed any more. */
  | { readonly kind: "await" }
  /** The sources rest as well. */
  | { readonly kind: "retire" }
  | { readonly kind: "report"; readonly error: OwnError }
  /** What it failed for is what it has failed for again. */
  | { readonly kind: "recall"; readonly failure: Failure }

export type Step = readonly [State, ReadonlyArray<Action>]

/** Whether nothing of the plugin runs, and something may be started. */
export const isAtRest = (phase: Phase): phase is Rest =>
  phase.name === "ready" || phase.name === "restarting" || phase.name === "stopped" || phase.name === "failed"

/** Whether something is under way. */
export const isBusy = ({ name }: Phase): boolean => name === "adopting" || name === "starting" || name === "ending"

/** When it is started next by itself. */
export const dueAt = (phase: Phase): number | null => {
  if (phase.name === "restarting") return phase.at
  return phase.name === "failed" && phase.retry.kind === "at" && !phase.retry.isDenied ? phase.retry.at : null
}

/** What people see. */
export const lifecycleOf = (phase: Phase): Supervision.Lifecycle => {
  switch (phase.name) {
    case "new":
    case "adopting":
      return "ready"
    case "ending":
      return endingOf(phase.why)
    case "over":
      return phase.lifecycle
    default:
      return phase.name
  }
}

const endingOf = (why: Why): Supervision.Lifecycle => {
  if (why.kind === "decided") return why.lifecycle
  return why.kind === "stopped" ? "stopping" : "restarting"
}
