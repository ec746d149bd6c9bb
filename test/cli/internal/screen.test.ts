import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as Screen from "../../../src/cli/internal/screen.ts"
import { either, int, list, oneOf } from "../../support/arbitraries.ts"
import { fakeDescriptor } from "../support/fakeDescriptor.ts"
import { reflowing } from "../support/reflowing.ts"
import { terminal } from "../support/terminal.ts"

const make = (columns: number, rows: number, later?: (call: () => void) => void) => {
  const fake = fakeDescriptor()
  const size = { columns, rows }
  let resized: (() => void) | undefined
  let resumed: (() => void) | undefined
  const screen = Screen.make(fake.descriptor, {
    size: () => size,
    onResize: (listener) => {
      resized = listener
    },
    onResume: (listener) => {
      resumed = listener
    },
    later: (call) => (later === undefined ? call() : later(call)),
    isColoured: false
  })
  const resize = (width: number) => {
    size.columns = width
    resized?.()
  }
  return { fake, screen, resize, resume: () => resumed?.() }
}

const onNoTerminal = () => {
  const fake = fakeDescriptor()
  return { fake, screen: Screen.make(fake.descriptor, undefined) }
}

const settleAll = (fake: ReturnType<typeof fakeDescriptor>) => {
  while (fake.waiting() > 0) fake.settle()
}

describe("a screen on a terminal", () => {
  it.effect.prop(
    "shows every line once and in order, and below them the newest table alone, however slowly it is written",
    {
      steps: list(either<"settle" | "log" | number>(oneOf("settle", "log"), int(0, 4)), 0, 40)
    },
    ({ steps }) =>
      Effect.sync(() => {
        const { fake, screen } = make(40, 12)
        const logged: Array<string> = []
        let table: ReadonlyArray<string> = []
        for (const [index, step] of steps.entries()) {
          if (step === "settle") fake.settle()
          else if (step === "log") {
            logged.push(`line ${index}`)
            screen.log(`line ${index}`)
          } else {
            const lines = Array.from({ length: step }, (_, row) => `table ${index} ${row}`)
            table = lines
            screen.show(() => lines)
          }
        }
        settleAll(fake)
        const shown = terminal(40)
        shown.write(fake.written())
        assert.deepStrictEqual(shown.lines(), [...logged, ...table])
      }),
    { arbitrary: { runs: 300 } }
  )

  it.effect.prop(
    "leaves nothing behind of a table that wraps when the terminal is resized",
    { steps: list(either<"log" | "show" | number>(oneOf("log", "show"), int(12, 70)), 0, 40) },
    ({ steps }) =>
      Effect.sync(() => {
        const { fake, resize, screen } = make(40, 40)
        const shown = reflowing(40)
        const logged: Array<string> = []
        let width = 40
        let [seen, shows] = [0, 0]
        const settle = () => {
          settleAll(fake)
          shown.write(fake.written().slice(seen))
          seen = fake.written().length
        }
        const rows = (columns: number) =>
          Array.from({ length: 1 + (shows % 5) }, (_, row) =>
            `${shows} ${row} `.padEnd(10 + 13 * row, "x").slice(0, columns)
          )
        for (const [index, step] of steps.entries()) {
          if (step === "log") {
            logged.push(`line ${index} `.padEnd(10 + ((index * 7) % 90), "y"))
            screen.log(logged.at(-1) ?? "")
          } else if (step === "show") {
            shows++
            screen.show(({ columns }) => rows(columns))
          } else {
            width = step
            shown.resize(step)
            resize(step)
          }
          settle()
        }
        const expected = [...logged, ...(shows === 0 ? [] : rows(width - 1))].map((line) => line.trimEnd())
        assert.deepStrictEqual(shown.lines(), expected)
      }),
    { arbitrary: { runs: 300 } }
  )

  it("keeps at most one table waiting, the newest", () => {
    const { fake, screen } = make(40, 12)
    for (let index = 0; index < 1000; index++) screen.show(() => [`table ${index}`])
    assert.strictEqual(fake.waiting(), 1)
    settleAll(fake)
    assert.include(fake.written(), "table 0")
    assert.include(fake.written(), "table 999")
    assert.notInclude(fake.written(), "table 1\u001b")
  })

  it("takes one that says that it has no size for a usual one", () => {
    for (const told of [0, -1, Number.NaN]) {
      const { fake, screen } = make(told, told)
      let asked: Screen.Size | undefined
      screen.show((size) => {
        asked = size
        return ["row"]
      })
      settleAll(fake)
      assert.deepStrictEqual(asked, { columns: 79, rows: 24 })
      assert.include(fake.written(), "row")
    }
  })

  it("draws no more rows than there are, and at least one", () => {
    const lines = Array.from({ length: 9 }, (_, row) => `row ${row}`)
    for (const [rows, drawn] of [
      [5, 4],
      [1, 1]
    ] as const) {
      const { fake, screen } = make(40, rows)
      screen.show(() => lines)
      settleAll(fake)
      assert.strictEqual(fake.written().match(/row/g)?.length, drawn)
    }
  })

  it("draws anew at once when it is resized, above where the old rows have wrapped", () => {
    const { fake, resize, screen } = make(40, 12)
    resize(30)
    assert.strictEqual(fake.waiting(), 0)
    screen.show(({ columns }) => ["x".repeat(Math.min(columns, 25)), "short"])
    settleAll(fake)
    resize(10)
    settleAll(fake)
    // Of 25 columns that are 3 rows of 10, and one row more.
    assert.include(fake.written(), "\u001b[4A")
  })

  it("draws below whatever was written while it was suspended", () => {
    const { fake, resume, screen } = make(40, 12)
    screen.show(() => ["one", "two"])
    settleAll(fake)
    const shown = terminal(40)
    shown.write(fake.written())
    const before = fake.written().length
    shown.write("[1]+ Stopped\n$ fg\n")
    resume()
    screen.show(() => ["three", "four"])
    settleAll(fake)
    shown.write(fake.written().slice(before))
    assert.deepStrictEqual(shown.lines(), ["one", "two", "[1]+ Stopped", "$ fg", "three", "four"])
  })

  it.effect("has told of a suspension before it draws, and is drained only then", () =>
    Effect.gen(function* () {
      const planned: Array<() => void> = []
      const { fake, resume, screen } = make(40, 12, (call) => void planned.push(call))
      screen.show(() => ["one"])
      settleAll(fake)
      screen.log("line")
      screen.show(() => ["two"])
      assert.strictEqual(fake.waiting(), 0)
      const drained = yield* Effect.forkChild(screen.drained(1000), { startImmediately: true })
      assert.isUndefined(drained.pollUnsafe())
      resume()
      assert.lengthOf(planned, 1)
      for (const call of planned.splice(0)) call()
      settleAll(fake)
      yield* Fiber.join(drained)
      assert.notInclude(fake.written(), "\u001b[1A")
      assert.strictEqual(fake.written().split("two").length, 2)
    })
  )

  it("never goes up by more rows than it has", () => {
    const { fake, resize, screen } = make(40, 3)
    screen.show(() => ["x".repeat(25), "short"])
    settleAll(fake)
    resize(5)
    settleAll(fake)
    assert.include(fake.written(), "\u001b[2A")
  })
})

