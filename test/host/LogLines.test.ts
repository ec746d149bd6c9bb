import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as LogLevel from "effect/LogLevel"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import * as LogLines from "../../src/host/internal/logLines.ts"
import { monotonic } from "../../src/internal/monotonic.ts"
import { either, int, list, oneOf } from "../support/arbitraries.ts"
import { settled } from "../support/host.ts"
import { capture } from "../support/log.ts"

/** Lines in a scope of their own, and whether their fiber has anything to do. */
const started = Effect.gen(function* () {
  const clock = yield* Effect.clockWith(Effect.succeed)
  const scope = yield* Scope.make()
  let busy = 0
  const options = { monotonic: monotonic(clock), activity: (delta: 1 | -1) => (busy += delta) }
  const lines = yield* Scope.provide(LogLines.make(options), scope)
  let added = 0
  return {
    now: options.monotonic,
    isBusy: () => busy > 0,
    add: (level: LogLevel.Severity = "Info") => {
      const message = String(added++)
      lines.add(level, () => ({ message, annotations: { number: message } }))
    },
    added: () => added,
    end: Scope.close(scope, Exit.void)
  }
})

type Step = { readonly kind: "add"; readonly count: number } | { readonly kind: "wait"; readonly ms: number }

const Step: Arbitrary.Arbitrary<Step> = either<Step>(
  Arbitrary.all({ kind: oneOf("add"), count: either(int(1, 5), oneOf(49, 50, 51, 120)) }),
  Arbitrary.all({ kind: oneOf("wait"), ms: either(oneOf(1, 20, 500, 999, 1000, 1001), int(1, 1500)) })
)

const leftOut = (message: string): number => Number(/^(\d+) log lines? (?:was|were) left out$/.exec(message)?.[1] ?? 0)

describe("the lines of a host's log", () => {
  it.effect.prop(
    "rule 3: are at most 50 in any second, in order, and those left out are counted exactly",
    { steps: list(Step, 0, 30) },
    ({ steps }) => {
      const { lines, logged } = capture()
      return Effect.gen(function* () {
        const log = yield* started
        const at: Array<number> = []
        const seen = Effect.sync(() => {
          while (at.length < lines.length) at.push(log.now())
        })
        for (const step of steps) {
          if (step.kind === "add") for (let nth = 0; nth < step.count; nth++) log.add()
          // In small steps, so that each line is seen about when it is written.
          for (let ms = step.kind === "wait" ? step.ms : 0; ms > 0; ms -= 10) {
            yield* TestClock.adjust(Math.min(10, ms))
            yield* settled
            yield* seen
          }
          yield* settled
          yield* seen
        }
        for (let first = 0; first + LogLines.MOST_LINES < at.length; first++) {
          assert.isAtLeast((at[first + LogLines.MOST_LINES] ?? 0) - (at[first] ?? 0), LogLines.WITHIN_MS - 10)
        }
        yield* log.end
        let next = 0
        for (const { message } of lines) {
          const skipped = leftOut(message)
          if (skipped === 0) assert.strictEqual(message, String(next++))
          else next += skipped
        }
        assert.strictEqual(next, log.added())
      }).pipe(logged)
    },
    { arbitrary: { runs: 60, size: 30 } }
  )

  it.effect("say after a second how many were left out, by themselves", () => {
    const { lines, logged } = capture()
    return Effect.gen(function* () {
      const log = yield* started
      for (let nth = 0; nth < 60; nth++) log.add("Error")
      yield* settled
      assert.strictEqual(lines.length, 50)
      assert.isFalse(log.isBusy())
      yield* TestClock.adjust(999)
      yield* settled
      assert.strictEqual(lines.length, 50)
      yield* TestClock.adjust(1)
      yield* settled
      assert.deepStrictEqual(lines.slice(50), [
        { level: "Warn", message: "10 log lines were left out", cause: "", annotations: {} }
      ])
      // The summary has taken one place of the next second.
      for (let nth = 0; nth < 50; nth++) log.add()
      yield* settled
      assert.strictEqual(lines.length, 100)
      yield* TestClock.adjust(1000)
      yield* settled
      assert.strictEqual(lines[100]?.message, "1 log line was left out")
      yield* log.end
    }).pipe(logged)
  })

  it.effect("are all written before the end, the summary included", () => {
    const { lines, logged } = capture()
    return Effect.gen(function* () {
      const log = yield* started
      for (let nth = 0; nth < 60; nth++) log.add()
      yield* log.end
      assert.strictEqual(lines.length, 51)
      assert.strictEqual(lines[50]?.message, "10 log lines were left out")
      yield* settled
      assert.isFalse(log.isBusy())
      // Nobody writes any more, and nobody minds.
      log.add()
      yield* settled
      assert.strictEqual(lines.length, 51)
    }).pipe(logged)
  })

  it.effect("are not even made below the level that is wanted, and take no place", () => {
    const { lines, logged } = capture()
    return Effect.gen(function* () {
      const log = yield* started
      for (let nth = 0; nth < 100; nth++) log.add("Info")
      log.add("Warn")
      log.add("Error")
      yield* settled
      assert.deepStrictEqual(
        lines.map(({ level, annotations }) => [level, annotations["number"]]),
        [
          ["Warn", "100"],
          ["Error", "101"]
        ]
      )
      yield* log.end
    }).pipe(Effect.provideService(References.MinimumLogLevel, "Warn"), logged)
  })

  it.effect("go on after a logger that throws", () => {
    const { lines, logged } = capture((nth) => {
      if (nth % 2 === 0) throw new Error("ENOSPC: no space left on device, write")
    })
    return Effect.gen(function* () {
      const log = yield* started
      for (let nth = 0; nth < 6; nth++) log.add()
      yield* settled
      assert.deepStrictEqual(
        lines.map(({ message }) => message),
        ["1", "3", "5"]
      )
      yield* log.end
    }).pipe(logged)
  })
})
