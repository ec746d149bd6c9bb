import { assert, describe, it } from "@effect/vitest"
import { nearest } from "../../src/internal/nearest.ts"

const KNOWN = ["scheme", "host", "port", "path_prefixes", "subprotocols"]

describe("nearest", () => {
  it.each([
    ["a character too few", "path_prefxes", "path_prefixes"],
    ["a character too many", "hosst", "host"],
    ["another character", "pord", "port"],
    ["two that are swapped, in a short one", "hsot", "host"],
    ["two that are swapped at its end", "schmee", "scheme"],
    ["the first half of a swap alone", "posr", undefined],
    ["the second half of a swap alone", "pots", undefined],
    ["three of twelve characters", "subprot0c0lz", "subprotocols"],
    ["one of a single character", "x", undefined],
    ["another word", "path", undefined],
    ["nothing alike", "zzz", undefined],
    ["no character", "", undefined],
    ["far too long", `port${"t".repeat(100)}`, undefined]
  ])("finds what was meant, or nothing: %s", (_, written, meant) => {
    assert.strictEqual(nearest(written, KNOWN), meant)
  })

  it("finds the nearest of several, and the first of those that are as near", () => {
    assert.strictEqual(nearest("prt", ["ports", "port"]), "port")
    assert.strictEqual(nearest("pot", ["port", "post"]), "port")
  })

  it("compares at most 64 characters", () => {
    const name = "a".repeat(64)
    assert.strictEqual(nearest(`b${name.slice(1)}`, [name]), name)
    assert.strictEqual(nearest(`b${name}`, [name]), undefined)
  })
})
