import { assert, describe, it } from "@effect/vitest"
import { Homes, MOST_VACANT } from "../../src/sandbox/internal/homes.ts"

describe("what is remembered of plugins", () => {
  it("is the same from one start to the next", () => {
    const homes = new Homes()
    const home = homes.enter("a")
    homes.leave("a")
    assert.strictEqual(homes.enter("a"), home)
    assert.notStrictEqual(homes.enter("b"), home)
  })

  it("rule 3: is bounded: of those that don't run, the one that was left first is forgotten", () => {
    const homes = new Homes()
    const runs = homes.enter("runs")
    const first = homes.enter("first")
    const second = homes.enter("second")
    homes.leave("first")
    homes.leave("second")
    for (let other = 0; other < MOST_VACANT - 1; other++) {
      homes.enter(`other ${other}`)
      homes.leave(`other ${other}`)
    }
    assert.strictEqual(homes.enter("runs"), runs)
    assert.strictEqual(homes.enter("second"), second)
    assert.notStrictEqual(homes.enter("first"), first)
  })
})
