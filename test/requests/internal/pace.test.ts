import { assert, describe, it } from "@effect/vitest"
import { Counts } from "../../../src/requests/internal/counts.ts"
import { Pace } from "../../../src/requests/internal/pace.ts"
import { RequestRates } from "../../../src/requests/internal/rates.ts"

describe("how long until there is room", () => {
  it("is as long as the first can last, where none was over yet", () => {
    assert.strictEqual(new Pace().untilRoom([9000, 4000.2, 15_000]), 4001)
  })

  it("is as long as the slowest of the last eight took, and never less than a timer can", () => {
    const pace = new Pace()
    pace.ended(7000)
    for (let times = 0; times < 7; times++) pace.ended(300)
    assert.strictEqual(pace.untilRoom([15_000]), 7000)
    assert.strictEqual(pace.untilRoom([15_000, 5000]), 5000)
    pace.ended(300)
    assert.strictEqual(pace.untilRoom([15_000]), 300)
    for (let times = 0; times < 8; times++) pace.ended(3)
    assert.strictEqual(pace.untilRoom([15_000]), 100)
  })

  it("is as long as the slowest took, whichever of the last it was", () => {
    const pace = new Pace()
    for (const ms of [300, 7000, 200]) pace.ended(ms)
    assert.strictEqual(pace.untilRoom([15_000]), 7000)
  })

  it("is one timer where only answers wait, which come before it", () => {
    const pace = new Pace()
    pace.ended(9000)
    assert.strictEqual(pace.untilRoom([]), 100)
  })
})

describe("the counts of requests", () => {
  it("add up at any moment", () => {
    const counts = new Counts()
    for (let times = 0; times < 4; times++) counts.accepted()
    for (let times = 0; times < 3; times++) counts.began()
    counts.ended("inFlight", "answered")
    counts.ended("inFlight", "abandoned")
    counts.ended("waiting", "failed")
    assert.deepStrictEqual(counts.totals, {
      executed: 4,
      answered: 1,
      failed: 1,
      abandoned: 1,
      waiting: 0,
      inFlight: 1
    })
  })
})

const rate = (account: object, requestsPerMinute: number | undefined) => ({ account, requestsPerMinute })

describe("the rate of requests", () => {
  it("is a full bucket that fills again evenly, and says when it has one more", () => {
    const rates = new RequestRates()
    const of = rate({}, 60)
    for (let made = 0; made < 60; made++) {
      assert.isUndefined(rates.over(of, 0))
      rates.take(of, 0)
    }
    assert.deepStrictEqual(rates.over(of, 0), { limit: 60, retryAfterMs: 1000 })
    assert.deepStrictEqual(rates.over(of, 999), { limit: 60, retryAfterMs: 1 })
    assert.isUndefined(rates.over(of, 1000))
  })

  it("is an account's own, goes on where it is edited, and is none where there is no bound", () => {
    const rates = new RequestRates()
    const [one, other] = [{}, {}]
    rates.take(rate(one, 1), 0)
    assert.isDefined(rates.over(rate(one, 1), 0))
    assert.isUndefined(rates.over(rate(other, 1), 0))
    assert.isUndefined(rates.over(rate(one, 2), 0))
    rates.take(rate(one, 2), 0)
    assert.isDefined(rates.over(rate(one, 2), 0))
    assert.isUndefined(rates.over(rate(one, undefined), 0))
    rates.take(rate(one, undefined), 0)
    // Who had no bound for a while has taken nothing of the next one.
    assert.isUndefined(rates.over(rate(one, 2), 0))
  })
})
