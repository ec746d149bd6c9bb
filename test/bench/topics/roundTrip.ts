/** How long a text of 120 bytes takes from the server to a handler that sends it back, and home again. */
import { against, series, type Options, type Section, type Series } from "../cells.ts"
import type { Contestant } from "../contestants/contestant.ts"
import { rounds, type Figures } from "../harness.ts"

// Half a second, as 8,000 take, is over before all that runs is compiled: then the tail is that of the compiler.
const TRIPS = 40_000
const LOAD = { perSecond: 20_000 }
const CONNECTIONS = 16

const idle = (mode: string): Contestant => ({ mode, judge: "server", load: { trips: TRIPS } })
const loaded = (mode: string): Contestant => ({
  mode,
  judge: "server",
  connections: CONNECTIONS,
  load: { trips: TRIPS, ...LOAD }
})

const micros = (figures: ReadonlyArray<Figures>, key: string): Series => series(figures, key).map((ms) => ms * 1000)

const rows = (when: string, own: ReadonlyArray<Figures>, bare: ReadonlyArray<Figures>) =>
  (
    [
      ["p50", "p50Ms", 1.15],
      ["p99", "p99Ms", 1.3],
      ["p99.9", "p999Ms", undefined]
    ] as const
  ).map(([share, key, most]) =>
    against(
      `${when}, ${share}`,
      { name: "mooring", values: micros(own, key) },
      { name: "bare ws", values: micros(bare, key) },
      "µs",
      most
    )
  )

export const roundTrip = async ({ rounds: times }: Options): Promise<Section> => {
  const measured = await rounds(
    { bare: idle("bare-echo"), own: idle("echo"), bareLoaded: loaded("bare-echo"), ownLoaded: loaded("echo") },
    times
  )
  return {
    title: "A round trip",
    about: `From the server to the handler and back, ${TRIPS.toLocaleString("en")} times one after the other; under load, ${CONNECTIONS} further connections of another plugin bring ${LOAD.perSecond.toLocaleString("en")} texts a second.`,
    rows: [...rows("idle", measured.own, measured.bare), ...rows("under load", measured.ownLoaded, measured.bareLoaded)]
  }
}
