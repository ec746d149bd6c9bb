import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import type * as Diagnostic from "../../src/diagnostics/Diagnostic.ts"
import * as DiagnosticLog from "../../src/diagnostics/DiagnosticLog.ts"
import { either, int, list, oneOf } from "../support/arbitraries.ts"

interface Failure {
  readonly _tag: string
  readonly message: string
}

const logOf = (capacity: number, now: () => number) => {
  const told: { encoded: number; records: Array<Diagnostic.Diagnostic> } = { encoded: 0, records: [] }
  const log = DiagnosticLog.make<Failure>({
    capacity,
    now,
    encode: ({ _tag, message }) => {
      told.encoded++
      return { stage: "host", tag: _tag, severity: "error", message, error: { _tag } }
    },
    recorded: ({ diagnostic, error }) => {
      assert.strictEqual(error._tag, diagnostic.tag)
      told.records.push(diagnostic)
    }
  })
  return { log, told }
}

type Step =
  | { readonly kind: "report"; readonly tag: string; readonly at: string | null }
  | { readonly kind: "wait"; readonly ms: number }

const reporting = (tag: Arbitrary.Arbitrary<string>, at: Arbitrary.Arbitrary<string | null>) =>
  Arbitrary.all({ kind: oneOf("report"), tag, at })

const Step: Arbitrary.Arbitrary<Step> = either<Step>(
  reporting(oneOf("A", "B", "C"), oneOf(null, "11111111", "22222222")),
  // A flood of one kind: a source of its own each time.
  reporting(
    oneOf("A"),
    Arbitrary.map(int(0, 9999), (nth) => String(nth))
  ),
  Arbitrary.all({ kind: oneOf("wait"), ms: either(oneOf(1, 300, 700, 999, 1000, 1001, 5000), int(0, 1500)) })
)

interface Kept {
  readonly tag: string
  readonly at: string | null
  readonly time: number
  readonly message: string
  count: number
}

/** The reference: a plain list, from which the oldest goes of which there are more than four, else the oldest. */
const bounded = (kept: ReadonlyArray<Kept>, capacity: number): ReadonlyArray<Kept> => {
  if (kept.length <= capacity) return kept
  const many = kept.find(({ tag }) => kept.filter((other) => other.tag === tag).length > 4)
  const gone = many ?? kept[0]
  return kept.filter((record) => record !== gone)
}

describe("DiagnosticLog", () => {
  it.effect.prop(
    "rule 3: keeps at most its capacity, the last four of each tag among it, counts exactly and joins the repeats of a second",
    { capacity: either(int(1, 6), int(12, 20)), steps: list(Step, 0, 80) },
    ({ capacity, steps }) =>
      Effect.sync(() => {
        let now = 1_000_000
        const { log, told } = logOf(capacity, () => now)
        let kept: ReadonlyArray<Kept> = []
        const counts: Record<string, number> = {}
        const recent = new Map<string, Array<string>>()
        let records = 0
        for (const [index, step] of steps.entries()) {
          if (step.kind === "wait") {
            now += step.ms
            continue
          }
          const message = String(index)
          log.add({ _tag: step.tag, message }, step.at)
          counts[step.tag] = (counts[step.tag] ?? 0) + 1
          const last = kept.findLast(({ at, tag }) => tag === step.tag && at === step.at)
          if (last !== undefined && now - last.time < 1000) last.count++
          else {
            records++
            recent.set(step.tag, [...(recent.get(step.tag) ?? []), message].slice(-4))
            kept = bounded([...kept, { tag: step.tag, at: step.at, time: now, message, count: 1 }], capacity)
          }
          assert.isAtMost(log.entries().length, capacity)
        }
        assert.deepStrictEqual(
          log.entries().map(({ at, count, message, sourceId = null, tag }) => ({ at, count, message, sourceId, tag })),
          kept.map(({ at, count, message, tag, time }) => ({
            at: new Date(time).toISOString(),
            count,
            message,
            sourceId: at,
            tag
          }))
        )
        // Three tags: from a capacity of twelve on the last four of each fit.
        const shown = new Set(log.entries().map(({ message }) => message))
        if (capacity >= 12) for (const message of [...recent.values()].flat()) assert.isTrue(shown.has(message))
        assert.deepStrictEqual(log.counts(), counts)
        assert.strictEqual(told.records.length, records)
        assert.strictEqual(told.encoded, records)
      }),
    { arbitrary: { runs: 400, size: 80 } }
  )

  it("keeps the one failure of a plugin whatever flood of others follows", () => {
    const { log } = logOf(256, () => 0)
    log.add({ _tag: "DispatchFailed", message: "why" })
    for (let nth = 0; nth < 5000; nth++) log.add({ _tag: "CommandUngranted", message: "no" }, `source ${nth}`)
    assert.strictEqual(log.entries().length, 256)
    assert.deepInclude(log.entries()[0], { tag: "DispatchFailed", message: "why" })
    assert.deepStrictEqual(log.counts(), { DispatchFailed: 1, CommandUngranted: 5000 })
  })

  it("tells of a new record as it is shown", () => {
    const { log, told } = logOf(3, () => 5)
    log.add({ _tag: "A", message: "a" }, "11111111")
    log.add({ _tag: "A", message: "b" })
    log.add({ _tag: "A", message: "a repeat" }, "11111111")
    const at = "1970-01-01T00:00:00.005Z"
    const record = { stage: "host", tag: "A", severity: "error", error: { _tag: "A" }, at, count: 1 }
    assert.deepStrictEqual<unknown>(told.records, [
      { ...record, message: "a", sourceId: "11111111" },
      { ...record, message: "b" }
    ])
    assert.deepStrictEqual<unknown>(log.entries()[0], { ...record, message: "a", sourceId: "11111111", count: 2 })
  })

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
    assert.strictEqual(told.encoded, 1)
    assert.strictEqual(told.records.length, 1)
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
