import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { CommandResult, Limits, OutputCommand } from "mooring"
import { RequestsTooMany } from "../../src/commands/RequestRefusal.ts"
import { bool, either, int, list, maybe, oneOf } from "../support/arbitraries.ts"
import * as SocketUrl from "../../src/manifest/SocketUrl.ts"
import { destination, eventOf, executing, NOW, verdicts, type FakeDestination, type Setup } from "./support/executor.ts"

const OWN = "ws://127.0.0.1:7700/own"
const OTHER = "ws://127.0.0.1:7700/other?room=1"

const command = (kind: string, payload: object, more: object = {}) => ({ kind, payload, ...more })
const send = (payload: object, more?: object) => command("websocket_send", { text: "hi", ...payload }, more)

const own = (change = {}) => destination("main", OWN, change)
const other = (change = {}) => destination("main", OTHER, change)

// ---------------------------------------------------------------------------------------------------------------------

/** What can be wrong with a command, in the order of CONTRACT.md. */
const FAULTS = [
  "CommandsTooMany",
  "CommandMalformed",
  "CommandTooLarge",
  "CommandUnsupported",
  "CommandUngranted",
  "AmbiguousConnection",
  "StaleEpoch",
  "NotConnected",
  "SendRateLimited",
  "SendBufferFull",
  "RequestsTooMany",
  "ReconnectDenied",
  "TimerLimit"
] as const
type Fault = (typeof FAULTS)[number]

const CONNECTION = ["CommandUngranted", "AmbiguousConnection", "StaleEpoch"] as const
const ANY = ["CommandsTooMany", "CommandMalformed", "CommandTooLarge"] as const

/** A kind of command, what can be wrong with it, and its payload. */
const KINDS: ReadonlyArray<readonly [kind: string, faults: ReadonlyArray<Fault>, payload: object, well: string]> = [
  [
    "websocket_send",
    [...ANY, ...CONNECTION, "NotConnected", "SendRateLimited", "SendBufferFull"],
    { url: OTHER, text: "hello" },
    "executed"
  ],
  [
    "websocket_send",
    [...ANY, ...CONNECTION, "NotConnected", "SendRateLimited", "SendBufferFull"],
    { url: OTHER, base64: "aGVsbG8=" },
    "executed"
  ],
  ["websocket_close", [...ANY, ...CONNECTION], { url: OTHER }, "executed"],
  ["websocket_reconnect", [...ANY, ...CONNECTION, "ReconnectDenied"], { url: OTHER }, "executed"],
  ["timer_set", [...ANY, ...CONNECTION, "TimerLimit"], { name: "t", after_ms: 100, url: OTHER }, "executed"],
  ["timer_set", [...ANY, "CommandUngranted", "TimerLimit"], { name: "t", after_ms: 100 }, "executed"],
  ["timer_clear", ANY, { name: "t" }, "executed"],
  ["diagnostic_status_update", ANY, { message: "m" }, "recorded"],
  [
    "host_request_dispatch",
    [...ANY, "CommandUngranted", "RequestsTooMany"],
    { method: "GET", url: "https://h/a-path-of-some-length" },
    "executed"
  ]
]

const subsets = <A>(all: ReadonlyArray<A>): ReadonlyArray<ReadonlySet<A>> =>
  Array.from({ length: 2 ** all.length }, (_, bits) => new Set(all.filter((_each, index) => (bits >> index) % 2 === 1)))

/** What one command meets that has all of these faults. */
const met = (kind: string, payload: object, faults: ReadonlySet<Fault>): string | undefined => {
  const has = (fault: Fault) => faults.has(fault)
  const change = {
    covered: !has("CommandUngranted"),
    mayDial: () => !has("CommandUngranted"),
    denial: () => (has("ReconnectDenied") ? ("http" as const) : undefined),
    state: has("NotConnected") ? ("waiting" as const) : ("open" as const),
    bufferedBytes: has("SendBufferFull") ? 1024 : 0,
    epochSince: has("StaleEpoch") ? 1 : 0
  }
  const from = own()
  const twins = has("AmbiguousConnection") ? [destination("twin", OTHER, change)] : []
  const setup: Setup = {
    destinations: [from, other(change), ...twins],
    limits: { sendBufferBytes: 1024, ...(has("CommandTooLarge") ? { sendTextBytes: 4, commandPayloadBytes: 4 } : {}) },
    ingresses: has("CommandUngranted") ? [] : ["main"],
    timers: has("TimerLimit") ? 0 : 8,
    requested: has("CommandUngranted") ? [] : ["GET"],
    refusal: has("RequestsTooMany") ? new RequestsTooMany({ limit: 1, retryAfterMs: 1 }) : undefined,
    ...(has("SendRateLimited") ? { rate: { sendBytesPerMinute: 1 } } : {})
  }
  const more = has("CommandMalformed") ? { extra: 1 } : {}
  const before = has("CommandsTooMany") ? Array.from({ length: 16 }, () => command("timer_clear", { name: "x" })) : []
  return verdicts(executing(setup).run(eventOf(from), [...before, command(kind, payload, more)])).at(-1)
}

