import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Redaction from "../../src/diagnostics/Redaction.ts"
import { Words } from "../../src/diagnostics/Words.ts"
import { either, int, list, oneOf } from "../support/arbitraries.ts"

// What must never be shown, written down again: controls, bidirectional and separating characters, half characters.
const isUnsafe = (character: string): boolean => {
  const code = character.codePointAt(0) ?? 0
  const between = (low: number, high: number) => code >= low && code <= high
  return (
    between(0, 0x1f) ||
    between(0x7f, 0x9f) ||
    code === 0x61c ||
    between(0x200e, 0x200f) ||
    between(0x2028, 0x202e) ||
    between(0x2066, 0x2069) ||
    between(0xd800, 0xdfff)
  )
}

const assertSafe = (text: string, secrets: ReadonlyArray<string>, longest: number) => {
  assert.isAtMost(text.length, longest)
  for (const character of text) assert.isFalse(isUnsafe(character), `U+${character.codePointAt(0)?.toString(16)}`)
  for (const secret of secrets) assert.notInclude(text, secret)
}

const Character = either(
  oneOf("a", "b", "Z", "7", "-", "/", "+", "=", "%", " ", "&", '"', "\\", "{", "é", "ß", "\u{1f600}", "\u4e16"),
  oneOf("\u0000", "\n", "\r", "\u001b", "\u007f", "\u0085", "\u061c", "\u200e", "\u200f", "\u2028", "\u2029"),
  oneOf("\u202a", "\u202e", "\u2066", "\u2069", "\ud83d", "\ude00", "\ud800", "\udfff")
)

const Text = (minLength: number, maxLength: number) =>
  Arbitrary.map(list(Character, minLength, maxLength), (characters) => characters.join(""))

/** A secret that could stand in a file: at least six characters. */
const Secret = either(
  Arbitrary.schema(Schema.String.check(Schema.isPattern(/^[A-Za-z0-9+/=_-]{6,24}$/u))),
  Text(6, 12),
  Arbitrary.map(Text(3, 6), (text) => text + text)
)

/** Secrets, some of which are pieces of others. */
const Secrets = list(Secret, 1, 3).pipe(
  (secrets) => Arbitrary.all([secrets, int(0, 4)]),
  Arbitrary.map(([secrets, cut]) => {
    const [first = ""] = secrets
    return cut > 0 && first.length - cut >= 6 ? [...secrets, first.slice(0, -cut), first.slice(cut)] : secrets
  })
)

/** Text that contains some of the secrets, as they are and as they stand in a URL, somewhere. */
const Around = list(
  either<(secrets: ReadonlyArray<string>) => string>(
    Arbitrary.map(Text(0, 20), (text) => () => text),
    Arbitrary.map(int(0, 9), (index) => (secrets) => secrets[index % secrets.length] ?? ""),
    Arbitrary.map(int(0, 9), (index) => (secrets) => {
      const secret = secrets[index % secrets.length] ?? ""
      return secret.isWellFormed() ? encodeURIComponent(secret) : secret
    }),
    Arbitrary.map(int(1, 600), (length) => () => "x".repeat(length))
  ),
  0,
  8
)

const known = (secrets: ReadonlyArray<string>) =>
  secrets.flatMap((secret) => (secret.isWellFormed() ? [secret, encodeURIComponent(secret)] : [secret]))

