/** What a service does next, in each of its phases and for everything that can happen to it. */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import { PermissionMissing } from "../../../src/grants/GrantError.ts"
import { ManifestInvalid } from "../../../src/manifest/ManifestError.ts"
import * as Phases from "../../../src/plugin/internal/phases.ts"
import { step } from "../../../src/plugin/internal/transition.ts"
import { DispatchTimeout, InstanceLost, StartFailed } from "../../../src/plugin/PluginError.ts"
import { int, list, oneOf } from "../../support/arbitraries.ts"

const NOW = 1_000_000
const AT = 1_700_000_000_000

const DENIAL = new PermissionMissing({ permission: "service main", missing: "grant" })
const CRASH = new InstanceLost({ cause: new Error("boom") })
const LATE = new DispatchTimeout({ during: "event", deadlineMs: 1000 })
const BROKEN = new StartFailed({ cause: new Error("no") })
const INVALID = new ManifestInvalid({ subject: "enablement", problems: [] })

const FACTS: Phases.Facts = {
  now: NOW,
  at: AT,
  limits: { restarts: 5, restartWindowMs: 60_000, failedRetryMs: 300_000 },
  isUsable: true,
  denial: null,
  revision: 1,
  isClosing: false,
  ghosts: "none"
}

const failure: Phases.Failure = { error: CRASH, at: AT - 1 }
const since = NOW - 1000
const failed = (retry: Phases.Retry): Phases.Rest => ({ name: "failed", failure, retry })
const soon = NOW + 5000
const ending = (why: Phases.Why, began: number | null = since): Phases.Phase => ({ name: "ending", since: began, why })
const decided = (rest: Phases.Rest): Phases.Why => ({ kind: "decided", rest, lifecycle: "restarting" })

const PHASES = {
  new: { name: "new" },
  ready: { name: "ready" },
  adopting: { name: "adopting" },
  starting: { name: "starting", since: null },
  "starting beside its sessions": { name: "starting", since },
  running: { name: "running", since },
  stopping: ending({ kind: "stopped", withdrawn: null }),
  "stopping a start": ending({ kind: "stopped", withdrawn: null }, null),
  withdrawn: ending({ kind: "stopped", withdrawn: DENIAL }),
  "lost to a neighbour": ending({ kind: "neighbour" }),
  crashed: ending({ kind: "crashed", failure }),
  "about to wait": ending(decided({ name: "restarting", failure, at: soon })),
  "about to fail": ending(decided(failed({ kind: "never" })), null),
  restarting: { name: "restarting", failure, at: soon },
  stopped: { name: "stopped" },
  "failed until a time": failed({ kind: "at", at: soon, isDenied: false }),
  "failed until a time, and denied": failed({ kind: "at", at: soon, isDenied: true }),
  "failed until granted": failed({ kind: "whenGranted" }),
  "failed for good": failed({ kind: "never" }),
  over: { name: "over", lifecycle: "stopped" }
} satisfies { readonly [what: string]: Phases.Phase }

const INPUTS = {
  supervised: { kind: "supervised" },
  start: { kind: "start" },
  stop: { kind: "stop" },
  restart: { kind: "restart" },
  replace: { kind: "replace" },
  end: { kind: "end" },
  grants: { kind: "grants" },
  due: { kind: "due" },
  adopted: { kind: "adopted", problem: null },
  unusable: { kind: "adopted", problem: INVALID },
  started: { kind: "started" },
  unwanted: { kind: "unstarted", problem: null },
  unstarted: { kind: "unstarted", problem: BROKEN },
  misconfigured: { kind: "unstarted", problem: INVALID },
  neighbour: { kind: "lost", end: "neighbour" },
  crash: { kind: "lost", end: CRASH },
  late: { kind: "lost", end: LATE },
  vacant: { kind: "vacant", isStuck: false },
  stuck: { kind: "vacant", isStuck: true },
  gone: { kind: "gone" }
} satisfies { readonly [what: string]: Phases.Input }

type PhaseName = keyof typeof PHASES
type InputName = keyof typeof INPUTS
const phaseNames = Object.keys(PHASES) as ReadonlyArray<PhaseName>
const inputNames = Object.keys(INPUTS) as ReadonlyArray<InputName>