describe("the checks of a command", () => {
  it.each(KINDS)(
    "%s: of all that may be wrong with it, the first in the order is said (%s)",
    (kind, faults, payload, well) => {
      for (const some of subsets(faults)) {
        const expected = FAULTS.find((fault) => some.has(fault)) ?? well
        assert.strictEqual(met(kind, payload, some), expected, [...some].join(", "))
      }
    }
  )

  it("say of all commands of an output with too many of them that there are too many", () => {
    const test = executing({ destinations: [own()], limits: { commandsPerOutput: 3 } })
    const from = own()
    const four = Array.from({ length: 4 }, () => send({ url: OWN }))
    assert.deepStrictEqual(
      verdicts(test.run(eventOf(from), four)),
      four.map(() => "CommandsTooMany")
    )
    assert.deepStrictEqual(test.rejected[0]?.[0], test.rejected[3]?.[0])
    assert.deepInclude(test.rejected[0]?.[0], { count: 4, limit: 3 })
    assert.deepStrictEqual(verdicts(test.run(eventOf(from), four.slice(1))), ["executed", "executed", "executed"])
  })

  it("take no id of another event", () => {
    const test = executing({ destinations: [own()] })
    const [mine, foreign] = ["run-0-0.7", "run-0-0.8"].map((id) => send({ url: OWN }, { source_event_id: id }))
    assert.deepStrictEqual(verdicts(test.run(eventOf(own()), [mine, foreign])), ["executed", "CommandMalformed"])
    assert.deepInclude(test.rejected[0]?.[0], {
      problems: [{ path: "source_event_id", message: "Expected the correlation_id of the event that is answered" }]
    })
  })
})

// ---------------------------------------------------------------------------------------------------------------------

/** Sends of so many bytes, in both forms. */
const sendsOf = (length: number) => [
  command("websocket_send", { url: OWN, base64: Buffer.alloc(length, 0xff).toString("base64") }),
  OutputCommand.send({ url: OWN, ingressName: "main" }, new Uint8Array(length).fill(0xff))
]

const nearlyFull = () => executing({ destinations: [own({ bufferedBytes: 10 })], limits: { sendBufferBytes: 64 } })

const sizes = (limits: Partial<Limits.Values>, ...commands: ReadonlyArray<unknown>) => {
  const test = executing({ destinations: [own()], limits })
  return { verdicts: verdicts(test.run(eventOf(own()), commands)), test }
}

