/**
 * `npm run bench -- sandbox`: what the sandbox costs beside the trusted path in
 * the same run, what it takes to start many plugins, and how long a neighbour
 * waits. `-- sandbox kills`: what is left behind by workers that were ended,
 * which takes minutes. Each contestant is a process of its own
 * (`sandboxHost.ts`); figures are medians of three. What is printed are the
 * tables of `docs/benchmarks.md`.
 */
import { lines, say, start, type Figures } from "./harness.ts"

const ROUNDS = 3
const EVENTS = 60_000
const PLUGINS = 100
const KILLS = [100, 2000] as const

const run = async (...args: ReadonlyArray<string | number>): Promise<Figures> => {
  const { value } = await lines(start("sandboxHost.ts", args)).next()
  return JSON.parse(String(value)) as Figures
}

/** Each of these once a round, so that what the machine does to one it does to all; the median of each figure. */
const medians = async (runs: ReadonlyArray<ReadonlyArray<string | number>>): Promise<ReadonlyArray<Figures>> => {
  const all: Array<ReadonlyArray<Figures>> = []
  for (let round = 0; round < ROUNDS; round++) {
    const figures: Array<Figures> = []
    for (const args of runs) figures.push(await run(...args))
    all.push(figures)
  }
  return runs.map((_, index) => {
    const names = Object.keys(all[0]?.[index] ?? {})
    const middle = (name: string) =>
      all.map((figures) => figures[index]?.[name] ?? 0).toSorted((a, b) => a - b)[ROUNDS >> 1]
    return Object.fromEntries(names.map((name) => [name, middle(name) ?? 0]))
  })
}

const of = (figures: Figures | undefined, name: string): number => figures?.[name] ?? 0
const shown = (figures: Figures | undefined, name: string, digits = 1): string => of(figures, name).toFixed(digits)
const row = (...cells: ReadonlyArray<string>): void => say(`| ${cells.join(" | ")} |`)
const table = (...names: ReadonlyArray<string>): void => {
  row(...names)
  row(...names.map(() => "---"))
}

const costs = async (): Promise<void> => {
  table("so many events at once", "in process", "in the sandbox", "the sandbox alone")
  for (const batch of [1, 8, 32]) {
    const [trusted, sandboxed] = await medians([
      ["cost", "trusted", batch, EVENTS],
      ["cost", "sandboxed", batch, EVENTS]
    ])
    const alone = of(sandboxed, "cpuUs") - of(trusted, "cpuUs")
    row(String(batch), `${shown(trusted, "cpuUs")} µs`, `${shown(sandboxed, "cpuUs")} µs`, `${alone.toFixed(1)} µs`)
  }
  say("")
}

const starts = async (): Promise<void> => {
  table("what", "figure")
  const [none, one, many] = await medians([
    ["start", 0],
    ["start", 1],
    ["start", PLUGINS]
  ])
  const each = (of(many, "rssMib") - of(one, "rssMib")) / (PLUGINS - 1)
  const cpu = (of(many, "cpuMs") - of(none, "cpuMs")) / 1000
  row(
    `${PLUGINS} sandboxed plugins, started`,
    `after ${(of(many, "startMs") / 1000).toFixed(1)} s, CPU ${cpu.toFixed(1)} s`
  )
  row("one plugin and its worker, resident memory", `${(of(one, "rssMib") - of(none, "rssMib")).toFixed(0)} MiB`)
  row("each further plugin", `${each.toFixed(2)} MiB`)
}

const delays = async (): Promise<void> => {
  const [alone, beside] = await medians([
    ["delay", 0, 400],
    ["delay", 20, 400]
  ])
  for (const [name, figures] of [
    ["a round trip of a plugin whose neighbour in the same worker does nothing", alone],
    ["the same whose neighbour works 20 ms an event", beside]
  ] as const) {
    row(name, `p50 ${shown(figures, "p50Ms")} ms, p99 ${shown(figures, "p99Ms")} ms`)
  }
}

const kills = async (): Promise<void> => {
  const [first, last] = KILLS
  const left = await run("kills", first, last)
  table("what", "figure")
  row(`resident memory after ${first} workers were ended`, `${shown(left, "afterFirstMib", 0)} MiB`)
  row(
    `the same after ${of(left, "killed")}, ${shown(left, "seconds", 0)} s later`,
    `${shown(left, "afterLastMib", 0)} MiB`
  )
}

if (process.argv[3] === "kills") await kills()
else {
  await costs()
  await starts()
  await delays()
}
