import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as RetryAfter from "../../src/connection/RetryAfter.ts"
import { int } from "../support/arbitraries.ts"

const NOW = Date.UTC(2026, 10, 26, 12, 0, 0)
const HOUR = 3_600_000
const YEAR = 366 * 24 * HOUR
const parse = (value: string, atMostMs = 100 * YEAR) => RetryAfter.parse(value, NOW, atMostMs)

describe("Retry-After", () => {
  for (const [value, millis] of [
    ["0", 0],
    ["1", 1000],
    ["120", 120_000],
    [" 120 ", 120_000],
    ["\t7", 7000],
    ["007", 7000],
    ["299.997", 300_000],
    ["12.5", 13_000],
    ["0.001", 1000],
    ["3.0", 3000],
    ["Thu, 26 Nov 2026 12:00:00 GMT", 0],
    ["Thu, 26 Nov 2026 12:00:01 GMT", 1000],
    ["Thu, 26 Nov 2026 13:00:00 GMT", HOUR],
    ["Thu, 26 Nov 2026 12:59:60 GMT", HOUR],
    // What a server in another time zone might call the day.
    ["Fri, 26 Nov 2026 13:00:00 GMT", HOUR],
    ["Sun, 06 Nov 1994 08:49:37 GMT", 0],
    ["Thursday, 26-Nov-26 13:00:00 GMT", HOUR],
    ["Sunday, 06-Nov-94 08:49:37 GMT", 0],
    ["Friday, 27-Nov-76 12:00:00 GMT", 0],
    // The year 2100 has no such day.
    ["Tuesday, 29-Feb-00 12:00:00 GMT", 0],
    ["Sunday, 31-Dec-00 23:59:59 GMT", 0],
    ["Thu Nov 26 13:00:00 2026", HOUR],
    ["Sun Nov  6 08:49:37 1994", 0],
    ["Tue Dec  1 12:00:00 2026", 5 * 24 * HOUR]
  ] as const) {
    it(`of ${JSON.stringify(value)} is ${millis} ms`, () => {
      assert.strictEqual(parse(value), millis)
    })
  }

  for (const [value, date] of [
    ["Thursday, 26-Nov-76 12:00:00 GMT", Date.UTC(2076, 10, 26, 12)],
    ["Tuesday, 01-Jan-30 00:00:00 GMT", Date.UTC(2030, 0, 1)],
    ["Tue, 29 Feb 2028 00:00:00 GMT", Date.UTC(2028, 1, 29)]
  ] as const) {
    it(`of ${JSON.stringify(value)} lies ahead`, () => {
      assert.strictEqual(parse(value), date - NOW)
    })
  }

  for (const value of [
    "",
    " ",
    "+3600",
    "-1",
    "1e3",
    "0x10",
    "12.",
    ".5",
    "12,5",
    "1 2",
    "120, 240",
    "120s",
    "NaN",
    "Infinity",
    "x 2099",
    "٣",
    "2026-11-26T13:00:00Z",
    "26 Nov 2026 13:00:00 GMT",
    "Thu, 26 Nov 2026 13:00:00",
    "Thu, 26 Nov 2026 13:00:00 UTC",
    "Thu, 26 Nov 2026 13:00:00 +0000",
    "thu, 26 nov 2026 13:00:00 gmt",
    "Thu, 26 November 2026 13:00:00 GMT",
    "Thu, 6 Nov 2026 13:00:00 GMT",
    "Xyz, 26 Nov 2026 13:00:00 GMT",
    "Thu, 26 Nov 2026 13:00 GMT",
    "Thu, 26 Nov 2026 24:00:00 GMT",
    "Thu, 26 Nov 2026 13:60:00 GMT",
    "Thu, 26 Nov 2026 13:00:61 GMT",
    "Thu, 31 Nov 2026 13:00:00 GMT",
    "Thu, 00 Nov 2026 13:00:00 GMT",
    "Sun, 29 Feb 2026 13:00:00 GMT",
    "Thursday, 26-Nov-2026 13:00:00 GMT",
    "Thu, 26-Nov-26 13:00:00 GMT",
    "Thursday, 31-Nov-26 13:00:00 GMT",
    "Thu Nov 26 13:00:00 2026 GMT",
    "Sun Nov 6 08:49:37 1994",
    "Thu, 26 Nov 2026 13:00:00 GMT; x",
    "x Thu, 26 Nov 2026 13:00:00 GMT"
  ]) {
    it(`of ${JSON.stringify(value)} is none`, () => {
      assert.isNull(parse(value))
    })
  }

  it("is never more than is obeyed", () => {
    const values = ["3601", "9".repeat(400), "Thu, 26 Nov 2026 13:00:01 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"]
    for (const value of values) assert.strictEqual(parse(value, HOUR), HOUR)
    assert.strictEqual(parse("3600", HOUR), HOUR)
    assert.strictEqual(parse("3599", HOUR), HOUR - 1000)
  })

  it.effect.prop(
    "of a date as HTTP writes it is the time until then",
    { seconds: int(0, 40_000_000) },
    ({ seconds }) =>
      Effect.sync(() => {
        const date = new Date(NOW + seconds * 1000)
        assert.strictEqual(parse(date.toUTCString()), seconds * 1000)
        assert.strictEqual(RetryAfter.parse(date.toUTCString(), NOW + 0.5, 100 * YEAR), Math.max(0, seconds * 1000))
      }),
    { arbitrary: { runs: 200 } }
  )
})
