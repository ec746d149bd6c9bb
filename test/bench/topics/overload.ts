/** What becomes of a source that brings twice of what its handler can do. */
import { against, alone, never, series, type Options, type Section } from "../cells.ts"
import { rounds } from "../harness.ts"

const PER_SECOND = 400
const FOR_MS = 20_000
const BYTES = 1024

export const overload = async ({ rounds: times }: Options): Promise<Section> => {
  const of = (mode: string) => ({ mode, bytes: BYTES, forMs: FOR_MS, load: { perSecond: PER_SECOND } })
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
    about: `${PER_SECOND} texts of ${BYTES.toLocaleString("en")} bytes a second for a handler that waits 5 ms for each, for ${FOR_MS / 1000} s. Where nothing is dropped, all is later the longer the overload lasts.`,
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
