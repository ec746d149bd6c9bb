import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import { countOf, Losses } from "../../src/ingress/internal/losses.ts"
import { either, int, list, oneOf } from "../support/arbitraries.ts"

type Step =
  | { readonly kind: "add" }
  | { readonly kind: "all" }
  | { readonly kind: "lose" | "hand"; readonly index: number }

const Step: Arbitrary.Arbitrary<Step> = either<Step>(
  Arbitrary.all({ kind: oneOf("add") }),
  Arbitrary.all({ kind: oneOf("add") }),
  Arbitrary.all({ kind: oneOf("lose", "lose", "hand"), index: int(0, 9) }),
  Arbitrary.all({ kind: oneOf("lose", "hand"), index: oneOf(0) }),
  Arbitrary.map(int(0, 7), (n): Step => (n === 0 ? { kind: "all" } : { kind: "add" }))
)

const sizeOf = (...sequences: ReadonlyArray<number>): number => {
  const losses = new Losses()
  for (const sequence of sequences) losses.lose(sequence)
  assert.strictEqual(losses.untold, sequences.length)
  return losses.size
}

describe("losses", () => {
  it.effect.prop(
    "rule 4: each is told once, by the first event behind it that is handed over",
    { steps: list(Step, 0, 100) },
    ({ steps }) =>
      Effect.sync(() => {
        const losses = new Losses()
        const untold = new Set<number>()
        let waiting: ReadonlyArray<number> = []
        let last = 0
        for (const step of steps) {
          if (step.kind === "add") waiting = [...waiting, ++last]
          else if (step.kind === "all") {
            losses.loseAll(waiting.length, last)
            for (const sequence of waiting) untold.add(sequence)
            waiting = []
          } else {
            const sequence = waiting[step.index]
            if (sequence === undefined) continue
            waiting = waiting.filter((other) => other !== sequence)
            if (step.kind === "lose") {
              losses.lose(sequence)
              untold.add(sequence)
            } else {
              const told = [...untold].filter((other) => other < sequence)
              for (const other of told) untold.delete(other)
              assert.strictEqual(losses.tell(sequence), told.length)
            }
          }
          assert.strictEqual(losses.untold, untold.size)
        }
        assert.strictEqual(losses.tell(last + 1), untold.size)
        assert.strictEqual(losses.untold, 0)
      }),
    { arbitrary: { runs: 200 } }
  )

  it.each([
    [[1], 1],
    [[1, 2, 3], 1],
    [[3, 2, 1], 1],
    [[1, 3], 2],
    [[1, 3, 2], 1],
    [[5, 1, 3], 3],
    [[5, 1, 3, 4], 2],
    [[5, 1, 3, 4, 2], 1],
    [[2, 5, 3, 7, 6], 2],
    [[10, 8, 6, 4, 2], 5]
  ] as const)("are kept as runs, so that many cost little: %o", (sequences, expected) =>
    assert.strictEqual(sizeOf(...sequences), expected)
  )

  it("are one run after everything was lost, and none once it is told", () => {
    const losses = new Losses()
    for (const sequence of [2, 4, 6]) losses.lose(sequence)
    losses.loseAll(3, 9)
    assert.deepStrictEqual([losses.size, losses.untold], [1, 6])
    losses.lose(10)
    assert.strictEqual(losses.size, 1)
    assert.strictEqual(losses.tell(12), 7)
    assert.deepStrictEqual([losses.size, losses.untold], [0, 0])
  })

  it("are told by no event before them", () => {
    const losses = new Losses()
    for (const sequence of [2, 3, 6]) losses.lose(sequence)
    assert.deepStrictEqual([losses.tell(1), losses.tell(5), losses.tell(5), losses.size], [0, 2, 0, 1])
  })

  it("are told again where the event that told them waits again, however many runs they are", () => {
    const losses = new Losses()
    const runs = 200_000
    for (let run = 1; run <= runs; run++) losses.lose(2 * run)
    const taken = losses.take(2 * runs)
    assert.deepStrictEqual([countOf(taken), losses.untold, losses.size], [runs - 1, 1, 1])
    losses.restore(taken)
    assert.deepStrictEqual([losses.untold, losses.size], [runs, runs])
    assert.strictEqual(losses.tell(2 * runs + 1), runs)
  })
})
