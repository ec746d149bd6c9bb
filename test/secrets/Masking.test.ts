import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Masking from "../../src/secrets/Masking.ts"

const SECRETS = ["S3CRET", 'q"u\\o/te', "k\u00e4se\u{1f600}", "sp ace+&=%", "k\u00e4 se\u00fc", "AAAAAA", "+/+/+/+/"]

const base64 = (text: string) => Buffer.from(text).toString("base64")
const base64Url = (text: string) => Buffer.from(text).toString("base64url")
const percent = (text: string) =>
  Array.from(Buffer.from(text), (byte) => `%${byte.toString(16).padStart(2, "0")}`).join("")
const unicode = (text: string) =>
  Array.from({ length: text.length }, (_, index) => `\\u${text.charCodeAt(index).toString(16).padStart(4, "0")}`).join(
    ""
  )

/** How a server may write a value; the name of the form is only for the message. */
const FORMS: ReadonlyArray<readonly [name: string, write: (text: string) => string]> = [
  ["as it is", (text) => text],
  ["JSON", (text) => JSON.stringify({ token: text })],
  ["JSON with slashes escaped", (text) => JSON.stringify(text).replaceAll("/", "\\/")],
  ["JSON of ASCII only", (text) => JSON.stringify(text).replaceAll(/[^\0-\x7f]/g, unicode)],
  ["JSON with everything escaped", unicode],
  ["JSON in upper case", (text) => unicode(text).replaceAll(/[a-f]/g, (digit) => digit.toUpperCase())],
  ["JSON inside JSON", (text) => JSON.stringify(JSON.stringify({ token: text }))],
  ["a component of a URL", encodeURIComponent],
  ["a form", (text) => new URLSearchParams({ token: text }).toString()],
  ["escapes throughout", percent],
  ["escapes in upper case", (text) => percent(text).toUpperCase()],
  ["a URL inside JSON", (text) => JSON.stringify({ url: `ws://h/?k=${encodeURIComponent(text)}` })],
  ["escapes inside escapes", (text) => encodeURIComponent(encodeURIComponent(text))],
  ["base64", base64],
  ["base64 behind one byte", (text) => base64(`:${text}`)],
  ["base64 behind two", (text) => base64(`u:${text}`)],
  ["base64 inside something longer", (text) => base64(`user:${text}, and more of it`)],
  ["base64 for URLs", (text) => base64Url(`user:${text}~`)],
  ["base64 inside JSON", (text) => JSON.stringify({ auth: `Basic ${base64(`me:${text}`)}` }).replaceAll("/", "\\/")],
  ["base64 inside a URL", (text) => encodeURIComponent(base64(`a:${text}`))],
  ["a URL inside base64", (text) => base64(`/?k=${encodeURIComponent(text)}&x`)],
  ["JSON inside base64", (text) => base64(JSON.stringify({ token: text }))]
]

/** What of a value could still be read: any four of its bytes in a row, in what is left after undoing whatever there is. */
const isHidden = (masked: string, written: string): boolean => masked !== written && masked.includes("***")

describe("Masking", () => {
  const mask = Masking.make(SECRETS)

  it("finds each value in each form, inside other text", () => {
    for (const secret of SECRETS) {
      for (const [name, write] of FORMS) {
        const written = write(secret)
        for (const text of [written, `before ${written}`, `{"a":"${written}"}`, `${written} after`]) {
          const masked = mask(text)
          assert.isTrue(isHidden(masked, text), `${name}: ${text} as ${masked}`)
          assert.notInclude(masked, secret)
        }
      }
    }
  })

  it("finds what a header's Latin-1 becomes where a server reads it as UTF-8", () => {
    const read = Buffer.from("k\u00e4 se\u00fc", "latin1").toString("utf8")
    assert.strictEqual(read, "k\ufffd se\ufffd")
    for (const text of [read, JSON.stringify(read), base64(`me:${read}`)]) {
      assert.isTrue(isHidden(mask(text), text), mask(text))
    }
  })

  it("leaves everything around it as it is", () => {
    assert.strictEqual(mask("token=S3CRET&x=1"), "token=***&x=1")
    assert.strictEqual(mask('{"t":"q\\"u\\\\o\\/te","n":1}'), '{"t":"***","n":1}')
    assert.strictEqual(mask("S3CRETS3CRET s3cret"), "*** ***")
    assert.strictEqual(mask("a\\u0053\\u0033CRETb%53%33CRETc"), "a***b***c")
    assert.strictEqual(mask("k%C3%A4se%F0%9F%98%80!"), "***!")
    assert.strictEqual(mask("%41%41%41%41%41%41"), "***")
  })

  it("masks values that lie upon one another, and the longest of those that begin alike", () => {
    const overlapping = Masking.make(["abcabc", "bcabcd", "abcabcx"])
    assert.strictEqual(overlapping("-abcabcd-"), "-***-")
    assert.strictEqual(overlapping("-abcabcx-"), "-***-")
  })

  it("gives a text without any back as it is, whatever escapes it has", () => {
    for (const text of [
      "",
      "plain",
      "S3CRE",
      "100 %",
      "%",
      "%4",
      "%zz",
      "\\",
      "\\u",
      "\\u00",
      "\\x41",
      '{"a":"b\\n"}',
      "%25%25",
      "\ud800",
      "S\u20283CRET",
      base64("S3CRE").slice(0, 6)
    ]) {
      assert.strictEqual(mask(text), text)
    }
    assert.strictEqual(Masking.make([])("S3CRET"), "S3CRET")
    assert.strictEqual(Masking.make([""])("S3CRET"), "S3CRET")
  })

  it.effect.prop(
    "leaves no value in any text that is made of one in any form",
    {
      secret: Schema.String.check(Schema.isMinLength(6), Schema.isMaxLength(40)),
      before: Schema.String.check(Schema.isMaxLength(10)),
      after: Schema.String.check(Schema.isMaxLength(10)),
      form: Schema.Literals(FORMS.map(([name]) => name))
    },
    ({ after, before, form, secret: drawn }) =>
      Effect.sync(() => {
        const secret = drawn.toWellFormed()
        const [, write = String] = FORMS.find(([name]) => name === form) ?? []
        const text = `${before.toWellFormed()} ${write(secret)} ${after.toWellFormed()}`
        const masked = Masking.make([secret])(text)
        assert.isTrue(isHidden(masked, text), `${text} as ${masked}`)
        assert.notInclude(masked, secret)
      }),
    { arbitrary: { runs: 500 } }
  )

  it("takes time that is linear in the text, whatever it is made of", () => {
    const size = 1 << 20
    const started = performance.now()
    for (const text of [
      "S3CRE".repeat(size / 5),
      "%41".repeat(size / 3),
      "%25".repeat(size / 3),
      "\\u0041".repeat(size / 6),
      "\\\\".repeat(size / 2),
      "%".repeat(size),
      "\\u00".repeat(size / 5),
      base64("x".repeat(size / 2)),
      "A".repeat(size)
    ]) {
      mask(text)
    }
    assert.isBelow(performance.now() - started, 20_000)
  })
})