describe("a screen", () => {
  it("is only lines where there is no terminal", () => {
    const { fake, screen } = onNoTerminal()
    screen.show(() => ["table"])
    assert.strictEqual(fake.waiting(), 0)
    screen.log("one")
    screen.log("two\nthree")
    settleAll(fake)
    assert.isFalse(screen.live)
    assert.strictEqual(fake.written(), "one\ntwo\nthree\n")
  })

  it("keeps a bounded number of lines and characters, and says how many it lost", () => {
    for (const [line, kept] of [
      ["x", 1001],
      ["x".repeat(65_536), 5]
    ] as const) {
      const { fake, screen } = onNoTerminal()
      for (let index = 0; index < 2000; index++) screen.log(line)
      settleAll(fake)
      assert.strictEqual(
        fake
          .written()
          .split("\n")
          .filter((text) => text === line).length,
        kept
      )
      screen.log("last")
      settleAll(fake)
      assert.isTrue(fake.written().endsWith(`${line}\n${2000 - kept} log lines were lost\nlast\n`))
    }
  })

  it("survives that nothing can be written, and says how many lines were lost once something can", () => {
    const { fake, screen } = onNoTerminal()
    for (let index = 0; index < 5; index++) {
      screen.log("lost")
      fake.settle("ENOSPC")
    }
    assert.strictEqual(fake.waiting(), 0)
    screen.log("seen")
    settleAll(fake)
    assert.strictEqual(fake.written(), "5 log lines were lost\nseen\n")
  })

  it("counts what there was no room for together with what couldn't be written", () => {
    const { fake, screen } = onNoTerminal()
    for (let index = 0; index < 1101; index++) screen.log("x")
    fake.settle()
    fake.settle("ENOSPC")
    screen.log("seen")
    settleAll(fake)
    assert.strictEqual(fake.written(), "x\n1100 log lines were lost\nseen\n")
  })

  it.effect("is drained when everything is written, or when nothing is taken for as long as the patience lasts", () =>
    Effect.gen(function* () {
      const { fake, screen } = onNoTerminal()
      yield* screen.drained(1000)
      screen.log("one")
      screen.log("two")
      const drained = yield* Effect.forkChild(screen.drained(1000), { startImmediately: true })
      fake.settle()
      assert.isUndefined(drained.pollUnsafe())
      fake.settle()
      yield* Fiber.join(drained)
      screen.log("three")
      const stalled = yield* Effect.forkChild(screen.drained(1000), { startImmediately: true })
      yield* TestClock.adjust(500)
      fake.trickle()
      yield* TestClock.adjust(500)
      assert.isUndefined(stalled.pollUnsafe())
      yield* TestClock.adjust(1000)
      yield* Fiber.join(stalled)
    })
  )
})
