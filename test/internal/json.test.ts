import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Json from "../../src/internal/json.ts"

const thrower = (): never => {
  throw new Error("looked at")
}
const cyclic: { self?: unknown } = {}
cyclic.self = cyclic

const nested = (levels: number, open: (inner: unknown) => unknown): unknown => {
  let value: unknown = 1
  for (let level = 0; level < levels; level++) value = open(value)
  return value
}
const inList = (inner: unknown): unknown => [inner]
const inField = (inner: unknown): unknown => ({ a: inner, b: '[{"\\', "[[[": "]" })

describe("a value as JSON text", () => {
  it.effect.prop(
    "says the same as the value",
    { value: Schema.Json },
    ({ value }) => Effect.sync(() => assert.strictEqual(Json.textOf(value), JSON.stringify(value))),
    { arbitrary: { runs: 300 } }
  )

  it.each<readonly [what: string, value: unknown]>([
    ["undefined", undefined],
    ["a function", thrower],
    ["a symbol", Symbol("s")],
    ["a bigint", [1n]],
    ["a cycle", cyclic],
    [
      "a getter that throws",
      {
        get a() {
          return thrower()
        }
      }
    ],
    ["one that throws when it is written", { toJSON: thrower }],
    ["one that writes nothing", { toJSON: () => undefined }],
    ["a promise", Promise.resolve(1)],
    ["a promise in it", { a: [{ b: Promise.resolve(1) }] }],
    ["more levels than there is stack", nested(100_000, inList)]
  ])("is none: %s", (_, value) => {
    assert.isUndefined(Json.textOf(value))
  })

  it.each<readonly [what: string, value: unknown, text: string]>([
    ["empty objects", [{}, { a: {} }], '[{},{"a":{}}]'],
    ["a text that looks like one", "{}", '"{}"'],
    ["half a surrogate pair", "\ud800", String.raw`"\ud800"`]
  ])("is there: %s", (_, value, text) => {
    assert.strictEqual(Json.textOf(value), text)
  })

  it.each([
    ["lists", inList],
    ["objects", inField],
    ["lists beside others", (inner: unknown) => [[], {}, "[", inner, []]],
    ["objects behind texts with escapes", (inner: unknown) => ["\\", '"', '\\"[', inner]]
  ])("rule 3: may be nested 100 deep and no deeper: %s", (_, open) => {
    // Where a level has lists of its own, the innermost of them is one level further in.
    const own = JSON.stringify(open(1)).includes("[]") ? 1 : 0
    assert.isDefined(Json.textOf(nested(Json.MOST_DEPTH - own, open)))
    assert.isUndefined(Json.textOf(nested(Json.MOST_DEPTH + 1 - own, open)))
  })

  it("may be as wide as it likes", () => {
    assert.isDefined(Json.textOf(Array.from({ length: 1000 }, () => [[{ a: [] }]])))
  })
})
