import { assert, describe, it } from "@effect/vitest"
import { StallClock } from "../../../src/connection/internal/stallClock.ts"

/** A clock over a buffer that the test fills and empties, in time that the test moves. */
const play = (stallMs: number) => {
  const world = { now: 0, bytes: 0, progress: "0", stalls: 0 }
  let timer: { readonly at: number; readonly due: () => void } | undefined
  const looks: Array<number> = []
  const time = {
    now: () => world.now,
    after: (ms: number, due: () => void) => {
      assert.isUndefined(timer)
      assert.isAtLeast(ms, 1)
      const mine = { at: world.now + ms, due }
      timer = mine
      return () => {
        if (timer === mine) timer = undefined
      }
    }
  }
  const clock = new StallClock(time, stallMs, world, () => world.stalls++)
  /** Time passes, and what is due is done a little late. */
  const pass = (ms: number, lateMs = 0) => {
    const until = world.now + ms
    while (timer !== undefined && timer.at + lateMs <= until) {
      const { at, due } = timer
      timer = undefined
      world.now = at + lateMs
      looks.push(world.now)
      due()
    }
    world.now = until
  }
  return { clock, world, pass, looks, isWaiting: () => timer !== undefined }
}

describe("the clock of a buffer", () => {
  for (const [stallMs, lateMs, least, most] of [
    [30_000, 0, 30_000, 30_000],
    [30_000, 50, 30_000, 31_050],
    [1500, 0, 1500, 1500],
    [200, 0, 200, 200],
    [1, 0, 1, 1]
  ] as const) {
    it(`tells of a stall of ${stallMs} ms once it was that long, looking ${lateMs} ms late`, () => {
      const { clock, isWaiting, pass, world } = play(stallMs)
      world.bytes = 5
      clock.start()
      pass(least - 1, lateMs)
      assert.strictEqual(world.stalls, 0)
      pass(most - least + 1, lateMs)
      assert.strictEqual(world.stalls, 1)
      assert.isFalse(isWaiting())
    })
  }

  it("begins anew with everything that goes out", () => {
    const { clock, pass, world } = play(30_000)
    world.bytes = 5
    clock.start()
    for (let times = 1; times <= 10; times++) {
      pass(29_000)
      world.progress = String(times)
    }
    pass(29_000)
    assert.strictEqual(world.stalls, 0)
    pass(2000)
    assert.strictEqual(world.stalls, 1)
  })

  it("has nothing to do once nothing is there, and begins anew with the next", () => {
    const { clock, isWaiting, looks, pass, world } = play(30_000)
    world.bytes = 5
    clock.start()
    clock.start()
    world.bytes = 0
    pass(1000)
    assert.isFalse(isWaiting())
    assert.deepStrictEqual(looks, [1000])
    pass(100_000)
    world.bytes = 5
    clock.start()
    pass(29_999)
    assert.strictEqual(world.stalls, 0)
    pass(1)
    assert.strictEqual(world.stalls, 1)
  })

  it("looks once a second, however often something is put in", () => {
    const { clock, looks, pass, world } = play(30_000)
    world.bytes = 5
    for (let times = 0; times < 3500; times++) {
      world.progress = String(times)
      clock.start()
      pass(1)
    }
    assert.deepStrictEqual(looks, [1000, 2000, 3000])
  })

  it("doesn't begin after its end", () => {
    const { clock, isWaiting } = play(1000)
    clock.end()
    clock.start()
    assert.isFalse(isWaiting())
  })

  it("tells nothing after its end", () => {
    const { clock, isWaiting, pass, world } = play(1000)
    world.bytes = 5
    clock.start()
    clock.end()
    assert.isFalse(isWaiting())
    clock.start()
    assert.isFalse(isWaiting())
    pass(10_000)
    assert.strictEqual(world.stalls, 0)
  })
})
