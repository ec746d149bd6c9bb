/** How long a quiet source (a text each 5 ms) waits for its answers, beside another plugin that does no good. */
import { against, alone, series, type Options, type Section } from "../cells.ts"
import type { Contestant } from "../contestants/contestant.ts"
import { rounds } from "../harness.ts"

const TRIPS = 300
/** More than any contestant is done with before it is ended. */
const ENDLESS = 1_000_000_000

const quiet = (mode: string, neighbour?: Contestant["neighbour"]): Contestant => ({
  mode,
  judge: "server",
  frames: ENDLESS,
  load: { trips: TRIPS, perSecond: 100 },
  ...(neighbour === undefined ? {} : { neighbour })
})

const SANDBOXED = ["loops", "allocates", "refuses"] as const

export const neighbours = async ({ all, rounds: times }: Options): Promise<Section> => {
  const guests = Object.fromEntries(SANDBOXED.map((does) => [does, quiet("quiet", does)]))
  const measured = await rounds<string>(
    {
      alone: quiet("quiet"),
      floods: quiet("quiet", "floods"),
      bare: quiet("bare-quiet", "floods"),
      ...(all ? guests : {})
    },
    times
  )
  const of = (name: string, key: string, label = name) => ({ name: label, values: series(measured[name] ?? [], key) })
  const rows = (does: string, what: string) => [
    against(`${what}, p50`, of(does, "p50Ms"), of("alone", "p50Ms"), "ms", 1.5),
    alone(`${what}, p99`, of(does, "p99Ms"), "ms", 5)
  ]
  return {
    title: "A quiet source and its neighbours",
    about: `The round trip of a source that brings a text each 5 ms, ${TRIPS} times, while another plugin's server floods at full speed${all ? ", or a plugin in the sandbox loops, allocates without end, or refuses each of 100 events a second" : ""}.`,
    rows: [
      ...rows("floods", "beside another plugin's flood"),
      against("the same flood, p99", of("floods", "p99Ms"), of("bare", "p99Ms", "bare ws with both connections"), "ms"),
      alone("alone, p99", of("alone", "p99Ms"), "ms"),
      ...(all ? SANDBOXED.flatMap((does) => rows(does, `beside one that ${does} in the sandbox`)) : [])
    ]
  }
}
