/** The transitions of a connection by themselves: every phase with every input, and what must be different between them. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { ConnectionError, GrantError, type Grants } from "mooring"
import * as Phases from "../../../src/connection/internal/phases.ts"
import { step } from "../../../src/connection/internal/transition.ts"
import type { Source } from "../../../src/connection/Source.ts"
import * as Filling from "../../../src/connection/Filling.ts"
import { reconnectDefaults } from "../../../src/manifest/Enablement.ts"
import { list, oneOf } from "../../support/arbitraries.ts"

const URL = "ws://127.0.0.1:7700/gateway"
const source: Source = {
  id: "00000000",
  ingress: "gateway",
  url: URL,
  display: URL,
  canonical: URL,
  headers: {},
  filling: Filling.none,
  compression: false,
  fastPath: true,
  reconnect: reconnectDefaults,
  stopCodes: [4004],
  closeCode: 1001,
  staleAfterMs: 0,
  staleReconnect: false
}

const facts = (change: Partial<Phases.Facts> = {}): Phases.Facts => ({
  now: 10_000,
  had: 20_000,
  random: 0.5,
  covered: true,
  revision: 1,
  source,
  isRenewed: false,
  closeGraceMs: 5000,
  stoppedRetryMs: 900_000,
  ...change
})

// Nothing here looks into it.
const target = {} as Grants.AuthorizedTarget
const allowed: Phases.Prospects = {
  refusal: undefined,
  declared: Result.succeed(target),
  isReady: true,
  isDenied: false,
  isSame: true
}
const ungranted = new GrantError.TargetUngranted({ url: URL, subprotocol: null })
const denied: Phases.Prospects = { ...allowed, declared: Result.fail(ungranted) }
const limit = new ConnectionError.ConnectionLimit({ url: URL, per: "host", limit: 1 })
const refused: Phases.Prospects = { ...allowed, refusal: { error: limit, reason: "limit" } }

const endedWith = (code: number, openForMs = 0): Phases.Input => ({
  kind: "ended",
  end: { kind: "epoch", code, openForMs },
  cause: new ConnectionError.ConnectionClosed({ url: URL, code, reason: "", clean: true }),
  told: { code, reason: "", clean: true, unconfirmed: 0, error: null }
})
const unreachable = new ConnectionError.DialFailed({ url: URL, phase: "tcp", code: "ECONNREFUSED" })
const nowhere = new ConnectionError.DialFailed({ url: URL, phase: "tcp", code: "ENETUNREACH" })
const forbidden = new ConnectionError.HandshakeRejected({ url: URL, status: 403, problem: "", retryAfterMs: null })

const NEXTS: ReadonlyArray<Phases.Next> = [
  { kind: "decide" },
  { kind: "plugin" },
  { kind: "redial", atOnce: false },
  { kind: "redial", atOnce: true }
]
const both = [true, false]
const REASONS = ["grant", "address", "http", "close_code", "plugin", "exhausted", "limit", "never", "service"] as const

const PHASES: ReadonlyArray<Phases.Phase> = [
  ...[null, 9000, 11_000].flatMap((dueAt): ReadonlyArray<Phases.Phase> => [
    { name: "closed", dueAt },
    { name: "waiting", dueAt },
    ...REASONS.map((reason) => ({ name: "stopped" as const, reason, dueAt, beneath: null })),
    { name: "stopped", reason: "plugin", dueAt: null, beneath: { reason: "http", dueAt, revision: 1 } },
    { name: "stopped", reason: "plugin", dueAt: null, beneath: { reason: null, dueAt, revision: 1 } }
  ]),
  ...NEXTS.flatMap((next) => [
    ...both.flatMap((isDropped) =>
      both.map((isRevoked) => ({ name: "dialling" as const, isDropped, isRevoked, next }))
    ),
    ...both.flatMap((isRevoked) =>
      both.map((isTerminated) => ({ name: "closing" as const, isRevoked, next, until: 24_000, isTerminated }))
    )
  ]),
  { name: "open" }
]

const INPUTS: ReadonlyArray<Phases.Input> = [
  { kind: "renewed" },
  { kind: "started" },
  { kind: "silenced" },
  { kind: "ending" },
  { kind: "retired" },
  { kind: "forgotten" },
  { kind: "grants" },
  { kind: "due" },
  ...[allowed, denied, refused, { ...allowed, isReady: false }, { ...allowed, isDenied: true, isSame: false }].map(
    (prospects) => ({ kind: "considered" as const, prospects })
  ),
  { kind: "opened" },
  { kind: "closing" },
  endedWith(1000),
  endedWith(4004),
  { kind: "gone", failure: null, waitedMs: 0 },
  { kind: "gone", failure: unreachable, waitedMs: 0 },
  { kind: "gone", failure: forbidden, waitedMs: 0 },
  { kind: "gone", failure: ungranted, waitedMs: 0 },
  { kind: "gone", failure: nowhere, waitedMs: 0 },
  { kind: "reached" },
  { kind: "postponed", waitMs: 500 },
  { kind: "postponed", waitMs: null },
  { kind: "graceOver" },
  { kind: "close", code: 1000, reason: "bye" },
  { kind: "reconnect", code: 1000, isOther: false },
  { kind: "reconnect", code: 1000, isOther: true },
  { kind: "redial" }
]
const SERVICES = ["runs", "pauses", "rests"] as const

const stateOf = (phase: Phases.Phase, service: Phases.State["service"] = "runs"): Phases.State => ({
  ...Phases.initial,
  service,
  phase,
  epoch: 3,
  attempts: 1
})

const kindsOf = (actions: ReadonlyArray<Phases.Action>) => actions.map(({ kind }) => kind)

/** What is wrong with a transition, whatever it was; undefined where nothing is. */
const wrong = (
  before: Phases.State,
  input: Phases.Input,
  known: Phases.Facts,
  [after, actions]: Phases.Step
): string | undefined => {
  const kinds = kindsOf(actions)
  const did = (kind: Phases.Action["kind"]) => kinds.includes(kind)
  const was = before.phase
  const is = after.phase
  const wasAtRest = Phases.isAtRest(was)
  if (new Set(kinds.filter((kind) => kind !== "report")).size !== kinds.filter((kind) => kind !== "report").length) {
    return "it does something twice"
  }
  if (did("dial") !== (wasAtRest && is.name === "dialling")) return "a dial is what leads from rest to dialling"
  if (did("dial") && (input.kind !== "considered" || before.service !== "runs")) return "it dials without having asked"
  if (did("dial") && (input.kind !== "considered" || Result.isFailure(input.prospects.declared)))
    return "it dials what is denied"
  if (did("close") !== (was.name === "open" && is.name === "closing" && input.kind !== "closing"))
    return "a close frame is sent once"
  if (did("drop") && !(was.name === "dialling" && !was.isDropped && is.name === "dialling" && is.isDropped))
    return "a drop"
  if (did("reached") && !(is.name === "open" && before.history.unreached !== null)) return "nobody got through"
  if ((did("terminate") || did("abandon")) && was.name !== "closing") return "it breaks off what isn't closing"
  if (did("consider") && !(after.service === "runs" && Phases.isAtRest(is)))
    return "it considers while something is there"
  if (is.name === "open" && was.name !== "open" && input.kind !== "opened") return "it opens by itself"
  if (after.epoch !== before.epoch + (is.name === "open" && was.name !== "open" ? 1 : 0)) return "the epoch"
  if ((was.name === "open" || was.name === "closing") && Phases.isAtRest(is) !== did("tellEnded"))
    return "one end, told once"
  if (did("tellFailed") && !(was.name === "dialling" && Phases.isAtRest(is))) return "a failed dial"
  const told = actions.find((action) => action.kind === "tellEnded" || action.kind === "tellFailed")
  if (told?.kind === "tellEnded" || told?.kind === "tellFailed") {
    if (told.willReconnect !== (is.name === "waiting")) return "will_reconnect is that it waits"
    const isRevoked = "isRevoked" in was && was.isRevoked
    if (told.deliver && (before.service !== "runs" || !known.covered || isRevoked)) return "it delivers what it may not"
  }
  if (before.service !== "runs" && ["waiting", "dialling", "open"].includes(is.name) && is.name !== was.name) {
    return "without a service nothing begins"
  }
  return undefined
}

