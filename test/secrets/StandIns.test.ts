import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as StandIns from "../../src/secrets/StandIns.ts"

const VALUES: ReadonlyMap<string, string> = new Map([
  ["token", "S3CRET"],
  ["quoted", 'q"u\\o/te'],
  ["wide", "k\u00e4se\u{1f600}"],
  ["shut", "N0T0PEN"],
  ["pem", "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----"],
  ["__proto__", "PR0T0TYPE"]
])

const standIns = StandIns.make([...VALUES.keys()])
const yesterday = StandIns.make([...VALUES.keys()])
const of = (secret: string) => standIns.of(secret) ?? assert.fail(secret)

const filler: StandIns.Filler = {
  standIns,
  target: { opens: (secret) => secret !== "shut" },
  valueOf: (secret) => VALUES.get(secret) ?? assert.fail(secret)
}

const text = (from: string) => StandIns.inText(from, filler)
const header = (from: string) => StandIns.inHeader(from, filler)
const url = (from: string) => StandIns.inUrl(from, filler)

const misplaced = (from: string) => StandIns.misplacedIn(from, standIns)

const refused = (problem: StandIns.Refusal["problem"], secret: string | null = null) =>
  Result.fail({ secret, problem }) satisfies Result.Result<string, StandIns.Refusal>

describe("The stand-ins of a start", () => {
  it("are 32 hexadecimal digits each, others at every start and for every secret", () => {
    const all = [standIns, yesterday].flatMap(({ texts }) => Object.values(texts))
    assert.strictEqual(new Set(all).size, 2 * VALUES.size)
    for (const each of all) assert.match(each, /^mooring-secret-[0-9a-f]{32}$/)
    assert.deepStrictEqual(Object.keys(standIns.texts), [...VALUES.keys()])
    assert.notStrictEqual(standIns.texts, standIns.texts)
  })

  it("are none for a plugin without secrets", () => {
    assert.deepStrictEqual(StandIns.make([]).texts, {})
  })
})

describe("A private key's PEM", () => {
  it("only signs: it stands nowhere, whoever opens it", () => {
    const pem = of("pem")
    for (const from of [pem, `{"a":"${pem}"}`, `${of("token")} ${pem}`]) {
      assert.deepStrictEqual(text(from), refused("unfit", "pem"))
      assert.deepStrictEqual(header(from), refused("unfit", "pem"))
    }
    assert.deepStrictEqual(url(`https://a.example/x?key=${pem}`), refused("unfit", "pem"))
  })
})

