import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import * as DiagnosticLog from "../../src/diagnostics/DiagnosticLog.ts"
import { either, int, list, oneOf } from "../support/arbitraries.ts"

interface Failure {
  readonly _tag: string
  readonly message: string
}

const logOf = (capacity: number, now: () => number) => {
  const told = { changes: 0, encoded: 0 }
  const log = DiagnosticLog.make<Failure>({
    capacity,
    now,
    encode: ({ _tag, message }) => {
      told.encoded++
      return { stage: "host", tag: _tag, severity: "error", message, error: { _tag } }
    },
    changed: () => told.changes++
  })
  return { log, told }
}

type Step =
  | { readonly kind: "report"; readonly tag: string; readonly at: string }
  | { readonly kind: "wait"; readonly ms: number }

const Step: Arbitrary.Arbitrary<Step> = either<Step>(
  Arbitrary.all({ kind: oneOf("report"), tag: oneOf("A", "B", "C"), at: oneOf("", "ws://h/1", "ws://h/2") }),
  Arbitrary.all({ kind: oneOf("report"), tag: oneOf("A", "B", "C"), at: oneOf("", "ws://h/1", "ws://h/2") }),
  Arbitrary.all({ kind: oneOf("wait"), ms: either(oneOf(1, 300, 700, 999, 1000, 1001, 5000), int(0, 1500)) })
)

describe("DiagnosticLog", () => {
  it.effect.prop(
    "rule 3: keeps the last records only, counts everything exactly, and joins the repeats of a second",
    { capacity: int(1, 6), steps: list(Step, 0, 60) },
    ({ capacity, steps }) =>
      Effect.sync(() => {
        let now = 1_000_000
        const { log, told } = logOf(capacity, () => now)
        // The reference: a plain list of everything, of which the last `capacity` entries are there.
        let kept: Array<{ tag: string; where: string; at: number; message: string; count: number }> = []
        const counts: Record<string, number> = {}
        let records = 0
        for (const [index, step] of steps.entries()) {
          if (step.kind === "wait") {
            now += step.ms
            continue
          }
          log.add({ _tag: step.tag, message: String(index) }, step.at)
          counts[step.tag] = (counts[step.tag] ?? 0) + 1
          const last = kept.findLast(({ tag, where }) => tag === step.tag && where === step.at)
          if (last !== undefined && now - last.at < 1000) last.count++
          else {
            records++
            kept = [...kept, { tag: step.tag, where: step.at, at: now, message: String(index), count: 1 }].slice(
              -capacity
            )
          }
          assert.isAtMost(log.entries().length, capacity)
        }
        assert.deepStrictEqual(
          log.entries().map(({ at, count, message, tag }) => ({ at, count, message, tag })),
          kept.map(({ at, count, message, tag }) => ({ at: new Date(at).toISOString(), count, message, tag }))
        )
        assert.deepStrictEqual(log.counts(), counts)
        assert.strictEqual(told.changes, records)
        assert.strictEqual(told.encoded, records)
      }),
    { arbitrary: { runs: 300, size: 60 } }
  )

  it.effect("raises the count of a record for a second after it, and then makes another", () =>
    Effect.gen(function* () {
      const clock = yield* Effect.clockWith(Effect.succeed)
      const { log } = logOf(10, () => clock.currentTimeMillisUnsafe())
      const report = () => log.add({ _tag: "A", message: "a" }, "ws://h/")
      report()
      yield* TestClock.adjust(999)
      report()
      assert.deepStrictEqual(
        log.entries().map(({ at, count }) => [at, count]),
        [["1970-01-01T00:00:00.000Z", 2]]
      )
      yield* TestClock.adjust(1)
      report()
      assert.deepStrictEqual(
        log.entries().map(({ at, count }) => [at, count]),
        [
          ["1970-01-01T00:00:00.000Z", 2],
          ["1970-01-01T00:00:01.000Z", 1]
        ]
      )
      assert.deepStrictEqual(log.counts(), { A: 3 })
    })
  )

  it("doesn't make the error of a repeat, so a flood costs no more than a number", () => {
    const { log, told } = logOf(3, () => 0)
    let made = 0
    const make = () => {
      made++
      return { _tag: "A", message: "a" }
    }
    for (let time = 0; time < 10_000; time++) log.report("A", "ws://h/", make)
    assert.strictEqual(made, 1)
    assert.deepStrictEqual(told, { changes: 1, encoded: 1 })
    assert.strictEqual(log.entries()[0]?.count, 10_000)
  })

  it("is not pushed full by a flood of one error", () => {
    const { log } = logOf(3, () => 0)
    log.add({ _tag: "B", message: "b" })
    for (let time = 0; time < 1000; time++) log.add({ _tag: "A", message: "a" }, "ws://h/")
    assert.deepStrictEqual(
      log.entries().map(({ tag }) => tag),
      ["B", "A"]
    )
  })

  it("makes a new record where the clock was set back", () => {
    let now = 10_000
    const { log } = logOf(3, () => now)
    log.add({ _tag: "A", message: "a" })
    now = 0
    log.add({ _tag: "A", message: "a" })
    assert.strictEqual(log.entries().length, 2)
  })

  it("counts tags that are names of JavaScript's own objects", () => {
    const { log } = logOf(3, () => 0)
    for (const _tag of ["constructor", "__proto__", "toString"]) log.add({ _tag, message: "" })
    assert.deepStrictEqual(Object.entries(log.counts()), [
      ["constructor", 1],
      ["__proto__", 1],
      ["toString", 1]
    ])
  })
})
