import { assert, describe, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Vm from "node:vm"
import { HostError, PluginError } from "mooring"
import * as Redaction from "../../src/diagnostics/Redaction.ts"
import { describe as describeCause } from "../../src/plugin/internal/foreign.ts"
import { unhandled } from "../support/rejections.ts"
import { onFake, opened, rowOf, settled } from "../support/host.ts"
import { enable, GATEWAY, plugin } from "../support/plugins.ts"

const REF = "project:test.plugin"

class RoomFull extends Data.TaggedError("RoomFull")<{ readonly room: string; readonly size: number }> {}
class Busy extends Schema.TaggedError<Busy>("test/Busy")("Busy", { room: Schema.String, until: Schema.Int }) {
  override get message(): string {
    return `${this.room} is busy`
  }
}

const thrower = (): never => {
  throw new Error("looked at")
}
const boom = (): Promise<never> => Promise.reject(new Error("boom"))
const revoked = Proxy.revocable({}, {})
revoked.revoke()

/** Without the frames, which differ from line to line. */
const described = (cause: unknown): Schema.Json => {
  const json = describeCause(cause)
  if (typeof json !== "object" || json === null || Array.isArray(json)) return json
  const { frames: _, ...rest } = json as Schema.JsonObject
  return rest
}

describe("what a plugin failed with", () => {
  it.each<readonly [what: string, cause: unknown, expected: Schema.Json]>([
    [
      "a tagged error without a message",
      new RoomFull({ room: "lobby", size: 3 }),
      { name: "RoomFull", message: "", _tag: "RoomFull", room: "lobby", size: 3 }
    ],
    [
      "a tagged error with a derived message",
      new Busy({ room: "lobby", until: 7 }),
      { name: "test/Busy", message: "lobby is busy", _tag: "Busy", room: "lobby", until: 7 }
    ],
    ["a tagged value that is no error", { _tag: "Full", sizes: [1, 2] }, { _tag: "Full", sizes: [1, 2] }],
    ["an error", new RangeError("too far"), { name: "RangeError", message: "too far" }],
    ["an error of another realm", Vm.runInNewContext("new Error('far')"), { name: "Error", message: "far" }],
    [
      "an error with fields",
      Object.assign(new Error("x"), { code: "E1" }),
      { name: "Error", message: "x", code: "E1" }
    ],
    ["a text", "no room", "no room"],
    ["a number", 4, 4],
    ["not a number", Number.NaN, "NaN"],
    ["a truth", true, true],
    ["a bigint", 5n, "5"],
    ["a symbol", Symbol("s"), "Symbol(s)"],
    ["a function", thrower, "function"],
    ["nothing", undefined, "undefined"],
    ["null", null, null],
    ["a date", new Date(0), "1970-01-01T00:00:00.000Z"],
    ["a secret", { key: Redacted.make("hidden") }, { key: "<redacted>" }],
    ["a list", [1, [2]], [1, [2]]],
    ["a field that isn't there", { a: undefined, b: 1 }, { b: 1 }],
    ["a hidden field", Object.defineProperty({ a: 1 }, "b", { value: 2 }), { a: 1 }],
    [
      "a getter, which isn't run",
      {
        a: 1,
        get b() {
          return thrower()
        }
      },
      { a: 1 }
    ],
    ["a field toJSON that is no function", { toJSON: 5 }, { toJSON: 5 }],
    ["a revoked proxy", revoked.proxy, "what can't be read"],
    ["one that throws when it is shown", { toJSON: thrower }, "what can't be read"]
  ])("is described: %s", (_, cause, expected) => {
    assert.deepStrictEqual(described(cause), expected)
  })

  it("is described with what caused it", () => {
    const inner = new RoomFull({ room: "lobby", size: 3 })
    const outer = described(new Error("outer", { cause: inner })) as Schema.JsonObject
    assert.deepInclude(outer, { name: "Error", message: "outer" })
    assert.deepInclude(outer["cause"] as Schema.JsonObject, { _tag: "RoomFull", room: "lobby" })
  })

  it.each([
    ["name", Object.defineProperty(new Error("x"), "name", { get: thrower }), { name: "", message: "x" }],
    ["message", Object.defineProperty(new Error("x"), "message", { get: thrower }), { name: "Error", message: "" }],
    ["stack", Object.defineProperty(new Error("x"), "stack", { get: thrower }), { name: "Error", message: "x" }],
    ["cause", Object.defineProperty(new Error("x"), "cause", { get: thrower }), { name: "Error", message: "x" }],
    ["a name that is no text", Object.assign(new Error("x"), { name: 5 }), { name: 5, message: "x" }]
  ])("is described as far as it can be read: %s", (_, cause, expected) => {
    assert.deepStrictEqual(described(cause), expected)
  })

  it("rule 3: is bounded in depth, in breadth and in length, cycles too", () => {
    const cyclic: { self?: unknown } = {}
    cyclic.self = cyclic
    const list: Array<unknown> = []
    list.push(list)
    const itself = { toJSON: (): unknown => itself }
    const deep = Array.from({ length: 20_000 }).reduce<Error>((cause) => new Error("n", { cause }), new Error("0"))
    const wide = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`k${index}`, "x".repeat(100_000)]))
    for (const cause of [
      cyclic,
      list,
      itself,
      deep,
      wide,
      Array.from({ length: 1000 }, () => wide),
      new Error("y".repeat(1e6))
    ]) {
      assert.isAtMost(JSON.stringify(describeCause(cause)).length, 32 * 32 * 4200)
    }
    assert.strictEqual(JSON.stringify(describeCause(cyclic)), '{"self":{"self":{"self":{"self":{"self":"\u2026"}}}}}')
    assert.strictEqual(JSON.stringify(describeCause(list)), '[[[[["\u2026"]]]]]')
    assert.strictEqual(describeCause(itself), "\u2026")
    assert.strictEqual(Object.keys(describeCause(wide) as object).length, 32)
    assert.strictEqual((describeCause(new Error("y".repeat(1e6))) as { message: string }).message.length, 4097)
    assert.strictEqual((describeCause("z".repeat(1e6)) as string).length, 4097)
    assert.strictEqual((describeCause(Symbol("z".repeat(1e6))) as string).length, 4097)
  })

  it("rule 11: is cut so that no piece of what is masked is shown, wherever it is cut", () => {
    const value = "A1b2C3d4E5".repeat(9)
    const { json } = Redaction.make({ secrets: [], config: { value } })
    for (let before = 0; before < value.length; before++) {
      const text = " ".repeat(before) + value.repeat(50)
      for (const cause of [text, new Error(text), { _tag: "X", field: text }, Symbol(text)]) {
        assert.notMatch(JSON.stringify(json(describeCause(cause))), /[A-E][1-5]/i, `at ${before}`)
      }
    }
  })

  it.effect("leaves no promise behind", () =>
    Effect.gen(function* () {
      const shown = Effect.sync(() => {
        assert.strictEqual(describeCause(boom()), "a promise")
        assert.strictEqual(describeCause({ toJSON: boom }), "a promise")
        assert.deepStrictEqual(describeCause({ a: [{ toJSON: boom }] }), { a: ["a promise"] })
      })
      assert.deepStrictEqual(yield* unhandled(shown), [])
    })
  )

  it("rule 10: whatever it is, its error is a diagnostic", () => {
    const encode = HostError.encode(Redaction.make({ secrets: [], config: {} }))
    for (const cause of [
      undefined,
      null,
      1n,
      thrower,
      revoked.proxy,
      Symbol("s"),
      new RoomFull({ room: "r", size: 1 })
    ]) {
      const diagnostic = encode(new PluginError.InstanceLost({ cause }))
      assert.deepStrictEqual(Object.keys(diagnostic.error).toSorted(), ["_tag", "cause"])
      assert.doesNotThrow(() => JSON.stringify(diagnostic))
    }
  })
})

