/** The program as it runs a host file: its status documents as they come. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { HostStatus } from "mooring"
import { type ChildProcess, spawn } from "node:child_process"
import { BIN, CACHED } from "./program.ts"

const decode = Schema.decodeUnknownSync(Schema.fromJsonString(HostStatus.HostStatus))
const DEADLINE_MS = 20_000

export interface Running {
  readonly child: ChildProcess
  readonly stderr: () => string
  /** The first document from now on of which something holds. */
  readonly seen: (
    what: string,
    holds: (status: HostStatus.HostStatus) => boolean
  ) => Effect.Effect<HostStatus.HostStatus>
  /** Its exit code, once it has ended, and the last document. */
  readonly ended: Effect.Effect<{ readonly code: number | null; readonly last: HostStatus.HostStatus | undefined }>
}

/** Runs a host file for as long as the test runs; `inside`: a command that runs the one that follows. */
export const running = (
  file: string,
  env: NodeJS.ProcessEnv = {},
  flags: ReadonlyArray<string> = [],
  inside: ReadonlyArray<string> = []
) => runningBy([...inside, process.execPath, BIN, "run", file, ...flags], env)

/** The same by a command of the test's own, which `--json` and an interval are added to. */
export const runningBy = (words: ReadonlyArray<string>, env: NodeJS.ProcessEnv = {}) =>
  Effect.acquireRelease(
    Effect.sync((): Running => {
      const [command = "", ...args] = [...words, "--json", "--interval", "50ms"]
      const child = spawn(command, args, {
        stdio: ["ignore", "pipe", "pipe"],
        env: { ...process.env, ...CACHED, ...env }
      })
      const listeners = new Set<(status: HostStatus.HostStatus) => void>()
      let [stderr, rest] = ["", ""]
      let last: HostStatus.HostStatus | undefined
      child.stderr.on("data", (chunk) => (stderr += String(chunk)))
      child.stdout.on("data", (chunk) => {
        const lines = `${rest}${String(chunk)}`.split("\n")
        rest = lines.pop() ?? ""
        for (const line of lines) {
          last = decode(line)
          for (const listener of listeners) listener(last)
        }
      })
      const closed = new Promise<number | null>((resolve) => child.on("close", resolve))
      return {
        child,
        stderr: () => stderr,
        seen: (what, holds) =>
          Effect.callback<HostStatus.HostStatus>((resume) => {
            const listener = (status: HostStatus.HostStatus) => {
              if (holds(status)) resume(Effect.succeed(status))
            }
            listeners.add(listener)
            return Effect.sync(() => listeners.delete(listener))
          }).pipe(
            Effect.timeoutOrElse({
              duration: DEADLINE_MS,
              orElse: () => Effect.die(new Error(`${what}: not seen\n${stderr}\n${JSON.stringify(last)}`))
            })
          ),
        ended: Effect.map(
          Effect.promise(() => closed),
          (code) => ({ code, last })
        )
      }
    }),
    ({ child }) =>
      Effect.sync(() => {
        if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL")
      })
  )
