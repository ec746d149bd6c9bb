/**
 * What a plugin or the operator asks of a connection: to close, or to be
 * dialled anew.
 */
import type * as Reconnect from "../Reconnect.ts"
import { decide } from "./ending.ts"
import {
  isAtRest,
  type Action,
  type Beneath,
  type Facts,
  type Next,
  type Phase,
  type State,
  type Step
} from "./phases.ts"
import { closing, drop, followed, stopped, undecided, unserved } from "./steps.ts"

export const close = (
  state: State,
  { code, reason }: { readonly code: number; readonly reason: string },
  { closeGraceMs, had, revision }: Facts
): Step => {
  const { phase } = state
  if (state.service !== "runs") return [state, []]
  switch (phase.name) {
    case "open":
      return [{ ...state, phase: closing({ kind: "plugin" }, had + closeGraceMs) }, [{ kind: "close", code, reason }]]
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

export const reconnect = (
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
      return [{ ...state, phase: closing(next, facts.had + facts.closeGraceMs) }, [{ kind: "close", code, reason: "" }]]
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

export const redial = (state: State, { closeGraceMs, had, now, source }: Facts): Step => {
  const { phase } = state
  const next: Next = { kind: "redial", atOnce: true }
  if (state.service !== "runs") {
    // It is dialled as soon as the service runs again.
    if (!isAtRest(phase)) return [{ ...state, phase: undecided(phase) }, []]
    if (phase.name === "stopped" && phase.reason === "service") return [state, []]
    return [{ ...state, phase: unserved(state) }, [{ kind: "restartRoute" }]]
  }
  switch (phase.name) {
    case "open":
      return [
        { ...state, phase: closing(next, had + closeGraceMs) },
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
