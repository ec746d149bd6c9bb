/** Every form in which a value can stand in a text, written down with other tools than those that look for it. */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import { fold, make } from "../../src/internal/automaton.ts"
import * as Masking from "../../src/diagnostics/internal/masking.ts"
import * as Redaction from "../../src/diagnostics/Redaction.ts"
import { Words } from "../../src/diagnostics/Words.ts"
import { either, int, list, oneOf } from "../support/arbitraries.ts"

const masker = (values: ReadonlyArray<string>) => Masking.masker([new Words(() => values)])

const utf8 = (text: string) => Buffer.from(text.toWellFormed(), "utf8")
const everyByte = (bytes: Buffer) => [...bytes].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("")
const everyUnit = (text: string) =>
  Array.from({ length: text.length }, (_, index) => `\\u${text.charCodeAt(index).toString(16).padStart(4, "0")}`).join(
    ""
  )
const inUpperHex = (text: string) => text.replaceAll(/%..|\\u..../g, (escape) => escape.toUpperCase().replace("U", "u"))
const inLowerHex = (text: string) => text.replaceAll(/%../g, (escape) => escape.toLowerCase())
const json = (text: string) => JSON.stringify(text).slice(1, -1)
const percent = (text: string) => encodeURIComponent(text.toWellFormed())
const urlSafe = (text: string) => text.replaceAll("+", "-").replaceAll("/", "_")
const inLines = (text: string) => text.replaceAll(/.{8}/g, "$&\r\n")
const latin1 = (text: string) =>
  /^[\u0000-\u00ff]*$/.test(text) ? Buffer.from(text, "latin1").toString("base64") : utf8(text).toString("base64")

/** Base64 of a longer text, in which the value stands behind as many bytes. */
const embedded = (text: string, before: number, behind: number) =>
  Buffer.concat([Buffer.alloc(before, "<"), utf8(text), Buffer.alloc(behind, ">")]).toString("base64")

/** Of that the part which says the value and nothing else. */
const core = (text: string, before: number) => {
  const encoded = embedded(text, before, 0).replaceAll("=", "")
  return encoded.slice(Math.ceil((before * 8) / 6), Math.floor(((before + utf8(text).length) * 8) / 6))
}

const FORMS: { readonly [name: string]: (value: string) => string } = {
  "as it is": (value) => value,
  "in upper case": (value) => value.toUpperCase(),
  "in lower case": (value) => value.toLowerCase(),
  JSON: json,
  "JSON with a slash escaped": (value) => json(value).replaceAll("/", "\\/"),
  "JSON with everything escaped": everyUnit,
  "JSON with everything escaped, in upper case": (value) => inUpperHex(everyUnit(value)),
  "JSON inside JSON": (value) => json(json(value)),
  percent,
  "percent in lower case": (value) => inLowerHex(percent(value)),
  "percent of every byte": (value) => everyByte(utf8(value)),
  "percent of every byte in upper case": (value) => inUpperHex(everyByte(utf8(value))),
  "percent of one character": (value) => everyByte(utf8(value.slice(0, 1))) + value.slice(1).toWellFormed(),
  "a form's": (value) => new URLSearchParams([["", value]]).toString().slice(1),
  "percent inside percent": (value) => percent(percent(value)),
  "percent inside JSON": (value) => everyUnit(percent(value)),
  base64: (value) => utf8(value).toString("base64"),
  "base64 without padding": (value) => utf8(value).toString("base64url"),
  "base64 of Latin-1": latin1,
  "base64 in lines": (value) => inLines(utf8(value).toString("base64")),
  "base64 behind one byte": (value) => embedded(value, 1, 2),
  "base64 behind two bytes": (value) => embedded(value, 2, 2),
  "base64 behind three bytes": (value) => embedded(value, 3, 1),
  "URL-safe base64 behind four bytes": (value) => urlSafe(embedded(value, 4, 3)),
  "base64 behind a word": (value) => `key${utf8(value).toString("base64")}`,
  "percent of base64": (value) => percent(embedded(value, 2, 1)),
  "JSON of base64": (value) => json(embedded(value, 1, 1)).replaceAll("/", "\\/"),
  "base64 of JSON": (value) => utf8(JSON.stringify({ sub: value })).toString("base64url"),
  "base64 of base64": (value) => utf8(embedded(value, 1, 1)).toString("base64")
}

/** What must not be in a shown text: pieces that say the whole value by themselves. */
const telling = (value: string): ReadonlyArray<string> => [
  value,
  value.toLowerCase(),
  json(value),
  everyUnit(value),
  percent(value),
  inLowerHex(percent(value)),
  everyByte(utf8(value)),
  ...[0, 1, 2].flatMap((before) => [core(value, before), urlSafe(core(value, before))])
]

const assertUntold = (shown: string, value: string, form: string) => {
  for (const piece of telling(value)) assert.notInclude(shown, piece, form)
}

