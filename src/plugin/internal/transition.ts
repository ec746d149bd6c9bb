/**
 * What a service does next: a pure transition from a state and an input to the
 * next state and what is to be done. No clock, fiber or effect: the time and
 * what the grants say come in as facts, and `Driver` does what comes out, in
 * the turn of the input.
 *
 * What is wanted is compared with what is wherever nothing runs. What runs and
 * isn't wanted any more is ended first, so there is never a second instance
 * beside it; one that can't be ended leaves its service failed.
 */
import { InstanceUnstoppable } from "../PluginError.ts"
import * as Supervision from "../Supervision.ts"
import { UNSTOPPABLE_AFTER_MS, type StartProblem } from "./lifetime.ts"
import {
  isAtRest,
  lifecycleOf,
  type Action,
  type Desired,
  type Facts,
  type Failure,
  type Input,
  type Phase,
  type Rest,
  type State,
  type Step,
  type Why
} from "./phases.ts"

const READY: Rest = { name: "ready" }
const LAUNCH: Action = { kind: "launch" }
const RETIRE: Action = { kind: "retire" }
const HANG_UP: Action = { kind: "hangUp" }
const AWAIT: Action = { kind: "await" }
const NOTHING: ReadonlyArray<Action> = []

export const step = (state: State, input: Input, facts: Facts): Step => {
  switch (input.kind) {
    case "supervised":
      return state.phase.name === "new" ? settled({ ...state, phase: READY }, facts) : [state, NOTHING]
    case "start":
    case "stop":
    case "restart":
    case "replace":
    case "end":
      return state.desired.power === "end" ? [state, NOTHING] : heeded(wishing(state, input.kind), facts)
    case "grants":
      return granted(state, facts)
    case "due":
      return settled(state, facts)
    case "adopted":
      return adopted(state, input.problem, facts)
    case "started":
      return started(state, facts)
    case "unstarted":
      return unstarted(state, input.problem, facts)
    case "lost":
      return lost(state, input.end, facts)
    case "vacant":
      return vacant(state, input.isStuck, facts)
    case "gone":
      return gone(state, facts)
  }
}

/** Nothing counts that it has been through. */
const afresh = (state: State): State => ({ ...state, history: Supervision.initial, deniedAt: null })

/** What the operator wants from now on. */
const wishing = (state: State, wish: "start" | "stop" | "restart" | "replace" | "end"): State => {
  const { desired } = state
  const anew = { generation: desired.generation + 1 }
  const want = (change: Partial<Desired>): State => ({ ...state, desired: { ...desired, ...change } })
  switch (wish) {
    case "start":
      return afresh(want({ power: "run", ...(isOff(state) ? anew : {}) }))
    case "restart":
      return afresh(want({ power: "run", ...anew }))
    case "stop":
      return want({ power: "stop" })
    case "replace":
      return want({ setup: desired.setup + 1 })
    case "end":
      return want({ power: "end" })
  }
}

/** Whether the service was stopped or has failed, or is about to be at rest for that. */
const isOff = ({ desired, phase }: State): boolean => {
  if (desired.power === "stop" || phase.name === "stopped" || phase.name === "failed") return true
  return phase.name === "ending" && phase.why.kind === "decided" && phase.why.rest.name === "failed"
}

/** Whether what is, or was last, is what is wanted. */
const isWanted = ({ actual, desired }: State): boolean =>
  desired.power === "run" && desired.generation === actual.generation && desired.setup === actual.setup

/** Ends what isn't wanted. */
const heeded = (state: State, facts: Facts): Step =>
  isWanted(state) ? settled(state, facts) : ended(state, { kind: "stopped", withdrawn: null }, facts)

