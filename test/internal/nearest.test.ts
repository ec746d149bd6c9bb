import { assert, describe, it } from "@effect/vitest"
import { nearest } from "../../src/internal/nearest.ts"

const KNOWN = ["scheme", "host", "port", "path_prefixes", "subprotocols"]

describe("nearest", () => {
  it.each([
    ["a character too few", "path_prefxes", "path_prefixes"],
    ["a character too many", "hosst", "host"],
    ["another character", "pord", "port"],
    ["two that are swapped", "shceme", "scheme"],
    ["another word", "path", undefined],
    ["nothing alike", "zzz", undefined],
    ["no character", "", undefined],
    ["far too long", `port${"t".repeat(100)}`, undefined]
  ])("finds what was meant, or nothing: %s", (_, written, meant) => {
    assert.strictEqual(nearest(written, KNOWN), meant)
  })
})
