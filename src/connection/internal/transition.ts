/**
 * What a connection does next: a pure transition from a state and an input to
 * the next state and what is to be done. No clock, chance, socket or fiber: the
 * time, a random number and what the grants say come in as facts, and `Driver`
 * does what comes out, in the turn of the input.
 *
 * What was asked for while something is still being ended stands in the phase
 * (`next`) and decides once that is gone, so it is never later than the end
 * that it is about.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { GrantError, GrantRevoked } from "../../grants/GrantError.ts"
import { ReconnectExhausted, type DialError } from "../ConnectionError.ts"
import type * as Reconnect from "../Reconnect.ts"
import * as History from "./history.ts"
import {
  initial,
  isAtRest,
  mayOpen,
  type Action,
  type Beneath,
  type Ended,
  type Facts,
  type Input,
  type Next,
  type Phase,
  type Prospects,
  type Rest,
  type State,
  type Step
} from "./phases.ts"

const REVOKED_GRACE_MS = 500
// How long a socket that was broken off may take to say with which code.
const TERMINATED_WITHIN_MS = 1000

const CONSIDER: Action = { kind: "consider" }
const DECIDE: Next = { kind: "decide" }
const isGrantError = Schema.is(GrantError)

export const step = (state: State, input: Input, facts: Facts): Step => {
  switch (input.kind) {
    case "started":
      return started(state)
    case "ending":
      return ending(state, facts)
    case "retired":
      return [{ ...state, service: "rests", phase: retired(state.phase) }, []]
    case "forgotten":
      return isAtRest(state.phase)
        ? [{ ...initial, epoch: state.epoch, attempts: state.attempts, service: resting(state.service) }, []]
        : [state, []]
    case "grants":
      return facts.covered ? considering(state) : revoked(state, facts)
    case "due":
      return considering(state)
    case "considered":
      return considered(state, input.prospects, facts)
    case "opened":
      return opened(state)
    case "closing":
      return state.phase.name === "open" ? [{ ...state, phase: closing(DECIDE, null) }, []] : [state, []]
    case "ended":
      return ended(state, input, facts)
    case "gone":
      return gone(state, input.failure, facts)
    case "postponed":
      return postponed(state, input.waitMs, facts)
    case "graceOver":
      return graceOver(state, facts)
    case "close":
      return close(state, input, facts)
    case "reconnect":
      return reconnect(state, input, facts)
    case "redial":
      return redial({ ...state, history: History.initial, deniedAt: null }, facts)
  }
}

const resting = (service: State["service"]): State["service"] => (service === "rests" ? "pauses" : service)

const stopped = (reason: Reconnect.StopReason, at: number | null = null, beneath: Beneath | null = null): Phase => ({
  name: "stopped",
  reason,
  dueAt: at,
  beneath
})

const closing = (next: Next, until: number | null, isRevoked = false): Phase => ({
  name: "closing",
  next,
  until,
  isRevoked,
  isTerminated: false
})

/** A look at what may be dialled, where something may. */
const considering = (state: State): Step => [state, state.service === "runs" && isAtRest(state.phase) ? [CONSIDER] : []]

const followed = (state: State, actions: ReadonlyArray<Action>): Step => {
  const [next, more] = considering(state)
  return [next, [...actions, ...more]]
}

const started = (state: State): Step => {
  const { phase } = state
  const isOver = phase.name === "stopped" && phase.reason === "service"
  return considering({ ...state, service: "runs", phase: isOver ? { name: "closed", dueAt: null } : phase })
}

const ending = (state: State, { closeGraceMs, now, source }: Facts): Step => {
  const { phase } = state
  const pausing: State = { ...state, service: state.service === "rests" ? "rests" : "pauses" }
  switch (phase.name) {
    case "closed":
    case "stopped":
    case "closing":
      return [pausing, []]
    case "waiting":
      return [{ ...pausing, phase: { name: "closed", dueAt: phase.dueAt } }, []]
    case "dialling":
      return drop(pausing, phase.next)
    case "open":
      return [
        { ...pausing, phase: closing(DECIDE, now + closeGraceMs) },
        [{ kind: "close", code: source.closeCode, reason: "" }]
      ]
  }
}

const retired = (phase: Phase): Phase =>
  phase.name === "closed" || phase.name === "waiting" ? stopped("service") : phase

/** The grant is gone. What is being closed is broken off soon. */
const revoked = (state: State, { closeGraceMs, now, revision, source }: Facts): Step => {
  const { phase } = state
  const until = now + Math.min(REVOKED_GRACE_MS, closeGraceMs)
  const denied: State = { ...state, deniedAt: revision }
  const revoke: Action = { kind: "revoke" }
  switch (phase.name) {
    case "dialling": {
      const [next, actions] = drop({ ...state, phase: { ...phase, isRevoked: true } }, phase.next)
      return [next, [revoke, ...actions]]
    }
    case "open":
      return [
        { ...denied, phase: closing(DECIDE, until, true) },
        [revoke, { kind: "close", code: source.closeCode, reason: "" }]
      ]
    case "closing": {
      const sooner = phase.isTerminated ? phase.until : Math.min(phase.until ?? until, until)
      return [{ ...denied, phase: { ...phase, isRevoked: true, until: sooner } }, [revoke]]
    }
    default:
      return followed(state, [revoke])
  }
}