describe("In a text", () => {
  const token = of("token")
  const quoted = of("quoted")

  for (const [name, from, to] of [
    ["alone", token, "S3CRET"],
    ["bare, with a value that has quotes", quoted, 'q"u\\o/te'],
    ["in a JSON string", `{"a":"${quoted}"}`, '{"a":"q\\"u\\\\o/te"}'],
    ["behind a string, outside of it", `{"a":"b"}${quoted}`, '{"a":"b"}q"u\\o/te'],
    ["in a second string", `{"a":"b","c":"Bot ${quoted}!"}`, '{"a":"b","c":"Bot q\\"u\\\\o/te!"}'],
    ["behind an escaped quote", `"a\\"${quoted}"`, '"a\\"q\\"u\\\\o/te"'],
    ["behind an escaped backslash and a quote", `"a\\\\"${quoted}`, '"a\\\\"q"u\\o/te'],
    ["behind an escaped quote outside of strings", `\\"${quoted}`, '\\"q"u\\o/te'],
    ["behind a backslash of its own", `"\\${quoted}" ${quoted}`, '"\\q\\"u\\\\o/te" q"u\\o/te'],
    ["twice, one upon the other", token + token, "S3CRETS3CRET"],
    ["two of them, each by its own quotes", `${quoted}"${quoted}`, 'q"u\\o/te"q\\"u\\\\o/te'],
    ["behind characters of two units", `\u{1f600}\u00e4"${of("wide")}"`, '\u{1f600}\u00e4"k\u00e4se\u{1f600}"'],
    ["before more digits", `${token}abcdef`, "S3CRETabcdef"],
    ["behind its own beginning", `mooring-secret-${token}`, "mooring-secret-S3CRET"],
    ["of a secret that has the name of a prototype", of("__proto__"), "PR0T0TYPE"],
    ["in IRC's first line", `PASS oauth:${token}\r\nNICK me`, "PASS oauth:S3CRET\r\nNICK me"]
  ] as const) {
    it(`a value takes the place of its stand-in: ${name}`, () => {
      assert.deepStrictEqual(text(from), Result.succeed(to))
      assert.isUndefined(StandIns.refusalIn(from, standIns, filler.target))
    })
  }

  it("is escaped as JSON reads it", () => {
    const sent = Result.getOrThrow(text(JSON.stringify({ d: { token: `Bot ${quoted}`, note: '"' + quoted } })))
    // In the second one the quote before it is escaped, so the number of those that aren't is odd.
    assert.deepStrictEqual(JSON.parse(sent), { d: { token: 'Bot q"u\\o/te', note: '"q"u\\o/te' } })
  })

  it("may have a value that looks like a stand-in, which nothing takes the place of", () => {
    const sent = StandIns.inText(of("token"), { ...filler, valueOf: () => of("shut") })
    assert.deepStrictEqual(sent, Result.succeed(of("shut")))
  })

  it("is a text like any other where it isn't one as it is", () => {
    for (const like of [
      "mooring-secret-",
      "mooring-secret-0123",
      token.slice(0, -1),
      token.slice(1),
      token.toUpperCase(),
      token.replace("mooring", "Mooring"),
      token.replaceAll("-", "\\u002d"),
      token.replaceAll("-", "%2D"),
      token.replaceAll("-", "\u2010"),
      token.replace(/[0-9a-f](?=[0-9a-f]{8}$)/, "\u0430"),
      Buffer.from(token).toString("base64"),
      `${token.slice(0, 20)} ${token.slice(20)}`,
      [...token].toReversed().join("")
    ]) {
      assert.deepStrictEqual(text(like), Result.succeed(like))
      assert.isUndefined(StandIns.refusalIn(like, standIns, filler.target))
    }
  })

  it("is refused where it is not this start's, or not opened, whatever else is in the text", () => {
    for (const [found, refusal] of [
      [yesterday.of("token") ?? "", refused("unknown")],
      [`mooring-secret-${"0".repeat(32)}`, refused("unknown")],
      [`mooring-secret-${"A".repeat(32)}`, refused("unknown")],
      [token.replace(/[0-9a-f]{32}$/, (digits) => `${digits.slice(1)}0`), refused("unknown")],
      [of("shut"), refused("not opened", "shut")]
    ] as const) {
      for (const around of [found, `${token} ${found}`, `{"a":"${found}"}`, `mooring-secret-${found}`, `${found}00`]) {
        assert.deepStrictEqual(text(around), refusal, around)
        assert.deepStrictEqual(header(around), refusal, around)
        assert.deepStrictEqual(StandIns.refusalIn(around, standIns, filler.target), Result.merge(refusal))
      }
    }
  })
})

describe("In a header", () => {
  it("a value stands as it is, also between quotes", () => {
    assert.deepStrictEqual(header(`Bearer ${of("token")}`), Result.succeed("Bearer S3CRET"))
    assert.deepStrictEqual(header(`k="${of("quoted")}"`), Result.succeed('k="q"u\\o/te"'))
  })

  it("a value that no header may have is refused", () => {
    assert.deepStrictEqual(header(`a ${of("wide")}`), refused("unfit", "wide"))
  })
})

