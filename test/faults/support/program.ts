/** A program of the tests in a process of its own, which is told what to do, and tells, in lines of JSON. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type ChildProcess, spawn } from "node:child_process"
import * as os from "node:os"
import * as path from "node:path"
import * as Readline from "node:readline"
import { fileURLToPath } from "node:url"

/** Where a process runs: what stands before its command. */
export type Where = ReadonlyArray<string>

export const HERE: Where = []

const WITHIN_MS = 10_000

// So that Node compiles each file once for all tests.
const CACHE = { NODE_COMPILE_CACHE: path.join(os.tmpdir(), "mooring-compile-cache") }

/** What was said, and how it ended. */
export class Program<Line, Order> {
  readonly said: Array<Line> = []
  readonly child: ChildProcess
  exited: { readonly code: number | null; readonly signal: NodeJS.Signals | null; readonly at: number } | null = null
  #errors = ""
  readonly #listeners = new Set<() => void>()

  constructor(child: ChildProcess) {
    this.child = child
    const heard = () => {
      for (const listener of this.#listeners) listener()
    }
    if (child.stdout !== null) {
      Readline.createInterface({ input: child.stdout }).on("line", (text) => {
        this.said.push(JSON.parse(text))
        heard()
      })
    }
    child.stderr?.on("data", (chunk) => {
      this.#errors = `${this.#errors}${chunk}`.slice(-4000)
    })
    child.stdin?.on("error", () => {})
    child.on("close", (code, signal) => {
      this.exited = { code, signal, at: performance.now() }
      heard()
    })
  }

  /** Tells it to do something. */
  tell(order: Order): void {
    this.child.stdin?.write(`${JSON.stringify(order)}\n`)
  }

  /** Nothing more will be told: it ends by itself. */
  readonly end = Effect.sync(() => {
    this.child.stdin?.end()
  })

  readonly signal = (signal: NodeJS.Signals): Effect.Effect<void> => Effect.sync(() => void this.child.kill(signal))

  /** The first of what it says, from the `after`th on, that is looked for; fails with the last things it said. */
  until<Found>(look: (line: Line) => Found | undefined, withinMs = WITHIN_MS, after = 0): Effect.Effect<Found> {
    let next = after
    return this.wait(() => {
      while (next < this.said.length) {
        const line = this.said[next++]
        const found = line === undefined ? undefined : look(line)
        if (found !== undefined) return found
      }
      return undefined
    }, withinMs)
  }

  /** Waits, looking again whenever it said something or ended. */
  wait<Found>(look: () => Found | undefined, withinMs = WITHIN_MS): Effect.Effect<Found> {
    return Effect.callback<Found>((resume) => {
      const listen = () => {
        const found = look()
        if (found !== undefined) done(Effect.succeed(found))
        else if (this.exited !== null) done(Effect.die(new Error(`it ended with ${this.exited.code}${this.#last()}`)))
      }
      const late = () => done(Effect.die(new Error(`not within ${withinMs} ms: ${look}${this.#last()}`)))
      const timer = setTimeout(late, withinMs)
      const done = (result: Effect.Effect<Found>) => {
        clearTimeout(timer)
        this.#listeners.delete(listen)
        resume(result)
      }
      this.#listeners.add(listen)
      listen()
      return Effect.sync(() => {
        clearTimeout(timer)
        this.#listeners.delete(listen)
      })
    })
  }

  #last(): string {
    const lines = this.said.slice(-12).map((line) => JSON.stringify(line).slice(0, 600))
    return `\nlast:\n${lines.join("\n")}\n${this.#errors}`
  }
}

/** Starts one of the programs beside this file; killed with the scope where it hasn't ended by itself. */
export const start = <Line, Order>(
  file: string,
  args: ReadonlyArray<string>,
  where: Where = HERE
): Effect.Effect<Program<Line, Order>, never, Scope.Scope> =>
  run(where, [process.execPath, fileURLToPath(new URL(file, import.meta.url)), ...args])

/** Starts a command. */
export const run = <Line, Order>(
  where: Where,
  command: ReadonlyArray<string>
): Effect.Effect<Program<Line, Order>, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const [file = "", ...args] = [...where, ...command]
      return new Program<Line, Order>(
        spawn(file, args, { stdio: "pipe", env: { ...process.env, NODE_NO_WARNINGS: "1", ...CACHE } })
      )
    }),
    (program) =>
      Effect.suspend(() => {
        if (program.exited !== null) return Effect.void
        program.child.kill("SIGKILL")
        return Effect.ignoreCause(program.wait(() => program.exited ?? undefined))
      })
  )