const Character = either(
  oneOf("a", "B", "7", "-", "_", "/", "+", "=", "%", " ", "&", '"', "\\", "*", "é", "ß", "\u{1f600}", "\u4e16", "{"),
  oneOf("\n", "\t", "\u001b", "\u2028", "\u202e", "\ufffd", "\u2026", "\ud83d", "\ude00", "%", "u", "n")
)
const Text = (minLength: number, maxLength: number) =>
  Arbitrary.map(list(Character, minLength, maxLength), (characters) => characters.join(""))
// At least two different characters: of one alone a cut can't be told from a shorter text.
const Value = Arbitrary.map(Text(6, 24), (text) => `k${text}`)
const forms = Object.keys(FORMS)
const Form = Arbitrary.map(int(0, forms.length - 1), (index) => forms[index] ?? "as it is")
const written = (form: string, value: string) => FORMS[form]?.(value) ?? value

describe("masking", () => {
  it.effect.prop(
    "rule 11: whatever the value, its form and what stands around it, no form of it is shown",
    {
      value: Value,
      form: Form,
      before: Text(0, 12),
      behind: Text(0, 12),
      filler: oneOf("x", " ", "%41"),
      much: oneOf(0, 0, 480, 500, 508, 511, 512, 4000, 4090)
    },
    ({ before, behind, filler, form, much, value }) =>
      Effect.sync(() => {
        const { foreign } = Redaction.make({ secrets: [], config: [value] })
        const space = filler.repeat(Math.ceil(much / filler.length))
        assertUntold(foreign(`${before}${space}${written(form, value)}${behind}`), value, form)
        assertUntold(foreign(`${before}${written(form, value)}${space}${behind}`), value, form)
      }),
    { arbitrary: { runs: 800, size: 24 } }
  )

  it.each(forms)("leaves of a value nothing where it stands as %s, and all that stands around it", (form) => {
    const value = 'pa"ss/w\u00f6rd+\u00fc'
    const { foreign } = Redaction.make({ secrets: [], config: [value] })
    const shown = foreign(`it was <${written(form, value)}>`)
    // Of base64 the characters at both ends may say something of both.
    if (form.includes("base64")) assert.match(shown, /^it was <[^*]{0,10}\*\*\*[^*]{0,8}>$/)
    else assert.strictEqual(shown, "it was <***>")
    assert.strictEqual(foreign(`it was <${written(form, value)}>`), shown)
  })

  it("finds a value beside what is half of an escape", () => {
    const { foreign } = Redaction.make({ secrets: [], config: ["\u00a9 copy right"] })
    for (const text of [
      "%C3\u00a9%20copy right",
      "%C3%C2%A9 copy right",
      "%e2%82\u00a9 copy%20right",
      "%\u00a9%20copy right"
    ]) {
      assert.match(foreign(text), /^%?[^ ]{0,6}\*\*\*$/, text)
    }
  })

  it("finds a value behind what looks like the beginning of an escape", () => {
    for (const [value, text] of [
      ["b6gJt+", "a%b6gJt%2B"],
      ["41bcde/", "%41bcde%2f"],
      ['nabc"def', '\\nabc\\"def'],
      ["kaaaaa", "\\\\u006baaaaa"],
      ["kaaaaa", "\\\\\\\\u006baaaaa"],
      ['u0041"bcd', '\\u0041\\"bcd'],
      ["41\u4e16\u4e16\u4e16\u4e16", "%41%E4%B8%96%E4%B8%96%E4%B8%96%E4%B8%96"]
    ] as const) {
      const { foreign } = Redaction.make({ secrets: [], config: [value] })
      assert.match(foreign(`<${text}>`), /^<a?[%\\]*\*\*\*>$/, text)
    }
  })

  it("masks what masking, cutting or cleaning a text makes of it", () => {
    const { foreign } = Redaction.make({ secrets: [], config: ["hunter2!", "***abc", "zzzzz\u2026", "abc\ufffdef"] })
    assert.strictEqual(foreign("hunter2!abc"), "***")
    assert.strictEqual(foreign("abc\u0001ef"), "***")
    assert.strictEqual(foreign(`${"q".repeat(506)}zzzzzz`), `${"q".repeat(506)}zzzzzz`)
    assert.strictEqual(foreign(`${"q".repeat(506)}zzzzzzz`), `${"q".repeat(506)}***`)
  })

  it("says that a text was longer, though masking made it short", () => {
    const { foreign } = Redaction.make({ secrets: [], config: ["hunter2!"] })
    assert.strictEqual(foreign("hunter2!".repeat(1000)), "***\u2026")
    assert.strictEqual(foreign("hunter2!".repeat(100)), "***")
  })

  it.effect.prop(
    "rule 11: of values that overlap or contain each other none is shown",
    { first: Value, second: Value, form: Form },
    ({ first, form, second }) =>
      Effect.sync(() => {
        const shared = second.slice(0, 3)
        const values = [first + shared, second, first + second, first]
        const { foreign } = Redaction.make({ secrets: values.slice(2), config: values.slice(0, 2) })
        const shown = foreign(`${written(form, first + second)} ${written(form, second + first)}`)
        for (const value of values) assertUntold(shown, value, form)
      }),
    { arbitrary: { runs: 300, size: 24 } }
  )

  it("shows no part of a value that a cut goes through, in whichever form", () => {
    const value = "Zq-9 w/".repeat(12)
    const { foreign } = Redaction.make({ secrets: [], config: [value] })
    for (const form of forms) {
      for (let before = 470; before <= 512; before += 3) {
        const shown = foreign(`${".".repeat(before)}${written(form, value)}`)
        assert.notMatch(shown.slice(before + 8), /[^*….=]{5}/u, form)
      }
      // What is read of a text ends somewhere, too; masked values before that make room for what stands there.
      for (let before = 3900; before <= 4096; before += 13) {
        const masked = value.repeat(Math.floor(before / value.length))
        const shown = foreign(`${masked}${".".repeat(before - masked.length)}${written(form, value)}`)
        assert.notMatch(shown, /[^*….]{12}/u, form)
      }
    }
  })

  it("leaves what only resembles a value", () => {
    const { foreign } = Redaction.make({ secrets: [], config: ["abcdefgh", "hunter2!"] })
    for (const text of ["abcdefg", "bcdefgh", "%61bcdefg", "hunter2", "YWJjZGVmZw==", "\\u0061bcdefg", "a+bcdefgh"]) {
      assert.strictEqual(foreign(text), text)
    }
    assert.strictEqual(foreign("abcdefghunter2"), "***unter2")
    assert.strictEqual(foreign("abcdefghunter2!"), "***")
    assert.strictEqual(foreign("ababcdefgh"), "ab***")
  })

  it.effect.prop(
    "masks exactly what naive comparing finds",
    {
      texts: list(
        Arbitrary.map(list(oneOf("a", "b", "c"), 2, 5), (units) => units.join("")),
        0,
        5
      ),
      text: Text(0, 4)
    },
    ({ text, texts }) =>
      Effect.sync(() => {
        const searched = `${text.replaceAll(/[^a]/g, "")}abcabcaabbccABcbacab${texts.join("c")}`
        const hidden = new Set<number>()
        for (const value of texts) {
          for (let at = 0; at < searched.length; at++) {
            if (searched.slice(at, at + value.length).toLowerCase() !== value) continue
            for (let index = at; index < at + value.length; index++) hidden.add(index)
          }
        }
        const naive = [...searched].map((unit, index) => (hidden.has(index) ? "\0" : unit)).join("")
        assert.strictEqual(masker(texts)(searched, false), naive.replaceAll(/\0+/g, "***"))
      }),
    { arbitrary: { runs: 400, size: 20 } }
  )

  it("gives a text without values back as it is, and one without anything to look for, too", () => {
    assert.strictEqual(masker([])("text", true), "text")
    assert.strictEqual(masker([""])("", false), "")
    assert.strictEqual(masker(["abcdef"])("", true), "")
  })

  it("finds a value that is escaped only further on, behind what looks like an escape", () => {
    const value = `u${"a".repeat(60)}\\${"b".repeat(60)}`
    const mask = masker([value])
    assert.strictEqual(mask(`\\${value}`, false), "\\***")
    assert.strictEqual(mask(`\\${json(value)} and so on`, false), "\\*** and so on")
    assert.strictEqual(mask(`%4${percent(`1${value}`)}`, false), "%41***")
  })

  it("takes no longer for what may be the beginning of an escape again and again", () => {
    const mask = masker(["%%%%%%%%", "\\abcdef", `${"25%41".repeat(200)}!`, "2bcdefgh"])
    const started = performance.now()
    for (const part of ["%%", "%2", "%25", "\\a"]) mask(part.repeat(4096 / part.length), false)
    // Some 200 ms; 4 seconds where each of them is read on from to the end.
    assert.isBelow(performance.now() - started, 2000)
  })

  it("folds letters of one unit only", () => {
    assert.deepStrictEqual(
      ["A", "Z", "a", "@", "[", "É", "İ", "\u{1f600}"].map((text) => fold(text.charCodeAt(0))),
      [0x61, 0x7a, 0x61, 0x40, 0x5b, 0xe9, 0x130, 0xd83d]
    )
  })

  it("finds one of many values with one step a character", () => {
    const values = Array.from({ length: 20_000 }, (_, nth) => `https://example.com/resource/${nth}`)
    const automaton = make(values)
    let state = 0
    for (const unit of "https://example.com/resource/19999") state = automaton.step(state, unit.charCodeAt(0))
    assert.strictEqual(automaton.found(state), "https://example.com/resource/19999".length)
    assert.strictEqual(automaton.shortest, "https://example.com/resource/0".length)
  })
})
