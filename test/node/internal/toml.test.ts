import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { stringify } from "smol-toml"
import * as Wire from "../../../src/internal/wire.ts"
import * as Manifest from "../../../src/manifest/Manifest.ts"
import * as Toml from "../../../src/node/internal/toml.ts"

const TOKEN = "xoxb-s3cr3t-t0ken"

const valueOf = (text: string) => Result.getOrThrow(Toml.parse(text, "a.toml")).value

const linesOf = (text: string, found: ReadonlyArray<Wire.Problem> = []): ReadonlyArray<string> =>
  Result.match(Toml.parse(text, "a.toml"), {
    onFailure: (problem) => [Wire.formatProblem(problem)],
    onSuccess: ({ problems }) => problems(found).map(Wire.formatProblem)
  })

const at = (text: string, path: string) => linesOf(text, [{ path, message: "x" }])

const Key = Schema.String.check(Schema.isPattern(/^[a-e]{1,3}$/u))
const Leaf = Schema.Union([
  Schema.Int.check(Schema.isBetween({ minimum: -9, maximum: 9 })),
  Schema.Boolean,
  Schema.String.check(Schema.isPattern(/^[^\ud800-\udfff]*$/u))
])
const Inner = Schema.Record(Key, Schema.Union([Leaf, Schema.Array(Leaf)]))
const Middle = Schema.Record(Key, Schema.Union([Leaf, Inner, Schema.Array(Inner)]))
const Table = Schema.Record(Key, Schema.Union([Leaf, Middle, Schema.Array(Middle)]))

/** The paths of all that is in a value. */
const pathsOf = (value: unknown, path: ReadonlyArray<PropertyKey> = []): ReadonlyArray<string> => {
  const own = path.length === 0 ? [] : [Wire.formatPath(path)]
  if (typeof value !== "object" || value === null) return own
  const entries: Iterable<readonly [PropertyKey, unknown]> = Array.isArray(value)
    ? value.entries()
    : Object.entries(value)
  return [...own, ...Array.from(entries).flatMap(([key, item]) => pathsOf(item, [...path, key]))]
}