/** Whether what was decided at the last end still holds. */
const stays = (phase: Rest, { isDenied, isSame }: Prospects, now: number): boolean => {
  if (phase.name === "stopped" && phase.reason === "grant") return isDenied
  if (phase.name === "stopped" && phase.reason === "address" && !isSame) return false
  return phase.dueAt === null ? phase.name === "stopped" : now < phase.dueAt
}

const considered = (state: State, prospects: Prospects, { now, revision, source }: Facts): Step => {
  const { phase } = state
  if (state.service !== "runs" || !isAtRest(phase)) return [state, []]
  const reason = phase.name === "stopped" ? phase.reason : null
  if (reason === "plugin") return [state, []]
  const { declared, isReady, refusal } = prospects
  if (refusal !== undefined) {
    const isNew = reason !== refusal.reason
    return [{ ...state, phase: stopped(refusal.reason) }, isNew ? [{ kind: "report", error: refusal.error }] : []]
  }
  if (Result.isFailure(declared)) {
    const isNew = state.deniedAt !== revision
    return [
      { ...state, deniedAt: revision, phase: stopped("grant") },
      isNew ? [{ kind: "report", error: declared.failure }] : []
    ]
  }
  const allowed: State = { ...state, deniedAt: null }
  if (stays(phase, prospects, now)) {
    return [reason === null ? { ...allowed, phase: { name: "waiting", dueAt: phase.dueAt } } : allowed, []]
  }
  if (!isReady) return [{ ...allowed, phase: { name: "waiting", dueAt: null } }, []]
  return [
    {
      ...allowed,
      phase: { name: "dialling", isDropped: false, isRevoked: false, next: DECIDE },
      attempts: state.attempts + 1,
      history: History.began(state.history, now, source.reconnect)
    },
    [{ kind: "dial", target: declared.success }]
  ]
}

const opened = (state: State): Step =>
  mayOpen(state) ? [{ ...state, phase: { name: "open" }, epoch: state.epoch + 1, attempts: 0 }, []] : [state, []]

const unserved = ({ service }: State): Phase =>
  service === "rests" ? stopped("service") : { name: "closed", dueAt: null }

/** The decision what follows an end, and what there is to report of it. */
const decide = (state: State, next: Next, isRevoked: boolean, end: Reconnect.End, facts: Facts): Step => {
  const { covered, now, source } = facts
  // Its plugin's close outlasts the service.
  if (next.kind === "plugin") return [{ ...state, phase: stopped("plugin") }, []]
  if (state.service !== "runs") return [{ ...state, phase: unserved(state) }, []]
  if (!covered || isRevoked) return [{ ...state, phase: stopped("grant") }, []]
  if (next.kind === "redial" && next.atOnce) return [{ ...state, phase: { name: "waiting", dueAt: now } }, []]
  const openForMs = end.kind === "epoch" ? end.openForMs : null
  const asked: Reconnect.End = next.kind === "redial" ? { kind: "requested", openForMs } : end
  const [decision, history] = History.decide(state.history, asked, facts)
  if (decision.state === "waiting") return [{ ...state, history, phase: { name: "waiting", dueAt: decision.at } }, []]
  const { maxAttempts: attempts, windowMs } = source.reconnect
  const exhausted = new ReconnectExhausted({ url: source.display, attempts, windowMs })
  return [
    { ...state, history, phase: stopped(decision.reason, decision.at) },
    decision.reason === "exhausted" ? [{ kind: "report", error: exhausted }] : []
  ]
}

