/** The same texts over more and more connections, of one plugin and of a plugin each. */
import { against, counted, series, type Options, type Section } from "../cells.ts"
import { rounds, type Figures } from "../harness.ts"
import { summary } from "../statistics.ts"

// Of 1,000 connections each brings 4,000: with fewer it would be the first turns of each that are measured.
const FRAMES = 4_000_000
const COUNTS = [1, 16, 100, 1000] as const

export const growth = async ({ rounds: times }: Options): Promise<Section> => {
  const of = (mode: string, connections: number, plugins: number) => ({ mode, frames: FRAMES, connections, plugins })
  const contestants = COUNTS.flatMap((count) => [
    [`bare ${count}`, of("bare", count, 1)] as const,
    [`one ${count}`, of("hosted", count, 1)] as const,
    ...(count === 1 ? [] : [[`each ${count}`, of("hosted", count, count)] as const])
  ])
  const measured = await rounds(Object.fromEntries(contestants), times)
  const figures = (name: string): ReadonlyArray<Figures> =>
    measured[name] ?? measured[name.replace("each", "one")] ?? []
  const cpu = (name: string, label: string) => ({
    name: label,
    values: series(figures(name), "cpuUs"),
    wall: series(figures(name), "wallUs")
  })
  const line = (name: string, key: string) => ({
    name,
    y: COUNTS.map((count) => summary(series(figures(`${key} ${count}`), "cpuUs")).median)
  })
  const grown = cpu("each 1000", "mooring")
  return {
    title: "Growth",
    about: `The same ${counted(FRAMES, "text")} of 128 bytes, at full speed over 1 to 1,000 connections.`,
    rows: [
      against("1,000 plugins, a connection each", grown, cpu("one 1", "1 plugin, 1 connection"), "µs", 1.1),
      against("1,000 plugins, a connection each", grown, cpu("one 1000", "1 plugin, 1,000 connections"), "µs", 1.1),
      ...COUNTS.map((count) =>
        against(
          `${counted(count, "plugin")}, a connection each`,
          cpu(`each ${count}`, "mooring"),
          cpu(`bare ${count}`, "bare ws"),
          "µs"
        )
      )
    ],
    pictures: [
      {
        file: "growth.svg",
        title: "CPU of a received text by the number of connections",
        unit: "µs",
        x: COUNTS,
        lines: [line("bare ws", "bare"), line("mooring, one plugin", "one"), line("mooring, a plugin each", "each")]
      }
    ]
  }
}
