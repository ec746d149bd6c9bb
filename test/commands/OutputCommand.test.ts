import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { OutputCommand } from "mooring"

const URL = "ws://h/"
const EVENT = { url: URL, ingressName: "gateway" }

const problemsOf = (value: unknown): ReadonlyArray<string> => {
  const decoded = OutputCommand.decode(value)
  return Result.isSuccess(decoded) ? [] : decoded.failure.problems.map(({ path }) => path)
}

const send = (change: object = {}, payload: object = {}) => ({
  kind: "websocket_send",
  payload: { url: URL, text: "hi", ...payload },
  ...change
})

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
    ["websocket_close", { url: URL }],
    ["websocket_close", { url: URL, code: 4999, reason: "é".repeat(61), ingress_name: "g", epoch: 3 }],
    ["websocket_reconnect", { url: URL, code: 3000, dial_url: "wss://h/resume" }],
    ["websocket_reconnect", { url: URL, dial_url: null }],
    ["timer_set", { name: "beat", after_ms: 100, every_ms: 1000, url: URL }],
    ["timer_clear", { name: "beat" }],
    ["diagnostic_status_update", {}],
    ["diagnostic_status_update", { message: "m", status: { any: ["json", 1, null] } }],
    ["host_request_dispatch", { method: "GET", url: "https://h/", headers: { a: "b" }, body: null }]
  ] as const)("understands %s with %j", (kind, payload) => {
    assert.deepStrictEqual(problemsOf({ kind, payload }), [])
  })

  it.each([
    ["websocket_send", { url: URL }, ["payload.text"]],
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

  it("takes for checked only what its own constructors made", () => {
    const made = OutputCommand.send(EVENT, "hi")
    assert.isTrue(OutputCommand.isOutputCommand(made))
    assert.strictEqual(Result.getOrThrow(OutputCommand.decode(made)), made)
    const forged: ReadonlyArray<unknown> = [
      { ...made },
      Object.create(OutputCommand.OutputCommand.prototype),
      Object.create(made),
      Object.defineProperties(Object.create(OutputCommand.OutputCommand.prototype), {
        kind: { value: "websocket_send", enumerable: true },
        payload: { value: {}, enumerable: true },
        ids: { value: {}, enumerable: true }
      }),
      new Proxy(made, {}),
      structuredClone(made)
    ]
    for (const [index, value] of forged.entries()) {
      const decoded = OutputCommand.decode(value)
      // One of them has the form of a command on the wire, and is decoded like any; none is taken as it is.
      if (Result.isSuccess(decoded)) assert.notStrictEqual<unknown>(decoded.success, value, String(index))
    }
  })

  it("is made by its constructors in a form that the host takes", () => {
    const ids = { commandId: "c", correlationId: "k", sourceEventId: "s" }
    const made: ReadonlyArray<OutputCommand.Command> = [
      OutputCommand.send(EVENT, "hi"),
      OutputCommand.send(URL, "hi"),
      OutputCommand.send({ url: URL }, "hi", { epoch: "any", ...ids }),
      OutputCommand.send(EVENT, "hi", { epoch: 3 }),
      OutputCommand.close(EVENT),
      OutputCommand.close(URL, { code: 4000, reason: "bye", epoch: 1, ...ids }),
      OutputCommand.reportStatus({ message: "m", status: [1] }, ids),
      OutputCommand.reportStatus({})
    ]
    for (const command of made) assert.deepStrictEqual(problemsOf(command), [])
    const decoded = made.map((command) => Result.getOrThrow(OutputCommand.decode(command)))
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