describe("Redaction", () => {
  it.effect.prop(
    "rule 11: foreign text shows no secret, no control character and no more than 512 characters",
    { secrets: Secrets, around: Around },
    ({ around, secrets }) =>
      Effect.sync(() => {
        const text = around.map((part) => part(secrets)).join("")
        const { foreign, own } = Redaction.make({ secrets, config: null })
        assertSafe(foreign(text), known(secrets), 512)
        assertSafe(own(text), known(secrets), 2048)
      }),
    { arbitrary: { runs: 500 } }
  )

  it.effect.prop(
    "rule 11: foreign text shows no configured string of six or more characters, however deep it stands",
    { secrets: Secrets, around: Around, depth: int(0, 12) },
    ({ around, depth, secrets }) =>
      Effect.sync(() => {
        const text = around.map((part) => part(secrets)).join("")
        let config: Schema.Json = [...secrets]
        for (let level = 0; level < depth; level++) config = level % 2 === 0 ? { level, config } : [null, config]
        const { foreign, json } = Redaction.make({ secrets: [], config })
        assertSafe(foreign(text), known(secrets), 512)
        const shown = JSON.stringify(json({ [text]: [text, { text }] }))
        for (const secret of known(secrets)) assert.notInclude(shown, JSON.stringify(secret).slice(1, -1))
      }),
    { arbitrary: { runs: 300 } }
  )

  it.effect.prop(
    "rule 11: every text and key of a foreign JSON value is as safe as a text alone",
    { value: Schema.Json, secrets: Secrets, around: Around },
    ({ around, secrets, value }) =>
      Effect.sync(() => {
        const text = around.map((part) => part(secrets)).join("")
        const { json } = Redaction.make({ secrets, config: null })
        const check = (shown: Schema.Json): void => {
          if (typeof shown === "string") assertSafe(shown, known(secrets), 512)
          else if (Array.isArray(shown)) shown.forEach(check)
          else if (typeof shown === "object" && shown !== null) {
            for (const [key, item] of Object.entries(shown)) {
              assertSafe(key, known(secrets), 512)
              check(item)
            }
          }
        }
        check(json({ value, [text]: text, list: [text, { text, [`__proto__${text}`]: text }] }))
      }),
    { arbitrary: { runs: 300 } }
  )

  it("shows text without secrets as it is", () => {
    const { foreign, own } = Redaction.make({ secrets: ["hunter2x"], config: { a: "short" } })
    for (const text of ["", "hello", "a short text", "grüße 世界 \u{1f600}", "hunter2", "x".repeat(512)]) {
      assert.strictEqual(foreign(text), text)
      assert.strictEqual(own(text), text)
    }
    assert.strictEqual(foreign("it is hunter2x!"), "it is ***!")
  })

  it("masks the longer of two secrets that begin alike", () => {
    const { foreign } = Redaction.make({ secrets: ["secret", "secret-and-more"], config: null })
    assert.strictEqual(foreign("secret-and-more secret"), "*** ***")
  })

  it("masks a secret of any length, and a configured string from six characters on", () => {
    const { foreign, own } = Redaction.make({ secrets: ["k3y"], config: ["12345", "123456"] })
    assert.strictEqual(foreign("k3y 12345 123456"), "*** 12345 ***")
    // The host's own texts carry no configuration; a word of it that happens to stand in one stays.
    assert.strictEqual(own("k3y 123456"), "*** 123456")
  })

  it("masks a secret as it stands in a URL, too", () => {
    const { foreign } = Redaction.make({ secrets: ["pass word/ä"], config: null })
    assert.strictEqual(foreign(`GET /?key=${encodeURIComponent("pass word/ä")}`), "GET /?key=***")
  })

  it("cuts at a character, not in the middle of one", () => {
    const { foreign } = Redaction.make({ secrets: [], config: null })
    const shown = foreign(`${"x".repeat(510)}\u{1f600}\u{1f600}`)
    assert.strictEqual(shown, `${"x".repeat(510)}…`)
    assert.strictEqual(foreign("y".repeat(600)), `${"y".repeat(511)}…`)
    assert.strictEqual(foreign("\u{1f600}".repeat(256)), "\u{1f600}".repeat(256))
  })

  it("shows no piece of a secret that a cut would leave", () => {
    const { foreign } = Redaction.make({ secrets: ["abcdefghijklmnop"], config: null })
    for (let before = 490; before < 515; before++) {
      assert.notInclude(foreign(`${"x".repeat(before)}abcdefghijklmnop`), "abc", String(before))
    }
  })

  it("bounds a JSON value in depth and in entries", () => {
    const { json } = Redaction.make({ secrets: [], config: null })
    let deep: Schema.Json = "bottom"
    for (let level = 0; level < 100; level++) deep = [deep]
    assert.isBelow(JSON.stringify(json(deep)).length, 100)
    const wide = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`k${index}`, index]))
    assert.isAtMost(Object.keys(json(wide) as object).length, 64)
    assert.isAtMost((json(Array.from({ length: 1000 }, () => 1)) as ReadonlyArray<number>).length, 64)
  })

  it("bounds a JSON value as a whole, and counts of a long text what is shown of it", () => {
    const { json } = Redaction.make({ secrets: [], config: null })
    const texts = Array.from({ length: 64 }, () => "x".repeat(500))
    const shown = json(Array.from({ length: 64 }, () => ({ texts, [texts[0] ?? ""]: texts })))
    assert.isAtMost(JSON.stringify(shown).length, 18_000)
    assert.isAtLeast(JSON.stringify(shown).length, 15_000)
    assert.deepStrictEqual(json(["x".repeat(100_000), "and this"]), [`${"x".repeat(511)}\u2026`, "and this"])
  })

  it("leaves what isn't text as it is", () => {
    const { json } = Redaction.make({ secrets: ["123456"], config: null })
    const value = { a: 1, b: true, c: null, d: [1.5, false, []], e: {} }
    assert.deepStrictEqual(json(value), value)
  })

  it("rule 11: masks shared secrets and what is configured where they overlap, and others once there are others", () => {
    let secrets = ["first secret"]
    const words = new Words(() => secrets)
    const one = Redaction.make({ secrets: words, config: ["my first"] })
    const other = Redaction.make({ secrets: words, config: ["secret of"] })
    const text = "my first secret of all, second value"
    assert.strictEqual(one.foreign(text), "*** of all, second value")
    assert.strictEqual(other.foreign(text), "my *** all, second value")
    assert.strictEqual(one.own(text), "my *** of all, second value")
    const before = one.version()
    secrets = [...secrets, "second value"]
    words.changed()
    assert.notStrictEqual(one.version(), before)
    assert.strictEqual(one.foreign(text), "*** of all, ***")
    assert.strictEqual(other.foreign(text), "my *** all, ***")
    assert.strictEqual(other.own(text), "my *** of all, ***")
  })
})
