import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { defaults } from "../../src/limits/Limits.ts"
import * as Supervision from "../../src/plugin/Supervision.ts"
import { int, list, oneOf } from "../support/arbitraries.ts"

const HOUR = 3_600_000

/** Crashes so many times in a row, each so long after the start that followed the one before. */
const crashes = (count: number, apartMs = 0) => {
  let history = Supervision.initial
  let now = 0
  return Array.from({ length: count }, () => {
    const [decision, next] = Supervision.crashed(history, now, defaults)
    history = next
    const wait = decision.at === null ? Number.NaN : decision.at - now
    now = (decision.at ?? now) + apartMs
    return [decision.lifecycle, wait] as const
  })
}

describe("Supervision", () => {
  it("starts a crashed plugin again after 100 ms, doubling, and lets it fail after five crashes", () => {
    assert.deepStrictEqual(crashes(6), [
      ["restarting", 100],
      ["restarting", 200],
      ["restarting", 400],
      ["restarting", 800],
      ["restarting", 1600],
      ["failed", 300_000]
    ])
  })

  it("waits no longer than 5 s before a restart", () => {
    const limits = { ...defaults, restarts: 20 }
    let history = Supervision.initial
    const waits = Array.from({ length: 12 }, () => {
      const [decision, next] = Supervision.crashed(history, 0, limits)
      history = next
      return decision.at
    })
    assert.deepStrictEqual(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000, 5000, 5000, 5000])
  })

  it("forgets crashes that are a whole window ago", () => {
    assert.deepStrictEqual(
      crashes(20, 13_000).map(([lifecycle]) => lifecycle),
      Array.from({ length: 20 }, () => "restarting")
    )
    assert.include(
      crashes(20, 5000).map(([lifecycle]) => lifecycle),
      "failed"
    )
  })

  it("tries a failed plugin again after 5 min, doubling up to 1 h", () => {
    let history = Supervision.initial
    const waits = Array.from({ length: 7 }, () => {
      const [decision, next] = Supervision.failed(history, 0, defaults)
      history = next
      assert.strictEqual(decision.lifecycle, "failed")
      return decision.at
    })
    assert.deepStrictEqual(waits, [300_000, 600_000, 1_200_000, 2_400_000, HOUR, HOUR, HOUR])
  })

  it("doesn't try sooner because failed_retry_ms is longer than an hour", () => {
    const limits = { ...defaults, failedRetryMs: 2 * HOUR }
    const [first, history] = Supervision.failed(Supervision.initial, 0, limits)
    const [second] = Supervision.failed(history, 0, limits)
    assert.deepStrictEqual([first.at, second.at], [2 * HOUR, 2 * HOUR])
  })

  it("never tries again where failed_retry_ms is 0", () => {
    const limits = { ...defaults, failedRetryMs: 0 }
    assert.isNull(Supervision.failed(Supervision.initial, 0, limits)[0].at)
    assert.isNull(Supervision.crashed(Supervision.initial, 0, { ...limits, restarts: 0 })[0].at)
  })

  it("fails at the first crash where there is no budget", () => {
    const [decision] = Supervision.crashed(Supervision.initial, 0, { ...defaults, restarts: 0 })
    assert.strictEqual(decision.lifecycle, "failed")
  })

  it("gives a plugin that failed its whole budget again when it is tried again", () => {
    let history = Supervision.initial
    for (let count = 0; count < 6; count++) [, history] = Supervision.crashed(history, 0, defaults)
    const [decision] = Supervision.crashed(history, 1000, defaults)
    assert.deepStrictEqual(decision, { lifecycle: "restarting", at: 1100 })
  })

  it("begins anew after a whole window without a crash, and not a millisecond earlier", () => {
    const history = { crashes: [0], failures: 3 }
    assert.strictEqual(Supervision.ran(history, 0, 60_000, defaults), Supervision.initial)
    assert.strictEqual(Supervision.ran(history, 0, 59_999, defaults), history)
  })

  it.effect.prop(
    "rule 3: restarts no more often than its budget within any window, whenever it crashes",
    { apart: list(int(0, 30_000), 0, 40), restarts: oneOf(0, 1, 3, 5), restartWindowMs: oneOf(1000, 60_000) },
    ({ apart, restartWindowMs, restarts }) =>
      Effect.sync(() => {
        const limits = { restarts, restartWindowMs, failedRetryMs: 300_000 }
        let history = Supervision.initial
        let now = 0
        const begun: Array<number> = []
        for (const ms of apart) {
          now += ms
          const [decision, next] = Supervision.crashed(history, now, limits)
          history = next
          assert.isTrue(decision.at !== null && decision.at > now)
          if (decision.lifecycle === "restarting") {
            begun.push(now)
            assert.isAtMost((decision.at ?? 0) - now, 5000)
          } else {
            assert.isAtLeast((decision.at ?? 0) - now, 300_000)
          }
          now = decision.at ?? now
          const window = begun.filter((at) => at > now - restartWindowMs)
          assert.isAtMost(window.length, restarts)
        }
      }),
    { arbitrary: { runs: 300, size: 40 } }
  )
})
