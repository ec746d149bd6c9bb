/**
 * The demo at a real terminal, which `script` (util-linux) provides; skipped
 * where there is none.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { fileURLToPath } from "node:url"
import { atTerminal, CTRL_C, withoutScript } from "./support/atTerminal.ts"
import { terminal } from "./support/terminal.ts"

const END_AFTER_WRITES = fileURLToPath(new URL("support/endAfterWrites.cjs", import.meta.url))

/** Without colours. */
const plain = (text: string): string => text.replace(/\u001b\[\d*m/g, "")

const demo = '"$NODE" "$BIN" demo --port 0 --interval 50ms'

describe.skipIf(withoutScript)("mooring demo at a terminal", () => {
  it.live("draws its table in place, with lines of a width that fits", () =>
    Effect.gen(function* () {
      const shown = plain(yield* atTerminal(`stty rows 24 cols 60; ${demo}`, [["loop: connected", CTRL_C]]))
      assert.match(shown, /\u001b\[\d+A\r/)
      // Lines of the log stand above it, as long as they are.
      const rows = shown.split(/\u001b\[[0-9]*[A-Z]|[\r\n]/).filter((row) => !/^\d\d:\d\d:\d\d /.test(row))
      for (const row of rows) assert.isAtMost(row.length, 59)
    })
  )

  it.live("has its log lines above the table, with the time of day and in colours", () =>
    Effect.gen(function* () {
      const all = yield* atTerminal(`stty rows 24 cols 200; ${demo}`, [["loop: connected", CTRL_C]])
      assert.match(all, /\d\d:\d\d:\d\d \u001b\[33mWARN \u001b\[0m demo\.stray: /)
      const shown = terminal(200)
      shown.write(plain(all))
      const lines = shown.lines()
      const first = lines.findIndex((line) => line.startsWith("PLUGIN"))
      assert.strictEqual(
        lines.findLastIndex((line) => line.startsWith("PLUGIN")),
        first
      )
      assert.lengthOf(lines.slice(first), 6)
      assert.isTrue(lines.slice(0, first - 1).every((line) => /^\d\d:\d\d:\d\d (?:INFO|WARN) {1,2}demo\./.test(line)))
    })
  )

  it.live("says that it is starting before it has anything to show, and nothing of that is left", () =>
    Effect.gen(function* () {
      const all = yield* atTerminal(`stty rows 24 cols 100; ${demo} --for 200ms`)
      const at = all.indexOf("starting the example plugins\u2026")
      assert.isAbove(at, -1)
      assert.isBelow(at, all.indexOf("PLUGIN"))
      const shown = terminal(100)
      shown.write(plain(all))
      assert.notInclude(shown.lines().join("\n"), "starting the")
    })
  )

  it.live("shows no colours where NO_COLOR is set", () =>
    Effect.gen(function* () {
      const shown = atTerminal(`export NO_COLOR=1; ${demo} --for 300ms`)
      assert.notMatch(yield* shown, /\u001b\[\d*m/)
      assert.match(yield* atTerminal(`export NO_COLOR=; ${demo} --for 300ms`), /\u001b\[\d*m/)
    })
  )

  it.live("draws below what a shell wrote while it was suspended (Ctrl-Z)", () =>
    Effect.gen(function* () {
      const job =
        "& pid=$!; read x; kill -STOP $pid; sleep 0.2; echo SHELL; kill -CONT $pid; read x; kill -INT $pid; wait"
      const shown = terminal(100)
      const all = yield* atTerminal(`stty rows 24 cols 100 -echo; ${demo} ${job}`, [
        ["loop: connected", "\n"],
        ["SHELL", ""],
        ["PLUGIN", "\n"]
      ])
      shown.write(plain(all))
      const lines = shown.lines()
      const at = lines.indexOf("SHELL")
      assert.isAbove(at, 5, lines.join("\n"))
      assert.isTrue(lines[at + 1]?.startsWith("mooring "), lines.join("\n"))
      assert.isTrue(lines[at + 2]?.startsWith("PLUGIN "), lines.join("\n"))
      assert.isTrue(lines.slice(0, at).some((line) => line.startsWith("PLUGIN ")))
    })
  )

  it.live("draws a table where the terminal says that it has no size", () =>
    Effect.gen(function* () {
      assert.include(yield* atTerminal(`stty rows 0 cols 0; ${demo} --for 300ms`), "PLUGIN")
    })
  )

  it.live("draws nothing in place where the terminal can't move its cursor", () =>
    Effect.gen(function* () {
      for (const term of ["dumb", ""]) {
        const shown = yield* atTerminal(`TERM=${term} ${demo} --for 300ms`)
        assert.strictEqual(shown.split("PLUGIN").length, 2)
        assert.notInclude(shown, "\u001b")
      }
    })
  )

  it.live("isn't held up by a terminal that is stopped (Ctrl-S)", () =>
    Effect.gen(function* () {
      const shown = yield* atTerminal(`${demo} --for 300ms; code=$?; stty -ixon; echo code $code`, [["", "\u0013"]])
      assert.include(shown, "code 0")
    })
  )

  it.live("has the stack of what nobody caught below its last frame, and a cursor that is seen", () =>
    Effect.gen(function* () {
      const ending = `stty cols 100; SIGNAL=throw "$NODE" -r "${END_AFTER_WRITES}" "$BIN" demo --port 0 --interval 50ms`
      const all = yield* atTerminal(`${ending}; echo code $?`)
      const shown = terminal(100)
      shown.write(plain(all))
      const lines = shown.lines()
      const stack = lines.findIndex((line) => line.includes("Error: nobody catches this"))
      const table = lines.findLastIndex((line) => line.startsWith("PLUGIN"))
      assert.isAbove(table, -1, lines.join("\n"))
      assert.isAbove(stack, table + 5, lines.join("\n"))
      for (const name of ["echo", "burst", "crash", "loop", "stray"]) {
        assert.isTrue(
          lines.slice(table, stack).some((line) => line.startsWith(`demo.${name} `)),
          name
        )
      }
      // It was never hidden, so nothing has to bring it back.
      assert.notInclude(all, "\u001b[?25l")
      assert.match(all, /code [1-9]/)
    })
  )

  it.live("leaves the terminal as it was, whatever ends it", () =>
    Effect.gen(function* () {
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL", "throw"]) {
        const ending = `SIGNAL=${signal} "$NODE" -r "${END_AFTER_WRITES}" "$BIN" demo --port 0 --interval 50ms`
        const shown = yield* atTerminal(`echo before $(stty -g); ${ending}; echo after $(stty -g)`)
        const [, before] = /before (\S+)/.exec(shown) ?? []
        const [, after] = /after (\S+)/.exec(shown) ?? []
        assert.isDefined(before)
        assert.strictEqual(after, before, signal)
      }
    })
  )
})