describe("the size of a command", () => {
  it.each([
    ["one byte", "x", 64],
    ["two bytes", "é", 32],
    ["three bytes", "€", 21],
    ["four bytes", "\u{1f600}", 16]
  ])("rule 3: counts a text in bytes of UTF-8: characters of %s", (_, character, most) => {
    const text = character.repeat(most)
    const { test, verdicts: said } = sizes(
      { sendTextBytes: 64 },
      send({ url: OWN, text }),
      send({ url: OWN, text: `${text}x` }),
      send({ url: OWN, text: `${text}${"x".repeat(64 - Buffer.byteLength(text))}` })
    )
    const over = Buffer.byteLength(text) + 1 > 64
    assert.deepStrictEqual(said, ["executed", over ? "CommandTooLarge" : "executed", "executed"])
    if (over) assert.deepInclude(test.rejected[0]?.[0], { what: "text", bytes: Buffer.byteLength(text) + 1, limit: 64 })
  })

  it("rule 3: counts bytes as they are, on the wire and made by the constructor, against limit and buffer", () => {
    const { test, verdicts: said } = sizes({ sendTextBytes: 64 }, ...sendsOf(64), ...sendsOf(65))
    assert.deepStrictEqual(said, ["executed", "executed", "CommandTooLarge", "CommandTooLarge"])
    const what = { what: "bytes", bytes: 65, limit: 64, message: "the binary frame has 65 bytes, 64 are allowed" }
    for (const [error] of test.rejected) assert.deepInclude(error, what)
    assert.deepStrictEqual(verdicts(nearlyFull().run(eventOf(own()), sendsOf(54))), ["executed", "executed"])
    assert.deepStrictEqual(verdicts(nearlyFull().run(eventOf(own()), sendsOf(55))), [
      "SendBufferFull",
      "SendBufferFull"
    ])
  })

  it("lets a text be as large as its limit says, whatever JSON would make of it, with a URL of any length", () => {
    const long = `ws://127.0.0.1:7700/${"a".repeat(8000)}`
    const destinations = [own(), destination("main", long)]
    const most = Limits.defaults.sendTextBytes
    for (const character of ["x", '"', "\\", "\n", "\u0001", "é", "\u{1f600}"]) {
      const text = character.repeat(most / Buffer.byteLength(character))
      const test = executing({ destinations, limits: { sendBufferBytes: most } })
      const commands = [send({ url: long, text }), OutputCommand.send({ url: long, ingressName: "main" }, text)]
      assert.deepStrictEqual(verdicts(test.run(eventOf(own()), commands)), ["executed", "executed"], character)
    }
  })

  it("counts what is around a text as JSON, and the text by its bytes", () => {
    const around = Buffer.byteLength(JSON.stringify({ url: OWN, ingress_name: "main", epoch: 1, text: "" }))
    for (const text of ["", "x".repeat(500), '"'.repeat(500), "é\u{1f600}"]) {
      const bytes = around + Buffer.byteLength(text)
      const given = send({ url: OWN, ingress_name: "main", epoch: 1, text })
      const limits = { commandPayloadBytes: bytes }
      assert.deepStrictEqual(sizes(limits, given).verdicts, ["executed"])
      const { test } = sizes({ commandPayloadBytes: bytes - 1 }, given)
      assert.deepInclude(test.rejected[0]?.[0], { what: "payload", bytes, limit: bytes - 1 })
    }
  })

  it.each([
    ["websocket_close", { url: OWN, code: 4000, reason: '"é"' }],
    ["websocket_reconnect", { url: OWN, dial_url: "ws://127.0.0.1:7700/own/é" }],
    ["timer_set", { name: "beat", after_ms: 100, every_ms: 1000, url: OWN }],
    ["timer_clear", { name: "beat" }],
    ["diagnostic_status_update", { message: "é", status: { a: ['"'] } }]
  ])("counts the payload of %s as it stands on the wire", (kind, payload) => {
    const bytes = Buffer.byteLength(JSON.stringify(payload))
    const given = command(kind, payload)
    assert.notInclude(sizes({ commandPayloadBytes: bytes }, given).verdicts, "CommandTooLarge")
    const { test } = sizes({ commandPayloadBytes: bytes - 1 }, given)
    assert.deepInclude(test.rejected[0]?.[0], { what: "payload", bytes, limit: bytes - 1 })
  })

  it("bounds a status by its own limit, as JSON", () => {
    for (const payload of [{ status: "é".repeat(10) }, { message: "m", status: [1] }, { message: '"' }, {}]) {
      const { message, status = null } = { message: undefined, ...payload } as {
        message?: string
        status?: Schema.Json
      }
      const report = JSON.stringify(message === undefined ? status : { message, status })
      const limit = Buffer.byteLength(report)
      const given = command("diagnostic_status_update", payload)
      const well = sizes({ reportedStatusBytes: limit }, given)
      assert.deepStrictEqual([well.verdicts, well.test.reported], [["recorded"], [report]])
      const { test, verdicts: said } = sizes({ reportedStatusBytes: limit - 1 }, given)
      assert.deepStrictEqual([said, test.reported], [["CommandTooLarge"], []])
      assert.deepInclude(test.rejected[0]?.[0], { what: "status", bytes: limit, limit: limit - 1 })
    }
  })
})

// ---------------------------------------------------------------------------------------------------------------------

interface Addressing {
  readonly sources: ReadonlyArray<{ readonly ingress: string; readonly url: string; readonly covered: boolean }>
  readonly from: number
  readonly to: string
  readonly ingressName: string | undefined
}

const SPELLINGS = [
  "ws://127.0.0.1:7700/own",
  "WS://127.1:07700/own",
  "ws://127.0.0.1:7700/own?q",
  "ws://127.0.0.1:7700/other",
  "ws://127.0.0.1:7700/a/../own",
  "nonsense"
] as const
const INGRESSES = ["main", "twin", "third"] as const

const Addressing: Arbitrary.Arbitrary<Addressing> = Arbitrary.all({
  sources: list(Arbitrary.all({ ingress: oneOf(...INGRESSES), url: oneOf(...SPELLINGS), covered: bool }), 0, 6),
  from: int(-1, 5),
  to: either<number | string>(oneOf<string>(...SPELLINGS, "ws://elsewhere/", "0badc0de"), int(0, 5)),
  ingressName: either<string | undefined>(Arbitrary.Constant(undefined), oneOf<string>(...INGRESSES, "nowhere"))
}).pipe(
  Arbitrary.map(({ to, ...rest }) => {
    // A canonical URL is there once in an ingress.
    const seen = new Set<string>()
    const sources = rest.sources.filter(({ ingress, url }) => {
      const key = `${ingress} ${destination(ingress, url).connection.source.canonical}`
      return !seen.has(key) && seen.add(key)
    })
    const named = typeof to === "number" ? sources[to % Math.max(1, sources.length)] : undefined
    const name =
      typeof to === "string"
        ? to
        : named === undefined
          ? ""
          : destination(named.ingress, named.url).connection.source.id
    return { ...rest, sources, to: name }
  })
)