describe("a transition", () => {
  it("holds what always holds, from every phase with every input", () => {
    let seen = 0
    for (const phase of PHASES) {
      for (const service of SERVICES) {
        for (const input of INPUTS) {
          for (const known of [facts(), facts({ covered: false }), facts({ revision: 2 })]) {
            const before = stateOf(phase, service)
            const problem = wrong(before, input, known, step(before, input, known))
            assert.isUndefined(problem, JSON.stringify({ phase, service, input: input.kind, covered: known.covered }))
            seen++
          }
        }
      }
    }
    assert.isAbove(seen, 10_000)
  })

  it("leaves alone what an input isn't about", () => {
    const only: ReadonlyArray<readonly [Phases.Input["kind"], ReadonlyArray<Phases.Phase["name"]>]> = [
      ["opened", ["dialling"]],
      ["closing", ["open"]],
      ["ended", ["open", "closing"]],
      ["gone", ["dialling"]],
      ["postponed", ["dialling"]],
      ["reached", ["waiting"]],
      ["graceOver", ["closing"]],
      ["considered", ["closed", "waiting", "stopped"]],
      ["forgotten", ["closed", "waiting", "stopped", "dialling", "closing"]]
    ]
    for (const [kind, names] of only) {
      for (const phase of PHASES.filter(({ name }) => !names.includes(name))) {
        for (const input of INPUTS.filter((candidate) => candidate.kind === kind)) {
          const before = stateOf(phase)
          assert.deepStrictEqual(step(before, input, facts()), [before, []], `${kind} in ${phase.name}`)
        }
      }
    }
  })

  it("hears nothing of its plugin while no service runs it", () => {
    for (const phase of PHASES) {
      for (const input of INPUTS.filter(({ kind }) => kind === "close" || kind === "reconnect")) {
        for (const service of ["pauses", "rests"] as const) {
          const before = stateOf(phase, service)
          assert.deepStrictEqual(step(before, input, facts()), [before, []])
        }
      }
    }
  })
})

const words = (...all: ReadonlyArray<string | false>): string => all.filter((word) => word !== false).join(" ")
const at = (dueAt: number | null): string => (dueAt === null ? "" : ` at ${dueAt}`)
const then = (next: Phases.Next): string | false =>
  next.kind !== "decide" && `then ${next.kind}${next.kind === "redial" && next.atOnce ? " at once" : ""}`

