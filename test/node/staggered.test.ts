import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { listed, race, type Candidates } from "../../src/node/internal/staggered.ts"
import { bool, int, list } from "../support/arbitraries.ts"

interface Try {
  readonly takesMs: number
  readonly succeeds: boolean
}

const noop = () => {}

const settle = Effect.gen(function* () {
  for (let turn = 0; turn < 40; turn++) yield* Effect.yieldNow
})

/** Runs a race and says when each attempt began, what became of each, and how the race ended. */
const run = (tries: ReadonlyArray<Try>, candidates: Candidates<number> = listed([...tries.keys()]), stepMs = 1) =>
  Effect.gen(function* () {
    const clock = yield* Clock.clockWith(Effect.succeed)
    const begun: Array<number> = []
    const interrupted: Array<number> = []
    const racing = yield* Effect.forkChild(
      Effect.exit(
        race({
          candidates,
          delayMs: () => 250,
          attempt: (which) => {
            begun.push(clock.currentTimeMillisUnsafe())
            const { succeeds, takesMs } = tries[which] ?? { succeeds: false, takesMs: 0 }
            return Effect.sleep(takesMs).pipe(
              Effect.andThen(succeeds ? Effect.succeed(which) : Effect.fail(`${which} failed`)),
              Effect.onInterrupt(() => Effect.sync(() => interrupted.push(which)))
            )
          }
        })
      ),
      { startImmediately: true }
    )
    const endsAt = Effect.gen(function* () {
      while (racing.pollUnsafe() === undefined) {
        yield* settle
        if (racing.pollUnsafe() === undefined) yield* TestClock.adjust(stepMs)
      }
      return clock.currentTimeMillisUnsafe()
    })
    return { begun, interrupted, racing, endsAt }
  })

