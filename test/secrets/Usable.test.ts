import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Usable from "../../src/secrets/Usable.ts"

const value = (found: string, purpose: Usable.Purpose, isFile = true): string | undefined =>
  Result.getOrUndefined(Usable.check(found, purpose, isFile))

const KEY = `-----BEGIN PRIVATE KEY-----\n${"A".repeat(64)}\nAQ==\n-----END PRIVATE KEY-----`
const RSA_KEY = KEY.replaceAll(" PRIVATE", " RSA PRIVATE")
const PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"

/** What is found, and what it is as a secret from a file and as one from a variable; undefined: unusable. */
const SECRETS: ReadonlyArray<readonly [found: string, ofFile: string | undefined, ofVariable: string | undefined]> = [
  ["abcdef", "abcdef", "abcdef"],
  ["abcde", undefined, undefined],
  ["abcdef\n", "abcdef", undefined],
  ["abcdef\r\n", "abcdef", undefined],
  ["abcdef\r", undefined, undefined],
  ["abcdef\n\n", undefined, undefined],
  ["\nabcdef", undefined, undefined],
  ["abc\ndef", undefined, undefined],
  ["abcdef\n\r", undefined, undefined],
  ["abcdef\0", undefined, undefined],
  ["abc\tdef", undefined, undefined],
  ["abcdef\u007f", undefined, undefined],
  ["abcdef\u0085", undefined, undefined],
  ["abcdef\u009f", undefined, undefined],
  ["abcde\ud800", undefined, undefined],
  ["äöü", "äöü", "äöü"],
  ["äö", undefined, undefined],
  ["  abcd", "  abcd", "  abcd"],
  ["\ufeffabc", "\ufeffabc", "\ufeffabc"],
  ["{key} $x %00", "{key} $x %00", "{key} $x %00"],
  ["x".repeat(8192), "x".repeat(8192), "x".repeat(8192)],
  [`${"x".repeat(8192)}\n`, "x".repeat(8192), undefined],
  ["x".repeat(8193), undefined, undefined],
  ["ä".repeat(4097), undefined, undefined],
  ["x".repeat(2_000_000), undefined, undefined],
  ["", undefined, undefined],
  ["\n", undefined, undefined],
  [KEY, KEY, KEY],
  [`${KEY}\n`, KEY, `${KEY}\n`],
  [KEY.replaceAll("\n", "\r\n"), KEY.replaceAll("\n", "\r\n"), KEY.replaceAll("\n", "\r\n")],
  [RSA_KEY, RSA_KEY, RSA_KEY],
  [KEY.replaceAll("PRIVATE KEY", "CERTIFICATE"), undefined, undefined],
  [KEY.replace("END PRIVATE", "END RSA PRIVATE"), undefined, undefined],
  [`x\n${KEY}`, undefined, undefined],
  [`${KEY}\nx`, undefined, undefined],
  [`${KEY}\n${KEY}`, undefined, undefined],
  [KEY.replace("AQ==", "A\tQ="), undefined, undefined],
  [KEY.replace("AQ==", ""), undefined, undefined],
  [KEY.replace("AQ==", `AQ==\n${"A\n".repeat(4096)}AA`), undefined, undefined]
]

describe("Usable", () => {
  it("takes 6 to 8,192 bytes without control characters for a secret, and one line end off its file", () => {
    for (const [found, ofFile, ofVariable] of SECRETS) {
      assert.strictEqual(value(found, "secret"), ofFile, JSON.stringify(found.slice(0, 20)))
      assert.strictEqual(value(found, "secret", false), ofVariable, JSON.stringify(found.slice(0, 20)))
    }
  })

  it("keeps the lines of a PEM, and takes nothing else for one", () => {
    for (const pem of [PEM, PEM.replaceAll("\n", "\r\n"), `subject=x\n${PEM}${PEM}`, PEM.trim()]) {
      assert.strictEqual(value(pem, "pem"), pem)
    }
    for (const found of [
      "",
      "abcdef",
      "BEGIN CERTIFICATE",
      PEM.repeat(20_000),
      `${PEM}\ud800`,
      `x${PEM}`,
      PEM.replace("E-----", "E-----x")
    ]) {
      assert.isUndefined(value(found, "pem"))
    }
  })

  it("takes any text for a configuration's, and one line end off its file", () => {
    assert.strictEqual(value("", "text"), "")
    assert.strictEqual(value("a\nb\n\n", "text"), "a\nb\n")
    assert.strictEqual(value("a\n", "text", false), "a\n")
    assert.isUndefined(value("a\ud800", "text"))
    const most = "x".repeat(Usable.MOST_BYTES)
    assert.strictEqual(value(most, "text"), most)
    assert.isUndefined(value(`${most}x`, "text"))
    assert.isUndefined(value("\u00e4".repeat(Usable.MOST_BYTES / 2 + 1), "text"))
    const pem = PEM + "x".repeat(Usable.MOST_BYTES - PEM.length)
    assert.strictEqual(value(pem, "pem"), pem)
    assert.isUndefined(value(`${PEM}${"\u00e4".repeat(Usable.MOST_BYTES / 2)}`, "pem"))
  })

  it("never quotes what it refuses", () => {
    for (const purpose of ["secret", "pem"] as const) {
      const refused = Usable.check("S3CRET\n\n", purpose, true)
      assert.isTrue(Result.isFailure(refused))
      assert.match(Result.isFailure(refused) ? refused.failure : "", /^Expected [^S]*(?:UTF-8|PEM|bytes)/)
    }
  })
})