describe("toml", () => {
  it("reads dates as texts, with a byte order mark and CRLF too", () => {
    const text = "\ufeffa = 1979-05-27 07:32:00.5+01:00\r\nb = 1979-05-27\r\nc = 07:32:00\r\n"
    assert.deepStrictEqual(valueOf(text), { a: "1979-05-27T07:32:00.500+01:00", b: "1979-05-27", c: "07:32:00.000" })
  })

  it("finds numbers that no double holds at their keys, and reads the rest", () => {
    const text =
      "a = 9007199254740993\n[b]\nc = [1, -9007199254740992]\nd = nan\ne = { f = -inf }\ng = 9007199254740991\n"
    assert.deepStrictEqual(linesOf(text), [
      "a.toml:1:1: a: Expected a whole number within ±(2^53 − 1): write it as a text",
      "a.toml:3:9: b.c[1]: Expected a whole number within ±(2^53 − 1): write it as a text",
      "a.toml:4:1: b.d: Expected a number that is finite",
      "a.toml:5:7: b.e.f: Expected a number that is finite"
    ])
    assert.deepStrictEqual(valueOf("g = 9007199254740991"), { g: 9007199254740991 })
  })

  it("says of such a number nothing that was found of the text in its place", () => {
    assert.deepStrictEqual(linesOf("a = inf", [{ path: "a", message: "Expected 1" }]), [
      "a.toml:1:1: a: Expected a number that is finite"
    ])
  })

  it("finds a key of a table, of a table in a list, of an inline table and behind dots", () => {
    const text =
      '\ufeff[[p.e]]\r\n  x = 1\r\n[[p.e]]\r\ny = [{ z = 1 }, 2]\r\n  [[p.e.g.w]]\r\n  "a b".c = 1\r\n[q]\r\n'
    assert.deepStrictEqual(at(text, "p.e[0].x"), ["a.toml:2:3: p.e[0].x: x"])
    assert.deepStrictEqual(at(text, "p.e[1].y[0].z"), ["a.toml:4:8: p.e[1].y[0].z: x"])
    assert.deepStrictEqual(at(text, "p.e[1].y[1]"), ["a.toml:4:17: p.e[1].y[1]: x"])
    assert.deepStrictEqual(at(text, "p.e[1].g.w[0].a b.c"), ["a.toml:6:9: p.e[1].g.w[0].a b.c: x"])
    assert.deepStrictEqual(at(text, "q"), ["a.toml:7:2: q: x"])
  })

  it("gives a missing key the position of its table", () => {
    const text = "# first\n[[p.e]]\n[[p.e]]\n  [[p.e.g.w]]\n  scheme = 1\n"
    assert.deepStrictEqual(at(text, "p.e[1].g.w[0].path_prefixes"), ["a.toml:4:5: p.e[1].g.w[0].path_prefixes: x"])
    assert.deepStrictEqual(at(text, "p.e[1].id"), ["a.toml:3:3: p.e[1].id: x"])
    assert.deepStrictEqual(at(text, "version"), ["a.toml:1:1: version: x"])
  })

  it("finds a table that only stands before others, where it was first written", () => {
    assert.deepStrictEqual(at("x = 1\n[a.b.c]\n[a.b]\n", "a.z"), ["a.toml:2:2: a.z: x"])
    assert.deepStrictEqual(at("x = 1\n[a.b.c]\n[a.d]\n", "a.b.z"), ["a.toml:2:2: a.b.z: x"])
    assert.deepStrictEqual(at("x = 1\n[a.b.c]\n[a.d]\n", "a.d.z"), ["a.toml:3:2: a.d.z: x"])
  })

  it("knows TOML 1.1: line breaks and a comma at the end of an inline table", () => {
    assert.deepStrictEqual(at("a = {\n  b = 1,\n  c = 2,\n}\n", "a.c"), ["a.toml:3:3: a.c: x"])
  })

  it.effect.prop(
    "finds every key of any text where it stands, and gives its value back",
    { table: Table },
    ({ table }) =>
      Effect.sync(() => {
        const text = stringify(table)
        const lines = text.split("\n")
        const { located, value } = Result.getOrThrow(Toml.parse(text, "a.toml"))
        assert.deepStrictEqual(value, table)
        const all = pathsOf(table).map((path): Wire.Problem => ({ path, message: "x" }))
        for (const { column = 0, line = 0, path } of located(all)) {
          const rest = (lines[line - 1] ?? "").slice(column - 1)
          // In the head of a table the whole key counts, in a list the element.
          const keys = /^(?:[a-e]+\.?)+/.exec(rest)?.[0].split(".") ?? []
          const isThere = path.endsWith("]") ? /^\S/.test(rest) : keys.includes(/[a-e]+$/.exec(path)?.[0] ?? "")
          assert.isTrue(isThere, `${path} at ${line}:${column} of\n${text}`)
        }
      }),
    { arbitrary: { runs: 100 } }
  )

  it("lists problems in the order of the text, also on one line", () => {
    const onOne = ["z.b", "z.a"].map((path) => ({ path, message: "x" }))
    assert.deepStrictEqual(linesOf("z = { a = 1, b = 2 }\n", onOne), ["a.toml:1:7: z.a: x", "a.toml:1:14: z.b: x"])

    const found = [
      { path: "b", message: "x" },
      { path: "a", message: "x" }
    ]
    assert.deepStrictEqual(linesOf("a = 1\nb = 2\n", found), ["a.toml:1:1: a: x", "a.toml:2:1: b: x"])
  })

  it("names the known key that was meant, and where it is", () => {
    const text = '[[websocket]]\nscheme = "ws"\nhost = "a"\npath_prefxes = []\n'
    const { problems, value } = Result.getOrThrow(Toml.parse(text, "plugin.toml"))
    const found = Result.match(Manifest.decode(value), { onSuccess: () => [], onFailure: (error) => error.problems })
    assert.includeMembers(problems(found).map(Wire.formatProblem), [
      "plugin.toml:4:1: websocket[0].path_prefxes: Expected no excess property (did you mean path_prefixes?)",
      "plugin.toml:1:3: websocket[0].path_prefixes: required"
    ])
  })

  it.each([
    ["a key without a value", `token = "${TOKEN}"\nx =\n`, "a.toml:2:4: Expected TOML: invalid value"],
    ["a text without an end", `token = "${TOKEN}\n`, "a.toml:1:27: Expected TOML: control characters"],
    ["a bare token", `token = ${TOKEN}\n`, "a.toml:1:9: Expected TOML: invalid value"],
    ["a key that is there already", `a = 1\na = "${TOKEN}"\n`, "a.toml:2:1: Expected TOML"],
    ["a token beside it", `a = 1 ${TOKEN}\n`, "a.toml:1:7: Expected TOML: each key-value"],
    ["a control character", `a = "${TOKEN}\0"`, "a.toml:1:"]
  ])("says where a text isn't TOML and quotes nothing of it: %s", (_, text, beginning) => {
    const [line, ...others] = linesOf(text)
    assert.deepStrictEqual(others, [])
    assert.isTrue(line?.startsWith(beginning), line)
    assert.notInclude(line, TOKEN.slice(0, 6))
  })

  it.each([
    ["thousands of dots", `a${".a".repeat(50_000)} = 1`],
    ["thousands of brackets", `a = ${"[".repeat(50_000)}`],
    ["thousands of inline tables", `a = ${"{ a = ".repeat(50_000)}`],
    ["thousands of nested lists", `a = ${"[".repeat(50_000)}${"]".repeat(50_000)}`]
  ])("outlasts %s", (_, text) => {
    const [line = "", ...others] = linesOf(text)
    assert.deepStrictEqual(others, [])
    assert.match(line, /^a\.toml(?::1:\d+)?: Expected TOML(?:: [a-z][a-z :,-]*)?$/)
  })

  it("outlasts 5,000 dots, of which positions know none", () => {
    const lines = linesOf(`a${".a".repeat(5000)} = 1`, [{ path: "a", message: "x" }])
    assert.strictEqual(lines.length, 1)
  })

  it("pollutes no prototype and keeps such keys as keys", () => {
    const text = "__proto__.polluted = 1\nconstructor.prototype.polluted = 2\n[x.__proto__]\npolluted = nan\n"
    const { problems, value } = Result.getOrThrow(Toml.parse(text, "a.toml"))
    assert.strictEqual(problems().length, 1)
    assert.isFalse("polluted" in {})
    assert.deepStrictEqual(Object.keys(value as object), ["__proto__", "constructor", "x"])
  })

  it("reads every prefix of a text or says why not, without a piece of it", () => {
    const text = `[[p.e]]\nid = "${TOKEN}" # ${TOKEN}\nconfig = { a = '${TOKEN}', b = [1, 2] }\n`
    for (let end = 0; end <= text.length; end++) {
      const lines = linesOf(text.slice(0, end), [{ path: "p.e[0].id", message: "x" }])
      assert.strictEqual(lines.length, 1)
      assert.notInclude(lines.join(), TOKEN.slice(0, 6))
    }
  })
})