/** A phase in a few words. */
const phaseText = (phase: Phases.Phase): string => {
  switch (phase.name) {
    case "closed":
    case "waiting":
      return `${phase.name}${at(phase.dueAt)}`
    case "stopped": {
      const { beneath } = phase
      const over = beneath !== null && `over ${beneath.reason}${at(beneath.dueAt)} of ${beneath.revision}`
      return words(`stopped ${phase.reason}${at(phase.dueAt)}`, over)
    }
    case "dialling":
      return words("dialling", phase.isDropped && "dropped", phase.isRevoked && "revoked", then(phase.next))
    case "open":
      return "open"
    case "closing":
      return words(
        `closing${at(phase.until)}`,
        phase.isTerminated && "broken off",
        phase.isRevoked && "revoked",
        then(phase.next)
      )
  }
}

const actionText = (action: Phases.Action): string => {
  switch (action.kind) {
    case "close":
      return `close ${action.code} ${action.reason}`.trim()
    case "report":
      return action.error._tag
    case "tellEnded":
    case "tellFailed":
      return words(action.kind, action.willReconnect && "reconnects", action.deliver && "delivered")
    default:
      return action.kind
  }
}

const told = ([state, actions]: Phases.Step): string =>
  [words(phaseText(state.phase), state.service !== "runs" && `(${state.service})`), ...actions.map(actionText)].join(
    ", "
  )

const closed = (dueAt: number | null = null): Phases.Phase => ({ name: "closed", dueAt })
const waiting = (dueAt: number | null = null): Phases.Phase => ({ name: "waiting", dueAt })
const stopped = (
  reason: (typeof REASONS)[number],
  dueAt: number | null = null,
  beneath: Phases.Beneath | null = null
): Phases.Phase => ({ name: "stopped", reason, dueAt, beneath })
const dialling = (change: Partial<Extract<Phases.Phase, { readonly name: "dialling" }>> = {}): Phases.Phase => ({
  name: "dialling",
  isDropped: false,
  isRevoked: false,
  next: { kind: "decide" },
  ...change
})
const closing = (change: Partial<Extract<Phases.Phase, { readonly name: "closing" }>> = {}): Phases.Phase => ({
  name: "closing",
  isRevoked: false,
  next: { kind: "decide" },
  until: 24_000,
  isTerminated: false,
  ...change
})
const open: Phases.Phase = { name: "open" }
const dropped = (next: Phases.Next = { kind: "decide" }) => dialling({ isDropped: true, next })
const PLUGIN: Phases.Next = { kind: "plugin" }
const REDIAL: Phases.Next = { kind: "redial", atOnce: false }
const AT_ONCE: Phases.Next = { kind: "redial", atOnce: true }
const considered = (prospects: Phases.Prospects): Phases.Input => ({ kind: "considered", prospects })
const gone = (
  failure: Extract<Phases.Input, { readonly kind: "gone" }>["failure"],
  waitedMs = 0
): Extract<Phases.Input, { readonly kind: "gone" }> => ({ kind: "gone", failure, waitedMs })
const uncovered = { covered: false }
const renewed = { isRenewed: true }
const never = { source: { ...source, reconnect: { ...reconnectDefaults, policy: "never" as const } } }
const over = (reason: (typeof REASONS)[number] | null, dueAt: number | null = null) => ({ reason, dueAt, revision: 1 })
const asked: Phases.Input = { kind: "reconnect", code: 1000, isOther: false }
const askedOther: Phases.Input = { kind: "reconnect", code: 1000, isOther: true }
const byPlugin: Phases.Input = { kind: "close", code: 1000, reason: "bye" }

type Row = readonly [
  from: Phases.Phase,
  input: Phases.Input,
  expected: string,
  known?: Partial<Phases.Facts>,
  service?: Phases.State["service"]
]

