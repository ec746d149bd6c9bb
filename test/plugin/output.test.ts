import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { Limits, OutputCommand } from "mooring"
import { check, json } from "../../src/plugin/internal/output.ts"
import { unhandled } from "../support/rejections.ts"

const EVENT = { url: "ws://h/", ingressName: "gateway" }
const send = (text: string) => ({ kind: "websocket_send", payload: { url: "ws://h/", text } })

const limitsOf = (change: Partial<Limits.Values> = {}) => ({ ...Limits.defaults, ...change })

/** The tag of what is wrong and where, or "well". */
const verdict = (output: unknown, change: Partial<Limits.Values> = {}): string => {
  const checked = check(output, limitsOf(change))
  if (Result.isSuccess(checked)) return "well"
  const { failure } = checked
  return "problems" in failure ? `${failure._tag} ${failure.problems.map(({ path }) => path).join()}` : failure._tag
}

const usable = (output: unknown, change: Partial<Limits.Values> = {}) =>
  Result.getOrThrow(check(output, limitsOf(change)))

/** What is said first of what is wrong with it. */
const saidOf = (output: unknown): string | undefined => {
  const checked = check(output, limitsOf({}))
  return Result.isFailure(checked) && "problems" in checked.failure ? checked.failure.problems[0]?.message : undefined
}

class Answer {
  readonly status = 1
  method(): void {}
}

const repeatedly = (command: unknown): ReadonlyArray<unknown> => Array.from({ length: 100_000 }, () => command)

const revoked = Proxy.revocable([], {})
revoked.revoke()

/** A list that answers otherwise than lists do. */
const proxied = (answers: { readonly [key: PropertyKey]: unknown }): ReadonlyArray<unknown> =>
  new Proxy<Array<unknown>>([], {
    get: (list, key): unknown => (Object.hasOwn(answers, key) ? answers[key] : Reflect.get(list, key))
  })
const boom = (): Promise<never> => Promise.reject(new Error("boom"))
const endless = function* () {
  for (;;) yield null
}

