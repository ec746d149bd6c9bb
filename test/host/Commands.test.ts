import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import { TestClock } from "effect/testing"
import {
  type CommandResult,
  type IngressEvent,
  type Limits,
  OutputCommand,
  PluginHost,
  type PluginRuntime,
  ServicePlugin
} from "mooring"
import { FakeWebSocket, type Remote } from "mooring/testing"
import { bool, either, int, list, maybe, oneOf } from "../support/arbitraries.ts"
import { frameOf } from "../support/frames.ts"
import { accountingProblem, onFake, rowOf } from "../support/host.ts"
import { enable, GATEWAY, plugin, refOf, target } from "../support/plugins.ts"

const at = (path: string) => `ws://127.0.0.1:7700/${path}`
const OWN = at("own")
const OTHER = at("other")
const DOWN = at("down")
const RATED = at("rated")
const SHARED = at("shared?room=1")
const UNGRANTED = at("ungranted")
const DAY = 86_400_000
const ID = /^[A-Za-z0-9._:-]{1,128}$/

/**
 * What a handler answers with. Its commands come from the test, so they may be anything.
 */
type Answer = (event: IngressEvent.WebSocketText) => Effect.Effect<ReadonlyArray<unknown>>

const talker = (answer: Answer): PluginRuntime.PluginPackage => {
  const handlers: ServicePlugin.Handlers = {
    websocket_text: (event) =>
      Effect.map(answer(event), (commands) => ({ commands: commands as ReadonlyArray<OutputCommand.Command> }))
  }
  const eventKinds = ["websocket_text"]
  return ServicePlugin.make({
    id: "test.talker",
    version: "1.0.0",
    ingresses: {
      main: { sources: [OWN, OTHER, DOWN, RATED, SHARED, UNGRANTED], eventKinds },
      twin: { sources: [SHARED], eventKinds }
    },
    websocket: [target],
    handlers: { main: handlers, twin: handlers }
  })
}

/** Everything but `UNGRANTED` is granted; `RATED` may be sent two texts a minute. */
const granted = (pkg: PluginRuntime.PluginPackage) => {
  const enabled = enable(pkg, { sources: { main: { reconnect: { initial_ms: 1, max_ms: 1 } } } })
  const paths = [OWN, OTHER, DOWN, SHARED].map((url) => new URL(url).pathname)
  const websocket = [
    { ...target, pathPrefixes: paths },
    { ...target, pathPrefixes: ["/rated"], sendsPerMinute: 2 }
  ]
  return { ...enabled, grants: { ...enabled.grants, websocket } }
}

const REF = "project:test.talker"

/** Runs a test against a host with the talker, whose connections but `DOWN` and `UNGRANTED` are open. */
const talking = <A, E, R>(
  answer: Answer,
  limits: Partial<Limits.Values>,
  test: (remotes: { readonly [Name in "own" | "other" | "rated"]: Remote.Remote }) => Effect.Effect<A, E, R>
) => {
  const pkg = talker(answer)
  assert.strictEqual(refOf(pkg), REF)
  return Effect.gen(function* () {
    const fake = yield* FakeWebSocket.FakeWebSocket
    yield* fake.answer(DOWN, { kind: "refuse", status: 401 })
    const host = yield* PluginHost.PluginHost
    const remotes = {
      own: yield* fake.remote(OWN),
      other: yield* fake.remote(OTHER),
      rated: yield* fake.remote(RATED)
    }
    yield* fake.remote(SHARED, 2)
    yield* host.idle
    return yield* test(remotes)
  }).pipe(Effect.provide(onFake({ plugins: [pkg], enabled: [granted(pkg)], limits })))
}

const idle = Effect.flatMap(PluginHost.PluginHost, (host) => host.idle)

/** The row of the talker after it has answered one text. */
const answered = (remote: Remote.Remote) =>
  Effect.gen(function* () {
    remote.sendText("go")
    yield* idle
    const row = yield* rowOf(REF)
    assert.isUndefined(accountingProblem(row))
    return row
  })

const tagsOf = (results: ReadonlyArray<CommandResult.CommandResult>) =>
  results.map(({ error, status }) => error?.tag ?? status)

const send = (url: string, text: string, more: object = {}) => ({
  kind: "websocket_send",
  payload: { url, text, ...more }
})

// ---------------------------------------------------------------------------------------------------------------------

const SEND_TEXT_BYTES = 64
const PAYLOAD_BYTES = SEND_TEXT_BYTES + 8192
const LIMITS = { sendTextBytes: SEND_TEXT_BYTES, commandPayloadBytes: PAYLOAD_BYTES, outputBytes: 1_048_576 }

const SMALL_OUTPUT = { outputBytes: 16_384, commandPayloadBytes: 16_384, sendTextBytes: 8192 }

const URLS = {
  own: OWN,
  ownAgain: "WS://127.0.0.1:7700/own",
  other: OTHER,
  otherAgain: "ws://127.1:07700/other",
  down: DOWN,
  rated: RATED,
  shared: SHARED,
  ungranted: UNGRANTED,
  foreign: "wss://evil.example/",
  query: `${OWN}?q`,
  neighbour: `${OWN}/x`,
  noUrl: "not a url",
  refused: `${OWN}#f`
}
type Place = keyof typeof URLS

/** A command in its parts, each of which may be at fault. */
interface Spec {
  readonly kind: "websocket_send" | "websocket_close" | "diagnostic_status_update" | "host_request_dispatch"
  readonly place: Place
  readonly ingress: "main" | "twin" | "nowhere" | undefined
  readonly epoch: number | "any" | undefined
  readonly text: "short" | "full" | "long" | "wide"
  /** Whether it is sent as bytes. */
  readonly binary: boolean
  readonly huge: boolean
  readonly spoiled: number | undefined
  readonly commandId: string | undefined
  readonly foreignEvent: boolean
  readonly constructed: boolean
}