/** Where a send goes by the words of CONTRACT.md: the place of its destination, or what is wrong. */
const meant = ({ from, ingressName, sources, to }: Addressing): number | string => {
  const all = sources.map(({ ingress, url }) => destination(ingress, url).connection.source)
  const canonical = destination("x", to).connection.source.canonical
  const fits = (source: (typeof all)[number], place: number) =>
    (ingressName === undefined || source.ingress === ingressName) &&
    (source.id === to || source.url === to || (canonical !== null && source.canonical === canonical)) &&
    place >= 0
  const asWritten = all.findIndex((source, place) => place === from && source.url === to && fits(source, place))
  if (asWritten >= 0) return sources[asWritten]?.covered === true ? asWritten : "CommandUngranted"
  const found = all.flatMap((source, place) => (fits(source, place) ? [place] : []))
  const granted = found.filter((place) => sources[place]?.covered === true)
  if (granted.length === 0) return "CommandUngranted"
  if (granted.length === 1) return granted[0] ?? ""
  return granted.includes(from) ? from : "AmbiguousConnection"
}

describe("the connection that a command means", () => {
  it.effect.prop(
    "is found by its URL in any spelling or its id, in the event's own connection, the named ingress, or the only one granted",
    { addressing: Addressing },
    ({ addressing }) =>
      Effect.sync(() => {
        const { from, ingressName, sources, to } = addressing
        const destinations = sources.map(({ covered, ingress, url }) => destination(ingress, url, { covered }))
        const test = executing({ destinations })
        const event = eventOf(destinations[from] ?? "main")
        const where = ingressName === undefined ? {} : { ingress_name: ingressName }
        const [said] = verdicts(test.run(event, [send({ url: to, epoch: "any", ...where })]))
        const sentTo = destinations.findIndex(({ connection }) => connection.asked.length > 0)
        assert.deepStrictEqual(said === "executed" ? sentTo : said, meant(addressing))
      }),
    { arbitrary: { runs: 3000 } }
  )

  it("is named as the source that is meant, in what is said and counted of it", () => {
    const [a, b] = [destination("main", OTHER, { covered: false }), destination("twin", OWN, { state: "waiting" })]
    const test = executing({ destinations: [own(), a, b] })
    test.run(eventOf(own()), [
      send({ url: OTHER }),
      send({ url: OWN, ingress_name: "twin" }),
      send({ url: b.connection.source.id }),
      send({ url: "wss://[2001:db8::1]/secret?token=1" }),
      send({ url: "ws://example.com:81/a" }),
      send({ url: "a secret" }),
      send({ url: OWN, ingress_name: "nowhere" })
    ])
    assert.deepStrictEqual(
      test.rejected.map(([error, id]) => [error._tag, "url" in error ? error.url : "", id]),
      [
        ["CommandUngranted", "ws://127.0.0.1:7700/other", a.connection.source.id],
        ["NotConnected", OWN, b.connection.source.id],
        ["NotConnected", OWN, b.connection.source.id],
        ["CommandUngranted", "wss://[2001:db8::1]:443", null],
        ["CommandUngranted", "ws://example.com:81", null],
        ["CommandUngranted", "what is not a URL", null],
        ["CommandUngranted", "ws://127.0.0.1:7700", null]
      ]
    )
    assert.deepInclude(test.rejected[0]?.[0], { problem: "no grant" })
    assert.deepInclude(test.rejected[3]?.[0], { problem: "no source" })
  })

  it("is looked for where the event's own source isn't there any more", () => {
    const there = destination("twin", OWN)
    const test = executing({ destinations: [there] })
    assert.deepStrictEqual(verdicts(test.run(eventOf(own()), [send({ url: OWN })])), ["executed"])
    assert.lengthOf(there.connection.asked, 1)
  })

  it("is one of several: the error names some of their ingresses", () => {
    const twins = Array.from({ length: 12 }, (_, index) => destination(`i${index}`, OTHER))
    const test = executing({ destinations: [...twins, destination("denied", OTHER, { covered: false })] })
    test.run(eventOf(own()), [send({ url: OTHER })])
    assert.deepInclude(test.rejected[0]?.[0], {
      _tag: "AmbiguousConnection",
      url: "ws://127.0.0.1:7700/other",
      ingresses: Array.from({ length: 8 }, (_, index) => `i${index}`)
    })
    assert.isNull(test.rejected[0]?.[1])
  })

  it("may be named by its id in every command that has a URL", () => {
    const there = other()
    const { id } = there.connection.source
    const test = executing({ destinations: [own(), there] })
    const said = test.run(eventOf(own()), [
      send({ url: id }),
      command("websocket_close", { url: id, code: 4000, reason: "enough" }),
      command("websocket_reconnect", { url: id }),
      command("timer_set", { name: "t", after_ms: 100, url: id })
    ])
    assert.deepStrictEqual(verdicts(said), ["executed", "executed", "executed", "executed"])
    assert.deepStrictEqual(there.connection.asked, [
      ["send", "hi"],
      ["close", 4000, "enough"],
      ["reconnect", 1001, undefined]
    ])
    assert.strictEqual(test.set[0]?.[1].destination, there)
  })

  it("is looked up: 20,000 sources cost a command no more than two", () => {
    let looks = 0
    const counted = (url: string): FakeDestination => {
      const made = destination("main", url)
      const { source } = made.connection
      Object.defineProperty(made.connection, "source", { get: () => (looks++, source) })
      return made
    }
    const costOf = (count: number): number => {
      const destinations = Array.from({ length: count }, (_, index) => counted(`ws://127.0.0.1:7700/${index}`))
      const test = executing({ destinations })
      const event = eventOf(destinations[0] ?? own())
      looks = 0
      test.run(event, [
        send({ url: "ws://127.0.0.1:7700/0" }),
        send({ url: "ws://127.0.0.1:7700/1" }),
        send({ url: "ws://127.1:7700/1", ingress_name: "main" }),
        send({ url: "ws://127.0.0.1:7700/nowhere" }),
        OutputCommand.send({ url: "ws://127.0.0.1:7700/0", ingressName: "main" }, "text")
      ])
      return looks
    }
    assert.strictEqual(costOf(20_000), costOf(2))
  })
})