/** Ends what runs or is being started; where nothing does, what is wanted decides. */
const ended = (state: State, why: Extract<Why, { readonly kind: "stopped" }>, facts: Facts): Step => {
  const { phase } = state
  switch (phase.name) {
    case "starting":
      return [
        { ...state, phase: { name: "ending", since: phase.since, why } },
        phase.since === null ? [{ kind: "interrupt" }] : [{ kind: "interrupt" }, HANG_UP]
      ]
    case "running":
      return [{ ...state, phase: { name: "ending", since: phase.since, why } }, [{ kind: "halt" }, HANG_UP]]
    case "ending":
      return endedAlready(state, phase, why)
    default:
      return settled(state, facts)
  }
}

const endedAlready = (
  state: State,
  phase: Extract<Phase, { readonly name: "ending" }>,
  { withdrawn }: Extract<Why, { readonly kind: "stopped" }>
): Step => {
  const { why } = phase
  const going = (next: Why): State => ({ ...state, phase: { ...phase, why: next } })
  if (why.kind === "neighbour") return [going({ kind: "stopped", withdrawn }), [HANG_UP]]
  if (why.kind === "stopped" && why.withdrawn === null) return [going({ ...why, withdrawn }), NOTHING]
  return [state, NOTHING]
}

const granted = (state: State, facts: Facts): Step =>
  facts.denial === null ? settled(state, facts) : ended(state, { kind: "stopped", withdrawn: facts.denial }, facts)

const failed = (failure: Failure, at: number | null): Rest => ({
  name: "failed",
  failure,
  retry: at === null ? { kind: "never" } : { kind: "at", at, isDenied: false }
})

const givenUp = (state: State, { at }: Facts): Step => {
  const error = new InstanceUnstoppable({ afterMs: UNSTOPPABLE_AFTER_MS })
  return [{ ...state, phase: failed({ error, at }, null) }, [{ kind: "report", error }, RETIRE]]
}

/** Adds to what is to be done what is to be done before it. */
const after = (actions: ReadonlyArray<Action>, [state, more]: Step): Step => [state, [...actions, ...more]]

/** What follows where nothing runs. */
const settled = (state: State, facts: Facts): Step => {
  const { actual, desired, phase } = state
  if (!isAtRest(phase)) return [state, NOTHING]
  // A source that is closed for long holds up what ends, and nothing that goes on.
  if (facts.isClosing && (desired.power !== "run" || desired.setup !== actual.setup)) {
    return [{ ...state, phase: { name: "ending", since: null, why: { kind: "stopped", withdrawn: null } } }, [AWAIT]]
  }
  if (desired.power === "end") {
    const hasFailed = phase.name === "failed"
    return [
      { ...state, phase: { name: "over", lifecycle: hasFailed ? "failed" : "stopped" } },
      hasFailed ? NOTHING : [RETIRE]
    ]
  }
  if (desired.setup !== actual.setup) {
    return [{ ...state, actual: { ...actual, setup: desired.setup }, phase: { name: "adopting" } }, [{ kind: "adopt" }]]
  }
  if (!facts.isUsable) return [state, NOTHING]
  if (desired.power === "stop") {
    return phase.name === "stopped" ? [state, NOTHING] : [{ ...state, phase: { name: "stopped" } }, [RETIRE]]
  }
  if (desired.generation === actual.generation) return due(state, phase, facts)
  const begun: State = { ...state, actual: { ...actual, generation: desired.generation } }
  // What can't be ended hasn't ended because somebody asks again.
  if (facts.ghosts === "stuck") return givenUp(begun, facts)
  return after([{ kind: "forget" }], due(again(begun), READY, facts))
}

/** An instance follows that is started because the operator wants it. */
const again = (state: State): State => ({ ...state, phase: READY, reason: state.hasRun ? "reload" : state.reason })

