import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as EntrySecrets from "../../src/secrets/EntrySecrets.ts"
import * as Masking from "../../src/secrets/Masking.ts"
import * as StandIns from "../../src/secrets/StandIns.ts"

const base64 = (text: string) => Buffer.from(text).toString("base64")

/** What a server says that was sent these values, the last one of each the one that it has now. */
const saying = (
  values: { readonly [secret: string]: ReadonlyArray<string> },
  credentials: ReadonlyArray<string> = [],
  secrets = Object.keys(values)
) => {
  const standIns = StandIns.make(secrets)
  const entry = {
    names: secrets,
    valueOf: (secret: string) => values[secret]?.at(-1) ?? "",
    valuesOf: (secret: string) => values[secret] ?? [],
    maskOf: Masking.make
  }
  const filler = { standIns, target: { opens: () => true }, valueOf: entry.valueOf }
  const said = EntrySecrets.saidBack(entry, { secrets: Object.keys(values), credentials }, standIns)
  return { standIns, filler, said: said ?? assert.fail("nothing is replaced") }
}

describe("What a server says back", () => {
  const basic = base64("me:S3CRET/1")
  const { said, standIns } = saying({ token: ["0LD-T0KEN", "S3CRET/1"], key: ['k"ey\\1'] }, [basic])
  const token = standIns.of("token") ?? ""
  const key = standIns.of("key") ?? ""

  for (const [name, text, handed] of [
    ["a value as it is", "you are S3CRET/1!", `you are ${token}!`],
    ["in another case", "YOU ARE s3cret/1", `YOU ARE ${token}`],
    ["a former value", "you were 0LD-T0KEN", `you were ${token}`],
    ["two, one upon the other", "S3CRET/1S3CRET/1", token + token],
    ["those of two secrets", 'S3CRET/1k"ey\\1', token + key],
    ["as JSON writes it", '{"k":"k\\"ey\\\\1"}', `{"k":"${key}"}`],
    ["as JSON may write it", '{"t":"S3CRET\\/1"}', `{"t":"${token}"}`],
    ["as percent-escapes write it", "?t=S3CRET%2F1&k=k%22ey%5C1", `?t=${token}&k=${key}`],
    ["as base64 writes it", base64("S3CRET/1x"), `${token}F4`],
    ["credentials, which nobody has a stand-in for", `Basic ${basic}`, "Basic ***"],
    ["credentials upon a value", `${basic}S3CRET/1`, `***${token}`],
    ["a value before credentials", `S3CRET/1${basic}`, `${token}***`],
    ["credentials upon credentials", basic + basic, "***"],
    ["a value in two pieces", "S3CRE T/1", "S3CRE T/1"]
  ] as const) {
    it(`is handed over with ${name} replaced`, () => {
      assert.strictEqual(said(text), handed)
    })
  }

  it("is handed over with a value masked for which the plugin has no stand-in any more", () => {
    assert.strictEqual(saying({ token: ["S3CRET/1"] }, [], []).said("you are S3CRET/1!"), "you are ***!")
  })

  it("is not searched where its server was sent nothing", () => {
    const none = EntrySecrets.saidBack(EntrySecrets.none, { secrets: ["token"], credentials: [] }, StandIns.none)
    assert.isNull(none)
  })

  it("of values that lie upon one another shows the first and longest, and nothing of the others", () => {
    const overlapping = saying({ one: ["abcabc"], two: ["bcabcd"], three: ["abcabcx"] })
    const { standIns: its } = overlapping
    assert.strictEqual(overlapping.said("-abcabcd-"), `-${its.of("one")}-`)
    assert.strictEqual(overlapping.said("-abcabcx-"), `-${its.of("three")}-`)
    const { said: again, standIns: mine } = saying({ all: ["aaaaaa"] })
    assert.strictEqual(again("a".repeat(12)), `${mine.of("all")}${mine.of("all")}`)
    assert.strictEqual(again("a".repeat(8)), mine.of("all"))
  })

  it("shows the first of two secrets that have the same value", () => {
    const same = saying({ one: ["S3CRET"], two: ["S3CRET"] })
    assert.strictEqual(same.said("S3CRET"), same.standIns.of("one"))
  })
})

/** A value that isn't the end of anything beside it, so that there is one way to read what is sent. */
const Value = Schema.String.check(Schema.isMinLength(4), Schema.isMaxLength(30))
const Beside = Schema.Array(Schema.Literals(['"', "\\", "{", " ", "\u{1f600}", "%", "%25", "\\n", "Bot "]))

describe("Rule 11", () => {
  it.effect.prop(
    "what is swapped and said back has its stand-ins again, as a text, in JSON and in a URL, and no value",
    { drawn: Value, before: Beside, between: Beside, after: Beside },
    ({ after, before, between, drawn }) =>
      Effect.sync(() => {
        const value = `<${drawn.toWellFormed().replaceAll(/\p{Cc}/gu, "")}>`
        if (value.length < 6) return
        const { filler, said, standIns } = saying({ token: [value] })
        const token = standIns.of("token") ?? ""
        const text = `${before.join("")} ${token} ${between.join("")} ${token} ${after.join("")}`
        const sent = Result.getOrThrow(StandIns.inText(text, filler))
        assert.strictEqual(said(sent), text, sent)
        const json = JSON.stringify({ before, token, text: [token, between] })
        assert.strictEqual(said(Result.getOrThrow(StandIns.inText(json, filler))), json)
        const url = `https://h/a/${token}/b?c=${token}&d=${token}`
        assert.strictEqual(said(Result.getOrThrow(StandIns.inUrl(url, filler))), url)
      }),
    { arbitrary: { runs: 500 } }
  )
})
