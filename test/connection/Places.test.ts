import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import { Places, type Place } from "../../src/connection/Places.ts"
import { int, list, oneOf } from "../support/arbitraries.ts"

/** Who has a place and who waits for one, in the order in which they came. */
class Model {
  readonly held: Array<number> = []
  readonly waiting: Array<number> = []
  readonly told: Array<number> = []
  readonly limit: number

  constructor(limit: number) {
    this.limit = limit
  }

  take(who: number): void {
    if (this.held.includes(who) || this.waiting.includes(who)) return
    if (this.held.length < this.limit) this.held.push(who)
    else this.waiting.push(who)
  }

  leave(who: number): void {
    if (this.waiting.includes(who)) this.waiting.splice(this.waiting.indexOf(who), 1)
    if (!this.held.includes(who)) return
    this.held.splice(this.held.indexOf(who), 1)
    const next = this.waiting.shift()
    if (next === undefined) return
    this.held.push(next)
    this.told.push(next)
  }
}

const SOURCES = 6

describe("Places", () => {
  it.effect.prop(
    "rule 3: never more than there are, first come, first served, and who waited is told in the turn in which one is left",
    {
      limit: oneOf(1, 2, 5),
      moves: list(Arbitrary.all({ who: int(0, SOURCES - 1), does: oneOf("take", "leave") }), 1, 60)
    },
    ({ limit, moves }) =>
      Effect.sync(() => {
        const places = new Places(limit)
        const model = new Model(limit)
        const told: Array<number> = []
        const sources: ReadonlyArray<Place> = Array.from({ length: SOURCES }, (_, who) =>
          places.place({
            wake: () => {
              assert.isTrue(sources[who]?.isHeld)
              told.push(who)
            }
          })
        )
        for (const { does, who } of moves) {
          sources[who]?.[does]()
          model[does](who)
          const held = sources.flatMap(({ isHeld }, index) => (isHeld ? [index] : []))
          assert.deepStrictEqual(held, model.held.toSorted())
          assert.deepStrictEqual(told, model.told)
        }
        for (const place of sources) place.leave()
        assert.isFalse(sources.some(({ isHeld }) => isHeld))
      }),
    { arbitrary: { runs: 500 } }
  )

  it("goes on where who is told leaves at once, or takes another", () => {
    const places = new Places(1)
    const told: Array<string> = []
    const last = places.place({ wake: () => void told.push("last") })
    const first = places.place({ wake: () => {} })
    const hasty: Place = places.place({
      wake: () => {
        told.push("hasty")
        hasty.leave()
        hasty.take()
      }
    })
    for (const place of [first, hasty, last]) place.take()
    first.leave()
    assert.deepStrictEqual(told, ["hasty", "last"])
    assert.deepStrictEqual([first.isHeld, hasty.isHeld, last.isHeld], [false, false, true])
    last.leave()
    assert.deepStrictEqual(told, ["hasty", "last", "hasty"])
  })
})