describe("a staggered race", () => {
  for (const [name, tries, begun, ended, interrupted] of [
    ["one that succeeds", [[10, true]], [0], 10, []],
    ["one that is slow, without giving it up", [[1999, true]], [0], 1999, []],
    [
      "the second where the first is slow",
      [
        [900, true],
        [10, true]
      ],
      [0, 250],
      260,
      [0]
    ],
    [
      "the first although the second has begun",
      [
        [300, true],
        [900, true]
      ],
      [0, 250],
      300,
      [1]
    ],
    [
      "the next at once where one fails",
      [
        [20, false],
        [10, true]
      ],
      [0, 20],
      30,
      []
    ],
    [
      "the next once, where a failure and the delay come together",
      [
        [250, false],
        [900, true],
        [9, true]
      ],
      [0, 250, 500],
      509,
      [1]
    ],
    [
      "the third by the delay of the second, not of the first",
      [
        [100, false],
        [900, true],
        [9, true]
      ],
      [0, 100, 350],
      359,
      [1]
    ],
    [
      "each after the other while none answers",
      [
        [9000, true],
        [9000, true],
        [1, true]
      ],
      [0, 250, 500],
      501,
      [0, 1]
    ],
    [
      "the one left where all others failed",
      [
        [2000, true],
        [10, false],
        [10, false]
      ],
      [0, 250, 260],
      2000,
      []
    ]
  ] as const) {
    it.effect(`takes ${name}`, () =>
      Effect.gen(function* () {
        const raced = yield* run(tries.map(([takesMs, succeeds]) => ({ takesMs, succeeds })))
        assert.strictEqual(yield* raced.endsAt, ended)
        assert.deepStrictEqual(raced.begun, [...begun])
        assert.deepStrictEqual(raced.interrupted.toSorted(), [...interrupted])
        const exit = yield* Fiber.join(raced.racing)
        assert.isTrue(Exit.isSuccess(exit))
      })
    )
  }

  it.effect("fails with every failure once all have failed", () =>
    Effect.gen(function* () {
      const { endsAt, racing } = yield* run([
        { takesMs: 700, succeeds: false },
        { takesMs: 10, succeeds: false },
        { takesMs: 20, succeeds: false }
      ])
      assert.strictEqual(yield* endsAt, 700)
      assert.deepStrictEqual(yield* Effect.flip(Effect.flatten(Fiber.join(racing))), [
        "1 failed",
        "2 failed",
        "0 failed"
      ])
    })
  )

  it.effect("fails at once where there is nothing to try", () =>
    Effect.gen(function* () {
      const { begun, endsAt, racing } = yield* run([])
      assert.strictEqual(yield* endsAt, 0)
      assert.deepStrictEqual(yield* Effect.flip(Effect.flatten(Fiber.join(racing))), [])
      assert.deepStrictEqual(begun, [])
    })
  )

  it.effect("waits for candidates that are still to come, and begins them as if they had been there", () =>
    Effect.gen(function* () {
      const waiting: Array<number> = []
      let isComplete = false
      let changed = noop
      const candidates: Candidates<number> = {
        next: () => waiting.shift(),
        isComplete: () => isComplete,
        watch: (told) => {
          changed = told
        }
      }
      const come = (which: number) => {
        waiting.push(which)
        changed()
      }
      const { begun, endsAt, racing } = yield* run(
        [
          { takesMs: 10, succeeds: false },
          { takesMs: 5000, succeeds: true },
          { takesMs: 5000, succeeds: false }
        ],
        candidates
      )
      yield* settle
      yield* TestClock.adjust(1000)
      assert.isUndefined(racing.pollUnsafe())
      come(0)
      yield* settle
      // It has failed, and nothing is there: that isn't the end.
      yield* TestClock.adjust(100)
      yield* settle
      assert.isUndefined(racing.pollUnsafe())
      come(1)
      yield* settle
      yield* TestClock.adjust(100)
      // The delay after the one before holds for it.
      come(2)
      yield* settle
      assert.deepStrictEqual(begun, [1000, 1100])
      yield* TestClock.adjust(150)
      yield* settle
      assert.deepStrictEqual(begun, [1000, 1100, 1350])
      isComplete = true
      changed()
      assert.strictEqual(yield* endsAt, 6100)
    })
  )

  it.effect("ends where the last has failed before it is said that no more will come", () =>
    Effect.gen(function* () {
      let isComplete = false
      let changed = noop
      const left = [0]
      const { endsAt, racing } = yield* run([{ takesMs: 1, succeeds: false }], {
        next: () => left.shift(),
        isComplete: () => isComplete,
        watch: (told) => {
          changed = told
        }
      })
      yield* settle
      yield* TestClock.adjust(10)
      yield* settle
      assert.isUndefined(racing.pollUnsafe())
      isComplete = true
      changed()
      assert.strictEqual(yield* endsAt, 10)
    })
  )

  it.effect("interrupts what is under way when it is interrupted, and dies of what dies", () =>
    Effect.gen(function* () {
      const { interrupted, racing } = yield* run([
        { takesMs: 900, succeeds: true },
        { takesMs: 900, succeeds: true }
      ])
      yield* settle
      yield* TestClock.adjust(300)
      yield* settle
      yield* Fiber.interrupt(racing)
      assert.deepStrictEqual(interrupted.toSorted(), [0, 1])
      const dies = race({ candidates: listed([0]), delayMs: () => 1, attempt: () => Effect.die("broken") })
      assert.isTrue(Exit.hasDies(yield* Effect.exit(dies)))
    })
  )

  it.effect.prop(
    "begins each a delay after the one before or when one fails, and ends with the first that succeeds",
    { tries: list(Arbitrary.all({ takesMs: Arbitrary.map(int(1, 20), (tens) => tens * 50), succeeds: bool }), 0, 6) },
    ({ tries }) =>
      Effect.gen(function* () {
        const { begun, endsAt, racing } = yield* run(tries, undefined, 50)
        const at = yield* endsAt
        const ends = begun.map((began, which) => began + (tries[which]?.takesMs ?? 0))
        const succeeded = ends.filter((_, which) => tries[which]?.succeeds)
        const failed = ends.filter((_, which) => tries[which]?.succeeds === false)
        assert.strictEqual(at, succeeded.length > 0 ? Math.min(...succeeded) : Math.max(0, ...ends))
        assert.strictEqual(Exit.isSuccess(yield* Fiber.join(racing)), succeeded.length > 0)
        if (succeeded.length === 0) assert.strictEqual(begun.length, tries.length)
        for (const [which, began] of begun.entries()) {
          const before = begun[which - 1]
          if (before === undefined) assert.strictEqual(began, 0)
          else if (began !== before + 250) assert.isTrue(began < before + 250 && failed.includes(began))
        }
        // Nobody waits for longer than that: the next would have begun before the end.
        const last = begun.at(-1)
        if (last !== undefined && begun.length < tries.length) assert.isAtMost(at, last + 250)
      }),
    { arbitrary: { runs: 200 } }
  )
})
