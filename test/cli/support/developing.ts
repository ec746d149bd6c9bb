/** `mooring dev` while a test edits the package: its lines as they come. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type ChildProcess, spawn } from "node:child_process"
import { BIN, CACHED } from "./program.ts"

const DEADLINE_MS = 20_000

export interface Developing {
  readonly child: ChildProcess
  /** All lines so far, without their times. */
  readonly lines: () => ReadonlyArray<string>
  /** Waits until it has said this so many times. */
  readonly says: (text: string | RegExp, times?: number) => Effect.Effect<void>
  /** Its exit code, once it has ended, and what it wrote to stdout. */
  readonly ended: Effect.Effect<{ readonly code: number | null; readonly stdout: string }>
}

const TIME = /^\d\d:\d\d:\d\d\.\d{3} /

const matches = (line: string, text: string | RegExp): boolean =>
  typeof text === "string" ? line.includes(text) : text.test(line)

/** Runs `mooring dev` for as long as the test runs. */
export const developing = (folder: string, flags: ReadonlyArray<string> = [], env: NodeJS.ProcessEnv = {}) =>
  Effect.acquireRelease(
    Effect.sync((): Developing => {
      const child = spawn(process.execPath, [BIN, "dev", folder, ...flags], {
        stdio: ["ignore", "pipe", "pipe"],
        env: { ...process.env, ...CACHED, ...env }
      })
      const listeners = new Set<() => void>()
      let [stderr, stdout] = ["", ""]
      child.stdout.on("data", (chunk) => (stdout += String(chunk)))
      child.stderr.on("data", (chunk) => {
        stderr += String(chunk)
        for (const listener of listeners) listener()
      })
      const closed = new Promise<number | null>((resolve) => child.on("close", resolve))
      const lines = () =>
        stderr
          .split("\n")
          .slice(0, -1)
          .map((line) => line.replace(TIME, ""))
      return {
        child,
        lines,
        says: (text, times = 1) =>
          Effect.callback<void>((resume) => {
            const listener = () => {
              if (lines().filter((line) => matches(line, text)).length >= times) resume(Effect.void)
            }
            listeners.add(listener)
            listener()
            return Effect.sync(() => listeners.delete(listener))
          }).pipe(
            Effect.timeoutOrElse({
              duration: DEADLINE_MS,
              orElse: () => Effect.die(new Error(`never said ${times} times: ${String(text)}\n${stderr}`))
            })
          ),
        ended: Effect.map(
          Effect.promise(() => closed),
          (code) => ({ code, stdout })
        )
      }
    }),
    ({ child }) =>
      Effect.sync(() => {
        if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL")
      })
  )

/** Ends it by a signal, and sees that it ends well and that every line has a form. */
export const endedBy = (signal: NodeJS.Signals, { child, ended, lines }: Developing) =>
  Effect.gen(function* () {
    child.kill(signal)
    const { code, stdout } = yield* ended
    assert.deepStrictEqual([code, stdout], [0, ""])
    for (const line of lines()) assert.match(line, LINE)
  })

const LINE = /^(?:dev|granted|plugin|source|event|answer|command|result|console|info|warning|error) +\S/