/** Starts what may be started now. */
const due = (state: State, phase: Rest, facts: Facts): Step => {
  if (facts.ghosts === "ending") return [state, NOTHING]
  if (facts.ghosts === "stuck") return phase.name === "ready" ? givenUp(state, facts) : [state, NOTHING]
  if (facts.denial !== null) return denied(state, phase, facts)
  const allowed: State = { ...state, deniedAt: null }
  const launched: Step = [{ ...allowed, phase: { name: "starting", since: null } }, [LAUNCH]]
  switch (phase.name) {
    case "ready":
      return launched
    case "restarting":
      return phase.at <= facts.now ? launched : [allowed, NOTHING]
    case "stopped":
      return [allowed, NOTHING]
    case "failed": {
      const { failure, retry } = phase
      if (retry.kind === "never") return [allowed, NOTHING]
      if (retry.kind === "whenGranted" || retry.at <= facts.now) return launched
      if (!retry.isDenied) return [allowed, NOTHING]
      return [{ ...allowed, phase: failed(failure, retry.at) }, [{ kind: "recall", failure }]]
    }
  }
}

/** The service may not run. What failed for another reason goes on waiting for its time, or for the operator. */
const denied = (state: State, phase: Rest, { at, denial: error, revision }: Facts): Step => {
  if (error === null || phase.name === "stopped") return [state, NOTHING]
  if (phase.name === "failed" && phase.retry.kind === "never") return [state, NOTHING]
  const reports: ReadonlyArray<Action> = state.deniedAt === revision ? NOTHING : [{ kind: "report", error }]
  const as = (next: Rest): State => ({ ...state, deniedAt: revision, phase: next })
  if (phase.name === "restarting") {
    const retry = { kind: "at", at: phase.at, isDenied: true } as const
    return [as({ name: "failed", failure: phase.failure, retry }), [...reports, RETIRE]]
  }
  if (phase.name === "failed" && phase.retry.kind === "at") {
    return [as({ ...phase, retry: { ...phase.retry, isDenied: true } }), reports]
  }
  const waits: Rest = { name: "failed", failure: { error, at }, retry: { kind: "whenGranted" } }
  return [as(waits), phase.name === "ready" ? [...reports, RETIRE] : reports]
}

const adopted = (state: State, problem: Failure["error"] | null, facts: Facts): Step => {
  if (state.phase.name !== "adopting") return [state, NOTHING]
  const begun: State = {
    ...state,
    actual: { ...state.actual, generation: state.desired.generation },
    history: Supervision.initial,
    deniedAt: null
  }
  if (problem === null) return after([{ kind: "forget" }], settled(again(begun), facts))
  const waits: State = { ...begun, phase: failed({ error: problem, at: facts.at }, null) }
  return after([{ kind: "report", error: problem }, RETIRE], settled(waits, facts))
}

const started = (state: State, { now }: Facts): Step => {
  const { phase } = state
  const begun: State = { ...state, hasRun: true }
  // It is ended in order where it isn't wanted any more.
  return [
    phase.name === "starting" ? { ...begun, phase: { name: "running", since: phase.since ?? now } } : begun,
    NOTHING
  ]
}

const unstarted = (state: State, problem: StartProblem | null, facts: Facts): Step => {
  const { phase } = state
  if (problem === null) return [state, NOTHING]
  const report: Action = { kind: "report", error: problem }
  // It wasn't wanted any more, and what follows is known.
  if (phase.name !== "starting") return [state, phase.name === "ending" ? [report] : NOTHING]
  const failure = { error: problem, at: facts.at }
  const isFirst = state.reason === "first" || state.reason === "reload"
  // Where there is no room, there is none in a moment either, and it has crashed by no start.
  const isWantOfRoom = problem._tag === "StartFailed" && problem.isWantOfRoom
  const decided: readonly [Supervision.Decision, Supervision.History] =
    problem._tag === "ManifestInvalid"
      ? // Only the operator can help.
        [{ lifecycle: "failed", at: null }, state.history]
      : (isFirst || isWantOfRoom ? Supervision.failed : Supervision.crashed)(
          ran(state, phase.since, facts),
          facts.now,
          facts.limits
        )
  const [next, rest] = following(state, failure, decided)
  const why: Why = { kind: "decided", rest, lifecycle: lifecycleOf(phase) }
  return [
    // What its neighbours left it is gone.
    {
      ...next,
      reason: state.reason === "neighbour" ? "crash" : state.reason,
      phase: { ...phase, name: "ending", why }
    },
    phase.since === null ? [report] : [report, HANG_UP]
  ]
}