// ---------------------------------------------------------------------------------------------------------------------

const Epochs = Arbitrary.all({
  asked: either<number | "any" | undefined>(Arbitrary.Constant(undefined), Arbitrary.Constant("any"), int(0, 4)),
  eventEpoch: int(0, 4),
  epoch: int(0, 4),
  epochSince: int(0, 4),
  dispatch: int(1, 4),
  isOwn: bool,
  isBinary: bool,
  kind: oneOf("websocket_send", "websocket_close", "websocket_reconnect")
})

describe("the epoch of a command", () => {
  it.effect.prop(
    "rule 8: is the event's for its own connection, that of the dispatch's begin for another, a given one, or any",
    { case: Epochs },
    ({ case: { asked, dispatch, epoch, epochSince, eventEpoch, isBinary, isOwn, kind } }) =>
      Effect.sync(() => {
        const [mine, theirs] = [own({ epoch, epochSince }), other({ epoch, epochSince })]
        const test = executing({ destinations: [mine, theirs] })
        const payload = { url: isOwn ? OWN : OTHER, ...(asked === undefined ? {} : { epoch: asked }) }
        const data = isBinary ? { base64: "aGk=" } : { text: "hi" }
        const given = command(kind, kind === "websocket_send" ? { ...payload, ...data } : payload)
        const [said] = verdicts(test.run(eventOf(mine, { epoch: eventEpoch }), [given], dispatch))
        const wanted = asked ?? (isOwn ? eventEpoch : epochSince < dispatch ? epoch : undefined)
        assert.strictEqual(said, wanted === "any" || wanted === epoch ? "executed" : "StaleEpoch")
        assert.lengthOf([...mine.connection.asked, ...theirs.connection.asked], said === "executed" ? 1 : 0)
      }),
    { arbitrary: { runs: 2000 } }
  )

  it.each([
    ["the event's own", OWN, {}, { expected: 1, actual: 3 }],
    ["a given one", OWN, { epoch: 2 }, { expected: 2, actual: 3 }],
    ["one that began meanwhile", OTHER, {}, { expected: 2, actual: 3 }]
  ])("is told with the one that there is: %s", (_, url, where, expected) => {
    const change = { epoch: 3, epochSince: 1 }
    const test = executing({ destinations: [own(change), other(change)] })
    test.run(eventOf(own()), [send({ url, ...where })], 1)
    assert.deepInclude(test.rejected[0]?.[0], { _tag: "StaleEpoch", url: SocketUrl.display(url), ...expected })
  })

  it("of a timer is that of its connection", () => {
    const test = executing({ destinations: [own({ epoch: 2 })] })
    const timer = command("timer_set", { name: "t", after_ms: 100, url: OWN })
    assert.deepStrictEqual(verdicts(test.run(eventOf(own(), { epoch: 1 }), [timer])), ["StaleEpoch"])
    assert.deepStrictEqual(verdicts(test.run(eventOf(own(), { epoch: 2 }), [timer])), ["executed"])
  })
})

// ---------------------------------------------------------------------------------------------------------------------

const Value: Arbitrary.Arbitrary<unknown> = either<unknown>(
  Arbitrary.schema(Schema.Json),
  Arbitrary.all({
    kind: oneOf("websocket_send", "websocket_close", "timer_clear", "host_request_dispatch", "__proto__", "nothing"),
    payload: either<unknown>(
      Arbitrary.all({ url: oneOf(OWN, OTHER, "x"), text: oneOf<unknown>("a", "\ud800", 5) }),
      Arbitrary.all({ url: oneOf(OWN, OTHER, "x"), base64: oneOf<unknown>("", "AQL/", "AQL", 5) }),
      Arbitrary.all({ name: oneOf("t", "t t") }),
      Arbitrary.schema(Schema.Json)
    ),
    command_id: maybe(oneOf<unknown>("mine", "not mine", 5, "x".repeat(128), "x".repeat(129))),
    correlation_id: maybe(oneOf<unknown>("flow", "é", null))
  }),
  Arbitrary.map(oneOf("one", "two", "\udc00"), (text) => OutputCommand.send({ url: OWN, ingressName: "main" }, text)),
  Arbitrary.map(int(0, 3), (length) => OutputCommand.send({ url: OWN, ingressName: "main" }, new Uint8Array(length))),
  oneOf<unknown>(undefined, null, 5n, () => {}, Symbol("s"))
)

