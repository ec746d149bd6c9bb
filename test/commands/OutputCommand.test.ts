import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { OutputCommand } from "mooring"
import { mostJsonBytes, payloadBytes } from "../../src/commands/internal/sizes.ts"
import { int } from "../support/arbitraries.ts"

const URL = "ws://h/"
const EVENT = { url: URL, ingressName: "gateway" }

const IDS = { commandId: "c", correlationId: "k", sourceEventId: "s" }
const WIRE_IDS = { command_id: "c", correlation_id: "k", source_event_id: "s" }

const sending = (text: string): OutputCommand.OutputCommand =>
  Result.getOrThrow(OutputCommand.decode(OutputCommand.send(EVENT, text)))

const problemsOf = (value: unknown): ReadonlyArray<string> => {
  const decoded = OutputCommand.decode(value)
  return Result.isSuccess(decoded) ? [] : decoded.failure.problems.map(({ path }) => path)
}

const send = (change: object = {}, payload: object = {}) => ({
  kind: "websocket_send",
  payload: { url: URL, text: "hi", ...payload },
  ...change
})

const BYTES = Uint8Array.of(0, 1, 2, 255, 0)

describe("OutputCommand", () => {
  it("decodes the example of the contract", () => {
    const command = Result.getOrThrow(
      OutputCommand.decode({
        kind: "websocket_send",
        payload: { url: "ws://127.0.0.1:7700/gateway", text: "pong" },
        command_id: "reply-1",
        correlation_id: "run-0-0.1",
        source_event_id: "run-0-0.1",
        requested_at: "2026-01-01T00:00:00.000Z"
      })
    )
    assert.strictEqual(command.kind, "websocket_send")
    assert.deepStrictEqual(command.payload, { url: "ws://127.0.0.1:7700/gateway", text: "pong" })
    assert.deepStrictEqual(command.ids, {
      commandId: "reply-1",
      correlationId: "run-0-0.1",
      sourceEventId: "run-0-0.1"
    })
  })

  it.each([
    ["websocket_send", { url: URL, text: "", ingress_name: "gateway", epoch: 0 }],
    ["websocket_send", { url: URL, text: "a", epoch: "any" }],
    ["websocket_send", { url: URL, base64: "" }],
    ["websocket_send", { url: URL, base64: "+/8=", ingress_name: "gateway", epoch: 0 }],
    ["websocket_close", { url: URL }],
    ["websocket_close", { url: URL, code: 4999, reason: "é".repeat(61), ingress_name: "g", epoch: 3 }],
    ["websocket_reconnect", { url: URL, code: 3000, dial_url: "wss://h/resume" }],
    ["websocket_reconnect", { url: URL, dial_url: null }],
    ["timer_set", { name: "beat", after_ms: 100, every_ms: 1000, url: URL }],
    ["timer_clear", { name: "beat" }],
    ["diagnostic_status_update", {}],
    ["diagnostic_status_update", { message: "m", status: { any: ["json", 1, null] } }],
    ["host_request_dispatch", { method: "GET", url: "https://h/", headers: { a: "b" } }]
  ] as const)("understands %s with %j", (kind, payload) => {
    assert.deepStrictEqual(problemsOf({ kind, payload }), [])
  })

  it.each([
    ["websocket_send", { url: URL }, ["payload"]],
    ["websocket_send", { url: URL, text: "a", base64: "YQ==" }, ["payload"]],
    ["websocket_send", { url: URL, base64: "_-8=" }, ["payload.base64"]],
    ["websocket_send", { url: URL, base64: "YQ" }, ["payload.base64"]],
    ["websocket_send", { url: URL, base64: "Y===" }, ["payload.base64"]],
    ["websocket_send", { url: URL, base64: "YQ==YQ==" }, ["payload.base64"]],
    ["websocket_send", { url: URL, base64: "YQ==\n" }, ["payload.base64"]],
    ["websocket_send", { url: URL, bytes: "YQ==" }, ["payload.\u{2026}"]],
    ["websocket_send", { text: "a" }, ["payload.url"]],
    ["websocket_send", { url: URL, text: "a", epoch: -1 }, ["payload.epoch"]],
    ["websocket_close", { url: URL, code: 1001 }, ["payload.code"]],
    ["websocket_close", { url: URL, reason: "é".repeat(62) }, ["payload.reason"]],
    ["websocket_close", { url: URL, text: "a" }, ["payload.text"]],
    ["websocket_reconnect", { url: URL, dial_url: 1 }, ["payload.dial_url"]],
    ["timer_set", { name: "beat", after_ms: 99 }, ["payload.after_ms"]],
    ["timer_set", { name: "beat", after_ms: 100, every_ms: 999 }, ["payload.every_ms"]],
    ["timer_set", { name: "be at", after_ms: 100 }, ["payload.name"]],
    ["timer_set", { name: "beat", after_ms: 2 ** 31 }, ["payload.after_ms"]],
    ["timer_clear", {}, ["payload.name"]],
    ["diagnostic_status_update", { message: 1 }, ["payload.message"]],
    ["host_request_dispatch", { url: URL }, ["payload.method"]]
  ] as const)("refuses %s with %j", (kind, payload, paths) => {
    assert.deepStrictEqual(problemsOf({ kind, payload }), paths)
  })

  it("lists several problems of a command at once, but not without bound", () => {
    const command = send({ command_id: "a b", correlation_id: "", extra: 1 }, { text: 1, epoch: -1 })
    const expected = ["command_id", "correlation_id", "payload.epoch", "payload.text", "\u2026"]
    assert.deepStrictEqual([...new Set(problemsOf(command))].toSorted(), expected)
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`extra${index}`, 1]))
    assert.isAtMost(problemsOf(send(many)).length, 8)
  })

  it.each([
    [
      "host_request_dispatch",
      { method: "POST", url: URL, body: "x" },
      "method, url, headers, text, base64, timeout_ms"
    ],
    ["websocket_send", { url: URL, text: "a", data: "x" }, "url, ingress_name, epoch, text, base64"],
    ["timer_set", { name: "beat", after_ms: 100, every: 1000 }, "name, after_ms, every_ms, url"]
  ] as const)(
    "tells of a key that %s hasn't which there are, for the key itself isn't shown",
    (kind, payload, known) => {
      const decoded = OutputCommand.decode({ kind, payload })
      assert.deepStrictEqual(Result.isFailure(decoded) ? decoded.failure.problems : [], [
        { path: "payload.\u{2026}", message: `Expected no property but ${known}` }
      ])
    }
  )

  it("rule 11: says nothing of what the plugin wrote, neither values nor keys that it made up", () => {
    const secret = "SECRET123-abc"
    for (const value of [
      secret,
      send({ kind: secret }),
      send({ [secret]: 1 }),
      send({ command_id: `${secret} x` }),
      send({}, { [secret]: secret, url: [secret], text: { [secret]: secret } }),
      { kind: "diagnostic_status_update", payload: { message: [secret], [secret]: 1 } }
    ]) {
      const decoded = OutputCommand.decode(value)
      assert.isTrue(Result.isFailure(decoded))
      if (Result.isSuccess(decoded)) continue
      assert.notInclude(decoded.failure.message, "SECRET123")
      assert.notInclude(JSON.stringify(decoded.failure.problems), "SECRET123")
    }
  })

  it.each<readonly [make: () => OutputCommand.Command, kind: string, payload: object, ids: object]>([
    [() => OutputCommand.send(EVENT, "hi"), "websocket_send", { url: URL, ingress_name: "gateway", text: "hi" }, {}],
    [() => OutputCommand.send(URL, "hi", { epoch: 3 }), "websocket_send", { url: URL, epoch: 3, text: "hi" }, {}],
    [() => OutputCommand.close(EVENT), "websocket_close", { url: URL, ingress_name: "gateway" }, {}],
    [
      () => OutputCommand.close(URL, { code: 4000, reason: "bye", epoch: "any", ...IDS }),
      "websocket_close",
      { url: URL, code: 4000, reason: "bye", epoch: "any" },
      WIRE_IDS
    ],
    [() => OutputCommand.reconnect(EVENT), "websocket_reconnect", { url: URL, ingress_name: "gateway" }, {}],
    [
      () => OutputCommand.reconnect({ url: URL }, { code: 1000, dialUrl: "ws://o/", epoch: 0, ...IDS }),
      "websocket_reconnect",
      { url: URL, code: 1000, dial_url: "ws://o/", epoch: 0 },
      WIRE_IDS
    ],
    [() => OutputCommand.reconnect(URL, { dialUrl: null }), "websocket_reconnect", { url: URL, dial_url: null }, {}],
    [() => OutputCommand.setTimer("t", { afterMs: 100 }), "timer_set", { name: "t", after_ms: 100 }, {}],
    [
      () => OutputCommand.setTimer("t", { afterMs: 100, everyMs: 1000, url: URL }, IDS),
      "timer_set",
      { name: "t", after_ms: 100, every_ms: 1000, url: URL },
      WIRE_IDS
    ],
    [() => OutputCommand.clearTimer("t"), "timer_clear", { name: "t" }, {}],
    [
      () => OutputCommand.clearTimer("t", { correlationId: "k" }),
      "timer_clear",
      { name: "t" },
      { correlation_id: "k" }
    ],
    [() => OutputCommand.reportStatus({ message: "m" }), "diagnostic_status_update", { message: "m" }, {}],
    [
      () => OutputCommand.reportStatus({ status: [1] }, { sourceEventId: "s" }),
      "diagnostic_status_update",
      { status: [1] },
      { source_event_id: "s" }
    ]
  ])("stands on the wire as the contract says: %s, %s %j", (make, kind, payload, ids) => {
    const made = make()
    const wire = { kind, payload, ...ids }
    const command = Result.getOrThrow(OutputCommand.decode(made))
    assert.deepStrictEqual<unknown>(OutputCommand.encode(command), wire)
    if (!OutputCommand.isOutputCommand(made)) assert.deepStrictEqual<unknown>(made, wire)
    const again = Result.getOrThrow(OutputCommand.decode(wire))
    assert.deepStrictEqual(OutputCommand.content(again), OutputCommand.content(command))
    assert.deepStrictEqual<unknown>(OutputCommand.salvage(command), OutputCommand.content(command))
    assert.isAtLeast(mostJsonBytes(command), Buffer.byteLength(JSON.stringify(wire)))
    const bytes = Buffer.byteLength(JSON.stringify(payload))
    assert.strictEqual(payloadBytes(command, 0), bytes)
    assert.include([0, bytes], payloadBytes(command, bytes))
  })

  it.each([
    ["by itself", () => OutputCommand.send(EVENT, Uint8Array.of(1, 2, 255)), { ingress_name: "gateway" }],
    ["a part of something larger", () => OutputCommand.send(EVENT, BYTES.subarray(1, 4)), { ingress_name: "gateway" }],
    ["a Buffer", () => OutputCommand.send(EVENT, Buffer.from("0102ff", "hex")), { ingress_name: "gateway" }],
    ["for an epoch", () => OutputCommand.send(URL, Uint8Array.of(1, 2, 255), { epoch: 3 }), { epoch: 3 }]
  ])("carries bytes as base64 on the wire, and counts them as they are: %s", (_, make, where) => {
    const command = Result.getOrThrow(OutputCommand.decode(make()))
    const content = OutputCommand.content(command)
    if (content.kind !== "websocket_send" || !("bytes" in content.payload)) return assert.fail(content.kind)
    assert.deepStrictEqual([...content.payload.bytes], [1, 2, 255])
    const payload = { url: URL, ...where, base64: "AQL/" }
    const wire = { kind: "websocket_send", payload }
    assert.deepStrictEqual<unknown>(OutputCommand.encode(command), wire)
    const again = Result.getOrThrow(OutputCommand.decode(wire))
    assert.deepStrictEqual<unknown>(OutputCommand.encode(again), wire)
    assert.isAtLeast(mostJsonBytes(command), Buffer.byteLength(JSON.stringify(wire)))
    const bytes = Buffer.byteLength(JSON.stringify({ ...payload, base64: "" })) + 3
    assert.strictEqual(payloadBytes(command, 0), bytes)
    assert.include([0, bytes], payloadBytes(command, bytes))
  })

  it("has bytes of its own, which nobody changes", () => {
    const given = Uint8Array.of(1, 2, 3)
    const command = OutputCommand.send(EVENT, given)
    if (!OutputCommand.isOutputCommand(command)) return assert.fail("not made")
    given.fill(9)
    const { payload } = command
    if (!("bytes" in payload)) return assert.fail("no bytes")
    payload.bytes.fill(8)
    assert.deepStrictEqual<unknown>(OutputCommand.encode(command).payload, {
      url: URL,
      ingress_name: "gateway",
      base64: "AQID"
    })
  })

  it("says at most how long it is as JSON without counting, where it was made for sending", () => {
    assert.strictEqual(mostJsonBytes(sending("hi")), 256 + 6 * (2 + URL.length + "gateway".length))
    for (const command of [
      ...["command_id", "correlation_id", "source_event_id"].map((id) =>
        Result.getOrThrow(OutputCommand.decode(send({ [id]: "c" })))
      ),
      Result.getOrThrow(OutputCommand.decode(OutputCommand.clearTimer("t")))
    ]) {
      assert.strictEqual(mostJsonBytes(command), Number.POSITIVE_INFINITY)
    }
  })

  it.effect.prop(
    "counts the bytes of a payload where they may be over the limit: those of its text, and of the JSON around it",
    { text: Schema.String, limit: int(0, 2000), repeat: int(1, 300) },
    ({ limit, repeat, text }) =>
      Effect.sync(() => {
        const long = text.toWellFormed().repeat(repeat)
        const command = sending(long)
        const around = Buffer.byteLength(JSON.stringify({ url: URL, ingress_name: "gateway", text: "" }))
        const bytes = around + Buffer.byteLength(long)
        const counted = payloadBytes(command, limit)
        if (counted === 0) assert.isAtMost(bytes, limit)
        else assert.strictEqual(counted, bytes)
      }),
    { arbitrary: { runs: 300 } }
  )

  it("can't be changed by what its getters gave", () => {
    const command = Result.getOrThrow(OutputCommand.decode(send({ command_id: "c" })))
    assert.strictEqual(command.kind, "websocket_send")
    Object.assign(command.payload, { text: "edited" })
    Object.assign(command.ids, { commandId: 5 })
    assert.deepStrictEqual(command.payload, { url: URL, text: "hi" })
    assert.deepStrictEqual(command.ids, { commandId: "c" })
    assert.throws(() => Object.assign(command, { kind: "timer_clear" }))
  })

  it.each(["\ud800", "\udfff", "a\udc00b", "\ud83d\ud83d\ude00"])("takes no half of a surrogate pair: %j", (half) => {
    assert.deepStrictEqual(problemsOf(OutputCommand.send(EVENT, half)), ["payload.text"])
    assert.deepStrictEqual(problemsOf(OutputCommand.send({ url: half, ingressName: "g" }, "x")), ["payload.url"])
    assert.deepStrictEqual(problemsOf(OutputCommand.send({ url: URL, ingressName: half }, "x")), [
      "payload.ingress_name"
    ])
    assert.deepStrictEqual(problemsOf(OutputCommand.close(URL, { reason: half })), ["payload.reason"])
    assert.deepStrictEqual(problemsOf(OutputCommand.reconnect(URL, { dialUrl: half })), ["payload.dial_url"])
    assert.deepStrictEqual(problemsOf(OutputCommand.setTimer("t", { afterMs: 100, url: half })), ["payload.url"])
    assert.deepStrictEqual(problemsOf(OutputCommand.reportStatus({ message: half })), ["payload.message"])
    for (const pair of ["\u{1f600}", `a\u{10ffff}b`])
      assert.deepStrictEqual(problemsOf(OutputCommand.send(EVENT, pair)), [])
  })

  it("takes null for nothing absent, but where the contract says so", () => {
    const nulls = ["ingress_name", "epoch", "code", "reason", "dial_url", "every_ms", "message"]
    const refused = nulls.filter((key) => {
      const kind = { dial_url: "websocket_reconnect", every_ms: "timer_set", message: "diagnostic_status_update" }[key]
      const base = { websocket_reconnect: { url: URL }, timer_set: { name: "t", after_ms: 100 } }[kind ?? ""]
      const payload = kind === undefined ? { url: URL } : (base ?? {})
      return problemsOf({ kind: kind ?? "websocket_close", payload: { ...payload, [key]: null } }).length > 0
    })
    assert.deepStrictEqual(
      refused,
      nulls.filter((key) => key !== "dial_url")
    )
    assert.deepStrictEqual(problemsOf({ kind: "diagnostic_status_update", payload: { status: null } }), [])
    for (const key of ["command_id", "correlation_id", "source_event_id", "requested_at"]) {
      assert.deepStrictEqual(problemsOf(send({ [key]: null })), [key])
    }
  })

  it("says where what is wrong is", () => {
    assert.deepStrictEqual(problemsOf(5), [""])
    assert.deepStrictEqual(problemsOf({ kind: "nothing" }), ["kind"])
    assert.deepStrictEqual(problemsOf({}), ["kind"])
    const unreadable = OutputCommand.decode(
      new Proxy({}, { get: () => assert.fail("no"), has: () => assert.fail("no") })
    )
    if (Result.isSuccess(unreadable)) return assert.fail("it can't be read")
    assert.strictEqual(unreadable.failure.message, "the command is malformed: Expected a value that can be read")
  })

  it("salvages each of what can be used by itself", () => {
    const wrong = { kind: "timer_clear", command_id: "c", correlation_id: "k", source_event_id: "s", extra: 1 }
    assert.deepStrictEqual<unknown>(OutputCommand.salvage(wrong), {
      kind: "timer_clear",
      ids: { commandId: "c", correlationId: "k" }
    })
    for (const nothing of [
      undefined,
      null,
      5,
      "x",
      new Proxy({}, { getOwnPropertyDescriptor: () => assert.fail("no") })
    ]) {
      assert.deepStrictEqual<unknown>(OutputCommand.salvage(nothing), { kind: null, ids: {} })
    }
  })

  it("takes for checked only what its own constructors made", () => {
    const own = OutputCommand.send(EVENT, "hi")
    assert.isTrue(OutputCommand.isOutputCommand(own))
    assert.strictEqual(Result.getOrThrow(OutputCommand.decode(own)), own)
    const forged: ReadonlyArray<unknown> = [
      { ...own },
      Object.create(OutputCommand.OutputCommand.prototype),
      Object.create(own),
      Object.defineProperties(Object.create(OutputCommand.OutputCommand.prototype), {
        kind: { value: "websocket_send", enumerable: true },
        payload: { value: {}, enumerable: true },
        ids: { value: {}, enumerable: true }
      }),
      new Proxy(own, {}),
      structuredClone(own)
    ]
    for (const [index, value] of forged.entries()) {
      const decoded = OutputCommand.decode(value)
      // One of them has the form of a command on the wire, and is decoded like any; none is taken as it is.
      if (Result.isSuccess(decoded)) assert.notStrictEqual<unknown>(decoded.success, value, String(index))
    }
  })

  it("is made by its constructors in a form that the host takes", () => {
    const ids = IDS
    const commands: ReadonlyArray<OutputCommand.Command> = [
      OutputCommand.send(EVENT, "hi"),
      OutputCommand.send(URL, "hi"),
      OutputCommand.send({ url: URL }, "hi", { epoch: "any", ...ids }),
      OutputCommand.send(EVENT, "hi", { epoch: 3 }),
      OutputCommand.close(EVENT),
      OutputCommand.close(URL, { code: 4000, reason: "bye", epoch: 1, ...ids }),
      OutputCommand.reportStatus({ message: "m", status: [1] }, ids),
      OutputCommand.reportStatus({})
    ]
    for (const command of commands) assert.deepStrictEqual(problemsOf(command), [])
    const decoded = commands.map((command) => Result.getOrThrow(OutputCommand.decode(command)))
    assert.deepStrictEqual(
      decoded.map(({ payload }) => payload),
      [
        { url: URL, ingressName: "gateway", text: "hi" },
        { url: URL, text: "hi" },
        { url: URL, text: "hi", epoch: "any" },
        { url: URL, ingressName: "gateway", text: "hi", epoch: 3 },
        { url: URL, ingressName: "gateway" },
        { url: URL, code: 4000, reason: "bye", epoch: 1 },
        { message: "m", status: [1] },
        {}
      ]
    )
    assert.deepStrictEqual(
      decoded.map((command) => command.ids),
      [{}, {}, ids, {}, {}, ids, ids, {}]
    )
  })

  it("is checked like any where JavaScript handed its constructor something else than text", () => {
    for (const text of [1, null, undefined, {}]) {
      assert.isAbove(problemsOf(OutputCommand.send(EVENT, text as never)).length, 0)
    }
    for (const to of [{ url: 1, ingressName: "gateway" }, { url: URL, ingressName: 1 }, { ingressName: "gateway" }]) {
      assert.isAbove(problemsOf(OutputCommand.send(to as never, "hi")).length, 0, JSON.stringify(to))
    }
  })

  it.effect.prop(
    "salvages from anything at all only usable ids and a known kind, and never throws",
    {
      value: Schema.Json,
      ids: Arbitrary.schema(
        Schema.Struct({ command_id: Schema.Json, correlation_id: Schema.Json, kind: Schema.Json, payload: Schema.Json })
      )
    },
    ({ ids, value }) =>
      Effect.sync(() => {
        for (const each of [value, ids, { ...ids, kind: "timer_clear", command_id: "ok" }, Object.create(ids)]) {
          assert.isDefined(OutputCommand.decode(each))
          const salvaged = OutputCommand.salvage(each)
          assert.isTrue(salvaged.kind === null || /^[a-z_]+$/.test(salvaged.kind))
          for (const id of Object.values(salvaged.ids)) assert.match(id, /^[A-Za-z0-9._:-]{1,128}$/)
        }
        const salvaged = OutputCommand.salvage({ ...ids, kind: "timer_clear", command_id: "ok" })
        assert.deepInclude(salvaged.ids, { commandId: "ok" })
        assert.strictEqual(salvaged.kind, "timer_clear")
      }),
    { arbitrary: { runs: 200 } }
  )

  it("salvages nothing through a getter, and takes no name of JavaScript's own for a kind", () => {
    const trap = {
      get kind(): string {
        throw new Error("asked")
      },
      get command_id(): string {
        throw new Error("asked")
      }
    }
    assert.deepStrictEqual(OutputCommand.salvage(trap), { kind: null, ids: {} })
    for (const kind of ["constructor", "__proto__", "toString", "hasOwnProperty"]) {
      assert.isNull(OutputCommand.salvage({ kind }).kind)
      assert.isAbove(problemsOf({ kind, payload: {} }).length, 0)
    }
  })
})
