/** A WebSocket server in a process of its own, which can be stopped, killed, and started again at the same port. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type ChildProcess, spawn } from "node:child_process"
import * as Readline from "node:readline"

const PROGRAM = `
import { WebSocketServer } from "ws"
const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.argv[1] ?? 0) })
server.on("listening", () => process.stdout.write(server.address().port + "\\n"))
`

export interface ServerChild {
  readonly url: string
  readonly signal: (signal: "SIGSTOP" | "SIGCONT" | "SIGKILL") => void
  /** Another one in place of the one that was killed. */
  readonly again: Effect.Effect<void>
}

const start = (port: number): Effect.Effect<{ readonly child: ChildProcess; readonly port: number }> =>
  Effect.callback((resume) => {
    const child = spawn(process.execPath, ["--input-type=module", "-e", PROGRAM, String(port)], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    Readline.createInterface({ input: child.stdout }).once("line", (line) =>
      resume(Effect.succeed({ child, port: Number(line) }))
    )
  })

const killed = (child: ChildProcess) =>
  Effect.callback<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGKILL")
  })

export const startServer: Effect.Effect<ServerChild, never, Scope.Scope> = Effect.gen(function* () {
  const first = yield* start(0)
  let { child } = first
  yield* Effect.addFinalizer(() => killed(child))
  return {
    url: `ws://127.0.0.1:${first.port}/`,
    signal: (signal) => void child.kill(signal),
    again: Effect.andThen(
      Effect.suspend(() => killed(child)),
      Effect.map(start(first.port), (next) => {
        child = next.child
      })
    )
  }
})