const ID = /^[A-Za-z0-9._:-]{1,128}$/

describe("the results of an answer", () => {
  it.effect.prop(
    "rule 7: are one for each command, in order, whatever the commands are",
    { values: list(Value, 0, 20) },
    ({ values }) =>
      Effect.sync(() => {
        const destinations = [own(), other()]
        const test = executing({ destinations })
        const results = test.run(eventOf(own()), values)
        assert.lengthOf(results, values.length)
        assert.deepStrictEqual(
          test.recorded.map(({ index }) => index),
          values.map((_, index) => index)
        )
        const encode = Schema.encodeSync(CommandResult.CommandResult)
        for (const [index, result] of results.entries()) {
          assert.doesNotThrow(() => encode(result))
          assert.match(result.commandId, ID)
          assert.match(result.correlationId, ID)
          assert.strictEqual(result.sourceEventId, "run-0-0.7")
          const { error, status } = result
          assert.strictEqual(error === undefined, status === "executed" || status === "recorded", String(index))
          assert.strictEqual(status === "unsupported", error?.tag === "CommandUnsupported")
        }
        assert.strictEqual(test.rejected.length, results.filter(({ error }) => error !== undefined).length)
        const sent = destinations.flatMap(({ connection }) => connection.asked.filter(([what]) => what === "send"))
        const executed = results.filter(({ kind, status }) => kind === "websocket_send" && status === "executed")
        assert.strictEqual(sent.length, executed.length)
        assert.isTrue(
          sent.every(([, data]) => (typeof data === "string" ? data.isWellFormed() : data instanceof Uint8Array))
        )
      }),
    { arbitrary: { runs: 1000 } }
  )

  it("carry the ids that can be used, the host's own in place of others, and no unknown kind", () => {
    const test = executing({ destinations: [own()] })
    const ids = { command_id: "mine", correlation_id: "flow" }
    const results = test.run(eventOf(own()), [
      send({ url: OWN }, ids),
      send({ url: OWN, text: 5 }, ids),
      send({ url: OWN }, { ...ids, command_id: "not mine", kind: "nothing" }),
      { kind: "constructor", payload: {} },
      null
    ])
    assert.deepStrictEqual(
      results.map(({ commandId, correlationId, kind, status }) => [commandId, correlationId, kind, status]),
      [
        ["mine", "flow", "websocket_send", "executed"],
        ["mine", "flow", "websocket_send", "rejected"],
        ["run-0-0.7:2", "flow", null, "rejected"],
        ["run-0-0.7:3", "run-0-0.7", null, "rejected"],
        ["run-0-0.7:4", "run-0-0.7", null, "rejected"]
      ]
    )
  })

  it("have the time at which each was executed", () => {
    const test = executing({ destinations: [own()] })
    test.run(eventOf(own()), [send({ url: OWN })])
    test.clock.now += 5
    const [second] = test.run(eventOf(own()), [null])
    assert.strictEqual(test.recorded[0]?.at, NOW)
    assert.strictEqual(second?.recordedAt, "2026-11-26T00:00:00.005Z")
  })

  it("of requests that come too often say how long to wait", () => {
    const refusal = new RequestsTooMany({ limit: 32, retryAfterMs: 250 })
    const test = executing({ requested: ["GET"], refusal })
    const [result] = test.run(eventOf(own()), [command("host_request_dispatch", { method: "GET", url: "https://h/" })])
    const error = { tag: "RequestsTooMany", message: refusal.message, retryAfterMs: 250 }
    assert.deepInclude(result, { status: "rejected", kind: "host_request_dispatch", error })
    assert.strictEqual(test.rejected[0]?.[0], refusal)
  })

  it("have the error's tag and message, and no null where nothing is wrong", () => {
    const test = executing({ destinations: [own({ state: "closing" })] })
    const [bad, well] = test.run(eventOf(own()), [send({ url: OWN }), command("timer_clear", { name: "t" })])
    assert.deepStrictEqual(bad?.error, { tag: "NotConnected", message: `${OWN} is closing` })
    assert.notProperty(well, "error")
    assert.deepStrictEqual(test.cleared, ["t"])
  })
})

// ---------------------------------------------------------------------------------------------------------------------

