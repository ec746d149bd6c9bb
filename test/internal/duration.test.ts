import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { DurationText } from "../../src/internal/duration.ts"

const decode = Schema.decodeUnknownResult(DurationText)

describe("a duration", () => {
  it("is a whole number and a unit", () => {
    const durations = { "0ms": 0, "500ms": 500, "8s": 8000, "2m": 120_000, "1h": 3_600_000, "1000h": 3_600_000_000 }
    for (const [text, millis] of Object.entries(durations)) {
      assert.deepStrictEqual(decode(text), Result.succeed(millis))
    }
  })

  it("is nothing else", () => {
    for (const text of [
      "",
      "5",
      "s",
      "5x",
      "5S",
      "5 s",
      " 5s",
      "5s ",
      "5s\n",
      "-5s",
      "+5s",
      "1.5s",
      "1e3s",
      "\u0665s",
      "5min",
      "5d"
    ]) {
      assert.isTrue(Result.isFailure(decode(text)), text)
    }
  })
})
