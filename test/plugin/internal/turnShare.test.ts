/** What of a turn is used for texts as they come, by itself: over a clock and turns that belong to the test. */
import { assert, describe, it } from "@effect/vitest"
import { TurnShare } from "../../../src/plugin/internal/turnShare.ts"

const CACHEFUL = 128

const sharing = () => {
  const world = { now: 1000, over: 0 }
  const turns: Array<() => void> = []
  const share = new TurnShare({
    now: () => world.now,
    whenOver: (over) => turns.push(over),
    over: () => world.over++
  })
  /** Hands over what waits, if that is allowed, which takes so long. */
  const hands = (waiting: number, ms = 0): boolean => {
    const since = share.allows(waiting)
    if (since === undefined) return false
    assert.strictEqual(since, world.now)
    world.now += ms
    share.used(ms)
    return true
  }
  const turn = () => {
    for (const over of turns.splice(0)) over()
  }
  return { hands, turn, turns, world }
}

describe("the share of a turn", () => {
  it("is for the first text where nothing else waits, and then for each cacheful", () => {
    const { hands, turn, world } = sharing()
    for (const nth of [1, 2]) {
      assert.isTrue(hands(1))
      assert.isFalse(hands(1))
      assert.isFalse(hands(CACHEFUL - 1))
      assert.isTrue(hands(CACHEFUL))
      assert.isFalse(hands(1))
      turn()
      assert.strictEqual(world.over, nth)
    }
  })

  it("isn't for a text that comes while others wait, but for a cacheful that is the first of its turn", () => {
    const { hands } = sharing()
    assert.isFalse(hands(2))
    assert.isFalse(hands(CACHEFUL - 1))
    assert.isTrue(hands(CACHEFUL))
  })

  it("is over with its turn, of which it asks to be told once", () => {
    const { hands, turn, turns } = sharing()
    hands(1)
    hands(CACHEFUL)
    hands(CACHEFUL)
    assert.lengthOf(turns, 1)
    turn()
    assert.lengthOf(turns, 0)
    hands(1)
    assert.lengthOf(turns, 1)
  })

  it("is eight milliseconds at least, in each turn anew", () => {
    const { hands, turn } = sharing()
    for (let nth = 0; nth < 3; nth++) {
      assert.isTrue(hands(1, 3))
      assert.isTrue(hands(CACHEFUL, 4.9))
      assert.isTrue(hands(CACHEFUL, 0.1))
      assert.isFalse(hands(CACHEFUL))
      turn()
    }
  })

  it("is half of a longer turn, and once it is used up grows again as the turn does", () => {
    const { hands, turn, world } = sharing()
    assert.isTrue(hands(1, 8))
    world.now += 7
    // 8 of 15.
    assert.isFalse(hands(CACHEFUL))
    world.now += 1
    // 8 of 16.
    assert.isFalse(hands(CACHEFUL))
    world.now += 100
    // 8 of 116, then 58 of 166.
    assert.isTrue(hands(CACHEFUL, 50))
    assert.isTrue(hands(CACHEFUL, 50))
    // 108 of 216.
    assert.isFalse(hands(CACHEFUL))
    turn()
    assert.isTrue(hands(1, 8))
    world.now += 9
    // 8 of 17.
    assert.isTrue(hands(CACHEFUL, 1))
    // 9 of 18.
    assert.isFalse(hands(CACHEFUL))
  })

  it("isn't less where the clock is set back meanwhile, in the turns after that one", () => {
    const { hands, turn, world } = sharing()
    assert.isTrue(hands(1, 1))
    world.now -= 3_600_000
    assert.isTrue(hands(CACHEFUL, 8))
    assert.isFalse(hands(CACHEFUL))
    turn()
    assert.isTrue(hands(1))
  })
})
