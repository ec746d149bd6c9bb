/** The program at a real terminal, which `script` (util-linux) provides. */
import * as Effect from "effect/Effect"
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process"
import { BIN, CACHED } from "./program.ts"

export const withoutScript = spawnSync("script", ["--version"]).status !== 0

// What a machine of tests says of colours isn't a terminal's word.
const { CI: _ci, FORCE_COLOR: _force, NO_COLOR: _no, ...withoutWishes } = process.env

/** What is typed once something is shown that wasn't before, one after the other. */
type Typed = ReadonlyArray<readonly [shown: string, keys: string]>

export const CTRL_C = "\u0003"
export const CTRL_S = "\u0013"
export const CTRL_Q = "\u0011"

/** A terminal in which a shell's command runs, for as long as the test does. */
const terminalOf = (command: string) =>
  Effect.acquireRelease(
    Effect.sync((): ChildProcessWithoutNullStreams =>
      spawn("script", ["-qefc", command, "/dev/null"], {
        env: { ...withoutWishes, ...CACHED, TERM: "xterm", NODE: process.execPath, BIN },
        stdio: "pipe"
      })
    ),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

/** Runs a shell's command at a terminal; all that it shows. `heard` is told of all that was shown, whenever that is more. */
export const atTerminal = (
  command: string,
  typed: Typed = [],
  heard: (shown: string, type: (keys: string) => void) => void = () => {}
): Effect.Effect<string> =>
  Effect.flatMap(terminalOf(command), (child) =>
    Effect.callback<string>((resume) => {
      let [shown, from] = ["", 0]
      const left = [...typed]
      const type = () => {
        const [next] = left
        if (next === undefined || !shown.includes(next[0], from)) return
        left.shift()
        from = shown.length
        child.stdin.write(next[1])
        type()
      }
      child.stdout.on("data", (chunk) => {
        shown += String(chunk)
        heard(shown, (keys) => void child.stdin.write(keys))
        type()
      })
      child.on("close", () => resume(Effect.succeed(shown)))
      type()
    })
  ).pipe(Effect.scoped)
