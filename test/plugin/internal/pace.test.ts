/** How long a runner keeps the thread, and how often it looks, by itself: over a clock that belongs to the test. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { Pace } from "../../../src/plugin/internal/pace.ts"

const pacing = Effect.map(Clock.Clock, (clock) => {
  const world = { now: 1000, looks: 0 }
  const pace = new Pace(
    Object.assign(Object.create(clock), { currentTimeMillisUnsafe: () => (world.looks++, world.now) })
  )
  /** Whether it looked when an effect had ended that took so long. */
  const ends = (ms: number, isSlow = false): boolean => {
    const before = world.looks
    world.now += ms
    pace.lookAfter(isSlow)
    return world.looks > before
  }
  return { ends, pace, world }
})

describe("the pace of a runner", () => {
  it.effect("lets it keep the thread for four milliseconds, or less where it is given less", () =>
    Effect.gen(function* () {
      const { pace, world } = yield* pacing
      pace.begin()
      assert.isFalse(pace.isOver)
      world.now += 3
      assert.isTrue(pace.goesOn(1))
      world.now += 1
      assert.isFalse(pace.goesOn(2))
      for (const [most, ms] of [
        [2, 2],
        [9, 4]
      ] as const) {
        pace.take(world.now, most)
        world.now += ms - 1
        assert.isTrue(pace.goesOn(1))
        world.now += 1
        assert.isFalse(pace.goesOn(2))
      }
    })
  )

  it.effect("lets it take 32,768 events at most", () =>
    Effect.gen(function* () {
      const { pace } = yield* pacing
      pace.begin()
      assert.isTrue(pace.goesOn(32_767))
      assert.isFalse(pace.goesOn(32_768))
    })
  )

  it.effect("looks twice as seldom each time while nothing takes time, once in 16 at least, and then after each", () =>
    Effect.gen(function* () {
      const { pace, world } = yield* pacing
      pace.begin()
      const steps = [1, 2, 3, 4, 5].map((nth) => (pace.goesOn(nth), pace.step))
      assert.deepStrictEqual(steps, [2, 4, 8, 16, 16])
      world.now += 1
      assert.isTrue(pace.goesOn(6))
      assert.strictEqual(pace.step, 1)
    })
  )

  it.effect("looks after an effect seldom while they are fast, and after each that was timed", () =>
    Effect.gen(function* () {
      const { ends, pace } = yield* pacing
      pace.begin()
      const looked = Array.from({ length: 64 }, (_, nth) => (ends(0) ? nth : -1)).filter((nth) => nth >= 0)
      assert.deepStrictEqual(looked, [0, 2, 6, 14, 30, 46, 62])
      assert.isTrue(ends(0, true))
    })
  )

  it.effect("sees that the slice is over once an effect that blocked the thread is looked after", () =>
    Effect.gen(function* () {
      const { ends, pace } = yield* pacing
      pace.begin()
      assert.isTrue(ends(4))
      assert.isTrue(pace.isOver)
      assert.isTrue(ends(0))
    })
  )
})
