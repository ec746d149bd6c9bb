/**
 * The demo at a real terminal, which `script` (util-linux) provides; skipped
 * where there is none.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn, spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { terminal } from "./support/terminal.ts"
import { BIN, CACHED } from "./support/program.ts"

const END_AFTER_WRITES = fileURLToPath(new URL("support/endAfterWrites.cjs", import.meta.url))

const withoutScript = spawnSync("script", ["--version"]).status !== 0

/** Runs a shell's command at a terminal; all that it shows. `typed` is typed before. */
const atTerminal = (command: string, typed = ""): Effect.Effect<string> =>
  Effect.acquireUseRelease(
    Effect.sync(() =>
      spawn("script", ["-qefc", command, "/dev/null"], {
        env: { ...process.env, ...CACHED, TERM: "xterm", NODE: process.execPath, BIN },
        stdio: "pipe"
      })
    ),
    (child) =>
      Effect.callback<string>((resume) => {
        let shown = ""
        child.stdout.on("data", (chunk) => (shown += String(chunk)))
        child.on("close", () => resume(Effect.succeed(shown)))
        child.stdin.write(typed)
      }),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

const demo = '"$NODE" "$BIN" demo --port 0 --interval 50ms'

describe.skipIf(withoutScript)("mooring demo at a terminal", () => {
  it.live("draws its table in place, with lines of a width that fits", () =>
    Effect.gen(function* () {
      const shown = yield* atTerminal(`stty rows 24 cols 60; ${demo} --for 500ms`)
      assert.include(shown, "\u001b[5A\r")
      // Lines of the log stand above it, as long as they are.
      const rows = shown.split(/\u001b\[[0-9]*[A-Z]|[\r\n]/).filter((row) => !/^\d{4}-\d\d-\d\dT/.test(row))
      for (const row of rows) assert.isAtMost(row.length, 59)
    })
  )

  it.live("has its log lines above the table", () =>
    Effect.gen(function* () {
      const shown = terminal(200)
      shown.write(yield* atTerminal(`stty rows 24 cols 200; ${demo} --for 500ms`))
      const lines = shown.lines()
      const first = lines.findIndex((line) => line.startsWith("PLUGIN"))
      assert.strictEqual(
        lines.findLastIndex((line) => line.startsWith("PLUGIN")),
        first
      )
      assert.lengthOf(lines.slice(first), 4)
      assert.isTrue(lines.slice(0, first - 1).some((line) => line.includes("TargetUngranted")))
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
      const shown = yield* atTerminal(`${demo} --for 300ms; code=$?; stty -ixon; echo code $code`, "\u0013")
      assert.include(shown, "code 0")
    })
  )

  it.live("leaves the terminal as it was, whatever ends it", () =>
    Effect.gen(function* () {
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"]) {
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
