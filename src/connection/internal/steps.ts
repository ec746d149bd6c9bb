/**
 * What the parts of the transition have in common: phases made, a look at what
 * may be dialled, a dial given up.
 */
import type * as Reconnect from "../Reconnect.ts"
import { isAtRest, type Action, type Beneath, type Next, type Phase, type State, type Step } from "./phases.ts"

export const DECIDE: Next = { kind: "decide" }
const CONSIDER: Action = { kind: "consider" }

export const stopped = (
  reason: Reconnect.StopReason,
  at: number | null = null,
  beneath: Beneath | null = null
): Phase => ({ name: "stopped", reason, dueAt: at, beneath })

export const closing = (next: Next, until: number, isRevoked = false): Phase => ({
  name: "closing",
  next,
  until,
  isRevoked,
  isTerminated: false
})

/** Where nothing is under way and no service runs it. */
export const unserved = ({ service }: State): Phase =>
  service === "rests" ? stopped("service") : { name: "closed", dueAt: null }

/** A look at what may be dialled, where something may. */
export const considering = (state: State): Step => [
  state,
  state.service === "runs" && isAtRest(state.phase) ? [CONSIDER] : []
]

export const followed = (state: State, actions: ReadonlyArray<Action>): Step => {
  const [next, more] = considering(state)
  return [next, [...actions, ...more]]
}

/** What was asked for while a dial or an epoch is being ended doesn't count any more. */
export const undecided = (phase: Phase): Phase =>
  phase.name === "dialling" || phase.name === "closing" ? { ...phase, next: DECIDE } : phase

/** Gives up the dial under way. */
export const drop = (state: State, next: Next): Step => {
  const { phase } = state
  if (phase.name !== "dialling") return [state, []]
  return [{ ...state, phase: { ...phase, isDropped: true, next } }, phase.isDropped ? [] : [{ kind: "drop" }]]
}
