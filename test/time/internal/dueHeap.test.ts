import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { DueHeap, type Entry } from "../../../src/time/internal/dueHeap.ts"

const Script = Schema.Array(
  Schema.Union([
    Schema.Struct({ kind: Schema.Literal("add"), at: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 })) }),
    Schema.Struct({
      kind: Schema.Literal("remove"),
      nth: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 8 }))
    }),
    Schema.Struct({ kind: Schema.Literal("takeFirst") })
  ])
)

it.effect.prop(
  "has the earliest first and of equal times the one that came first, whatever is removed",
  { script: Script },
  ({ script }) =>
    Effect.sync(() => {
      const heap = new DueHeap()
      const added: Array<Entry> = []
      let expected: Array<Entry> = []
      const leave = (entry: Entry | undefined) => {
        if (entry === undefined) return
        heap.remove(entry)
        expected = expected.filter((other) => other !== entry)
      }
      for (const step of script) {
        if (step.kind === "add") {
          const entry = heap.add(step.at, () => {})
          added.push(entry)
          expected.push(entry)
          expected.sort((one, other) => one.at - other.at || one.nth - other.nth)
        } else leave(step.kind === "remove" ? added[step.nth] : heap.first)
        assert.strictEqual(heap.first, expected[0])
        assert.strictEqual(heap.size, expected.length)
      }
      const left: Array<Entry> = []
      for (let { first } = heap; first !== undefined; { first } = heap) {
        left.push(first)
        heap.remove(first)
      }
      assert.deepStrictEqual(left, expected)
    }),
  { arbitrary: { runs: 300 } }
)