const ROWS: ReadonlyArray<Row> = [
  [closed(), { kind: "started" }, "closed, consider", {}, "pauses"],
  [closed(11_000), { kind: "started" }, "closed at 11000, consider", {}, "pauses"],
  [stopped("service"), { kind: "started" }, "closed, consider", {}, "rests"],
  [stopped("http", 11_000), { kind: "started" }, "stopped http at 11000, consider", {}, "pauses"],
  [waiting(11_000), { kind: "silenced" }, "waiting at 11000 (pauses)"],
  [stopped("limit"), { kind: "silenced" }, "stopped limit (rests)", {}, "rests"],
  [dialling(), { kind: "silenced" }, "dialling dropped (pauses), drop"],
  [dropped(PLUGIN), { kind: "silenced" }, "dialling dropped then plugin (pauses)"],
  [open, { kind: "silenced" }, "open (pauses)"],
  [closing({ next: PLUGIN }), { kind: "silenced" }, "closing at 24000 then plugin (pauses)"],
  [closed(11_000), { kind: "ending" }, "closed at 11000 (pauses)"],
  [waiting(11_000), { kind: "ending" }, "closed at 11000 (pauses)"],
  [stopped("http", 11_000), { kind: "ending" }, "stopped http at 11000 (pauses)"],
  [dialling(), { kind: "ending" }, "dialling dropped (pauses), drop"],
  [dropped(PLUGIN), { kind: "ending" }, "dialling dropped then plugin (pauses)"],
  [open, { kind: "ending" }, "closing at 25000 (pauses), close 1001"],
  [open, { kind: "ending" }, "closing at 25000 (rests), close 1001", {}, "rests"],
  [closing({ next: PLUGIN }), { kind: "ending" }, "closing at 24000 then plugin (pauses)"],
  [closed(11_000), { kind: "retired" }, "stopped service (rests)", {}, "pauses"],
  [waiting(11_000), { kind: "retired" }, "stopped service (rests)"],
  [stopped("http", 11_000), { kind: "retired" }, "stopped http at 11000 (rests)", {}, "pauses"],
  [open, { kind: "retired" }, "open (rests)"],
  [stopped("http", 11_000), { kind: "forgotten" }, "closed (pauses)", {}, "pauses"],
  [stopped("service"), { kind: "forgotten" }, "closed (pauses)", {}, "rests"],
  [open, { kind: "forgotten" }, "open"],
  [closing({ next: PLUGIN }), { kind: "forgotten" }, "closing at 24000 (pauses)", {}, "pauses"],
  [dropped(PLUGIN), { kind: "forgotten" }, "dialling dropped (pauses)", {}, "pauses"],
  [waiting(11_000), { kind: "grants" }, "waiting at 11000, consider"],
  [waiting(11_000), { kind: "grants" }, "waiting at 11000, revoke, consider", uncovered],
  [closed(), { kind: "grants" }, "closed (pauses), revoke", uncovered, "pauses"],
  [dialling(), { kind: "grants" }, "dialling"],
  [dialling(), { kind: "grants" }, "dialling dropped revoked, revoke, drop", uncovered],
  [dropped(REDIAL), { kind: "grants" }, "dialling dropped revoked then redial, revoke", uncovered],
  [open, { kind: "grants" }, "open"],
  [open, { kind: "grants" }, "closing at 20500 revoked, revoke, close 1001", uncovered],
  [open, { kind: "grants" }, "closing at 20100 revoked, revoke, close 1001", { covered: false, closeGraceMs: 100 }],
  [closing(), { kind: "grants" }, "closing at 20500 revoked, revoke", uncovered],
  [closing({ until: 20_200 }), { kind: "grants" }, "closing at 20200 revoked, revoke", uncovered],
  [
    closing({ until: 21_000, isTerminated: true }),
    { kind: "grants" },
    "closing at 21000 broken off revoked, revoke",
    uncovered
  ],
  [stopped("http", 9000), { kind: "due" }, "stopped http at 9000, consider"],
  [stopped("http", 99_000), { kind: "renewed" }, "waiting at 10000, restartRoute, consider", renewed],
  [stopped("http", 99_000), { kind: "renewed" }, "stopped http at 99000"],
  [stopped("close_code"), { kind: "renewed" }, "waiting at 10000, restartRoute, consider", renewed],
  [stopped("exhausted"), { kind: "renewed" }, "waiting at 10000, restartRoute, consider", renewed],
  [stopped("grant"), { kind: "renewed" }, "stopped grant", renewed],
  [stopped("plugin"), { kind: "renewed" }, "stopped plugin", renewed],
  [stopped("address"), { kind: "renewed" }, "stopped address", renewed],
  [stopped("never"), { kind: "renewed" }, "stopped never", renewed],
  [open, { kind: "renewed" }, "open", renewed],
  [dialling(), { kind: "renewed" }, "dialling", renewed],
  [waiting(11_000), { kind: "renewed" }, "waiting at 11000", renewed],
  [open, { kind: "due" }, "open"],
  [closed(), considered(allowed), "dialling, dial"],
  [closed(11_000), considered(allowed), "waiting at 11000"],
  [waiting(10_000), considered(allowed), "dialling, dial"],
  [waiting(10_001), considered(allowed), "waiting at 10001"],
  [waiting(), considered({ ...allowed, isReady: false }), "waiting"],
  [waiting(9000), considered({ ...allowed, isReady: false }), "waiting"],
  [waiting(), considered(denied), "stopped grant, TargetUngranted"],
  [stopped("http", 11_000), considered(denied), "stopped grant, TargetUngranted"],
  [stopped("http", 11_000), considered(allowed), "stopped http at 11000"],
  [stopped("http", 9000), considered(allowed), "dialling, dial"],
  [stopped("http"), considered(allowed), "stopped http"],
  [stopped("never"), considered(allowed), "stopped never"],
  [stopped("grant"), considered(allowed), "dialling, dial"],
  [stopped("grant"), considered({ ...allowed, isDenied: true }), "stopped grant"],
  [stopped("address"), considered(allowed), "stopped address"],
  [stopped("address", 9000), considered(allowed), "dialling, dial"],
  [stopped("address"), considered({ ...allowed, isSame: false }), "dialling, dial"],
  [stopped("http"), considered({ ...allowed, isSame: false }), "stopped http"],
  [stopped("plugin"), considered(denied), "stopped plugin"],
  [stopped("plugin"), considered(refused), "stopped plugin"],
  [waiting(), considered(refused), "stopped limit, ConnectionLimit"],
  [stopped("limit"), considered(refused), "stopped limit"],
  [stopped("limit"), considered(allowed), "dialling, dial"],
  [dialling(), { kind: "opened" }, "open"],
  [dropped(), { kind: "opened" }, "dialling dropped"],
  [dialling(), { kind: "opened" }, "dialling (rests)", {}, "rests"],
  [open, { kind: "closing" }, "closing at 25000"],
  [open, endedWith(1006), "waiting at 10500, ConnectionClosed, tellEnded reconnects delivered, consider"],
  [open, endedWith(4004), "stopped close_code at 910000, ConnectionClosed, tellEnded delivered, consider"],
  [open, endedWith(4004), "waiting at 10000, ConnectionClosed, tellEnded reconnects delivered, consider", renewed],
  [open, endedWith(1000), "stopped never, ConnectionClosed, tellEnded delivered, consider", never],
  [open, endedWith(1000), "stopped grant, ConnectionClosed, GrantRevoked, tellEnded, consider", uncovered],
  [closing(), endedWith(1000), "waiting at 10500, ConnectionClosed, tellEnded reconnects delivered, consider"],
  [closing({ isRevoked: true }), endedWith(1000), "stopped grant, ConnectionClosed, GrantRevoked, tellEnded, consider"],
  [closing({ next: PLUGIN }), endedWith(1000), "stopped plugin, ConnectionClosed, tellEnded delivered, consider"],
  [
    closing({ next: PLUGIN, isRevoked: true }),
    endedWith(1000),
    "stopped plugin, ConnectionClosed, tellEnded, consider",
    uncovered
  ],
  [
    closing({ next: REDIAL }),
    endedWith(4004),
    "waiting at 10500, ConnectionClosed, tellEnded reconnects delivered, consider"
  ],
  [closing({ next: REDIAL }), endedWith(4004), "stopped never, ConnectionClosed, tellEnded delivered, consider", never],
  [
    closing({ next: REDIAL }),
    endedWith(1000),
    "stopped grant, ConnectionClosed, GrantRevoked, tellEnded, consider",
    uncovered
  ],
  [
    closing({ next: AT_ONCE }),
    endedWith(4004),
    "waiting at 10000, ConnectionClosed, tellEnded reconnects delivered, consider",
    never
  ],
  [closing(), endedWith(1001), "closed (pauses), ConnectionClosed, tellEnded", {}, "pauses"],
  [closing(), endedWith(1001), "stopped service (rests), ConnectionClosed, tellEnded", {}, "rests"],
  [closing({ next: PLUGIN }), endedWith(1001), "stopped plugin (pauses), ConnectionClosed, tellEnded", {}, "pauses"],
  [dialling(), gone(unreachable), "waiting at 10500, DialFailed, tellFailed reconnects delivered, consider"],
  [dialling(), gone(forbidden), "stopped http at 910000, HandshakeRejected, tellFailed delivered, consider"],
  [
    dialling(),
    gone(forbidden),
    "waiting at 10000, HandshakeRejected, tellFailed reconnects delivered, consider",
    renewed
  ],
  [dialling(), gone(ungranted), "stopped grant, TargetUngranted, consider"],
  [dialling(), gone(unreachable), "stopped grant, DialFailed, tellFailed, consider", uncovered],
  [dropped(PLUGIN), gone(null), "stopped plugin, consider"],
  [dropped(PLUGIN), gone(unreachable), "stopped plugin, DialFailed, tellFailed delivered, consider"],
  [dropped(REDIAL), gone(null), "waiting at 10500, consider"],
  [dropped(AT_ONCE), gone(null), "waiting at 10000, consider"],
  [dropped(AT_ONCE), gone(ungranted), "waiting at 10000, TargetUngranted, consider"],
  [dropped(), gone(null), "closed, consider"],
  [dropped(), gone(null), "closed (pauses)", {}, "pauses"],
  [dropped(), gone(ungranted), "stopped service (rests), TargetUngranted", {}, "rests"],
  [dialling({ isDropped: true, isRevoked: true }), gone(null), "closed, consider"],
  [
    dialling({ isDropped: true, isRevoked: true }),
    gone(unreachable),
    "stopped grant, DialFailed, tellFailed, consider"
  ],
  [dialling(), { kind: "postponed", waitMs: 700 }, "waiting at 10700, consider"],
  [dialling(), { kind: "postponed", waitMs: null }, "stopped never, consider"],
  [dropped(PLUGIN), { kind: "postponed", waitMs: 700 }, "stopped plugin, consider"],
  [dropped(), { kind: "postponed", waitMs: 700 }, "closed (pauses)", {}, "pauses"],
  [dialling(), gone(nowhere), "waiting at 10500, DialFailed, tellFailed reconnects delivered, consider"],
  [dialling(), gone(nowhere, 3000), "waiting at 10500, DialFailed, tellFailed reconnects delivered, consider"],
  [waiting(11_000), { kind: "reached" }, "waiting at 11000"],
  [closing(), { kind: "graceOver" }, "closing at 21000 broken off, terminate"],
  [closing({ isTerminated: true }), { kind: "graceOver" }, "closing at 24000 broken off, abandon"],
  [open, byPlugin, "closing at 25000 then plugin, close 1000 bye"],
  [closing({ next: REDIAL }), byPlugin, "closing at 24000 then plugin"],
  [dialling(), byPlugin, "dialling dropped then plugin, drop"],
  [dropped(REDIAL), byPlugin, "dialling dropped then plugin"],
  [closed(), byPlugin, "stopped plugin over null of 1"],
  [waiting(11_000), byPlugin, "stopped plugin over null at 11000 of 1"],
  [stopped("http", 11_000), byPlugin, "stopped plugin over http at 11000 of 1"],
  [stopped("plugin", null, over("http", 11_000)), byPlugin, "stopped plugin over http at 11000 of 1"],
  [stopped("plugin"), byPlugin, "stopped plugin over null of 1"],
  [open, byPlugin, "open (pauses)", {}, "pauses"],
  [open, asked, "closing at 25000 then redial, close 1000"],
  [closing({ next: PLUGIN }), asked, "closing at 24000 then redial"],
  [closing({ next: AT_ONCE }), asked, "closing at 24000 then redial at once"],
  [dialling(), asked, "dialling"],
  [dialling(), askedOther, "dialling dropped then redial, drop"],
  [dropped(PLUGIN), asked, "dialling dropped then redial"],
  [dropped(AT_ONCE), askedOther, "dialling dropped then redial at once"],
  [waiting(11_000), askedOther, "waiting at 11000"],
  [closed(), asked, "closed"],
  [stopped("close_code", 20_000), asked, "waiting at 10500, restartRoute, consider"],
  [stopped("plugin", null, over(null, 20_000)), asked, "waiting at 20000, restartRoute, consider"],
  [stopped("plugin", null, over(null)), asked, "waiting at 10500, restartRoute, consider"],
  [stopped("plugin", null, over("close_code", 20_000)), asked, "waiting at 10500, restartRoute, consider"],
  [stopped("plugin"), asked, "closed, restartRoute, consider", uncovered],
  [stopped("plugin"), asked, "stopped never, restartRoute, consider", never],
  [open, { kind: "redial" }, "closing at 25000 then redial at once, close 1001"],
  [closing({ next: PLUGIN }), { kind: "redial" }, "closing at 24000 then redial at once"],
  [dialling(), { kind: "redial" }, "dialling dropped then redial at once, drop"],
  [dropped(PLUGIN), { kind: "redial" }, "dialling dropped then redial at once"],
  [waiting(11_000), { kind: "redial" }, "waiting at 10000, restartRoute, consider"],
  [stopped("http", 20_000), { kind: "redial" }, "waiting at 10000, restartRoute, consider"],
  [stopped("http", 20_000), { kind: "redial" }, "closed (pauses), restartRoute", {}, "pauses"],
  [stopped("http", 20_000), { kind: "redial" }, "stopped service (rests), restartRoute", {}, "rests"],
  [stopped("service"), { kind: "redial" }, "stopped service (rests)", {}, "rests"],
  [closed(11_000), { kind: "redial" }, "closed (pauses), restartRoute", {}, "pauses"],
  [closing({ next: PLUGIN }), { kind: "redial" }, "closing at 24000 (pauses)", {}, "pauses"],
  [dropped(PLUGIN), { kind: "redial" }, "dialling dropped (pauses)", {}, "pauses"],
  [open, { kind: "redial" }, "open (pauses)", {}, "pauses"]
]

