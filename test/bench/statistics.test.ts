import { assert, describe, it } from "@effect/vitest"
import { against, alone, more, never } from "./cells.ts"
import { chart } from "./chart.ts"
import { replaced } from "./page.ts"
import { median, percentile, ratios, summary } from "./statistics.ts"

const of = (name: string, ...values: ReadonlyArray<number>) => ({ name, values })

describe("the benchmarks' figures", () => {
  it("the median is the middle one, or the mean of both", () => {
    assert.strictEqual(median([3, 1, 2]), 2)
    assert.strictEqual(median([4, 1, 3, 2]), 2.5)
    assert.isNaN(median([]))
  })

  // The examples of the article on percentiles in Wikipedia.
  it.for([
    [[15, 20, 35, 40, 50], 0.05, 15],
    [[15, 20, 35, 40, 50], 0.3, 20],
    [[15, 20, 35, 40, 50], 0.4, 20],
    [[15, 20, 35, 40, 50], 0.5, 35],
    [[15, 20, 35, 40, 50], 1, 50],
    [[3, 6, 7, 8, 8, 10, 13, 15, 16, 20], 0.25, 7],
    [[3, 6, 7, 8, 8, 10, 13, 15, 16, 20], 0.75, 15]
  ] as const)("a percentile is the nearest rank: of %j at %d it is %d", ([values, share, expected]) => {
    assert.strictEqual(percentile([...values].toReversed(), share), expected)
  })

  it("rounds that failed are left out of a summary, and nothing is made of none", () => {
    assert.deepStrictEqual(summary([3, Number.NaN, 1, 2]), { median: 2, least: 1, most: 3, rounds: 3 })
    assert.strictEqual(summary([Number.NaN]).rounds, 0)
  })

  it("a ratio is that of one round, so that a slow round changes nothing", () => {
    assert.deepStrictEqual(ratios([1, 10, 2], [2, 20, 4]), [0.5, 0.5, 0.5])
    assert.strictEqual(against("a", of("own", 1, 10, 2), of("peer", 2, 20, 4), "µs", 0.5).judged, "× 0.50")
  })

  it("a target is reached at its bound, missed above it, and by nothing that wasn't measured", () => {
    const ratio = (own: number) => against("a", of("own", own), of("peer", 1), "µs", 1.5).isReached
    assert.deepStrictEqual([ratio(1.5), ratio(1.51), ratio(Number.NaN)], [true, false, false])
    assert.deepStrictEqual(
      [5, 5.1].map((own) => alone("a", of("own", own), "ms", 5).isReached),
      [true, false]
    )
    assert.deepStrictEqual(
      [12, 12.1].map((own) => more("a", of("own", own), of("peer", 4), "KiB", 8).isReached),
      [true, false]
    )
    assert.isUndefined(against("a", of("own", 1), of("peer", 1), "µs").isReached)
  })

  it("what must never happen is judged by its worst round", () => {
    assert.isTrue(never("lost", [0, 0, 0]).isReached)
    assert.isFalse(never("lost", [0, 0, 1]).isReached)
    assert.isFalse(never("lost", []).isReached)
  })

  it("what people wrote stays as it is around what was measured", () => {
    const page = "before\n<!-- measured: begin -->\nold\n<!-- measured: end -->\nafter\n"
    const once = replaced(page, "new")
    assert.strictEqual(once, "before\n<!-- measured: begin -->\n\nnew\n\n<!-- measured: end -->\nafter\n")
    assert.strictEqual(replaced(once, "new"), once)
    assert.throws(() => replaced("no marks", "new"), /no place/)
  })

  it("a curve has a point for each figure and none where none was measured", () => {
    const drawn = chart({
      file: "a.svg",
      title: "a",
      unit: "µs",
      x: [1, 10, 1000],
      lines: [
        { name: "whole", y: [1, 2, 3] },
        { name: "broken", y: [1, Number.NaN, 3] }
      ]
    })
    assert.strictEqual(drawn.match(/<circle /g)?.length, 5)
    assert.notInclude(drawn, "NaN")
  })
})
