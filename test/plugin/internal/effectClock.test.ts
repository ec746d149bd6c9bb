/** What of the plugin's code is timed, by itself: over time and turns that belong to the test. */
import { assert, describe, it } from "@effect/vitest"
import { EffectClock } from "../../../src/plugin/internal/effectClock.ts"
import * as HadByHand from "../support/hadByHand.ts"

const timing = ({ keepsDeadlines = false, lentAt }: { keepsDeadlines?: boolean; lentAt?: number } = {}) => {
  const had = HadByHand.make()
  const turns: Array<() => void> = []
  const world = { isBusy: true, late: 0 }
  const clock = new EffectClock({
    time: had.time,
    deadlineMs: 100,
    keepsDeadlines,
    isBusy: () => world.isBusy,
    lentAt: () => lentAt,
    whenOver: (over) => turns.push(over),
    late: () => world.late++
  })
  const turn = () => {
    for (const over of turns.splice(0)) over()
  }
  const after = (ms: number): number => {
    had.passes(ms)
    had.judges()
    return world.late
  }
  return { after, clock, had, turn, turns, world }
}

describe("the clock of effects", () => {
  it("times what outlasts its turn from the end of that turn on", () => {
    const { after, clock, turn } = timing()
    clock.judge()
    assert.strictEqual(after(1000), 0)
    assert.isFalse(clock.isTiming)
    turn()
    assert.isTrue(clock.isTiming)
    assert.strictEqual(after(99), 0)
    assert.strictEqual(after(1), 1)
  })

  it("times nothing that ended within its turn, however many there were, and asks once a turn for its end", () => {
    const { after, clock, had, turn, turns, world } = timing()
    for (const count of [16, 1, 40]) {
      for (let effect = 0; effect < count; effect++) {
        clock.judge()
        had.passes(90)
        clock.stop()
      }
      world.isBusy = false
      assert.lengthOf(turns, 1)
      turn()
      world.isBusy = true
      assert.strictEqual(after(1000), 0)
    }
    assert.strictEqual(had.waiting.size, 0)
  })

  it("times what began last in a turn, and only that, from the turn's end", () => {
    const { after, clock, had, turn } = timing()
    for (let effect = 0; effect < 16; effect++) {
      clock.judge()
      had.passes(90)
      clock.stop()
    }
    clock.judge()
    turn()
    assert.strictEqual(after(99), 0)
    clock.stop()
    assert.strictEqual(after(1), 0)
    assert.isFalse(clock.isTiming)
  })

  it("doesn't time anew at the end of a turn what is timed already", () => {
    const { after, clock, turn } = timing()
    clock.judge()
    clock.start()
    after(60)
    turn()
    assert.strictEqual(after(40), 1)
  })

  it("times from the end of a later turn what began in it", () => {
    const { after, clock, turn } = timing()
    clock.judge()
    turn()
    after(50)
    clock.stop()
    clock.judge()
    after(50)
    turn()
    assert.strictEqual(after(99), 0)
    assert.strictEqual(after(1), 1)
  })

  it("looks after what is lent, by when that began", () => {
    const { after, clock } = timing({ lentAt: 0 })
    clock.watch()
    assert.strictEqual(after(100), 1)
  })

  it("judges nothing after its end, nor anything of a runtime that keeps deadlines itself", () => {
    const ended = timing()
    ended.clock.start()
    ended.clock.end()
    assert.strictEqual(ended.after(100), 0)
    const kept = timing({ keepsDeadlines: true, lentAt: 0 })
    kept.clock.start()
    kept.clock.watch()
    assert.strictEqual(kept.after(100), 0)
    assert.strictEqual(kept.had.waiting.size, 0)
  })
})
