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
import { close, reconnect, redial } from "./commands.ts"
import { ended, gone, isRefusal, postponed } from "./ending.ts"
import * as History from "./history.ts"
import {
  initial,
  isAtRest,
  mayOpen,
  waitsFor,
  type Action,
  type Facts,
  type Input,
  type Phase,
  type Prospects,
  type Rest,
  type State,
  type Step
} from "./phases.ts"
import { closing, considering, DECIDE, drop, followed, stopped, undecided } from "./steps.ts"

const REVOKED_GRACE_MS = 500
// How long a socket that was broken off may take to say with which code.
const TERMINATED_WITHIN_MS = 1000

const OPEN: Phase = { name: "open" }

export const step = (state: State, input: Input, facts: Facts): Step => {
  switch (input.kind) {
    case "started":
      return started(state)
    case "silenced":
      return silenced(state)
    case "ending":
      return ending(state, facts)
    case "retired":
      return [{ ...state, service: "rests", phase: retired(state.phase) }, []]
    case "forgotten":
      return [forgotten(state), []]
    case "grants":
      return facts.covered ? considering(state) : revoked(state, facts)
    case "due":
      return considering(state)
    case "considered":
      return considered(state, input.prospects, facts)
    case "opened":
      return opened(state)
    case "closing":
      return state.phase.name === "open"
        ? [{ ...state, phase: closing(DECIDE, facts.had + facts.closeGraceMs) }, []]
        : [state, []]
    case "ended":
      return ended(state, input, facts)
    case "gone":
      return gone(state, input, facts)
    case "reached":
      return reached(state, facts)
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
    case "renewed":
      return renewed(state, facts)
  }
}

/** What had been refused with other secrets is dialled with those that there are. */
const renewed = (state: State, facts: Facts): Step =>
  state.phase.name === "stopped" && isRefusal(state.phase.reason) && facts.isRenewed
    ? redial({ ...state, history: History.initial }, facts)
    : [state, []]

/** What it was stopped for, and what it went through. What is being ended still is. */
const forgotten = ({ attempts, epoch, phase, service }: State): State => ({
  ...initial,
  phase: isAtRest(phase) ? initial.phase : undecided(phase),
  epoch,
  attempts,
  service: resting(service)
})

const resting = (service: State["service"]): State["service"] => (service === "rests" ? "pauses" : service)

const started = (state: State): Step => {
  const { phase } = state
  const isOver = phase.name === "stopped" && phase.reason === "service"
  return considering({ ...state, service: "runs", phase: isOver ? { name: "closed", dueAt: null } : phase })
}

const paused = (state: State): State => (state.service === "runs" ? { ...state, service: "pauses" } : state)

/** Its service has ended, and it is about to be told so. Whatever comes meanwhile, nothing is dialled for it. */
const silenced = (state: State): Step =>
  state.phase.name === "dialling" ? drop(paused(state), state.phase.next) : [paused(state), []]

const ending = (state: State, { closeGraceMs, had, source }: Facts): Step => {
  const { phase } = state
  const pausing = paused(state)
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
        { ...pausing, phase: closing(DECIDE, had + closeGraceMs) },
        [{ kind: "close", code: source.closeCode, reason: "" }]
      ]
  }
}

const retired = (phase: Phase): Phase =>
  phase.name === "closed" || phase.name === "waiting" ? stopped("service") : phase

/** The grant is gone. What is being closed is broken off soon. */
const revoked = (state: State, { closeGraceMs, had, revision, source }: Facts): Step => {
  const { phase } = state
  const until = had + Math.min(REVOKED_GRACE_MS, closeGraceMs)
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
      const sooner = phase.isTerminated ? phase.until : Math.min(phase.until, until)
      return [{ ...denied, phase: { ...phase, isRevoked: true, until: sooner } }, [revoke]]
    }
    default:
      return followed(state, [revoke])
  }
}

/** Whether what was decided at the last end still holds. */
const stays = (phase: Rest, { isDenied, isSame }: Prospects, now: number): boolean => {
  if (phase.name === "stopped" && phase.reason === "grant") return isDenied
  // It has a place by now.
  if (phase.name === "stopped" && phase.reason === "limit") return false
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

const opened = (state: State): Step => {
  if (!mayOpen(state)) return [state, []]
  const { epoch, history } = state
  const opens: State = { ...state, phase: OPEN, epoch: epoch + 1, attempts: 0 }
  const { unreached } = history
  if (unreached === null) return [opens, []]
  return [{ ...opens, history: { ...history, unreached: null } }, [{ kind: "reached", why: unreached.why }]]
}

/** What it waits for may have come. */
const reached = (state: State, { now }: Facts): Step =>
  waitsFor(state) === null ? [state, []] : followed({ ...state, phase: { name: "waiting", dueAt: now } }, [])

const graceOver = (state: State, { had }: Facts): Step => {
  const { phase } = state
  if (phase.name !== "closing") return [state, []]
  if (phase.isTerminated) return [state, [{ kind: "abandon" }]]
  return [
    { ...state, phase: { ...phase, isTerminated: true, until: had + TERMINATED_WITHIN_MS } },
    [{ kind: "terminate" }]
  ]
}