/** A service that has run in this phase, and is what is wanted unless changed. */
const stateOf = (phase: Phases.Phase, change: Partial<Phases.State> = {}): Phases.State => ({
  ...Phases.initial,
  phase,
  hasRun: true,
  reason: "reload",
  actual: { generation: 1, setup: 1 },
  desired: {
    power: phase.name === "stopped" ? "stop" : phase.name === "over" ? "end" : "run",
    generation: 1,
    setup: 1
  },
  ...change
})

const show = ({ phase }: Phases.State): string => {
  if (phase.name === "ending") return `ending: ${phase.why.kind === "decided" ? phase.why.rest.name : phase.why.kind}`
  if (phase.name === "failed") return `failed ${phase.retry.kind}`
  return phase.name
}

/** What becomes of a phase, and what is done; `-` where nothing does and is. */
const outcome = (phase: PhaseName, input: InputName, facts: Partial<Phases.Facts> = {}): string => {
  const before = stateOf(PHASES[phase])
  const [after, actions] = step(before, INPUTS[input], { ...FACTS, ...facts })
  const done = actions.map(({ kind }) => kind).join(" ")
  if (after.phase === before.phase) return done === "" ? "-" : done
  return done === "" ? show(after) : `${show(after)}; ${done}`
}

/** Each phase with each input; what isn't listed changes nothing and does nothing. */
type Table = { readonly [P in PhaseName]?: { readonly [I in InputName]?: string } }

const ALLOWED: Table = {
  new: {
    supervised: "starting; launch"
  },
  ready: {
    start: "starting; launch",
    stop: "stopped; retire",
    restart: "starting; forget launch",
    replace: "adopting; adopt",
    end: "over; retire",
    grants: "starting; launch",
    due: "starting; launch"
  },
  adopting: {
    adopted: "starting; forget launch",
    unusable: "failed never; report retire"
  },
  starting: {
    stop: "ending: stopped; interrupt",
    restart: "ending: stopped; interrupt",
    replace: "ending: stopped; interrupt",
    end: "ending: stopped; interrupt",
    started: "running",
    unstarted: "ending: failed; report",
    misconfigured: "ending: failed; report",
    stuck: "ending: failed; report"
  },
  "starting beside its sessions": {
    stop: "ending: stopped; interrupt hangUp",
    restart: "ending: stopped; interrupt hangUp",
    replace: "ending: stopped; interrupt hangUp",
    end: "ending: stopped; interrupt hangUp",
    started: "running",
    unstarted: "ending: failed; report hangUp",
    misconfigured: "ending: failed; report hangUp",
    stuck: "ending: failed; report hangUp"
  },
  running: {
    stop: "ending: stopped; halt hangUp",
    restart: "ending: stopped; halt hangUp",
    replace: "ending: stopped; halt hangUp",
    end: "ending: stopped; halt hangUp",
    neighbour: "ending: neighbour",
    crash: "ending: crashed; report hangUp",
    late: "ending: crashed; report hangUp"
  },
  stopping: {
    stop: "ending: stopped",
    restart: "ending: stopped",
    replace: "ending: stopped",
    end: "ending: stopped",
    unstarted: "report",
    misconfigured: "report",
    stuck: "ending: failed; report",
    gone: "starting; launch"
  },
  "stopping a start": {
    stop: "ending: stopped",
    restart: "ending: stopped",
    replace: "ending: stopped",
    end: "ending: stopped",
    unstarted: "report",
    misconfigured: "report",
    stuck: "ending: failed; report",
    gone: "starting; launch"
  },
  withdrawn: {
    unstarted: "report",
    misconfigured: "report",
    stuck: "ending: failed; report",
    gone: "starting; report launch"
  },
  "lost to a neighbour": {
    stop: "ending: stopped; hangUp",
    restart: "ending: stopped; hangUp",
    replace: "ending: stopped; hangUp",
    end: "ending: stopped; hangUp",
    unstarted: "report",
    misconfigured: "report",
    vacant: "starting",
    stuck: "ending: failed; report hangUp",
    gone: "starting; launch"
  },
  crashed: {
    unstarted: "report",
    misconfigured: "report",
    stuck: "ending: failed; report",
    gone: "restarting"
  },
  "about to wait": {
    unstarted: "report",
    misconfigured: "report",
    stuck: "ending: failed; report",
    gone: "restarting"
  },
  "about to fail": {
    unstarted: "report",
    misconfigured: "report",
    stuck: "ending: failed; report",
    gone: "failed never; retire"
  },
  restarting: {
    stop: "stopped; retire",
    restart: "starting; forget launch",
    replace: "adopting; adopt",
    end: "over; retire"
  },
  stopped: {
    start: "starting; forget launch",
    restart: "starting; forget launch",
    replace: "adopting; adopt",
    end: "over; retire"
  },
  "failed until a time": {
    start: "starting; forget launch",
    stop: "stopped; retire",
    restart: "starting; forget launch",
    replace: "adopting; adopt",
    end: "over"
  },
  "failed until a time, and denied": {
    start: "starting; forget launch",
    stop: "stopped; retire",
    restart: "starting; forget launch",
    replace: "adopting; adopt",
    end: "over",
    grants: "failed at; recall",
    due: "failed at; recall"
  },
  "failed until granted": {
    start: "starting; forget launch",
    stop: "stopped; retire",
    restart: "starting; forget launch",
    replace: "adopting; adopt",
    end: "over",
    grants: "starting; launch",
    due: "starting; launch"
  },
  "failed for good": {
    start: "starting; forget launch",
    stop: "stopped; retire",
    restart: "starting; forget launch",
    replace: "adopting; adopt",
    end: "over"
  }
}

