import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Template from "../../src/secrets/Template.ts"

const VALUES: ReadonlyMap<string, string> = new Map([
  ["key", "S3CRET"],
  ["other", "a&b=c/d"],
  ["basic", "BASIC0"],
  ["a.b-c_1", "DOTTED"],
  ["constructor", "OWNKEY"]
])

const isSecret = (name: string) => VALUES.has(name)
const valueOf = (name: string) => VALUES.get(name) ?? ""

const url = (text: string): string | undefined => {
  const template = Template.parse(text, isSecret, "url")
  return template === undefined ? undefined : Template.inUrl(template, valueOf)
}

const header = (text: string): string | undefined => {
  const template = Template.parse(text, isSecret, "header")
  return template === undefined ? undefined : Template.inHeader(template, valueOf)
}

const clean = (part: string) => part.toWellFormed().replace(/[{}]/g, "")

const base64 = (text: string) => Buffer.from(text).toString("base64")

/** Braces of every kind; undefined: nothing is filled in. */
const BRACES: ReadonlyArray<readonly [text: string, url: string | undefined, header: string | undefined]> = [
  ["", undefined, undefined],
  ["plain", undefined, undefined],
  ["{key}", "S3CRET", "S3CRET"],
  ["a{key}b{key}c", "aS3CRETbS3CRETc", "aS3CRETbS3CRETc"],
  ["{other}", "a%26b%3Dc%2Fd", "a&b=c/d"],
  ["{a.b-c_1}", "DOTTED", "DOTTED"],
  ["{basic}", "BASIC0", "BASIC0"],
  ["{constructor}", "OWNKEY", "OWNKEY"],
  ["{toString}", undefined, undefined],
  ["{__proto__}", undefined, undefined],
  ["{unknown}", undefined, undefined],
  ["{unknown}{key}", "{unknown}S3CRET", "{unknown}S3CRET"],
  ["{{key}}", "{S3CRET}", "{S3CRET}"],
  ["{{{key}", "{{S3CRET", "{{S3CRET"],
  ["{key}}}", "S3CRET}}", "S3CRET}}"],
  ["{key", undefined, undefined],
  ["key}", undefined, undefined],
  ["}key{", undefined, undefined],
  ["{}", undefined, undefined],
  ["{ key}", undefined, undefined],
  ["{key }", undefined, undefined],
  ["{KEY}", undefined, undefined],
  ["{key\n}", undefined, undefined],
  ["{key,other}", undefined, undefined],
  ["${key}", "$S3CRET", "$S3CRET"],
  ["$key {0} $& $1{key}", "$key {0} $& $1S3CRET", "$key {0} $& $1S3CRET"],
  ["%7Bkey%7D", undefined, undefined],
  ["{basic:user:key}", undefined, `Basic ${base64("user:S3CRET")}`],
  ["x {basic::key} y", undefined, `x Basic ${base64(":S3CRET")} y`],
  ["{basic:us er@x:other}", undefined, `Basic ${base64("us er@x:a&b=c/d")}`],
  ["{basic:user:unknown}", undefined, undefined],
  ["{basic:user:key:}", undefined, undefined],
  ["{basic:a:b:key}", undefined, undefined],
  ["{Basic:user:key}", undefined, undefined],
  ["{basic:user:}", undefined, undefined],
  ["{basic:{key}:key}", "{basic:S3CRET:key}", "{basic:S3CRET:key}"]
]

describe("Template", () => {
  it.each(BRACES)("fills %s in as a URL %s, as a header %s", (text, inUrl, inHeader) => {
    assert.strictEqual(url(text), inUrl)
    assert.strictEqual(header(text), inHeader)
  })

  it("names each secret once, in the order of their places", () => {
    assert.deepStrictEqual(Template.parse("{other}{key}{other}{nothing}", isSecret, "url")?.secrets, ["other", "key"])
    assert.deepStrictEqual(Template.parse("{basic:u:key} {key}", isSecret, "header")?.secrets, ["key"])
  })

  it("tells the credentials that were made of each value that a secret has had", () => {
    const template = Template.parse("{key}, {basic:u:key}, {basic:v:other}", isSecret, "header")
    assert.isDefined(template)
    if (template === undefined) return
    assert.deepStrictEqual(
      Template.credentials(template, (name) => [`${valueOf(name)}-old`, valueOf(name)]),
      [base64("u:S3CRET-old"), base64("u:S3CRET"), base64("v:a&b=c/d-old"), base64("v:a&b=c/d")]
    )
  })

  it("writes a password beyond ASCII as UTF-8 (RFC 7617, section 2.1)", () => {
    const template = Template.parse("{basic:test:key}", isSecret, "header")
    assert.isDefined(template)
    if (template === undefined) return
    // The example of that section.
    assert.strictEqual(
      Template.inHeader(template, () => "123\u00a3"),
      "Basic dGVzdDoxMjPCow=="
    )
  })

  it("is linear in what it reads", () => {
    const started = performance.now()
    for (const text of ["{".repeat(1e6), "{key".repeat(2.5e5), `{${"a".repeat(1e6)}`, "{basic:".repeat(1.5e5)]) {
      assert.isUndefined(Template.parse(text, isSecret, "header"))
    }
    assert.isBelow(performance.now() - started, 10_000)
  })

  const value = Schema.String.check(Schema.makeFilter((found: string) => found.isWellFormed()))

  it.effect.prop(
    "keeps a value of any kind in its place of a URL",
    { value, before: Schema.String, after: Schema.String },
    ({ after, before, value: secret }) =>
      Effect.sync(() => {
        const template = Template.parse(`${clean(before)}{key}${clean(after)}`, isSecret, "url")
        assert.isDefined(template)
        if (template === undefined) return
        const filled = Template.inUrl(template, () => secret)
        const part = filled.slice(clean(before).length, filled.length - clean(after).length)
        assert.strictEqual(`${clean(before)}${part}${clean(after)}`, filled)
        assert.match(part, /^(?:%[0-9A-F]{2}|[A-Za-z0-9._~!*'()-])*$/)
        assert.strictEqual(decodeURIComponent(part), secret)
        // A value is literal: what looks like a template in it is none.
        assert.isUndefined(Template.parse(part, isSecret, "url"))
      }),
    { arbitrary: { runs: 300 } }
  )

  it("takes for a header's value tab and printable Latin-1, and nothing else", () => {
    for (let unit = 0; unit <= 0x2ff; unit++) {
      const isPrintable = unit === 9 || (unit >= 0x20 && unit <= 0x7e) || (unit >= 0xa0 && unit <= 0xff)
      assert.strictEqual(Template.isHeaderValue(`a${String.fromCharCode(unit)}b`), isPrintable, String(unit))
    }
    for (const refused of ["a\r\nx: y", "a\n", "\r", "\u{1f600}", "\ud800", "\u2028"]) {
      assert.isFalse(Template.isHeaderValue(refused))
    }
    assert.isTrue(Template.isHeaderValue(""))
  })
})
