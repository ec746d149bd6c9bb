/** What share of many things is measured. */
import { assert, describe, it } from "@effect/vitest"
import { Sampler } from "../../../src/operate/internal/sampler.ts"

const ASKED = 100_000

/** The same numbers in each run (a linear congruential generator, of Numerical Recipes). */
const chance = () => {
  let state = 1
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296
    return state / 4_294_967_296
  }
}

const hits = (share: number): number => {
  const { hit } = new Sampler(share, chance())
  let count = 0
  for (let asked = 0; asked < ASKED; asked++) if (hit()) count++
  return count
}

describe("a sampler", () => {
  it("measures everything or nothing where that is asked for", () => {
    assert.deepStrictEqual([hits(1), hits(0)], [ASKED, 0])
  })

  for (const share of [0.5, 0.1, 0.01, 0.001]) {
    it(`measures about ${share} of all`, () => {
      // Five standard deviations of a binomial distribution.
      const spread = 5 * Math.sqrt(ASKED * share * (1 - share))
      assert.isBelow(Math.abs(hits(share) - ASKED * share), spread)
    })
  }

  // Beside 1 the first of them is no number any more: 1 - 1e-17 is 1.
  for (const share of [1e-17, 1e-300, Number.MIN_VALUE]) {
    it(`measures nothing of so few where the share is ${share}`, () => {
      assert.strictEqual(hits(share), 0)
    })
  }
})