const ended = (state: State, { cause, end, told }: Ended, facts: Facts): Step => {
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

const gone = (state: State, failure: DialError | GrantError | null, facts: Facts): Step => {
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
  const [after, reports] = decide(state, next, isRevoked, { kind: "dial", error: failure }, facts)
  const deliver = state.service === "runs" && facts.covered && !isRevoked
  return followed(after, [
    ...reports,
    { kind: "report", error: failure },
    { kind: "tellFailed", error: failure, willReconnect: after.phase.name === "waiting", deliver }
  ])
}

/** No dial, so it doesn't count as one. */
const postponed = (state: State, waitMs: number | null, facts: Facts): Step => {
  const { phase } = state
  if (phase.name !== "dialling") return [state, []]
  const uncounted: State = { ...state, attempts: state.attempts - 1, history: History.undone(state.history) }
  if (!mayOpen(state)) return gone(uncounted, null, facts)
  const waits: Phase = waitMs === null ? stopped("never") : { name: "waiting", dueAt: facts.now + waitMs }
  return followed({ ...uncounted, phase: waits }, [])
}

const graceOver = (state: State, { now }: Facts): Step => {
  const { phase } = state
  if (phase.name !== "closing") return [state, []]
  if (phase.isTerminated) return [state, [{ kind: "abandon" }]]
  return [
    { ...state, phase: { ...phase, isTerminated: true, until: now + TERMINATED_WITHIN_MS } },
    [{ kind: "terminate" }]
  ]
}

/** Gives up the dial under way. */
const drop = (state: State, next: Next): Step => {
  const { phase } = state
  if (phase.name !== "dialling") return [state, []]
  return [{ ...state, phase: { ...phase, isDropped: true, next } }, phase.isDropped ? [] : [{ kind: "drop" }]]
}

const close = (
  state: State,
  { code, reason }: { readonly code: number; readonly reason: string },
  { closeGraceMs, now, revision }: Facts
): Step => {
  const { phase } = state
  if (state.service !== "runs") return [state, []]
  switch (phase.name) {
    case "open":
      return [{ ...state, phase: closing({ kind: "plugin" }, now + closeGraceMs) }, [{ kind: "close", code, reason }]]
    case "closing":
      return [{ ...state, phase: { ...phase, next: { kind: "plugin" } } }, []]
    case "dialling":
      return drop(state, { kind: "plugin" })
    default: {
      // A second close lies upon what the first one lies upon.
      const first = phase.name === "stopped" && phase.reason === "plugin" ? phase.beneath : null
      const reasonBeneath = phase.name === "stopped" ? phase.reason : null
      const beneath = first ?? {
        reason: reasonBeneath === "plugin" ? null : reasonBeneath,
        dueAt: phase.dueAt,
        revision
      }
      return [{ ...state, phase: stopped("plugin", null, beneath) }, []]
    }
  }
}

const reconnect = (
  state: State,
  { code, isOther }: { readonly code: number; readonly isOther: boolean },
  facts: Facts
): Step => {
  const { phase } = state
  const next: Next = { kind: "redial", atOnce: false }
  if (state.service !== "runs") return [state, []]
  switch (phase.name) {
    case "closed":
    case "waiting":
      return [state, []]
    case "open":
      return [{ ...state, phase: closing(next, facts.now + facts.closeGraceMs) }, [{ kind: "close", code, reason: "" }]]
    case "closing":
      return isAtOnce(phase.next) ? [state, []] : [{ ...state, phase: { ...phase, next } }, []]
    case "dialling": {
      if (phase.isDropped) return isAtOnce(phase.next) ? [state, []] : drop(state, next)
      return isOther ? drop(state, next) : [state, []]
    }
    case "stopped":
      return lifted(state, phase.beneath, facts)
  }
}

const isAtOnce = (next: Next): boolean => next.kind === "redial" && next.atOnce

/** Dialled anew after the source's schedule. What waited before its plugin closed it goes on waiting. */
const lifted = (state: State, beneath: Beneath | null, facts: Facts): Step => {
  const restart: Action = { kind: "restartRoute" }
  // Whether it is granted is asked anew, and said.
  if (!facts.covered) return followed({ ...state, phase: { name: "closed", dueAt: null } }, [restart])
  const end: Reconnect.End = { kind: "requested", openForMs: null }
  const [after, reports] = decide(state, { kind: "redial", atOnce: false }, false, end, facts)
  const waitsUntil = beneath !== null && beneath.reason === null ? (beneath.dueAt ?? 0) : 0
  const { phase } = after
  const waits: Phase =
    phase.name === "waiting" ? { name: "waiting", dueAt: Math.max(phase.dueAt ?? 0, waitsUntil) } : phase
  return followed({ ...after, phase: waits }, [restart, ...reports])
}

const redial = (state: State, { closeGraceMs, now, source }: Facts): Step => {
  const { phase } = state
  const next: Next = { kind: "redial", atOnce: true }
  if (state.service !== "runs") {
    // It is dialled as soon as the service runs again.
    if (!isAtRest(phase) || (phase.name === "stopped" && phase.reason === "service")) return [state, []]
    return [{ ...state, phase: unserved(state) }, [{ kind: "restartRoute" }]]
  }
  switch (phase.name) {
    case "open":
      return [
        { ...state, phase: closing(next, now + closeGraceMs) },
        [{ kind: "close", code: source.closeCode, reason: "" }]
      ]
    case "closing":
      return [{ ...state, phase: { ...phase, next } }, []]
    case "dialling":
      return drop(state, next)
    default:
      return followed({ ...state, phase: { name: "waiting", dueAt: now } }, [{ kind: "restartRoute" }])
  }
}