const stack = (...lines: ReadonlyArray<string>) => {
  const error = new Error("boom")
  error.stack = ["Error: boom", ...lines.map((line) => `    at ${line}`)].join("\n")
  return (describeCause(error) as { readonly frames?: ReadonlyArray<string> }).frames
}

const behind = (length: number) => {
  const error = new Error("boom")
  error.stack = `Error: ${"x".repeat(length)}\n    at f (/app/a.ts:1:1)`
  return (describeCause(error) as { readonly frames?: ReadonlyArray<string> }).frames
}

describe("the frames of what a plugin failed with", () => {
  const here = new URL(import.meta.url).pathname.replace(/\/test\/.*$/, "")

  it.each<readonly [line: string, frame: string | undefined]>([
    ["handler (file:///app/plugins/echo.ts:7:15)", "handler (echo.ts:7:15)"],
    ["async handler (file:///app/plugins/echo.ts:7:15)", "handler (echo.ts:7:15)"],
    ["/app/echo.ts:7:15", "echo.ts:7:15"],
    ["file:///app/echo.ts:7:15", "echo.ts:7:15"],
    [
      "Object.websocket_text [as handle] (/app/my%20echo.js:7:15)",
      "Object.websocket_text [as handle] (my%20echo.js:7:15)"
    ],
    ["C:\\app\\echo.js:7:15", "echo.js:7:15"],
    ["run (file:///C:/app/echo.js:7:15)", "run (echo.js:7:15)"],
    ["run (node:internal/process:1:1)", undefined],
    ["run (file:///app/node_modules/effect/dist/Effect.js:1:1)", undefined],
    ["run (C:\\app\\node_modules\\effect\\dist\\Effect.js:1:1)", undefined],
    [`run (file://${here}/src/plugin/Dispatcher.ts:1:1)`, undefined],
    [`run (${here}/src/index.ts:1:1)`, undefined],
    [`run (${here}/test/x.ts:1:1)`, "run (x.ts:1:1)"],
    ["<anonymous>", undefined],
    ["Array.map (<anonymous>)", undefined]
  ])("of %s: %s", (line, frame) => {
    assert.deepStrictEqual(stack(line), frame === undefined ? undefined : [frame])
  })

  it("are the first three", () => {
    const lines = Array.from({ length: 10 }, (_, index) => `f${index} (/app/a.ts:${index}:1)`)
    assert.deepStrictEqual(stack("run (node:fs:1:1)", ...lines), ["f0 (a.ts:0:1)", "f1 (a.ts:1:1)", "f2 (a.ts:2:1)"])
  })

  it("are found behind a long message, and not for ever", () => {
    assert.deepStrictEqual(behind(10_000), ["f (a.ts:1:1)"])
    assert.isUndefined(behind(20_000))
  })

  it("are none of lines that no frame is as long as", () => {
    assert.isUndefined(stack(`f (/${"a".repeat(2000)}.ts:1:1)`))
  })

  it("are none where there is no stack", () => {
    assert.notProperty(describeCause(Object.assign(new Error("x"), { stack: 5 })), "frames")
  })
})

