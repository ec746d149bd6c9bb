/** What a text costs while somebody collects metrics, beside the same host without. */
import { against, series, type Options, type Section } from "../cells.ts"
import type { Contestant } from "../contestants/contestant.ts"
import { rounds } from "../harness.ts"

const FRAMES = 4_000_000

const at = (more: Partial<Contestant>): Contestant => ({ mode: "hosted", frames: FRAMES, ...more })

export const operate = async ({ rounds: times }: Options): Promise<Section> => {
  const measured = await rounds<string>(
    {
      off: at({}),
      on: at({ metrics: true }),
      "off, 16": at({ connections: 16 }),
      "on, 16": at({ connections: 16, metrics: true })
    },
    times
  )
  const cpu = (name: string) => series(measured[name] ?? [], "cpuUs")
  const row = (what: string, on: string, off: string) =>
    against(what, { name: "metrics on", values: cpu(on) }, { name: "off", values: cpu(off) }, "µs", 1.03)
  return {
    title: "Metrics",
    about:
      "CPU of a received text of 128 bytes, with the metrics of a host collected and one of a hundred dispatches measured, beside the same host without.",
    rows: [row("a text over one connection", "on", "off"), row("a text over 16 connections", "on, 16", "off, 16")]
  }
}