describe("In a URL", () => {
  const { token, wide, shut } = { token: of("token"), wide: of("wide"), shut: of("shut") }

  for (const [from, to] of [
    [`https://h/bot${token}/send`, "https://h/botS3CRET/send"],
    [`https://h/${of("quoted")}`, "https://h/q%22u%5Co%2Fte"],
    [`https://h/a?k=${wide}&l=${token}`, "https://h/a?k=k%C3%A4se%F0%9F%98%80&l=S3CRET"],
    [`https://h/a?k==${token}`, "https://h/a?k==S3CRET"],
    [`https://h/a?k=?${token}`, "https://h/a?k=?S3CRET"],
    [`https://h/a"${of("quoted")}`, 'https://h/a"q%22u%5Co%2Fte']
  ] as const) {
    it(`a value is percent-encoded: ${to}`, () => {
      assert.deepStrictEqual(url(from), Result.succeed(to))
    })
  }

  for (const [name, from] of [
    ["the scheme", `${token}://h/`],
    ["the host", `https://${token}.example.com/`],
    ["the host in upper case", `https://${token.toUpperCase()}.example.com/`],
    ["the user", `https://${token}@h/`],
    ["the port", `https://h:${token}/`],
    ["a name of the query", `https://h/?${token}=1`],
    ["a later one", `https://h/?a=${token}&${token}`],
    ["a query that is nothing else", `https://h/?${token}`]
  ] as const) {
    it(`is refused in ${name}`, () => {
      assert.deepStrictEqual(url(from), refused("misplaced", "token"))
    })
  }

  it("is refused where it is not this start's, or not opened", () => {
    const other = yesterday.of("token") ?? ""
    for (const place of ["https://h/", "https://h/?a="]) {
      assert.deepStrictEqual(url(place + shut), refused("not opened", "shut"))
      assert.deepStrictEqual(url(place + other), refused("unknown"))
    }
    assert.deepStrictEqual(url(`https://${other}/`), refused("unknown"))
  })
})

describe("Where no secret belongs", () => {
  it("anything of the form is refused", () => {
    assert.deepStrictEqual(misplaced(`x ${of("token")}`), { secret: "token", problem: "misplaced" })
    assert.deepStrictEqual(misplaced(of("shut")), { secret: "shut", problem: "misplaced" })
    assert.deepStrictEqual(misplaced(yesterday.of("token") ?? ""), { secret: null, problem: "unknown" })
    assert.isUndefined(misplaced("mooring-secret-"))
  })
})

/** Pieces of which texts are made that try the rules. */
const Pieces = Schema.Array(
  Schema.Union([
    Schema.Literals(['"', "\\", '\\"', "mooring-secret-", "0123456789abcdef", "\u{1f600}", "{", "}", " ", "\\\\"]),
    Schema.Literals(["token", "quoted", "wide"]).pipe(Schema.brand("secret")),
    Schema.String.check(Schema.isMaxLength(6))
  ])
).check(Schema.isMaxLength(12))

const FORM = /mooring-secret-[0-9a-fA-F]{32}/

const SECRETS: ReadonlySet<string> = new Set(["token", "quoted", "wide"])

describe("Rule 11", () => {
  it.effect.prop(
    "a text without stand-ins is untouched",
    { pieces: Pieces },
    ({ pieces }) =>
      Effect.sync(() => {
        const from = pieces.filter((piece) => !SECRETS.has(piece)).join("")
        // Pieces may make one that nobody was handed.
        if (FORM.test(from)) return assert.deepStrictEqual(text(from), refused("unknown"))
        assert.deepStrictEqual(text(from), Result.succeed(from))
        assert.deepStrictEqual(header(from), Result.succeed(from))
        assert.deepStrictEqual(url(from), Result.succeed(from))
      }),
    { arbitrary: { runs: 500 } }
  )

  it.effect.prop(
    "each value stands in its place, by the quotes before it, and all else as it was",
    { pieces: Pieces },
    ({ pieces }) =>
      Effect.sync(() => {
        const from = pieces.map((piece) => (SECRETS.has(piece) ? of(piece) : piece)).join("")
        let before = ""
        let expected = ""
        for (const piece of pieces) {
          const value = VALUES.get(piece)
          // A quote is unescaped behind an even number of backslashes.
          const quotes = [...before.matchAll(/(\\*)"/g)].filter(([, slashes = ""]) => slashes.length % 2 === 0).length
          expected += value === undefined ? piece : quotes % 2 === 1 ? JSON.stringify(value).slice(1, -1) : value
          before += value === undefined ? piece : of(piece)
        }
        const others = pieces.map((piece) => (SECRETS.has(piece) ? "-" : piece)).join("")
        if (FORM.test(others)) return assert.deepStrictEqual(text(from), refused("unknown"))
        assert.deepStrictEqual(text(from), Result.succeed(expected))
      }),
    { arbitrary: { runs: 1000 } }
  )
})
