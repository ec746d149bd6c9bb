/**
 * Contestants in processes of their own, side by side in the same run, and what
 * is said of them: ratios to the peer, with the CPU time beside the wall time;
 * the median of the rounds.
 */
import { spawn, type ChildProcess } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

const ROUNDS = 3
export const FRAMES = 500_000

const file = (name: string) => fileURLToPath(new URL(name, import.meta.url))

export const start = (name: string, args: ReadonlyArray<string | number>): ChildProcess =>
  spawn(process.execPath, ["--expose-gc", file(name), ...args.map(String)], { stdio: ["ignore", "pipe", "inherit"] })

export const lines = (child: ChildProcess): AsyncIterator<string> => {
  if (child.stdout === null) throw new Error("no stdout")
  return createInterface({ input: child.stdout })[Symbol.asyncIterator]()
}

export interface Run {
  readonly mode: string
  readonly frames?: number
  readonly bytes?: number
  readonly connections?: number
  /** Whose line is the result. */
  readonly from?: "client" | "server"
}

export type Figures = { readonly [name: string]: number }

/** Runs a contestant against a server of its own. */
const run = async ({ bytes = 128, connections = 1, frames = FRAMES, from = "client", mode }: Run): Promise<Figures> => {
  const server = start("server.ts", [Math.ceil(frames / connections), bytes])
  const fromServer = lines(server)
  const { value: port } = await fromServer.next()
  // A client that the server judges goes on until it is ended.
  const total = from === "server" ? 0 : Math.ceil(frames / connections) * connections
  const client = start("client.ts", [mode, String(port), total, connections])
  const { value } = await (from === "client" ? lines(client) : fromServer).next()
  client.kill()
  server.kill()
  return JSON.parse(String(value)) as Figures
}

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

export const rounds = async (runs: ReadonlyArray<Run>, times = ROUNDS): Promise<ReadonlyArray<Figures>> => {
  const all: Array<ReadonlyArray<Figures>> = []
  // Side by side in each round, so that what the machine does to one it does to all.
  for (let round = 0; round < times; round++) {
    const figures: Array<Figures> = []
    for (const one of runs) figures.push(await run(one))
    all.push(figures)
  }
  return runs.map((_, index) => {
    const own = all.map((figures) => figures[index] ?? {})
    return Object.fromEntries(Object.keys(own[0] ?? {}).map((key) => [key, median(own.map((f) => f[key] ?? 0))]))
  })
}

export const say = (text: string): void => {
  process.stdout.write(`${text}\n`)
}

export const compare = async (title: string, key: string, unit: string, runs: ReadonlyArray<Run>): Promise<void> => {
  const figures = await rounds(runs)
  const peer = figures[0]?.[key] ?? 1
  say(`\n${title}`)
  for (const [index, one] of runs.entries()) {
    const own = figures[index] ?? {}
    const rest = Object.entries(own)
      .filter(([name]) => name !== key && name !== "frames")
      .map(([name, value]) => `${name} ${Number(value.toFixed(3))}`)
    const value = own[key] ?? 0
    say(
      `  ${one.mode.padEnd(26)} ${value.toFixed(2).padStart(9)} ${unit}  × ${(value / peer).toFixed(2)}   ${rest.join("  ")}`
    )
  }
}