describe("a send", () => {
  const minute = 60_000

  it("is charged to its rate only where it is sent", () => {
    const there = own()
    const test = executing({ destinations: [there], rate: { sendsPerMinute: 2 }, limits: { sendBufferBytes: 100 } })
    there.connection.bufferedBytes = 100
    assert.deepStrictEqual(verdicts(test.run(eventOf(there), [send({ url: OWN }), send({ url: OWN })])), [
      "SendBufferFull",
      "SendBufferFull"
    ])
    there.connection.bufferedBytes = 0
    const three = [1, 2, 3].map(() => send({ url: OWN }))
    const results = test.run(eventOf(there), three)
    assert.deepStrictEqual(verdicts(results), ["executed", "executed", "SendRateLimited"])
    assert.lengthOf(there.connection.asked, 2)
    const message = "ws://127.0.0.1:7700/own may be sent 2 texts a minute"
    assert.deepStrictEqual(results[2]?.error, { tag: "SendRateLimited", message, retryAfterMs: minute / 2 })
    assert.deepStrictEqual(
      results.map((result) => Schema.encodeSync(CommandResult.CommandResult)(result).error?.retry_after_ms),
      [undefined, undefined, minute / 2]
    )
  })

  it("is charged in bytes of UTF-8", () => {
    const there = own()
    const test = executing({ destinations: [there], rate: { sendBytesPerMinute: 6 } })
    const results = test.run(
      eventOf(there),
      ["éé", "é", "x"].map((text) => send({ url: OWN, text }))
    )
    assert.deepStrictEqual(verdicts(results), ["executed", "executed", "SendRateLimited"])
    assert.strictEqual(results[2]?.error?.retryAfterMs, minute / 6)
    test.clock.now += minute / 6
    assert.deepStrictEqual(verdicts(test.run(eventOf(there), [send({ url: OWN, text: "x" })])), ["executed"])
  })

  it.each([
    ["fits", "é".repeat(10), 80, "executed"],
    ["is a byte too long", "é".repeat(10), 81, "SendBufferFull"],
    ["has no bytes, and one more fits", "", 99, "executed"],
    ["has no bytes, which counts as one, and nothing more fits", "", 100, "SendBufferFull"]
  ])("has to fit into what may wait: one that %s", (_, text, bufferedBytes, verdict) => {
    const there = own({ bufferedBytes })
    const test = executing({ destinations: [there], limits: { sendBufferBytes: 100 } })
    assert.deepStrictEqual(verdicts(test.run(eventOf(there), [send({ url: OWN, text })])), [verdict])
    assert.deepStrictEqual(there.connection.asked, verdict === "executed" ? [["send", text]] : [])
    if (verdict === "SendBufferFull") assert.deepInclude(test.rejected[0]?.[0], { url: OWN, bufferedBytes, limit: 100 })
  })

  it("to what was never dialled has no rate", () => {
    const there = own({ target: null })
    const test = executing({ destinations: [there], rate: { sendsPerMinute: 1 } })
    const twice = [send({ url: OWN }), send({ url: OWN })]
    assert.deepStrictEqual(verdicts(test.run(eventOf(there), twice)), ["executed", "executed"])
  })

  it("of the host's own goes the same way, and is refused in silence", () => {
    const there = own()
    const { executor, rejected } = executing({
      destinations: [there],
      rate: { sendsPerMinute: 1 },
      limits: { sendBufferBytes: 10 }
    })
    assert.isFalse(executor.reply(there.connection, "x".repeat(11)))
    assert.isTrue(executor.reply(there.connection, "pong"))
    assert.isFalse(executor.reply(there.connection, "pong"))
    assert.deepStrictEqual(there.connection.asked, [["send", "pong"]])
    assert.deepStrictEqual(rejected, [])
  })

  it("of the host's own goes only to what is open and covered", () => {
    const { executor } = executing({})
    const connections = [own(), own({ state: "closing" }), own({ covered: false })].map(({ connection }) => connection)
    assert.deepStrictEqual(
      connections.map((connection) => executor.reply(connection, "pong")),
      [true, false, false]
    )
    assert.deepStrictEqual(
      connections.map(({ asked }) => asked.length),
      [1, 0, 0]
    )
  })

  it("is the same as its constructor makes it, and as the wire has it", () => {
    const there = own()
    const test = executing({ destinations: [there] })
    const to = { url: OWN, ingressName: "main" }
    test.run(eventOf(there), [
      OutputCommand.send(to, "1"),
      OutputCommand.send(OWN, "2"),
      OutputCommand.send(to, "3", { epoch: "any", commandId: "c" }),
      send({ url: OWN, text: "4" })
    ])
    assert.deepStrictEqual(
      there.connection.asked.map(([, text]) => text),
      ["1", "2", "3", "4"]
    )
  })
})