/** The same without a grant, where that makes a difference. */
const DENIED: Table = {
  new: {
    supervised: "failed whenGranted; report retire"
  },
  ready: {
    start: "failed whenGranted; report retire",
    restart: "failed whenGranted; forget report retire",
    grants: "failed whenGranted; report retire",
    due: "failed whenGranted; report retire"
  },
  adopting: {
    adopted: "failed whenGranted; forget report retire"
  },
  starting: {
    grants: "ending: stopped; interrupt"
  },
  "starting beside its sessions": {
    grants: "ending: stopped; interrupt hangUp"
  },
  running: {
    grants: "ending: stopped; halt hangUp"
  },
  stopping: {
    grants: "ending: stopped",
    gone: "failed whenGranted; report retire"
  },
  "stopping a start": {
    grants: "ending: stopped",
    gone: "failed whenGranted; report retire"
  },
  withdrawn: {
    gone: "failed whenGranted; report retire"
  },
  "lost to a neighbour": {
    grants: "ending: stopped; hangUp",
    gone: "failed whenGranted; report retire"
  },
  crashed: {
    gone: "failed at; report retire"
  },
  "about to wait": {
    gone: "failed at; report retire"
  },
  restarting: {
    start: "failed at; report retire",
    restart: "failed whenGranted; forget report retire",
    grants: "failed at; report retire",
    due: "failed at; report retire"
  },
  stopped: {
    start: "failed whenGranted; forget report retire",
    restart: "failed whenGranted; forget report retire"
  },
  "failed until a time": {
    start: "failed whenGranted; forget report retire",
    restart: "failed whenGranted; forget report retire",
    grants: "failed at; report",
    due: "failed at; report"
  },
  "failed until a time, and denied": {
    start: "failed whenGranted; forget report retire",
    restart: "failed whenGranted; forget report retire",
    grants: "failed at; report",
    due: "failed at; report"
  },
  "failed until granted": {
    start: "failed whenGranted; forget report retire",
    restart: "failed whenGranted; forget report retire",
    grants: "failed whenGranted; report",
    due: "failed whenGranted; report"
  },
  "failed for good": {
    start: "failed whenGranted; forget report retire",
    restart: "failed whenGranted; forget report retire"
  }
}

/** The operator wants it to begin anew. */
const anew = (): Partial<Phases.State> => ({ desired: { power: "run", generation: 2, setup: 1 } })

const wanting = (power: Phases.Desired["power"]): Partial<Phases.State> => ({
  desired: { power, generation: 1, setup: 1 }
})

/** What these inputs lead to, and all that is done on the way. */
const run = (from: Phases.State, inputs: ReadonlyArray<InputName>) => {
  let state = from
  const done: Array<string> = []
  for (const input of inputs) {
    const [next, actions] = step(state, INPUTS[input], FACTS)
    state = next
    done.push(...actions.map(({ kind }) => kind))
  }
  return { state, done }
}

const anyInput = Arbitrary.map(int(0, inputNames.length - 1), (index): InputName => inputNames[index] ?? "due")

