/**
 * `npm run bench -- sandbox`: what the sandbox costs beside the trusted path in
 * the same run, what it takes to start many plugins, how long a neighbour waits,
 * and what is left behind by workers that were ended. Each contestant is a
 * process of its own (`sandboxHost.ts`); figures are medians of three.
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

say("a dispatch, 300 bytes in and 250 out: CPU over all threads, with so many at once")
for (const batch of [1, 8, 32]) {
  const [trusted, sandboxed] = await medians([
    ["cost", "trusted", batch, EVENTS],
    ["cost", "sandboxed", batch, EVENTS]
  ])
  const more = of(sandboxed, "cpuUs") - of(trusted, "cpuUs")
  say(
    `  ${String(batch).padStart(2)}  trusted ${shown(trusted, "cpuUs")} µs  sandboxed ${shown(sandboxed, "cpuUs")} µs, ${more.toFixed(1)} more`
  )
}

const [none, one, many] = await medians([
  ["start", 0],
  ["start", 1],
  ["start", PLUGINS]
])
const each = (of(many, "rssMib") - of(one, "rssMib")) / (PLUGINS - 1)
say(`\n${PLUGINS} sandboxed plugins`)
say(`  started after ${shown(many, "startMs", 0)} ms, CPU ${(of(many, "cpuMs") - of(none, "cpuMs")).toFixed(0)} ms`)
say(
  `  one plugin and its worker ${(of(one, "rssMib") - of(none, "rssMib")).toFixed(1)} MiB, each further ${each.toFixed(2)}`
)

const [alone, beside] = await medians([
  ["delay", 0, 400],
  ["delay", 20, 400]
])
say("\na round trip of a plugin, its neighbour in the same worker")
for (const [name, figures] of [
  ["does nothing", alone],
  ["works 20 ms an event", beside]
] as const) {
  say(`  ${name.padEnd(22)} p50 ${shown(figures, "p50Ms")} ms  p99 ${shown(figures, "p99Ms")} ms`)
}

const left = await run("kills", ...KILLS)
say(
  `\nresident after ${KILLS[0]} workers were ended ${shown(left, "afterFirstMib")} MiB, after ${KILLS[1]} ${shown(left, "afterLastMib")} MiB`
)
