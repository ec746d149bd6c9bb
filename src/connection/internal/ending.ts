/**
 * What follows an end: of an epoch, of a dial that came to nothing, of a
 * question to which there was nothing to dial.
 */
import * as Schema from "effect/Schema"
import { GrantError, GrantRevoked } from "../../grants/GrantError.ts"
import { ReconnectExhausted, type DialError } from "../ConnectionError.ts"
import { unreached } from "../Reachability.ts"
import type * as Reconnect from "../Reconnect.ts"
import * as History from "./history.ts"
import { mayOpen, type Action, type Ended, type Facts, type Next, type Phase, type State, type Step } from "./phases.ts"
import { DECIDE, followed, stopped, unserved } from "./steps.ts"

const isGrantError = Schema.is(GrantError)

/** Whether a server, rather than the operator or a plugin, has stopped a source: other secrets may change its mind. */
export const isRefusal = (reason: Reconnect.StopReason): boolean =>
  reason === "http" || reason === "close_code" || reason === "exhausted"

/** The decision what follows an end, and what there is to report of it. */
export const decide = (state: State, next: Next, isRevoked: boolean, end: Reconnect.End, facts: Facts): Step => {
  const { covered, isRenewed, now, source } = facts
  // Its plugin's close outlasts the service.
  if (next.kind === "plugin") return [{ ...state, phase: stopped("plugin") }, []]
  // Said of it also where it is what ended the service.
  if (!covered || (isRevoked && state.service === "runs")) return [{ ...state, phase: stopped("grant") }, []]
  if (state.service !== "runs") return [{ ...state, phase: unserved(state) }, []]
  if (next.kind === "redial" && next.atOnce) return [{ ...state, phase: { name: "waiting", dueAt: now } }, []]
  const openForMs = end.kind === "epoch" ? end.openForMs : null
  const asked: Reconnect.End = next.kind === "redial" ? { kind: "requested", openForMs } : end
  const [decision, history] = History.decide(state.history, asked, facts)
  if (decision.state === "waiting") return [{ ...state, history, phase: { name: "waiting", dueAt: decision.at } }, []]
  // What was refused isn't what would be shown now.
  if (isRenewed && isRefusal(decision.reason)) {
    return [{ ...state, history: History.initial, phase: { name: "waiting", dueAt: now } }, []]
  }
  const { maxAttempts: attempts, windowMs } = source.reconnect
  const exhausted = new ReconnectExhausted({ url: source.display, attempts, windowMs })
  return [
    { ...state, history, phase: stopped(decision.reason, decision.at) },
    decision.reason === "exhausted" ? [{ kind: "report", error: exhausted }] : []
  ]
}

export const ended = (state: State, { cause, end, told }: Ended, facts: Facts): Step => {
  const { phase } = state
  if (phase.name !== "open" && phase.name !== "closing") return [state, []]
  const { isRevoked, next } = phase.name === "open" ? { isRevoked: false, next: DECIDE } : phase
  const [after, reports] = decide(state, next, isRevoked, end, facts)
  const isDenied = after.phase.name === "stopped" && after.phase.reason === "grant"
  const withdrawn: Action = { kind: "report", error: new GrantRevoked({ url: facts.source.display }) }
  const deliver = state.service === "runs" && facts.covered && !isRevoked
  return followed(after, [
    ...reports,
    { kind: "report", error: cause },
    ...(isDenied ? [withdrawn] : []),
    { kind: "tellEnded", told, willReconnect: after.phase.name === "waiting", deliver }
  ])
}

export const gone = (
  state: State,
  { failure, waitedMs }: { readonly failure: DialError | GrantError | null; readonly waitedMs: number },
  facts: Facts
): Step => {
  const { phase } = state
  if (phase.name !== "dialling") return [state, []]
  const { isRevoked, next } = phase
  if (failure === null || isGrantError(failure)) {
    const reports: ReadonlyArray<Action> = failure === null ? [] : [{ kind: "report", error: failure }]
    // What is dialled was denied, or the dial was dropped for a grant that may be back by now.
    const after: Step =
      next.kind === "decide" && state.service === "runs"
        ? [{ ...state, phase: failure === null ? { name: "closed", dueAt: null } : stopped("grant") }, []]
        : decide(state, next, false, { kind: "requested", openForMs: null }, facts)
    return followed(after[0], [...reports, ...after[1]])
  }
  const [after, reports] = decide(
    state,
    next,
    isRevoked,
    { kind: "dial", error: failure, unreached: unreached(failure, waitedMs) },
    facts
  )
  const deliver = state.service === "runs" && facts.covered && !isRevoked
  return followed(after, [
    ...reports,
    { kind: "report", error: failure },
    { kind: "tellFailed", error: failure, willReconnect: after.phase.name === "waiting", deliver }
  ])
}

/** No dial, so it doesn't count as one. */
export const postponed = (state: State, waitMs: number | null, facts: Facts): Step => {
  const { phase } = state
  if (phase.name !== "dialling") return [state, []]
  const history = { ...History.undone(state.history), unreached: null }
  const uncounted: State = { ...state, attempts: state.attempts - 1, history }
  if (!mayOpen(state)) return gone(uncounted, { failure: null, waitedMs: 0 }, facts)
  const waits: Phase = waitMs === null ? stopped("never") : { name: "waiting", dueAt: facts.now + waitMs }
  return followed({ ...uncounted, phase: waits }, [])
}
