/** What becomes of a source that brings twice of what its handler can do. */
import { against, alone, never, series, type Options, type Section } from "../cells.ts"
import { rounds } from "../harness.ts"

const PER_SECOND = 2000
const FOR_MS = 6000

export const overload = async ({ rounds: times }: Options): Promise<Section> => {
  const of = (mode: string) => ({ mode, forMs: FOR_MS, load: { perSecond: PER_SECOND } })
  const { own, peer } = await rounds({ own: of("overload"), peer: of("overload-p-queue") }, times)
  const beside = (what: string, key: string, unit: string) =>
    against(
      what,
      { name: "mooring", values: series(own, key) },
      { name: "EventEmitter and p-queue", values: series(peer, key) },
      unit
    )
  return {
    title: "Overload",
    about: `${PER_SECOND} texts of 128 bytes a second for a handler that waits a millisecond for each, for ${FOR_MS / 1000} s. What is delivered late grows with the time that the overload lasts where nothing is dropped.`,
    rows: [
      beside("handled a second", "perSecond", "/s"),
      beside("from the server to the handler's return, p50", "p50Ms", "ms"),
      beside("from the server to the handler's return, p99", "p99Ms", "ms"),
      beside("resident at the peak", "peakMib", "MiB"),
      alone("dropped before a text that was handled", { name: "mooring", values: series(own, "missing") }, "texts"),
      never("texts missing that no event told of", series(own, "untold"))
    ]
  }
}