describe("what follows from", () => {
  const titled = ROWS.map(
    (row, index) => [`${index + 1}: ${phaseText(row[0])} (${row[4] ?? "runs"}) and ${row[1].kind}`, row] as const
  )
  it.each(titled)("%s", (_, [from, input, expected, known, service]) => {
    assert.strictEqual(told(step(stateOf(from, service), input, facts(known))), expected)
  })
})

/** Feeds inputs to a connection and answers what it wants to know, with a server that ends what is closed if told so. */
const play = (inputs: ReadonlyArray<Phases.Input>, known = facts()) => {
  let state = Phases.initial
  const actions: Array<Phases.Action> = []
  const tell = (input: Phases.Input): void => {
    const [after, next] = step(state, input, known)
    state = after
    for (const action of next) {
      actions.push(action)
      if (action.kind === "consider") tell({ kind: "considered", prospects: known.covered ? allowed : denied })
    }
  }
  for (const input of inputs) tell(input)
  return {
    actions,
    tell,
    get state() {
      return state
    },
    get phase() {
      return state.phase
    }
  }
}

const OPEN: ReadonlyArray<Phases.Input> = [{ kind: "started" }, { kind: "opened" }]

describe("what follows", () => {
  it("is a dial as soon as a service runs", () => {
    const { actions, phase } = play([{ kind: "started" }])
    assert.deepStrictEqual(kindsOf(actions), ["consider", "dial"])
    assert.strictEqual(phase.name, "dialling")
  })

  it("an end is half of the first backoff for the middle of chance, and twice that after the next", () => {
    const once = play([...OPEN, endedWith(1006)])
    assert.deepStrictEqual(once.phase, { name: "waiting", dueAt: 10_500 })
    const twice = play([...OPEN, endedWith(1006)], facts())
    assert.deepStrictEqual(twice.state.history.failures, 1)
  })

  it("a stop code is a stop, unless its plugin had asked for another dial before it came", () => {
    const byCode = play([...OPEN, endedWith(4004)])
    assert.deepInclude(byCode.phase, { name: "stopped", reason: "close_code", dueAt: 910_000 })
    const askedFirst = play([...OPEN, { kind: "reconnect", code: 1000, isOther: false }, endedWith(4004)])
    assert.deepStrictEqual(askedFirst.phase, { name: "waiting", dueAt: 10_500 })
    const askedLate = play([
      ...OPEN,
      { kind: "closing" },
      { kind: "reconnect", code: 1000, isOther: false },
      endedWith(4004)
    ])
    assert.deepStrictEqual(askedLate.phase, { name: "waiting", dueAt: 10_500 })
  })

  it("an asked-for dial begins its backoff anew after an epoch that was stable, and only then", () => {
    const failed: Phases.State = {
      ...stateOf(closing({ next: REDIAL })),
      history: { ...Phases.initial.history, failures: 5 }
    }
    assert.strictEqual(step(failed, endedWith(1000, 30_000), facts())[0].history.failures, 1)
    assert.strictEqual(step(failed, endedWith(1000, 29_999), facts())[0].history.failures, 6)
  })

  it("a withdrawal shortens a close that is under way, whoever began it", () => {
    const known = facts()
    const begun: ReadonlyArray<Phases.Input> = [
      { kind: "close", code: 1000, reason: "" },
      { kind: "reconnect", code: 1000, isOther: false },
      { kind: "redial" },
      { kind: "ending" },
      { kind: "closing" }
    ]
    for (const input of begun) {
      const { state } = play([...OPEN, input])
      const [after, actions] = step(state, { kind: "grants" }, facts({ covered: false }))
      assert.deepInclude(after.phase, { name: "closing", until: known.had + 500, isRevoked: true })
      assert.deepStrictEqual(kindsOf(actions), ["revoke"])
    }
  })

  it("a withdrawal is that nothing opens that was being dialled, though the grant is back by then", () => {
    const { state } = play([{ kind: "started" }])
    const [given, actions] = step(state, { kind: "grants" }, facts({ covered: false }))
    assert.deepStrictEqual(kindsOf(actions), ["revoke", "drop"])
    assert.deepStrictEqual(step(given, { kind: "opened" }, facts()), [given, []])
    const [after, again] = step(given, { kind: "gone", failure: null, waitedMs: 0 }, facts())
    assert.strictEqual(after.phase.name, "closed")
    assert.deepStrictEqual(kindsOf(again), ["consider"])
  })

  it("a deaf peer's socket is broken off after the grace, and given up a second later", () => {
    const { phase, state } = play([...OPEN, { kind: "close", code: 1000, reason: "" }])
    assert.deepInclude(phase, { until: 25_000, isTerminated: false })
    const [terminated, first] = step(state, { kind: "graceOver" }, facts({ had: 25_000 }))
    assert.deepStrictEqual(kindsOf(first), ["terminate"])
    assert.deepInclude(terminated.phase, { until: 26_000, isTerminated: true })
    assert.deepStrictEqual(kindsOf(step(terminated, { kind: "graceOver" }, facts())[1]), ["abandon"])
  })

  it("its plugin's close lies upon what it was stopped for, and lifting it lifts no more", () => {
    const http = play([{ kind: "started" }, { kind: "gone", failure: forbidden, waitedMs: 0 }])
    assert.deepInclude(http.phase, { name: "stopped", reason: "http" })
    const [once] = step(http.state, { kind: "close", code: 1000, reason: "" }, facts())
    const [twice] = step(once, { kind: "close", code: 1000, reason: "" }, facts())
    assert.deepInclude(twice.phase, { name: "stopped", reason: "plugin" })
    assert.strictEqual(Phases.stoppedFor(twice.phase, 10_000, 1), "http")
    // Once its time has come it isn't stopped any more.
    assert.isNull(Phases.stoppedFor(twice.phase, 910_000, 1))
  })

  it("lifting its plugin's close shortens no wait", () => {
    const waits = play([...OPEN, endedWith(1006)])
    const [byItsPlugin] = step(
      { ...waits.state, phase: { name: "waiting", dueAt: 60_000 } },
      { kind: "close", code: 1000, reason: "" },
      facts()
    )
    const [lifted] = step(byItsPlugin, { kind: "reconnect", code: 1000, isOther: false }, facts())
    assert.deepStrictEqual(lifted.phase, { name: "waiting", dueAt: 60_000 })
  })

  it("a grant that is gone is said of a source also where its service ends for that before its socket has", () => {
    const begun: ReadonlyArray<Phases.Input> = [...OPEN, { kind: "silenced" }]
    const { state } = play(begun)
    const [revoked] = step(state, { kind: "grants" }, facts({ covered: false }))
    const [withdrawn] = step(revoked, endedWith(1001), facts({ covered: false }))
    assert.deepInclude(withdrawn.phase, { name: "stopped", reason: "grant" })
    const [back] = step(revoked, endedWith(1001), facts())
    assert.deepStrictEqual(back.phase, { name: "closed", dueAt: null })
  })

  it("an operator's dial is at once, with a budget that is whole again", () => {
    const { state } = play([...OPEN, endedWith(4004)])
    const [after] = step(state, { kind: "redial" }, facts())
    assert.deepStrictEqual(after.phase, { name: "waiting", dueAt: 10_000 })
    assert.deepStrictEqual(after.history, Phases.initial.history)
  })

  it("a service that rests is said of a source that an operator dials meanwhile", () => {
    const { state } = play([...OPEN, endedWith(4004), { kind: "ending" }, { kind: "retired" }, { kind: "redial" }])
    assert.deepInclude(state.phase, { name: "stopped", reason: "service" })
  })

  it("an end of the service closes in order, keeps what was planned, and keeps its plugin's close", () => {
    assert.deepStrictEqual(play([...OPEN, { kind: "ending" }, endedWith(1001)]).phase, { name: "closed", dueAt: null })
    assert.deepStrictEqual(play([...OPEN, endedWith(1006), { kind: "ending" }]).phase, {
      name: "closed",
      dueAt: 10_500
    })
    const closedByPlugin = play([
      ...OPEN,
      { kind: "close", code: 1000, reason: "" },
      { kind: "ending" },
      endedWith(1000)
    ])
    assert.deepInclude(closedByPlugin.phase, { name: "stopped", reason: "plugin" })
    // Nor is a socket that is still open said to be stopped.
    assert.strictEqual(play([...OPEN, { kind: "retired" }]).phase.name, "open")
    assert.deepInclude(play([...OPEN, { kind: "retired" }, { kind: "ending" }, endedWith(1001)]).phase, {
      name: "stopped",
      reason: "service"
    })
  })

  it("a denial is said once for each change of the grants", () => {
    const { actions, state } = play([{ kind: "started" }], facts({ covered: false }))
    assert.deepStrictEqual(kindsOf(actions), ["consider", "report"])
    const input: Phases.Input = { kind: "considered", prospects: denied }
    assert.deepStrictEqual(kindsOf(step(state, input, facts())[1]), [])
    assert.deepStrictEqual(kindsOf(step(state, input, facts({ revision: 2 }))[1]), ["report"])
  })

  it("an address that was denied is dialled again once the grants have changed", () => {
    const address = new ConnectionError.AddressDenied({ url: URL, address: "10.0.0.1" })
    const { state } = play([{ kind: "started" }, { kind: "gone", failure: address, waitedMs: 0 }])
    assert.deepInclude(state.phase, { name: "stopped", reason: "address" })
    const same: Phases.Input = { kind: "considered", prospects: allowed }
    assert.deepInclude(step(state, same, facts())[0].phase, { name: "stopped" })
    const other: Phases.Input = { kind: "considered", prospects: { ...allowed, isSame: false } }
    assert.strictEqual(step(state, other, facts())[0].phase.name, "dialling")
  })

  it("a dial that was put off counts as none", () => {
    const settings = { ...source.reconnect, maxAttempts: 1 }
    const known = facts({ source: { ...source, reconnect: settings } })
    const { state } = play([{ kind: "started" }, { kind: "postponed", waitMs: 700 }], known)
    assert.deepStrictEqual(state.phase, { name: "waiting", dueAt: 10_700 })
    assert.deepInclude(state, { attempts: 0, history: Phases.initial.history })
  })

  it("a dial that reached no server is in nobody's budget, and waits for the others' that get through", () => {
    const settings = { ...source.reconnect, maxAttempts: 1, initialMs: 60_000 }
    const known = facts({ source: { ...source, reconnect: settings } })
    const { actions, state } = play([{ kind: "started" }, gone(nowhere)], known)
    assert.deepStrictEqual(state.phase, { name: "waiting", dueAt: 12_500 })
    assert.deepStrictEqual(state.history.dials, [])
    assert.strictEqual(Phases.waitsFor(state), "link")
    assert.notInclude(kindsOf(actions), "reached")
    const [woken, asks] = step(state, { kind: "reached" }, known)
    assert.deepStrictEqual([woken.phase, kindsOf(asks)], [{ name: "waiting", dueAt: 10_000 }, ["consider"]])
    const [dials] = step(woken, { kind: "considered", prospects: allowed }, known)
    assert.isNull(Phases.waitsFor(dials))
    const [got, tells] = step(dials, { kind: "opened" }, known)
    assert.deepStrictEqual([got.history.unreached, tells], [null, [{ kind: "reached", why: "link" }]])
    // The next opens of others are no news.
    assert.deepStrictEqual(kindsOf(play(OPEN).actions), ["consider", "dial"])
  })

  it("what others get through to is nothing to a source that waits for something else", () => {
    const late = play([{ kind: "started" }, gone(nowhere, 3000)])
    const waitsForLink = play([{ kind: "started" }, gone(nowhere), { kind: "due" }])
    const [again] = step(late.state, { kind: "considered", prospects: allowed }, facts({ now: 20_000 }))
    const [closedByServer] = step(again, gone(unreachable), facts({ now: 20_000 }))
    for (const state of [late.state, closedByServer]) {
      assert.isNull(Phases.waitsFor(state))
      assert.deepStrictEqual(step(state, { kind: "reached" }, facts()), [state, []])
    }
    // Nor while no service runs it, nor where the application put the dial off.
    const [paused] = step(waitsForLink.state, { kind: "ending" }, facts())
    assert.deepStrictEqual(step(paused, { kind: "reached" }, facts()), [paused, []])
    const [dials] = step(waitsForLink.state, { kind: "considered", prospects: allowed }, facts({ now: 20_000 }))
    const [postponed] = step(dials, { kind: "postponed", waitMs: 60_000 }, facts({ now: 20_000 }))
    assert.isNull(Phases.waitsFor(postponed))
  })

  it("a budget that is used up is said, and tried again later", () => {
    const settings = { ...source.reconnect, maxAttempts: 1 }
    const known = facts({ source: { ...source, reconnect: settings } })
    const { actions, phase } = play([{ kind: "started" }, { kind: "gone", failure: unreachable, waitedMs: 0 }], known)
    assert.deepInclude(phase, { name: "stopped", reason: "exhausted", dueAt: 910_000 })
    const reported = actions.flatMap((action) => (action.kind === "report" ? [action.error._tag] : []))
    assert.deepStrictEqual(reported, ["ReconnectExhausted", "DialFailed"])
  })

  it.effect.prop(
    "rule 9: whatever happened, an end of the service and two graces later nothing is open or under way",
    { script: list(oneOf<Phases.Input>({ kind: "opened" }, ...INPUTS), 0, 40) },
    ({ script }) =>
      Effect.sync(() => {
        const played = play([{ kind: "started" }, ...script, { kind: "ending" }])
        if (played.phase.name === "dialling") played.tell({ kind: "gone", failure: null, waitedMs: 0 })
        if (played.phase.name === "closing") {
          for (let grace = played.phase.isTerminated ? 1 : 0; grace < 2; grace++) played.tell({ kind: "graceOver" })
          assert.strictEqual(played.actions.at(-1)?.kind, "abandon")
          played.tell(endedWith(1006))
        }
        assert.isTrue(Phases.isAtRest(played.phase), played.phase.name)
        assert.isNull(Phases.dueAt(played.state))
      }),
    { arbitrary: { runs: 300 } }
  )
})
