import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Arbitrary from "effect/Arbitrary"
import { SendRates } from "../../src/commands/SendRate.ts"
import type { Rate } from "../../src/grants/Evaluation.ts"
import { either, int, list, maybe, oneOf } from "../support/arbitraries.ts"

const target = (change: Partial<Rate>): Rate => ({
  account: {},
  sendsPerMinute: undefined,
  sendBytesPerMinute: undefined,
  ...change
})

const MINUTE = 60_000

/** Takes a text if it may be sent; else says why it may not. */
const taken = (rates: SendRates, granted: Rate, bytes: number, now: number) => {
  const over = rates.over(granted, bytes, now)
  if (over === undefined) rates.take(granted, bytes, now)
  return over
}

describe("SendRates", () => {
  it.effect.prop(
    "rule 3: lets through no more than a full bucket and its even refill, in texts and in bytes",
    {
      sendsPerMinute: maybe(oneOf(1, 6, 60, 6000)),
      sendBytesPerMinute: maybe(oneOf(1, 100, 10_000)),
      sends: list(Arbitrary.all({ waitMs: either(oneOf(0), int(0, 30_000)), bytes: oneOf(0, 1, 10, 100, 5000) }), 1, 60)
    },
    ({ sendBytesPerMinute, sendsPerMinute, sends }) =>
      Effect.sync(() => {
        const rates = new SendRates()
        const granted = target({
          ...(sendsPerMinute === undefined ? {} : { sendsPerMinute }),
          ...(sendBytesPerMinute === undefined ? {} : { sendBytesPerMinute })
        })
        let now = 1_000_000
        const through: Array<{ readonly at: number; readonly bytes: number }> = []
        for (const { bytes, waitMs } of sends) {
          now += waitMs
          const over = taken(rates, granted, bytes, now)
          if (over === undefined) through.push({ at: now, bytes })
          else assert.strictEqual(over.limit, over.per === "sends" ? sendsPerMinute : sendBytesPerMinute)
          if (sendsPerMinute === undefined && sendBytesPerMinute === undefined) assert.isUndefined(over)
        }
        // In any stretch of time at most one full bucket and what was refilled in it.
        for (const [first, from] of through.entries()) {
          let bytes = 0
          for (const [index, to] of through.slice(first).entries()) {
            bytes += to.bytes
            const most = (limit: number) => limit * (1 + (to.at - from.at) / MINUTE) + 1e-6
            if (sendsPerMinute !== undefined) assert.isAtMost(index + 1, most(sendsPerMinute))
            if (sendBytesPerMinute !== undefined) assert.isAtMost(bytes, most(sendBytesPerMinute))
          }
        }
      }),
    { arbitrary: { runs: 300, size: 60 } }
  )

  it.effect.prop(
    "lets a refused text through after the time that it says, and not a millisecond before",
    {
      limit: oneOf(1, 3, 7, 6000, 67_108_864),
      sizes: list(int(1, 10), 1, 40),
      kind: oneOf("sendsPerMinute", "sendBytesPerMinute"),
      // Nanoseconds, as the clock counts them.
      waits: list(
        either(
          Arbitrary.map(int(0, 5000), (millis) => millis * 1_000_000),
          int(0, 2 ** 31)
        ),
        40,
        40
      ),
      start: int(0, 2 ** 31)
    },
    ({ kind, limit, sizes, start, waits }) =>
      Effect.sync(() => {
        const rates = new SendRates()
        const granted = target({ [kind]: limit })
        let nanos = start * 1_000_000 + start
        for (const [index, size] of sizes.entries()) {
          nanos += waits[index] ?? 0
          const bytes = Math.min(limit, Math.max(1, Math.floor((limit * size) / 10)))
          const after = (millis: number) => (nanos + millis * 1_000_000) / 1e6
          const over = taken(rates, granted, bytes, after(0))
          if (over === undefined) continue
          assert.isAtLeast(over.retryAfterMs, 1)
          if (over.retryAfterMs > 1) assert.isDefined(rates.over(granted, bytes, after(over.retryAfterMs - 1)))
          assert.isUndefined(taken(rates, granted, bytes, after(over.retryAfterMs)))
          nanos += over.retryAfterMs * 1_000_000
        }
      }),
    { arbitrary: { runs: 300, size: 40 } }
  )

  it("takes nothing for what it refuses", () => {
    const rates = new SendRates()
    const granted = target({ sendsPerMinute: 2, sendBytesPerMinute: 10 })
    assert.deepStrictEqual(taken(rates, granted, 11, 0), { per: "bytes", limit: 10, retryAfterMs: 1 })
    assert.isUndefined(taken(rates, granted, 5, 0))
    assert.isUndefined(taken(rates, granted, 5, 0))
    assert.deepStrictEqual(taken(rates, granted, 0, 0), { per: "sends", limit: 2, retryAfterMs: MINUTE / 2 })
    assert.isUndefined(taken(rates, granted, 5, MINUTE / 2))
  })

  it("is full again after a minute, and never more than full", () => {
    const rates = new SendRates()
    const granted = target({ sendsPerMinute: 3 })
    const burst = (now: number) => [1, 2, 3, 4].map(() => taken(rates, granted, 1, now) === undefined)
    assert.deepStrictEqual(burst(0), [true, true, true, false])
    assert.deepStrictEqual(burst(1000 * MINUTE), [true, true, true, false])
  })

  it("gives nothing for a time before the last one", () => {
    const rates = new SendRates()
    const granted = target({ sendsPerMinute: 1 })
    assert.isUndefined(taken(rates, granted, 1, MINUTE))
    assert.isDefined(taken(rates, granted, 1, 0))
    assert.isDefined(taken(rates, granted, 1, MINUTE / 2))
  })

  it("keeps the targets apart, also where their rates are the same", () => {
    const rates = new SendRates()
    const [one, other] = [target({ sendsPerMinute: 1 }), target({ sendsPerMinute: 1 })]
    assert.isUndefined(taken(rates, one, 1, 0))
    assert.isUndefined(taken(rates, other, 1, 0))
    assert.isDefined(taken(rates, one, 1, 0))
  })

  it("charges an edited rate with what was sent before, and gives no full bucket for the edit", () => {
    const rates = new SendRates()
    const before = target({ sendsPerMinute: 10 })
    const edited = (sendsPerMinute: number | undefined) => ({ ...before, sendsPerMinute })
    const through = (rate: Rate, now: number) => {
      let count = 0
      while (count < 100 && taken(rates, rate, 0, now) === undefined) count++
      return count
    }
    for (let sent = 0; sent < 8; sent++) assert.isUndefined(taken(rates, before, 0, 0))
    assert.strictEqual(through(edited(20), 0), 12)
    assert.strictEqual(through(edited(5), 0), 0)
    assert.strictEqual(through(edited(5), MINUTE / 5), 1)
    assert.strictEqual(through(edited(undefined), MINUTE / 5), 100)
    assert.strictEqual(through(edited(3), MINUTE / 5), 3)
  })
})