const Spec: Arbitrary.Arbitrary<Spec> = Arbitrary.all({
  kind: oneOf(
    "websocket_send",
    "websocket_send",
    "websocket_send",
    "websocket_close",
    "diagnostic_status_update",
    "host_request_dispatch"
  ),
  place: either(
    oneOf<Place>("rated", "own", "ownAgain", "other", "otherAgain", "shared", "rated"),
    oneOf(...(Object.keys(URLS) as [Place, ...Array<Place>]))
  ),
  ingress: oneOf(undefined, undefined, undefined, "main", "main", "twin", "nowhere"),
  epoch: oneOf<Spec["epoch"]>(undefined, undefined, undefined, undefined, 0, 1, 2, "any"),
  text: oneOf("short", "full", "long", "wide"),
  binary: bool,
  huge: bool,
  spoiled: int(0, 1_000_000),
  commandId: maybe(oneOf("reply-1", "a:b.c_D-9", "x".repeat(128))),
  foreignEvent: bool,
  constructed: bool
}).pipe(
  // Mostly one fault at most, else the first checks would hide the later ones.
  (spec) =>
    Arbitrary.all({
      spec,
      fault: either(
        Arbitrary.Constant("none"),
        oneOf("none", "none", "none", "spoiled", "long", "huge", "event", "all")
      )
    }),
  Arbitrary.map(({ fault, spec }) => ({
    ...spec,
    text: fault === "long" || fault === "all" ? spec.text : "short",
    huge: fault === "huge" || (fault === "all" && spec.huge),
    spoiled: fault === "spoiled" || (fault === "all" && spec.constructed) ? spec.spoiled : undefined,
    foreignEvent: fault === "event" || (fault === "all" && spec.foreignEvent)
  }))
)

const TEXTS = {
  short: "",
  full: "#".repeat(SEND_TEXT_BYTES - 4),
  long: "#".repeat(SEND_TEXT_BYTES),
  wide: "é".repeat(40)
}

/** Each text is its own, so that it can be found again. */
const textOf = (spec: Spec, index: number): string => `${String(index).padStart(4, "0")}${TEXTS[spec.text]}`

type Loose = { readonly [key: string]: unknown }

const commandOf = (spec: Spec, index: number, event: IngressEvent.IngressEvent): Loose => {
  const url = URLS[spec.place] + (spec.huge && spec.place === "foreign" ? "a".repeat(PAYLOAD_BYTES) : "")
  const where = {
    url,
    ...(spec.ingress === undefined ? {} : { ingress_name: spec.ingress }),
    ...(spec.epoch === undefined ? {} : { epoch: spec.epoch })
  }
  const more = spec.huge ? "b".repeat(PAYLOAD_BYTES) : "b"
  const payload = {
    websocket_send: {
      ...where,
      ...(spec.binary ? { base64: Buffer.from(textOf(spec, index)).toString("base64") } : { text: textOf(spec, index) })
    },
    websocket_close: { ...where, code: 4000, reason: "enough" },
    diagnostic_status_update: { message: more, status: { index } },
    host_request_dispatch: { method: "GET", url: "https://example.com/", text: more }
  }[spec.kind]
  return {
    kind: spec.kind,
    payload,
    ...(spec.commandId === undefined ? {} : { command_id: spec.commandId }),
    ...(spec.foreignEvent ? { source_event_id: `${event.correlationId}0` } : { source_event_id: event.correlationId }),
    requested_at: "2026-01-01T00:00:00.000Z"
  }
}

const inPayload = (change: Loose) => (command: Loose) => ({
  ...command,
  payload: { ...(command["payload"] as Loose), ...change }
})

const without = (key: string) => (command: Loose) =>
  Object.fromEntries(Object.entries(command).filter(([k]) => k !== key))

/** Every way in which a command doesn't have its form. */
const SPOILERS: ReadonlyArray<(command: Loose) => unknown> = [
  () => null,
  () => undefined,
  () => 0,
  () => "websocket_send",
  () => true,
  () => [],
  () => ({}),
  () => () => "websocket_send",
  (command) => [command],
  (command) => JSON.stringify(command),
  without("kind"),
  without("payload"),
  (command) => ({ ...command, kind: "websocket_sendx" }),
  (command) => ({ ...command, kind: "__proto__" }),
  (command) => ({ ...command, kind: "toString" }),
  (command) => ({ ...command, kind: null }),
  (command) => ({ ...command, kind: ["websocket_send"] }),
  (command) => ({ ...command, payload: null }),
  (command) => ({ ...command, payload: [] }),
  (command) => ({ ...command, payload: "text" }),
  (command) => ({ ...command, extra: 1 }),
  (command) => ({ ...command, commandId: "a" }),
  (command) => ({ ...command, command_id: "" }),
  (command) => ({ ...command, command_id: "a b" }),
  (command) => ({ ...command, command_id: "a\n" }),
  (command) => ({ ...command, command_id: "x".repeat(129) }),
  (command) => ({ ...command, command_id: 1 }),
  (command) => ({ ...command, command_id: null }),
  (command) => ({ ...command, correlation_id: "é" }),
  (command) => ({ ...command, source_event_id: "" }),
  (command) => ({ ...command, requested_at: 1 })
]