const ran = ({ history }: State, since: number | null, { limits, now }: Facts): Supervision.History =>
  since === null ? history : Supervision.ran(history, since, now, limits)

const following = (
  state: State,
  failure: Failure,
  [decision, history]: readonly [Supervision.Decision, Supervision.History]
): readonly [State, Rest] =>
  decision.lifecycle === "failed"
    ? [{ ...state, history }, failed(failure, decision.at)]
    : [
        { ...state, history, restarts: state.restarts + 1 },
        { name: "restarting", failure, at: decision.at }
      ]

const lost = (state: State, end: Extract<Input, { readonly kind: "lost" }>["end"], { at }: Facts): Step => {
  const { phase } = state
  if (phase.name !== "running") return [state, NOTHING]
  const ending = (why: Why): State => ({ ...state, phase: { name: "ending", since: phase.since, why } })
  if (end === "neighbour") return [ending({ kind: "neighbour" }), NOTHING]
  // Told at once: what it takes to end it may take a while.
  return [ending({ kind: "crashed", failure: { error: end, at } }), [{ kind: "report", error: end }, HANG_UP]]
}

const vacant = (state: State, isStuck: boolean, facts: Facts): Step => {
  const { phase } = state
  if (phase.name !== "starting" && phase.name !== "ending") return [state, NOTHING]
  const hasSessions = phase.name === "starting" ? phase.since !== null : phase.why.kind === "neighbour"
  if (isStuck) {
    const error = new InstanceUnstoppable({ afterMs: UNSTOPPABLE_AFTER_MS })
    const why: Why = { kind: "decided", rest: failed({ error, at: facts.at }, null), lifecycle: lifecycleOf(phase) }
    const report: Action = { kind: "report", error }
    return [{ ...state, phase: { ...phase, name: "ending", why } }, hasSessions ? [report, HANG_UP] : [report]]
  }
  if (phase.name === "starting" || !hasSessions) return [state, NOTHING]
  return [{ ...state, reason: "neighbour", phase: { name: "starting", since: phase.since } }, NOTHING]
}

/** The decision what follows the end of a service. */
const gone = (state: State, facts: Facts): Step => {
  const { phase } = state
  if (phase.name !== "ending") return [state, NOTHING]
  const { since, why } = phase
  switch (why.kind) {
    case "decided":
      return rested(state, phase, why.rest, facts)
    case "crashed": {
      const decided = Supervision.crashed(ran(state, since, facts), facts.now, facts.limits)
      const [next, rest] = following({ ...state, reason: "crash" }, why.failure, decided)
      return rested(next, phase, rest, facts)
    }
    case "neighbour":
    case "stopped": {
      if (facts.isClosing) return [state, [AWAIT]]
      const withdrawn = why.kind === "stopped" && facts.denial === null ? why.withdrawn : null
      return after(
        withdrawn === null ? NOTHING : [{ kind: "report", error: withdrawn }],
        settled(again({ ...state, history: ran(state, since, facts) }), facts)
      )
    }
  }
}

const rested = (state: State, phase: Extract<Phase, { readonly name: "ending" }>, rest: Rest, facts: Facts): Step => {
  if (rest.name === "restarting" || !facts.isClosing) {
    return after(rest.name === "failed" ? [RETIRE] : NOTHING, settled({ ...state, phase: rest }, facts))
  }
  return [{ ...state, phase: { ...phase, why: { kind: "decided", rest, lifecycle: lifecycleOf(phase) } } }, [AWAIT]]
}
