/** How large a batch may be. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { nextSize } from "../../../src/plugin/internal/lending.ts"
import { int } from "../../support/arbitraries.ts"

describe("the size of a batch", () => {
  const table: ReadonlyArray<readonly [string, Parameters<typeof nextSize>, number]> = [
    ["doubles while a full batch takes no time", [1, 1, 0, 64], 2],
    ["doubles while twice as many would fit", [8, 8, 2, 64], 16],
    ["grows by no more than has shown to fit", [8, 8, 8, 64], 10],
    ["stays where a batch that wasn't full would have had room for more", [8, 3, 1, 64], 8],
    ["stays where nothing has ended", [8, 0, 500, 64], 8],
    ["falls to what fits at once", [64, 64, 40, 64], 16],
    ["falls to what fits, by few that took long", [64, 2, 20, 64], 1],
    ["is one where not even one fits", [4, 1, 900, 64], 1],
    ["is at most what the runtime takes", [5, 5, 0, 6], 6],
    ["is one for a runtime that takes one", [1, 1, 0, 1], 1]
  ]
  for (const [what, [size, ended, ms, most], expected] of table) {
    it(what, () => assert.strictEqual(nextSize(size, ended, ms, most), expected))
  }

  it.effect.prop(
    "keeps within a turn of 10 ms, between one and what the runtime takes",
    { ended: int(1, 64), most: int(1, 64), ms: int(0, 300), size: int(1, 64) },
    ({ ended, most, ms, size }) =>
      Effect.sync(() => {
        const before = Math.min(size, most)
        const next = nextSize(before, Math.min(ended, before), ms, most)
        assert.isAtLeast(next, 1)
        assert.isAtMost(next, Math.min(most, before * 2))
        assert.isTrue(next === 1 || (next * ms) / Math.min(ended, before) <= 10)
      })
  )
})