const SPOILERS_OF: { readonly [Kind in Spec["kind"]]: ReadonlyArray<(command: Loose) => unknown> } = {
  websocket_send: [
    inPayload({ url: 1 }),
    inPayload({ text: undefined, base64: undefined }),
    inPayload({ text: "a", base64: "YQ==" }),
    ...["YQ=", "YQ", "YQ==\n", "Y Q==", "_-8=", "=YQ=", "Y===", "====", 1, null, ["YQ=="]].map((base64) =>
      inPayload({ text: undefined, base64 })
    ),
    inPayload({ text: 1 }),
    inPayload({ text: null }),
    inPayload({ text: ["a"] }),
    inPayload({ extra: 1 }),
    inPayload({ ingress_name: "" }),
    inPayload({ ingressName: "main" }),
    inPayload({ epoch: -1 }),
    inPayload({ epoch: 1.5 }),
    inPayload({ epoch: "1" }),
    inPayload({ epoch: "all" }),
    inPayload({ epoch: null })
  ],
  websocket_close: [
    inPayload({ code: 1001 }),
    inPayload({ code: 1005 }),
    inPayload({ code: 2999 }),
    inPayload({ code: 5000 }),
    inPayload({ code: "4000" }),
    inPayload({ reason: "é".repeat(62) }),
    inPayload({ text: "a" })
  ],
  diagnostic_status_update: [inPayload({ message: 1 }), inPayload({ extra: 1 })],
  host_request_dispatch: [inPayload({ method: 1 }), inPayload({ url: 1 })]
}

const valueOf = (spec: Spec, index: number, event: IngressEvent.WebSocketText): unknown => {
  const plain =
    spec.constructed &&
    spec.kind === "websocket_send" &&
    spec.place === "own" &&
    spec.ingress === undefined &&
    spec.epoch === undefined &&
    spec.commandId === undefined &&
    !spec.foreignEvent
  if (spec.spoiled === undefined)
    return plain ? OutputCommand.send(event, frameOf(textOf(spec, index), spec.binary)) : commandOf(spec, index, event)
  const spoilers = [...SPOILERS, ...SPOILERS_OF[spec.kind]]
  return spoilers[spec.spoiled % spoilers.length]?.(commandOf(spec, index, event))
}

/** The reference: the checks of CONTRACT.md in their order, over what the connections are. */
class Model {
  readonly sent: {
    own: Array<string>
    other: Array<string>
    rated: Array<string>
    main: Array<string>
    twin: Array<string>
  } = {
    own: [],
    other: [],
    rated: [],
    main: [],
    twin: []
  }
  readonly #closed = new Set<string>(["down"])

  verdict(spec: Spec, index: number): string {
    if (spec.spoiled !== undefined || spec.foreignEvent) return "CommandMalformed"
    if (this.#isTooLarge(spec, index)) return "CommandTooLarge"
    if (spec.kind === "host_request_dispatch") return "CommandUngranted"
    if (spec.kind === "diagnostic_status_update") return "recorded"
    const found = this.#find(spec)
    if (found === "CommandUngranted" || found === "AmbiguousConnection") return found
    const epoch = found === "down" ? 0 : 1
    if (typeof spec.epoch === "number" && spec.epoch !== epoch) return "StaleEpoch"
    if (spec.kind === "websocket_close") {
      this.#closed.add(found)
      return "executed"
    }
    if (found === "down" || this.#closed.has(found)) return "NotConnected"
    if (found === "rated" && this.sent.rated.length >= 2) return "SendRateLimited"
    this.sent[found].push(textOf(spec, index))
    return "executed"
  }

  #isTooLarge(spec: Spec, index: number): boolean {
    if (spec.kind === "websocket_send") {
      return Buffer.byteLength(textOf(spec, index)) > SEND_TEXT_BYTES || (spec.huge && spec.place === "foreign")
    }
    return spec.huge && (spec.kind !== "websocket_close" || spec.place === "foreign")
  }

  #find({ ingress, place }: Spec): keyof Model["sent"] | "down" | "CommandUngranted" | "AmbiguousConnection" {
    switch (place) {
      case "own":
      case "ownAgain":
      case "other":
      case "otherAgain":
      case "down":
      case "rated":
        if (ingress !== undefined && ingress !== "main") return "CommandUngranted"
        return place === "ownAgain" ? "own" : place === "otherAgain" ? "other" : place
      case "shared":
        if (ingress === "nowhere") return "CommandUngranted"
        return ingress ?? "AmbiguousConnection"
      default:
        return "CommandUngranted"
    }
  }
}

const KINDS = new Set([
  "websocket_send",
  "websocket_close",
  "websocket_reconnect",
  "timer_set",
  "timer_clear",
  "diagnostic_status_update",
  "host_request_dispatch"
])

const own = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, key) ? (value as Loose)[key] : undefined

const idOr = (value: unknown, key: string): string | undefined => {
  const id = own(value, key)
  return typeof id === "string" && ID.test(id) ? id : undefined
}

const thrower = (): never => {
  throw new Error("looked at")
}

/** What arrived, in texts and in bytes. */
const said = ({ sentFrames }: Remote.Remote) => sentFrames.map((frame) => Buffer.from(frame).toString())

