import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Logger from "../../../src/cli/internal/logger.ts"

/** What a program logs. */
const logged = (program: Effect.Effect<unknown>, format?: "json") =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    yield* Effect.provide(
      program,
      Logger.layer((line) => lines.push(line), format)
    )
    return lines
  })

describe("the program's log", () => {
  it.effect("has a line an entry, with its time, level and annotations", () =>
    Effect.gen(function* () {
      const lines = yield* logged(
        Effect.gen(function* () {
          yield* Effect.logInfo("started")
          yield* Effect.logWarning("denied", { why: "grant" }).pipe(Effect.annotateLogs({ plugin: "project:a", n: 1 }))
          yield* Effect.logError(new Error("what"))
          yield* Effect.logDebug("not shown")
        })
      )
      assert.deepStrictEqual(lines, [
        "1970-01-01T00:00:00.000Z INFO  started",
        '1970-01-01T00:00:00.000Z WARN  denied {"why":"grant"} plugin=project:a n=1',
        "1970-01-01T00:00:00.000Z ERROR what"
      ])
    })
  )

  it.effect("calls levels in JSON what the option and the status call them", () =>
    Effect.gen(function* () {
      const all = Effect.all([Effect.logInfo("a"), Effect.logWarning("b"), Effect.logError("c"), Effect.logFatal("d")])
      const levels = (yield* logged(all, "json")).map((line) => JSON.parse(line).level)
      assert.deepStrictEqual(levels, ["info", "warning", "error", "error"])
    })
  )

  it.effect("shows the stack of a cause below its line", () =>
    Effect.gen(function* () {
      const [entry = ""] = yield* logged(Effect.logError("defect", Cause.die(new Error("what"))))
      const [head, first = "", second = ""] = entry.split("\n")
      assert.strictEqual(head, "1970-01-01T00:00:00.000Z ERROR defect")
      assert.match(first, /^ {4}Error: what/)
      assert.match(second, /^ {4}\s+at .*logger\.test\.ts/)
    })
  )

  it.effect("shows nothing that does something to a terminal, and is one line whatever is logged", () =>
    Effect.gen(function* () {
      const circle: { self?: unknown } = {}
      circle.self = circle
      const lines = yield* logged(
        Effect.gen(function* () {
          yield* Effect.logInfo("a\nb\u001b[2J\u202e").pipe(Effect.annotateLogs("key", "c\rd"))
          yield* Effect.logInfo(circle, undefined, 1n)
        })
      )
      assert.strictEqual(lines[0], "1970-01-01T00:00:00.000Z INFO  a\ufffdb\ufffd[2J\ufffd key=c\ufffdd")
      assert.notInclude(lines[1], "\n")
    })
  )
})
