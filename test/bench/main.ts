/**
 * `npm run bench`: the fast path against its peers, each in a process of its
 * own and in the same run. Figures are ratios to the peer, with the CPU time of
 * the contestant beside the wall time; the median of the rounds.
 */
import { spawn, type ChildProcess } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

const ROUNDS = 3
const FRAMES = 500_000

const file = (name: string) => fileURLToPath(new URL(name, import.meta.url))

const start = (name: string, args: ReadonlyArray<string | number>): ChildProcess =>
  spawn(process.execPath, ["--expose-gc", file(name), ...args.map(String)], { stdio: ["ignore", "pipe", "inherit"] })

const lines = (child: ChildProcess): AsyncIterator<string> => {
  if (child.stdout === null) throw new Error("no stdout")
  return createInterface({ input: child.stdout })[Symbol.asyncIterator]()
}

interface Run {
  readonly mode: string
  readonly frames?: number
  readonly bytes?: number
  readonly connections?: number
  /** Whose line is the result. */
  readonly from?: "client" | "server"
}

type Figures = { readonly [name: string]: number }

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

const rounds = async (runs: ReadonlyArray<Run>): Promise<ReadonlyArray<Figures>> => {
  const all: Array<ReadonlyArray<Figures>> = []
  // Side by side in each round, so that what the machine does to one it does to all.
  for (let round = 0; round < ROUNDS; round++) {
    const figures: Array<Figures> = []
    for (const one of runs) figures.push(await run(one))
    all.push(figures)
  }
  return runs.map((_, index) => {
    const own = all.map((figures) => figures[index] ?? {})
    return Object.fromEntries(Object.keys(own[0] ?? {}).map((key) => [key, median(own.map((f) => f[key] ?? 0))]))
  })
}

const say = (text: string): void => {
  process.stdout.write(`${text}\n`)
}

const compare = async (title: string, key: string, unit: string, runs: ReadonlyArray<Run>): Promise<void> => {
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

await compare(`a received text frame of 128 bytes, ${FRAMES} frames, CPU`, "cpuUs", "µs", [
  { mode: "bare" },
  { mode: "exit" },
  { mode: "effect-socket" }
])
await compare("the same with a generator per frame", "cpuUs", "µs", [{ mode: "bare-generator" }, { mode: "generator" }])
await compare("the same from 16 connections", "cpuUs", "µs", [
  { mode: "bare", connections: 16 },
  { mode: "exit", connections: 16 }
])
await compare("a round trip of 120 bytes, p50", "p50Us", "µs", [
  { mode: "bare-echo", from: "server" },
  { mode: "echo", from: "server" }
])
await compare("a quiet source beside a flood, round trip p50", "p50Us", "µs", [
  { mode: "quiet", from: "server" },
  { mode: "quiet-beside-own-flood", from: "server", frames: 4_000_000 },
  { mode: "quiet-beside-other-flood", from: "server", frames: 4_000_000 },
  { mode: "bare-quiet-beside-flood", from: "server", frames: 4_000_000 }
])

const CONNECTIONS = 1000
const [nothing, bareIdle, idle] = await rounds([
  { mode: "nothing" },
  { mode: "bare-idle", connections: CONNECTIONS },
  { mode: "idle", connections: CONNECTIONS }
])
const perConnection = (figures: Figures | undefined) =>
  ((figures?.["rssKib"] ?? 0) - (nothing?.["rssKib"] ?? 0)) / CONNECTIONS
say(`\nmemory of an idle connection, ${CONNECTIONS} connections`)
say(`  bare ws ${perConnection(bareIdle).toFixed(1)} KiB, mooring ${perConnection(idle).toFixed(1)} KiB`)