describe("the commands of an answer", () => {
  it.effect.prop(
    "rule 7: one command, one result: in order, each with the verdict of the first check that it fails",
    { specs: either(list(Spec, 0, 16), list(Spec, 12, 16)) },
    ({ specs }) => {
      const given: Array<unknown> = []
      const events: Array<IngressEvent.IngressEvent> = []
      const answer: Answer = (event) => {
        events.push(event)
        for (const [index, spec] of specs.entries()) given.push(valueOf(spec, index, event))
        return Exit.succeed(given)
      }
      return talking(answer, LIMITS, ({ other, own: remote, rated }) =>
        Effect.gen(function* () {
          const fake = yield* FakeWebSocket.FakeWebSocket
          const row = yield* answered(remote)
          const model = new Model()
          const verdicts = specs.map((spec, index) => model.verdict(spec, index))
          const results = row.outputCommandResults
          assert.deepStrictEqual(tagsOf(results), verdicts)

          const id = events[0]?.correlationId ?? ""
          for (const [index, result] of results.entries()) {
            const value = given[index]
            const kind = own(value, "kind")
            const isError = !["executed", "recorded"].includes(verdicts[index] ?? "")
            assert.strictEqual(
              result.kind,
              typeof kind === "string" && KINDS.has(kind)
                ? kind
                : value instanceof OutputCommand.OutputCommand
                  ? "websocket_send"
                  : null
            )
            assert.strictEqual(result.sourceEventId, id)
            assert.strictEqual(result.correlationId, idOr(value, "correlation_id") ?? id)
            assert.match(result.commandId, ID)
            assert.strictEqual(result.commandId, idOr(value, "command_id") ?? result.commandId)
            const status = isError ? "rejected" : verdicts[index]
            assert.strictEqual(result.status, status)
            assert.strictEqual(result.error === undefined, !isError)
          }
          const filled = results.filter((_, index) => idOr(given[index], "command_id") === undefined)
          assert.strictEqual(new Set(filled.map(({ commandId }) => commandId)).size, filled.length)

          const shared = yield* fake.remotes(SHARED)
          assert.deepStrictEqual(said(remote), model.sent.own)
          assert.deepStrictEqual(said(other), model.sent.other)
          assert.deepStrictEqual(said(rated), model.sent.rated)
          assert.deepStrictEqual(
            new Set(shared.map((each) => said(each).join())),
            new Set([model.sent.main.join(), model.sent.twin.join()])
          )
          for (const { sent, sentFrames } of [remote, other, rated, ...shared]) {
            assert.deepStrictEqual(
              sent,
              sentFrames.filter((frame) => typeof frame === "string")
            )
            const isBinaryOf = specs.map(({ binary }) => binary)
            for (const frame of sentFrames) {
              const index = Number(Buffer.from(frame).toString().slice(0, 4))
              assert.strictEqual(typeof frame !== "string", isBinaryOf[index])
            }
          }
          for (const connection of row.websocketConnections.filter(({ url }) => url === at("shared"))) {
            const sent = connection.ingressName === "main" ? model.sent.main : model.sent.twin
            assert.strictEqual(connection.sentTextFrames + connection.sentBinaryFrames, sent.length)
          }
          const errors = verdicts.filter((verdict) => verdict !== "executed" && verdict !== "recorded")
          for (const tag of new Set(errors)) {
            assert.strictEqual(row.diagnosticCounts[tag], errors.filter((each) => each === tag).length)
          }
          assert.strictEqual(row.dispatchCounters.dispatched, 1)
        })
      )
    },
    { arbitrary: { runs: 300, size: 16 } }
  )

  it.effect("are all rejected when there are more than 16 of them, and nothing is sent", () => {
    const more = [null, { kind: "unknown", command_id: "a b" }]
    const given = Array.from({ length: 14 }, (_, index) => ({ ...send(OWN, "no"), command_id: `given-${index}` }))
    const answer: Answer = (event) => Exit.succeed([...given, OutputCommand.send(event, "no"), ...more])
    return talking(answer, {}, ({ own: remote }) =>
      Effect.gen(function* () {
        const row = yield* answered(remote)
        assert.deepStrictEqual(
          tagsOf(row.outputCommandResults),
          Array.from({ length: 17 }, () => "CommandsTooMany")
        )
        assert.deepStrictEqual(
          row.outputCommandResults.slice(0, 14).map(({ commandId }) => commandId),
          Array.from({ length: 14 }, (_, index) => `given-${index}`)
        )
        assert.deepStrictEqual(
          row.outputCommandResults.map(({ kind }) => kind),
          [...Array.from({ length: 15 }, () => "websocket_send"), null, null]
        )
        assert.isTrue(row.outputCommandResults.every(({ status }) => status === "rejected"))
        assert.strictEqual(row.diagnosticCounts["CommandsTooMany"], 17)
        assert.strictEqual(row.dispatchCounters.dispatched, 1)
        assert.deepStrictEqual(remote.sent, [])
      })
    )
  })

  it.effect("may be exactly 16", () =>
    talking(
      (event) => Exit.succeed(Array.from({ length: 16 }, (_, index) => OutputCommand.send(event, String(index)))),
      {},
      ({ own: remote }) =>
        Effect.gen(function* () {
          yield* answered(remote)
          assert.deepStrictEqual(
            remote.sent,
            Array.from({ length: 16 }, (_, index) => String(index))
          )
        })
    )
  )

  it.effect("may have a text and a payload of exactly the limit, and not a byte more", () => {
    const url = `${OWN}?${"q".repeat(80)}`
    const payload = JSON.stringify({ url: "", text: "" }).length
    const bytes = (count: number) => send("u".repeat(count - payload - 4), "text")
    const answer: Answer = () =>
      Exit.succeed([
        send(OWN, "a".repeat(500)),
        send(OWN, "a".repeat(501)),
        send(url, "é".repeat(250)),
        bytes(8692),
        bytes(8693)
      ])
    return talking(answer, { sendTextBytes: 500, commandPayloadBytes: 8692 }, ({ own: remote }) =>
      Effect.gen(function* () {
        const row = yield* answered(remote)
        assert.deepStrictEqual(tagsOf(row.outputCommandResults), [
          "executed",
          "CommandTooLarge",
          "CommandUngranted",
          "CommandUngranted",
          "CommandTooLarge"
        ])
      })
    )
  })

  it.effect("make the dispatch failed, without results, when the whole output is too large", () => {
    let size = 0
    const answer: Answer = (event) =>
      Exit.succeed([OutputCommand.send(event, "first"), send(OWN, "a".repeat(size)), OutputCommand.send(event, "last")])
    return talking(answer, SMALL_OUTPUT, ({ own: remote }) =>
      Effect.gen(function* () {
        size = 16_384
        const row = yield* answered(remote)
        assert.deepStrictEqual(row.outputCommandResults, [])
        assert.deepStrictEqual(remote.sent, [])
        assert.strictEqual(row.lastError?.tag, "OutputTooLarge")
        assert.strictEqual(row.dispatchCounters.failed, 1)
        assert.strictEqual(row.dispatchCounters.dispatched, 0)
        size = 8000
        const after = yield* answered(remote)
        assert.deepStrictEqual(tagsOf(after.outputCommandResults), ["executed", "executed", "executed"])
        assert.strictEqual(remote.sent.length, 3)
      })
    )
  })

  const much = "b".repeat(20_000)
  it.effect.each([
    ["the text", send(OWN, much)],
    ["the URL", send(`${OWN}?${much}`, "a")],
    ["an id", { ...send(OWN, "a"), command_id: much }],
    ["an unknown field", { ...send(OWN, "a"), extra: much }],
    ["an unknown field of the payload", send(OWN, "a", { extra: much })],
    ["an unknown key", { ...send(OWN, "a"), [much]: 1 }],
    ["a kind", { ...send(OWN, "a"), kind: much }],
    ["no command at all", much]
  ])("make the dispatch failed when the whole output is too large because of %s", ([, command]) =>
    talking(
      () => Exit.succeed([command]),
      SMALL_OUTPUT,
      ({ own: remote }) =>
        Effect.gen(function* () {
          const row = yield* answered(remote)
          assert.strictEqual(row.lastError?.tag, "OutputTooLarge")
          assert.deepStrictEqual(row.outputCommandResults, [])
        })
    )
  )

  it.effect("make the dispatch failed, without results, when they are no JSON", () => {
    const cyclic: { self?: unknown } = {}
    cyclic.self = cyclic
    const outputs = [[1n], [cyclic], [null, cyclic]]
    return talking(
      () => Exit.succeed(outputs.shift() ?? []),
      {},
      ({ own: remote }) =>
        Effect.gen(function* () {
          remote.sendBurst(["1", "2", "3"])
          yield* idle
          const row = yield* rowOf(REF)
          assert.strictEqual(row.dispatchCounters.failed, 3)
          assert.strictEqual(row.lastError?.tag, "OutputInvalid")
          assert.strictEqual(row.lifecycle, "running")
          assert.deepStrictEqual(row.outputCommandResults, [])
        })
    )
  })

  it.effect.each([
    [{ url: 1, ingressName: "main" }, "text"],
    [{ url: null, ingressName: "main" }, "text"],
    [{ url: undefined, ingressName: "main" }, "text"],
    [{ ingressName: "main" }, "text"],
    [{ url: {}, ingressName: "main" }, "text"],
    [{ url: Symbol("url"), ingressName: "main" }, "text"],
    [{ url: OWN, ingressName: 1 }, "text"],
    [OWN, null],
    [OWN, 1],
    [{ url: OWN, ingressName: "main" }, Symbol("text")]
  ])("are malformed, and no more than that, where JavaScript gave a constructor %o and %o", ([to, text]) => {
    let bad = true
    const answer: Answer = (event) => {
      const commands = [
        ...(bad ? [OutputCommand.send(to as OutputCommand.To, text as string)] : []),
        OutputCommand.send(event, "fine")
      ]
      bad = false
      return Exit.succeed(commands)
    }
    return talking(answer, {}, ({ own: remote }) =>
      Effect.gen(function* () {
        const row = yield* answered(remote)
        assert.deepStrictEqual(tagsOf(row.outputCommandResults), ["CommandMalformed", "executed"])
        yield* answered(remote)
        assert.deepStrictEqual(remote.sent, ["fine", "fine"])
      })
    )
  })

  const traps = Object.fromEntries(["get", "has", "ownKeys", "getOwnPropertyDescriptor"].map((trap) => [trap, thrower]))
  it.effect.each<readonly [string, unknown]>([
    [
      "an output with a getter",
      {
        ["accepted"]: true,
        get commands() {
          return thrower()
        }
      }
    ],
    ["an output that is a proxy", new Proxy({}, traps)],
    [
      "a status with a getter",
      {
        get status() {
          return thrower()
        }
      }
    ],
    ["a status that throws", { status: { toJSON: thrower } }],
    [
      "a command with a getter",
      {
        commands: [
          {
            kind: "websocket_send",
            get payload() {
              return thrower()
            }
          }
        ]
      }
    ],
    [
      "a kind with a getter",
      {
        commands: [
          {
            get kind() {
              return thrower()
            }
          }
        ]
      }
    ],
    ["a command that is a proxy", { commands: [new Proxy({}, traps)] }],
    ["a payload that is a proxy", { commands: [{ kind: "websocket_send", payload: new Proxy({}, traps) }] }],
    ["a list that is a proxy", { commands: new Proxy([], { get: thrower }) }]
  ])(
    "rule 10: cost the plugin one event or one crash, and no more, where %s throws when it is looked at",
    ([, output]) => {
      let bad = true
      const pkg = plugin({
        handlers: {
          gateway: {
            websocket_text: (event) => {
              const answer = bad ? output : { commands: [OutputCommand.send(event, "fine")] }
              bad = false
              return Exit.succeed(answer as PluginRuntime.Output)
            }
          }
        }
      })
      const enabled = [enable(pkg, { sources: { gateway: { reconnect: { initial_ms: 1, max_ms: 1 } } } })]
      return Effect.gen(function* () {
        const fake = yield* FakeWebSocket.FakeWebSocket
        const first = yield* fake.remote(GATEWAY)
        first.sendText("bad")
        yield* idle
        const row = yield* rowOf(refOf(pkg))
        assert.isUndefined(accountingProblem(row))
        assert.isNotNull(row.lastError)
        // It was either only that event, or the instance that starts again and dials anew.
        yield* TestClock.adjust("10 seconds")
        yield* idle
        const last = (yield* fake.remotes(GATEWAY)).at(-1)
        last?.sendText("good")
        yield* idle
        assert.deepStrictEqual(last?.sent, ["fine"])
      }).pipe(Effect.provide(onFake({ plugins: [pkg], enabled })))
    }
  )

  it.effect("leave no results when the handler fails or refuses the event", () => {
    const pkg = ServicePlugin.make({
      id: "test.refuses",
      version: "1.0.0",
      ingresses: { main: { sources: [OWN] } },
      websocket: [target],
      handlers: {
        main: {
          websocket_text: (event) => Exit.succeed({ accepted: false, commands: [OutputCommand.send(event, "no")] })
        }
      }
    })
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const remote = yield* fake.remote(OWN)
      remote.sendText("go")
      yield* idle
      const row = yield* rowOf(refOf(pkg))
      assert.deepStrictEqual(row.outputCommandResults, [])
      assert.deepStrictEqual(remote.sent, [])
      assert.strictEqual(row.lastError?.tag, "DispatchFailed")
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("are kept as results, the last 32 of them", () =>
    talking(
      (event) =>
        Exit.succeed(Array.from({ length: 10 }, (_, i) => ({ ...send(OWN, "x"), command_id: `${event.text}-${i}` }))),
      {},
      ({ own: remote }) =>
        Effect.gen(function* () {
          remote.sendBurst(["a", "b", "c", "d", "e"])
          yield* idle
          const row = yield* rowOf(REF)
          const all = ["a", "b", "c", "d", "e"].flatMap((text) => Array.from({ length: 10 }, (_, i) => `${text}-${i}`))
          assert.deepStrictEqual(
            row.outputCommandResults.map(({ commandId }) => commandId),
            all.slice(-32)
          )
        })
    )
  )

  it.effect("report a status, which stands in the plugin's row", () =>
    talking(
      () =>
        Exit.succeed([
          { kind: "diagnostic_status_update", payload: { status: { ready: true } } },
          { kind: "diagnostic_status_update", payload: { message: "hello", status: { ready: false } } }
        ]),
      {},
      ({ own: remote }) =>
        Effect.gen(function* () {
          const row = yield* answered(remote)
          assert.deepStrictEqual(tagsOf(row.outputCommandResults), ["recorded", "recorded"])
          assert.deepStrictEqual(row.reportedStatus, { message: "hello", status: { ready: false } })
        })
    )
  )
})

// ---------------------------------------------------------------------------------------------------------------------

type Step =
  /** The server sends a text; the handler answers, late, with a text for a connection. */
  | { readonly kind: "text"; readonly from: 0 | 1; readonly to: 0 | 1; readonly epoch: number | "any" | undefined }
  | { readonly kind: "break"; readonly which: 0 | 1 }
  | { readonly kind: "reconnect" | "release" }

const either01 = oneOf<0 | 1>(0, 1)
const Step: Arbitrary.Arbitrary<Step> = either<Step>(
  Arbitrary.all({
    kind: oneOf("text"),
    from: either01,
    to: either01,
    epoch: either<number | "any" | undefined>(
      Arbitrary.Constant(undefined),
      Arbitrary.Constant("any"),
      int(0, 4),
      int(1, 2)
    )
  }),
  Arbitrary.all({ kind: oneOf("break"), which: either01 }),
  Arbitrary.all({ kind: oneOf("reconnect", "release") })
)

const PAIR = [OWN, OTHER] as const

/** The epoch of each of the two connections as their server sees it, 0 where it isn't open. */
const epochs = Effect.gen(function* () {
  const fake = yield* FakeWebSocket.FakeWebSocket
  return yield* Effect.forEach(PAIR, (url) =>
    Effect.map(fake.remotes(url), (remotes) => ({ epoch: remotes.length, open: remotes.at(-1)?.isOpen === true }))
  )
})

interface Seen {
  readonly text: string
  readonly from: number
  readonly to: number
  readonly epoch: number | "any" | undefined
  readonly ofEvent: number
  readonly atBegin: number
  atEnd: { readonly epoch: number; readonly open: boolean }
}

/** Rule 8 as it stands in DESIGN.md: whether the answer may reach the connection as it is when it is executed. */
const mayReach = ({ atBegin, atEnd, epoch, from, ofEvent, to }: Seen): boolean => {
  if (!atEnd.open) return false
  if (epoch === "any") return true
  return atEnd.epoch === (epoch ?? (from === to ? ofEvent : atBegin))
}

describe("an answer that comes late", () => {
  it.effect.prop(
    "rule 8: never to the wrong session: a text reaches only the epoch that it is for",
    { steps: either(list(Step, 0, 24), list(Step, 16, 32)) },
    ({ steps }) => {
      const gate = Effect.runSync(Queue.unbounded<void>())
      const seen: Array<Seen> = []
      const plans = new Map<string, Extract<Step, { readonly kind: "text" }>>()
      let look: Effect.Effect<ReadonlyArray<{ readonly epoch: number; readonly open: boolean }>> = Effect.succeed([])
      const answer: Answer = (event) =>
        Effect.gen(function* () {
          const plan = plans.get(event.text)
          if (plan === undefined) return yield* Effect.die(new Error("no plan"))
          const none = { epoch: 0, open: false }
          const begin = (yield* look)[plan.to] ?? none
          const entry: Seen = { ...plan, text: event.text, ofEvent: event.epoch, atBegin: begin.epoch, atEnd: none }
          seen.push(entry)
          yield* Queue.take(gate)
          entry.atEnd = (yield* look)[plan.to] ?? none
          const epoch = plan.epoch === undefined ? {} : { epoch: plan.epoch }
          return [send(PAIR[plan.to], event.text, epoch)]
        })
      return talking(answer, { dispatchDeadlineMs: DAY }, () =>
        Effect.gen(function* () {
          const fake = yield* FakeWebSocket.FakeWebSocket
          look = Effect.provideService(epochs, FakeWebSocket.FakeWebSocket, fake)
          const reconnected = Effect.gen(function* () {
            while ((yield* look).some(({ open }) => !open)) {
              yield* TestClock.adjust(5)
              yield* Effect.yieldNow
            }
          })
          for (const [index, step] of steps.entries()) {
            switch (step.kind) {
              case "text": {
                const text = `text-${index}`
                plans.set(text, step)
                const remote = (yield* fake.remotes(PAIR[step.from])).at(-1)
                remote?.sendText(text)
                break
              }
              case "break": {
                const remote = (yield* fake.remotes(PAIR[step.which])).at(-1)
                remote?.breakOff()
                break
              }
              case "reconnect":
                yield* reconnected
                break
              case "release":
                yield* Queue.offer(gate, undefined)
            }
            for (let turn = 0; turn < 4; turn++) yield* Effect.yieldNow
          }
          yield* reconnected
          yield* Queue.offerAll(
            gate,
            Array.from({ length: steps.length }, () => undefined)
          )
          yield* idle

          const expected = PAIR.map((_, to) => {
            const reached = seen.filter((entry) => entry.to === to && mayReach(entry))
            return (epoch: number) => reached.filter(({ atEnd }) => atEnd.epoch === epoch).map(({ text }) => text)
          })
          for (const [to, url] of PAIR.entries()) {
            for (const [index, remote] of (yield* fake.remotes(url)).entries()) {
              assert.deepStrictEqual(remote.sent, expected[to]?.(index + 1), `${url} at epoch ${index + 1}`)
            }
          }
          const row = yield* rowOf(REF)
          assert.isUndefined(accountingProblem(row))
          assert.strictEqual(row.dispatchCounters.dispatched, seen.length)
          assert.deepStrictEqual(
            tagsOf(row.outputCommandResults),
            seen
              .map((entry) => {
                if (mayReach(entry)) return "executed"
                return mayReach({ ...entry, atEnd: { ...entry.atEnd, open: true } }) ? "NotConnected" : "StaleEpoch"
              })
              .slice(-32)
          )
        })
      )
    },
    { arbitrary: { runs: 300, size: 24 } }
  )
})

// ---------------------------------------------------------------------------------------------------------------------

describe("two connections with the same URL", () => {
  const sharedOf = Effect.gen(function* () {
    const row = yield* rowOf(REF)
    const rows = row.websocketConnections.filter(({ url }) => url === at("shared"))
    return Object.fromEntries(rows.map(({ ingressName, sentTextFrames }) => [ingressName, sentTextFrames]))
  })

  it.effect("are told apart by ingress_name, else the command is refused", () =>
    talking(
      () =>
        Exit.succeed([
          send(SHARED, "?"),
          send(SHARED, "1", { ingress_name: "twin" }),
          send(SHARED, "2", { ingress_name: "main" }),
          send(SHARED, "3", { ingress_name: "twin" }),
          send(SHARED, "?", { ingress_name: "other" }),
          send(SHARED, "?", { epoch: 9 })
        ]),
      {},
      ({ own: remote }) =>
        Effect.gen(function* () {
          const row = yield* answered(remote)
          assert.deepStrictEqual(tagsOf(row.outputCommandResults), [
            "AmbiguousConnection",
            "executed",
            "executed",
            "executed",
            "CommandUngranted",
            "AmbiguousConnection"
          ])
          assert.deepStrictEqual(yield* sharedOf, { main: 1, twin: 2 })
          const { sent } =
            (yield* (yield* FakeWebSocket.FakeWebSocket).remotes(SHARED)).find(({ sent: [first] }) => first === "1") ??
            {}
          assert.deepStrictEqual(sent, ["1", "3"])
        })
    )
  )

  it.effect("are told apart by where the event came from, unless ingress_name says otherwise", () =>
    talking(
      (event) =>
        Exit.succeed([
          send(SHARED, event.ingressName),
          send("WS://127.0.0.1:7700/shared?room=1", event.ingressName),
          OutputCommand.send(event, event.ingressName),
          send(SHARED, "across", { ingress_name: event.ingressName === "main" ? "twin" : "main" })
        ]),
      {},
      () =>
        Effect.gen(function* () {
          const remotes = yield* (yield* FakeWebSocket.FakeWebSocket).remotes(SHARED)
          for (const remote of remotes) {
            remote.sendText("go")
            yield* idle
          }
          const row = yield* rowOf(REF)
          assert.deepStrictEqual(
            tagsOf(row.outputCommandResults),
            Array.from({ length: 8 }, () => "executed")
          )
          assert.deepStrictEqual(yield* sharedOf, { main: 4, twin: 4 })
          assert.deepStrictEqual(
            new Set(remotes.map(({ sent }) => [...new Set(sent)].toSorted().join())),
            new Set(["across,main", "across,twin"])
          )
          for (const { sent } of remotes) assert.strictEqual(sent.filter((text) => text === "across").length, 1)
        })
    )
  )
})

describe("what is sent", () => {
  it.effect("is refused while the peer doesn't take what waits for it, and goes on when it does", () => {
    const texts = ["a".repeat(600), "b".repeat(424), "c", "d".repeat(600)]
    return talking(
      () => Exit.succeed([send(OWN, texts.shift() ?? "")]),
      { sendBufferBytes: 1024, sendTextBytes: 1024 },
      ({ own: remote }) =>
        Effect.gen(function* () {
          remote.stopDraining()
          for (const verdict of ["executed", "executed", "SendBufferFull"]) {
            const row = yield* answered(remote)
            assert.strictEqual(tagsOf(row.outputCommandResults).at(-1), verdict)
          }
          assert.strictEqual((yield* rowOf(REF)).websocketConnections[0]?.bufferedBytes, 1024)
          remote.drain()
          const row = yield* answered(remote)
          assert.strictEqual(tagsOf(row.outputCommandResults).at(-1), "executed")
          assert.deepStrictEqual(
            remote.sent.map((text) => text.slice(0, 1)),
            ["a", "b", "d"]
          )
          assert.strictEqual(row.diagnosticCounts["SendBufferFull"], 1)
        })
    )
  })

  it.effect("is bounded in bytes of UTF-8, not in characters", () =>
    talking(
      () => Exit.succeed(["é".repeat(256), "é".repeat(257), "é".repeat(256), "x"].map((text) => send(OWN, text))),
      { sendBufferBytes: 1024, sendTextBytes: 1024 },
      ({ own: remote }) =>
        Effect.gen(function* () {
          remote.stopDraining()
          const row = yield* answered(remote)
          assert.deepStrictEqual(tagsOf(row.outputCommandResults), [
            "executed",
            "SendBufferFull",
            "executed",
            "SendBufferFull"
          ])
          remote.drain()
        })
    )
  )

  it.effect("is limited to what the grant says a minute, and refilled evenly", () =>
    talking(
      () => Exit.succeed([send(RATED, "1"), send(RATED, "2"), send(RATED, "3")]),
      { dispatchDeadlineMs: DAY },
      ({ own: remote, rated }) =>
        Effect.gen(function* () {
          const last = Effect.map(answered(remote), (row) => tagsOf(row.outputCommandResults).slice(-3))
          const [ok, over] = ["executed", "SendRateLimited"]
          assert.deepStrictEqual(yield* last, [ok, ok, over])
          yield* TestClock.adjust("29 seconds")
          assert.deepStrictEqual(yield* last, [over, over, over])
          yield* TestClock.adjust("1 seconds")
          assert.deepStrictEqual(yield* last, [ok, over, over])
          yield* TestClock.adjust("2 hours")
          assert.deepStrictEqual(yield* last, [ok, ok, over])
          assert.strictEqual(rated.sent.length, 5)
        })
    )
  )

  it.effect("is limited in bytes a minute too", () => {
    const pkg = talker(() => Exit.succeed([send(OWN, "é".repeat(50)), send(OWN, "x"), send(OWN, "x")]))
    const enabled = enable(pkg)
    const websocket = [{ ...target, sendBytesPerMinute: 101 }]
    const limited = { ...enabled, grants: { ...enabled.grants, websocket } }
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const row = yield* answered(yield* fake.remote(OWN))
      assert.deepStrictEqual(tagsOf(row.outputCommandResults), ["executed", "executed", "SendRateLimited"])
    }).pipe(Effect.provide(onFake({ plugins: [pkg], enabled: [limited] })))
  })

  it.effect("is refused for the rate before it is refused for the buffer", () =>
    talking(
      () =>
        Exit.succeed([
          send(RATED, "a".repeat(1000)),
          send(RATED, "b".repeat(100)),
          send(RATED, "c"),
          send(RATED, "d".repeat(100))
        ]),
      { sendBufferBytes: 1024, sendTextBytes: 1024 },
      ({ own: remote, rated }) =>
        Effect.gen(function* () {
          rated.stopDraining()
          const row = yield* answered(remote)
          const [first, second, , last] = tagsOf(row.outputCommandResults)
          assert.deepStrictEqual([first, second, last], ["executed", "SendBufferFull", "SendRateLimited"])
          rated.drain()
        })
    )
  )

  it.effect("stays in order over several answers and connections", () =>
    talking(
      (event) => Exit.succeed(["a", "b"].flatMap((x) => [send(OWN, event.text + x), send(OTHER, event.text + x)])),
      {},
      ({ other, own: remote }) =>
        Effect.gen(function* () {
          const texts = Array.from({ length: 50 }, (_, index) => String(index))
          remote.sendBurst(texts)
          yield* idle
          const all = texts.flatMap((text) => [`${text}a`, `${text}b`])
          assert.deepStrictEqual(remote.sent, all)
          assert.deepStrictEqual(other.sent, all)
        })
    )
  )

  it.effect("goes nowhere after the same answer has closed the connection", () =>
    talking(
      (event) =>
        Exit.succeed([
          OutputCommand.send(event, "before"),
          OutputCommand.close(event, { code: 4001, reason: "bye" }),
          OutputCommand.send(event, "after"),
          OutputCommand.close(event)
        ]),
      {},
      ({ own: remote }) =>
        Effect.gen(function* () {
          const row = yield* answered(remote)
          assert.deepStrictEqual(tagsOf(row.outputCommandResults), ["executed", "executed", "NotConnected", "executed"])
          assert.deepStrictEqual(remote.sent, ["before"])
          assert.strictEqual(row.websocketConnections[0]?.state, "stopped")
          assert.strictEqual(row.websocketConnections[0]?.stopReason, "plugin")
        })
    )
  )
})