describe("an output", () => {
  it.each<readonly [what: string, output: unknown, expected: string]>([
    ["nothing", undefined, "well"],
    ["no field", {}, "well"],
    ["all fields", { accepted: true, status: 1, state: [2], commands: [] }, "well"],
    [
      "fields that are undefined",
      { accepted: undefined, status: undefined, state: undefined, commands: undefined },
      "well"
    ],
    ["an instance of a class", new Answer(), "well"],
    ["fields that are inherited", Object.create({ status: 1 }), "well"],
    ["null status and state", { status: null, state: null }, "well"],
    ["null", null, "OutputInvalid "],
    ["a text", "x", "OutputInvalid "],
    ["a number", 1, "OutputInvalid "],
    ["a function", () => ({}), "OutputInvalid "],
    ["a list", [], "OutputInvalid "],
    ["a promise", Promise.resolve({}), "OutputInvalid "],
    ["an unknown field", { commands: [], more: 1 }, "OutputInvalid \u2026"],
    ["an inherited unknown field", Object.create({ more: 1 }), "OutputInvalid \u2026"],
    ["the wire's name", { output_commands: [] }, "OutputInvalid \u2026"],
    ["accepted that is null", { accepted: null }, "OutputInvalid accepted"],
    ["accepted that is no boolean", { accepted: 0 }, "OutputInvalid accepted"],
    ["not accepted", { accepted: false, status: 1, commands: [1n] }, "DispatchFailed"],
    ["commands that are null", { commands: null }, "OutputInvalid commands"],
    ["commands that are no list", { commands: { length: 1, 0: send("x") } }, "OutputInvalid commands"],
    ["commands of a set", { commands: new Set([send("x")]) }, "OutputInvalid commands"],
    ["a status that isn't JSON", { status: 1n }, "OutputInvalid status"],
    ["a status that is a function", { status: () => 1 }, "OutputInvalid status"],
    ["a state that isn't JSON", { state: Symbol("s") }, "OutputInvalid state"],
    ["a command that isn't JSON", { commands: [send("x"), 1n] }, "OutputInvalid commands"],
    ["a command with a promise", { commands: [{ kind: Promise.resolve() }] }, "OutputInvalid commands"]
  ])("with %s", (_, output, expected) => {
    assert.strictEqual(verdict(output), expected)
  })

  it("with a field that there isn't is told which there are, and nothing of its own", () => {
    assert.strictEqual(saidOf({ output_commands: [] }), "Expected no field but accepted, status, state, commands")
  })

  it("says nothing where it is nothing", () => {
    for (const output of [undefined, {}, { commands: undefined }]) {
      assert.deepStrictEqual(usable(output), { commands: [], status: undefined, state: undefined })
    }
  })

  it("has status and state as JSON texts", () => {
    assert.deepStrictEqual(usable({ status: { a: 1 }, state: null }), {
      commands: [],
      status: '{"a":1}',
      state: "null"
    })
  })

  it("has commands as they were made, or copies of them", () => {
    const made = OutputCommand.send(EVENT, "one")
    const given = send("two")
    const { commands } = usable({ commands: [made, given] })
    assert.strictEqual(commands[0], made)
    assert.deepStrictEqual(commands[1], given)
    assert.notStrictEqual(commands[1], given)
    given.payload.text = "edited"
    assert.deepStrictEqual(commands[1], send("two"))
  })

  it("gives what JSON leaves out its place among the commands", () => {
    const { commands } = usable({ commands: [undefined, () => {}, Symbol("s"), null, { a: undefined }] })
    assert.deepStrictEqual(commands, [null, null, null, null, {}])
    // A hole, too.
    assert.deepStrictEqual(usable({ commands: Array.from({ length: 2 }) }).commands, [null, null])
  })

  it.effect.prop(
    "rule 3: is bounded as a whole by its bytes on the wire, whatever is in it",
    {
      texts: Schema.Array(Schema.String),
      status: Schema.optionalKey(Schema.Json),
      state: Schema.optionalKey(Schema.Json)
    },
    ({ state, status, texts }) =>
      Effect.sync(() => {
        const wellFormed = texts.map((text) => text.toWellFormed())
        const made = wellFormed.map((text) => OutputCommand.send(EVENT, text))
        const commands = [...made, ...wellFormed.map(send)]
        const output = {
          commands,
          ...(status === undefined ? {} : { status }),
          ...(state === undefined ? {} : { state })
        }
        const wire = {
          ...(status === undefined ? {} : { status }),
          ...(state === undefined ? {} : { state }),
          ...(commands.length === 0
            ? {}
            : {
                output_commands: [
                  ...wellFormed.map((text) => ({
                    kind: "websocket_send",
                    payload: { url: "ws://h/", ingress_name: "gateway", text }
                  })),
                  ...wellFormed.map(send)
                ]
              })
        }
        const outputBytes = Buffer.byteLength(JSON.stringify(wire))
        const most = { stateBytes: 1e9, reportedStatusBytes: 1e9 }
        assert.strictEqual(verdict(output, { ...most, outputBytes }), "well")
        const over = check(output, limitsOf({ ...most, outputBytes: outputBytes - 1 }))
        assert.isTrue(Result.isFailure(over))
        if (Result.isFailure(over)) {
          assert.deepInclude(over.failure, { _tag: "OutputTooLarge", bytes: outputBytes, limit: outputBytes - 1 })
        }
      }),
    { arbitrary: { runs: 300 } }
  )

  it.each([
    ["a text", () => OutputCommand.send(EVENT, '"'.repeat(1000))],
    ["a URL", () => OutputCommand.send({ url: '"'.repeat(1000), ingressName: "g" }, "")],
    ["an ingress", () => OutputCommand.send({ url: "", ingressName: '"'.repeat(1000) }, "")],
    ["a decoded command's", () => Result.getOrThrow(OutputCommand.decode(send('"'.repeat(1000))))]
  ])("rule 3: counts what JSON makes of %s", (_, make) => {
    const command = make()
    const wire = JSON.stringify({
      output_commands: [OutputCommand.isOutputCommand(command) ? OutputCommand.encode(command) : command]
    })
    const outputBytes = Buffer.byteLength(wire)
    assert.strictEqual(verdict({ commands: [command] }, { outputBytes }), "well")
    assert.strictEqual(verdict({ commands: [command] }, { outputBytes: outputBytes - 1 }), "OutputTooLarge")
  })

  it.each<readonly [what: string, output: object]>([
    ["a status", { status: "x".repeat(1000) }],
    ["a state", { state: "x".repeat(1000) }],
    ["a command", { commands: ["x".repeat(1000)] }],
    ["a little of each", { status: "x".repeat(200), state: "x".repeat(200), commands: ["x".repeat(300)] }]
  ])("rule 3: is bounded where %s makes it large", (_, { commands, ...rest }: { readonly commands?: unknown }) => {
    const wire = { ...rest, ...(commands === undefined ? {} : { output_commands: commands }) }
    const outputBytes = Buffer.byteLength(JSON.stringify(wire))
    const output = { ...rest, ...(commands === undefined ? {} : { commands }) }
    assert.strictEqual(verdict(output, { outputBytes }), "well")
    assert.strictEqual(verdict(output, { outputBytes: outputBytes - 1 }), "OutputTooLarge")
  })

  it.each(["x", "é", "\u{1f600}", '"'])(
    "rule 3: bounds status and state each by its own limit, in bytes: %s",
    (character) => {
      const value = character.repeat(50)
      const bytes = Buffer.byteLength(JSON.stringify(value))
      assert.strictEqual(verdict({ status: value }, { reportedStatusBytes: bytes, stateBytes: 0 }), "well")
      assert.strictEqual(verdict({ status: value }, { reportedStatusBytes: bytes - 1 }), "OutputInvalid status")
      assert.strictEqual(verdict({ state: value }, { stateBytes: bytes, reportedStatusBytes: 0 }), "well")
      assert.strictEqual(verdict({ state: value }, { stateBytes: bytes - 1 }), "OutputInvalid state")
    }
  )

  it.each<readonly [what: string, output: object, expected: string]>([
    ["a list of nothing", { commands: Array.from({ length: 3 }) }, "well"],
    ["a list of holes", { commands: Object.assign([], { length: 4_294_967_295 }) }, "OutputTooLarge"],
    [
      "a list in the place of a command",
      { commands: [Object.assign([], { length: 4_294_967_295 })] },
      "OutputTooLarge"
    ],
    ["a status of holes", { status: Object.assign([], { length: 4_294_967_295 }) }, "OutputInvalid status"],
    ["a state of holes", { state: Object.assign([], { length: 4_294_967_295 }) }, "OutputInvalid state"],
    ["the same command again and again", { commands: repeatedly(send("x".repeat(1e6))) }, "OutputTooLarge"],
    [
      "the same made command again and again",
      { commands: repeatedly(OutputCommand.send(EVENT, "x".repeat(1e6))) },
      "OutputTooLarge"
    ],
    ["a status that can't be looked at", { status: revoked.proxy }, "OutputInvalid status"],
    ["a command that can't be looked at", { commands: [revoked.proxy] }, "OutputInvalid commands"],
    ["a length that is none", { commands: proxied({ length: Number.NaN }) }, "OutputInvalid commands"],
    ["a length without end", { commands: proxied({ length: Number.POSITIVE_INFINITY }) }, "OutputInvalid commands"],
    ["a length that is a text", { commands: proxied({ length: "9" }) }, "OutputInvalid commands"],
    ["a negative length", { commands: proxied({ length: -1 }) }, "OutputInvalid commands"],
    ["a giant length", { commands: proxied({ length: 2 ** 32 - 1 }) }, "OutputTooLarge"],
    ["a length that no list has", { commands: proxied({ length: 2 ** 32 }) }, "OutputInvalid commands"],
    [
      "such a list in the place of a command",
      { commands: [proxied({ length: Number.POSITIVE_INFINITY })] },
      "OutputTooLarge"
    ],
    ["such a list as a status", { status: proxied({ length: Number.NaN }) }, "OutputInvalid status"],
    ["an iterator without end", { commands: proxied({ length: 1, [Symbol.iterator]: endless }) }, "well"]
  ])("rule 3: is looked at no further than it may be large: %s", (_, output, expected) => {
    assert.strictEqual(verdict(output), expected)
  })

  it.effect("leaves no promise behind that it shows itself as", () =>
    Effect.gen(function* () {
      const asked = Effect.sync(() => {
        assert.strictEqual(verdict({ status: { toJSON: boom } }), "OutputInvalid status")
        assert.strictEqual(verdict({ state: { toJSON: boom } }), "OutputInvalid state")
        assert.strictEqual(verdict({ commands: [{ toJSON: boom }] }), "OutputInvalid commands")
        assert.strictEqual(verdict({ status: new Date(0) }), "well")
      })
      assert.deepStrictEqual(yield* unhandled(asked), [])
    })
  )

  it("says what a limit is, and no piece of the value", () => {
    const checked = json("status", "secret".repeat(10), 10)
    if (Result.isSuccess(checked)) return assert.fail("it is too large")
    assert.deepStrictEqual(checked.failure.problems, [{ path: "status", message: "Expected at most 10 bytes" }])
  })

  it("looks at every field and command once", () => {
    const looks: Array<string> = []
    const output = {}
    const lookedAt = (owner: object, key: string, value: unknown) =>
      Object.defineProperty(owner, key, { enumerable: true, get: () => (looks.push(key), value) })
    const command = lookedAt(lookedAt({}, "kind", "timer_clear"), "payload", { name: "t" })
    lookedAt(output, "accepted", true)
    lookedAt(output, "status", 1)
    lookedAt(output, "state", 2)
    lookedAt(output, "commands", lookedAt([null], "0", command))
    assert.deepStrictEqual(usable(output).commands, [{ kind: "timer_clear", payload: { name: "t" } }])
    assert.deepStrictEqual(looks.toSorted(), ["0", "accepted", "commands", "kind", "payload", "state", "status"])
  })
})