describe("a close and a reconnect", () => {
  it("have defaults: 1000 and no reason, the source's code and the URL as it is", () => {
    const there = own()
    const test = executing({ destinations: [there] })
    test.run(eventOf(there), [
      command("websocket_close", { url: OWN }),
      command("websocket_close", { url: OWN, code: 3000, reason: "x" }),
      command("websocket_reconnect", { url: OWN }),
      command("websocket_reconnect", { url: OWN, code: 4000, dial_url: "ws://127.0.0.1:7700/own/x" }),
      command("websocket_reconnect", { url: OWN, dial_url: null })
    ])
    assert.deepStrictEqual(there.connection.asked, [
      ["close", 1000, ""],
      ["close", 3000, "x"],
      ["reconnect", 1001, undefined],
      ["reconnect", 4000, "ws://127.0.0.1:7700/own/x"],
      ["reconnect", 1001, null]
    ])
  })

  it.each(["connecting", "open", "closing", "closed", "waiting", "stopped"] as const)(
    "are executed while it is %s",
    (state) => {
      const test = executing({ destinations: [own({ state })] })
      const both = [command("websocket_close", { url: OWN }), command("websocket_reconnect", { url: OWN })]
      assert.deepStrictEqual(verdicts(test.run(eventOf(own()), both)), ["executed", "executed"])
    }
  )

  it.each(["grant", "address", "http", "exhausted", "limit", "never"] as const)(
    "a reconnect is refused where %s says so, and nothing is asked of the connection",
    (stopReason) => {
      const there = own({ denial: () => stopReason })
      const test = executing({ destinations: [there] })
      assert.deepStrictEqual(verdicts(test.run(eventOf(there), [command("websocket_reconnect", { url: OWN })])), [
        "ReconnectDenied"
      ])
      assert.deepStrictEqual(there.connection.asked, [])
      assert.deepInclude(test.rejected[0]?.[0], { _tag: "ReconnectDenied", url: OWN, stopReason })
      assert.strictEqual(test.rejected[0]?.[1], there.connection.source.id)
    }
  )

  it("a reconnect asks for what would be dialled, and shows of it no more than where it leads", () => {
    const asked: Array<unknown> = []
    const there = destination("main", OTHER, {
      mayDial: (dialUrl) => {
        asked.push(dialUrl)
        return dialUrl === "ws://127.0.0.1:7700/well"
      },
      denial: (dialUrl) => {
        asked.push(dialUrl)
        return undefined
      }
    })
    const test = executing({ destinations: [there] })
    const urls = ["ws://127.0.0.1:7700/well", "wss://secret:1/x?token=1", null, undefined, "no URL"]
    const commands = urls.map((url) =>
      command("websocket_reconnect", { url: OTHER, ...(url === undefined ? {} : { dial_url: url }) })
    )
    const said = verdicts(test.run(eventOf(there), commands))
    assert.deepStrictEqual(said, ["executed", ...Array.from({ length: 4 }, () => "CommandUngranted")])
    assert.deepStrictEqual(asked, ["ws://127.0.0.1:7700/well", ...urls])
    assert.deepStrictEqual(
      test.rejected.map(([error]) => ("url" in error ? error.url : "")),
      ["wss://secret:1", "ws://127.0.0.1:7700/other", "ws://127.0.0.1:7700/other", "what is not a URL"]
    )
  })

  it("a reconnect needs no open connection that is covered now, if it may be dialled", () => {
    const there = own({ covered: false, state: "stopped" })
    const test = executing({ destinations: [there] })
    assert.deepStrictEqual(verdicts(test.run(eventOf(there), [command("websocket_reconnect", { url: OWN })])), [
      "executed"
    ])
  })
})

describe("a timer", () => {
  it("belongs to its connection and that one's ingress, or to the ingress of the event", () => {
    const twin = destination("twin", OTHER)
    const test = executing({ destinations: [own(), twin] })
    test.run(eventOf(own()), [
      command("timer_set", { name: "a", after_ms: 100, every_ms: 1000, url: OTHER }),
      command("timer_set", { name: "b", after_ms: 200 })
    ])
    assert.deepStrictEqual(
      test.set.map(([{ afterMs, everyMs, name }, owner]) => [name, afterMs, everyMs, owner]),
      [
        ["a", 100, 1000, { destination: twin, ingressName: "twin" }],
        ["b", 200, undefined, { destination: undefined, ingressName: "main" }]
      ]
    )
  })

  it("of an event of the host's goes to the ingress that the event went to", () => {
    const test = executing({ ingresses: ["twin"] })
    const timer = command("timer_set", { name: "a", after_ms: 100 })
    assert.deepStrictEqual(verdicts(test.run(eventOf("twin"), [timer])), ["executed"])
    assert.deepStrictEqual(verdicts(test.run(eventOf("main"), [timer])), ["CommandUngranted"])
    assert.deepStrictEqual(test.set[0]?.[1], { destination: undefined, ingressName: "twin" })
    assert.deepInclude(test.rejected[0]?.[0], { url: "host:timer", problem: "no grant" })
    assert.isNull(test.rejected[0]?.[1])
  })

  it("without a grant shows its source without a query", () => {
    const test = executing({ ingresses: [] })
    test.run(eventOf(other()), [command("timer_set", { name: "a", after_ms: 100 })])
    assert.deepInclude(test.rejected[0]?.[0], { url: "websocket:ws://127.0.0.1:7700/other" })
  })

  it("over the limit is charged to its source", () => {
    const there = own()
    const test = executing({ destinations: [there], timers: 0 })
    test.run(eventOf(there), [
      command("timer_set", { name: "a", after_ms: 100, url: OWN }),
      command("timer_set", { name: "a", after_ms: 100 })
    ])
    assert.deepStrictEqual(
      test.rejected.map(([error, id]) => [error._tag, id]),
      [
        ["TimerLimit", there.connection.source.id],
        ["TimerLimit", null]
      ]
    )
  })
})