describe("what a service does next", () => {
  for (const phase of phaseNames) {
    for (const input of inputNames) {
      it(`while it is ${phase}, at ${input}`, () => {
        const expected = ALLOWED[phase]?.[input] ?? "-"
        assert.strictEqual(outcome(phase, input), expected)
        assert.strictEqual(outcome(phase, input, { denial: DENIAL }), DENIED[phase]?.[input] ?? expected)
      })
    }
  }

  it.each<[what: string, Phases.Phase, Partial<Phases.State>, Partial<Phases.Facts>, expected: string]>([
    ["waits for what ran before it", { name: "ready" }, {}, { ghosts: "ending" }, "ready"],
    ["is given up beside what can't be ended", { name: "ready" }, {}, { ghosts: "stuck" }, "failed never"],
    [
      "is given up again when the operator asks",
      PHASES["failed for good"],
      anew(),
      { ghosts: "stuck" },
      "failed never"
    ],
    ["begins anew once that has ended", PHASES["failed for good"], anew(), {}, "starting"],
    ["is started when its time has come", PHASES.restarting, {}, { now: soon }, "starting"],
    ["is tried again when its time has come", PHASES["failed until a time"], {}, { now: soon }, "starting"],
    ["isn't started at its time without a grant", PHASES.restarting, {}, { now: soon, denial: DENIAL }, "failed at"],
    [
      "is started by its grant after its time",
      PHASES["failed until a time, and denied"],
      {},
      { now: soon },
      "starting"
    ],
    [
      "can't be started where there is nothing to run",
      PHASES["failed for good"],
      anew(),
      { isUsable: false },
      "failed never"
    ],
    ["is ended though there is nothing to run", PHASES["failed for good"], wanting("end"), { isUsable: false }, "over"],
    ["stays stopped without a grant", PHASES.stopped, {}, { denial: DENIAL }, "stopped"]
  ])("%s", (_, phase, change, facts, expected) => {
    assert.strictEqual(show(step(stateOf(phase, change), { kind: "due" }, { ...FACTS, ...facts })[0]), expected)
  })

  it("has failed at once where there was no room for it, and hasn't crashed by that", () => {
    const cause = new Error("there is no room for another sandboxed plugin")
    cause.name = "NoRoom"
    for (const [problem, expected, restarts] of [
      [new StartFailed({ cause }), "ending: failed", 0],
      [BROKEN, "ending: restarting", 1]
    ] as const) {
      for (const reason of ["crash", "neighbour"] as const) {
        const from = stateOf(PHASES["starting beside its sessions"], { reason })
        const [next] = step(from, { kind: "unstarted", problem }, FACTS)
        assert.deepStrictEqual([show(next), next.restarts - from.restarts], [expected, restarts])
      }
    }
  })

  it.each<[what: string, PhaseName, InputName, expected: string]>([
    ["doesn't hold up a restart", "crashed", "gone", "restarting"],
    ["doesn't hold up one that is decided already", "about to wait", "gone", "restarting"],
    ["holds up what has failed", "about to fail", "gone", "ending: failed; await"],
    ["holds up what is to end in order", "stopping", "gone", "ending: stopped; await"],
    ["holds up a stop of what waits for its restart", "restarting", "stop", "ending: stopped; await"],
    ["holds up the end of what waits for its restart", "restarting", "end", "ending: stopped; await"],
    ["holds up what is to run instead", "restarting", "replace", "ending: stopped; await"],
    ["doesn't hold up a restart by the operator", "restarting", "restart", "starting; forget launch"]
  ])("a socket that is still being closed %s", (_, phase, input, expected) => {
    const before = stateOf(PHASES[phase])
    const [after, actions] = step(before, INPUTS[input], { ...FACTS, isClosing: true })
    const done = actions.map(({ kind }) => kind).join(" ")
    assert.strictEqual(done === "" ? show(after) : `${show(after)}; ${done}`, expected)
  })

  it("has failed for its crashes once its sockets are closed, and counts the last of them once", () => {
    const often = { history: { crashes: [NOW - 3, NOW - 2, NOW - 1, NOW - 1, NOW - 1], failures: 0 } }
    const [waits] = step(stateOf(PHASES.crashed, often), INPUTS.gone, { ...FACTS, isClosing: true })
    assert.strictEqual(show(waits), "ending: failed")
    const [done, actions] = step(waits, INPUTS.gone, { ...FACTS, now: NOW + 5000 })
    assert.strictEqual(Phases.dueAt(done.phase), NOW + 300_000)
    assert.deepStrictEqual([done.history.failures, actions], [1, [{ kind: "retire" }]])
  })

  it("goes from a stop and a start in one go to another instance, whose sources are dialled whatever they were stopped for", () => {
    const through = run(stateOf(PHASES.running), ["stop", "start", "vacant", "gone"])
    assert.deepStrictEqual(through.done, ["halt", "hangUp", "forget", "launch"])
    assert.strictEqual(through.state.reason, "reload")
  })

  it("heeds what was said last, however often the operator changes his mind", () => {
    assert.strictEqual(show(run(stateOf(PHASES.running), ["stop", "start", "stop", "vacant", "gone"]).state), "stopped")
    assert.strictEqual(show(run(stateOf(PHASES.running), ["restart", "replace", "end", "start", "gone"]).state), "over")
    assert.deepStrictEqual(run(stateOf(PHASES.running), ["replace", "replace", "vacant", "gone", "adopted"]).done, [
      "halt",
      "hangUp",
      "adopt",
      "forget",
      "launch"
    ])
  })

  it("forgets the crashes when the operator starts it, and doesn't when it is started by itself", () => {
    const crashes = { history: { crashes: [NOW - 3, NOW - 2, NOW - 1, NOW - 1, NOW - 1], failures: 2 } }
    const crash: ReadonlyArray<InputName> = ["crash", "vacant", "gone"]
    assert.strictEqual(show(run(stateOf(PHASES.running, crashes), crash).state), "failed at")
    assert.strictEqual(show(run(stateOf(PHASES.running, crashes), ["start", ...crash]).state), "restarting")
  })

  it("says of a failure that it is tried again at the time that it was decided for, whatever came between", () => {
    const waiting = stateOf(PHASES.restarting)
    const [denied] = step(waiting, INPUTS.grants, { ...FACTS, denial: DENIAL })
    assert.isNull(Phases.dueAt(denied.phase))
    const [back, actions] = step(denied, INPUTS.grants, FACTS)
    assert.strictEqual(Phases.dueAt(back.phase), soon)
    assert.deepStrictEqual(actions, [{ kind: "recall", failure }])
  })

  it.effect.prop(
    "rules 1 and 6: whatever happens in whatever order, launches only what is wanted and granted where nothing runs",
    {
      happenings: list(anyInput, 1, 60),
      worlds: list(
        oneOf<Partial<Phases.Facts>>(
          {},
          {},
          { denial: DENIAL },
          { ghosts: "ending" },
          { ghosts: "stuck" },
          { isClosing: true },
          { now: soon }
        ),
        60,
        60
      )
    },
    ({ happenings, worlds }) =>
      Effect.sync(() => {
        let [state] = step(Phases.initial, INPUTS.supervised, FACTS)
        for (const [index, name] of happenings.entries()) {
          const facts = { ...FACTS, ...worlds[index] }
          const before = state
          const [after, actions] = step(before, INPUTS[name], facts)
          state = after
          const kinds = actions.map(({ kind }) => kind)
          if (kinds.includes("launch")) {
            assert.strictEqual(after.phase.name, "starting")
            assert.isTrue(Phases.isAtRest(before.phase) || ["adopting", "ending"].includes(before.phase.name))
            assert.deepStrictEqual(after.desired, { power: "run", ...after.actual })
            assert.deepInclude(facts, { denial: null, ghosts: "none" })
          }
          if (before.phase.name === "running" && after.phase.name !== "running") {
            assert.strictEqual(after.phase.name, "ending")
            assert.isTrue(kinds.includes("halt") || ["neighbour", "crash", "late"].includes(name))
          }
          if (after.phase.name === "running") assert.isTrue(["starting", "running"].includes(before.phase.name))
          const [was, is] = [Phases.lifecycleOf(before.phase), Phases.lifecycleOf(after.phase)]
          if (is !== was && is === "stopped") assert.include(kinds, "retire")
          if (is !== was && is === "failed" && after.phase.name === "failed") assert.include(kinds, "retire")
          if (before.desired.power === "end") assert.strictEqual(after.desired, before.desired)
          if (Phases.isAtRest(after.phase)) assert.notStrictEqual(after.desired.power, "end")
          assert.isAtLeast(after.restarts, before.restarts)
          assert.isAtMost(after.history.crashes.length, FACTS.limits.restarts)
        }
        // Whatever happened, it can be ended.
        for (const name of ["end", "adopted", "unwanted", "vacant", "gone"] as const) {
          ;[state] = step(state, INPUTS[name], FACTS)
        }
        assert.strictEqual(state.phase.name, "over")
      }),
    { arbitrary: { runs: 500 } }
  )
})
