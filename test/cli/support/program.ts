/** The program as a child process, from its source, so that no test sees yesterday's build. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { HostStatus } from "mooring"
import { type ChildProcess, spawn, type StdioOptions } from "node:child_process"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"

/** What is executed. */
export const BIN = fileURLToPath(new URL("../../../src/cli/bin.cts", import.meta.url))

/** So that Node compiles each file once for all tests. */
export const CACHED = { NODE_COMPILE_CACHE: path.join(os.tmpdir(), "mooring-compile-cache") }

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

interface Options {
  /** Files that are required before the program. */
  readonly require?: ReadonlyArray<string>
  readonly stdio?: StdioOptions
  /** Where it runs; the test's own folder unless given. */
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  /** What is done as soon as there is a process. */
  readonly started?: (child: ChildProcess) => void
  /** Whether nobody reads its stdout. */
  readonly unread?: boolean
  /** What is done as soon as it has written something that contains `when`. */
  readonly once?: { readonly when: string; readonly act: (child: ChildProcess) => void }
}

/** Runs the program to its end; whoever is interrupted while it waits ends it. */
export const mooring = (args: ReadonlyArray<string>, options: Options = {}): Effect.Effect<Ended> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const required = (options.require ?? []).flatMap((name) => ["-r", fileURLToPath(new URL(name, import.meta.url))])
      return spawn(process.execPath, [...required, BIN, ...args], {
        stdio: options.stdio ?? ["ignore", "pipe", "pipe"],
        cwd: options.cwd,
        env: { ...process.env, ...CACHED, ...options.env }
      })
    }),
    (child) =>
      Effect.callback<Ended>((resume) => {
        const written = { stdout: "", stderr: "" }
        let waiting = options.once
        const take = (name: "stdout" | "stderr") => (chunk: unknown) => {
          written[name] += String(chunk)
          if (waiting === undefined || !(written.stdout + written.stderr).includes(waiting.when)) return
          const { act } = waiting
          waiting = undefined
          act(child)
        }
        if (options.unread !== true) child.stdout?.on("data", take("stdout"))
        child.stderr?.on("data", take("stderr"))
        // A stream that nobody reads is never closed.
        if (options.unread === true) child.on("exit", () => child.stdout?.destroy())
        options.started?.(child)
        child.on("close", (code, signal) => resume(Effect.succeed({ code, signal, ...written })))
      }),
    (child) =>
      Effect.sync(() => {
        if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL")
        child.stdout?.destroy()
        child.stderr?.destroy()
      })
  )

/** The status documents of a stdout. */
export const documents = (stdout: string) =>
  Effect.forEach(stdout.trimEnd().split("\n"), (line) =>
    Schema.decodeUnknownEffect(Schema.fromJsonString(HostStatus.HostStatus))(line)
  )

const LOG_LINE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?:DEBUG|INFO|WARN|ERROR) +\S/

/** Fails where there is anything on stderr but log lines. */
export const assertLogLines = (stderr: string): void => {
  for (const line of stderr.split("\n").filter((text) => text !== "")) assert.match(line, LOG_LINE)
}