describe("the diagnostic of a handler", () => {
  const failing = plugin({
    handlers: {
      gateway: {
        websocket_text: (event) => {
          if (event.text === "throw") throw new RangeError("it said secret-room")
          return Exit.fail(new RoomFull({ room: "secret-room", size: 3 }))
        }
      }
    }
  })
  const enabled = [enable(failing, { config: { room: "secret-room" } })]

  const causeAfter = (text: string) =>
    Effect.gen(function* () {
      const { remote } = yield* opened(GATEWAY)
      remote.sendText(text)
      yield* settled
      const diagnostic = (yield* rowOf(REF)).diagnostics.find(
        ({ stage }) => stage === "dispatch" || stage === "runtime"
      )
      return diagnostic?.error["cause"] as { readonly frames: ReadonlyArray<string> }
    }).pipe(Effect.provide(onFake({ plugins: [failing], enabled })))

  it.effect("rule 11: that fails with an error of its own has its tag and fields, masked", () =>
    Effect.gen(function* () {
      const { frames: _, ...cause } = yield* causeAfter("fail")
      assert.deepStrictEqual<unknown>(cause, { name: "RoomFull", message: "", _tag: "RoomFull", room: "***", size: 3 })
    })
  )

  it.effect("that dies says where in its own files", () =>
    Effect.gen(function* () {
      const cause = yield* causeAfter("throw")
      assert.deepInclude<object>(cause, { name: "RangeError", message: "it said ***" })
      assert.match(cause.frames[0] ?? "", /\(foreign\.test\.ts:\d+:\d+\)$/)
      assert.isTrue(cause.frames.every((frame) => frame.includes("foreign.test.ts")))
    })
  )
})
