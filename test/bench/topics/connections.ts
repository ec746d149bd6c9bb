/** Many connections of one process: what they take to open, and what each of them holds while it is idle. */
import { against, counted, more, series, type Options, type Section, type Series } from "../cells.ts"
import type { Contestant } from "../contestants/contestant.ts"
import { rounds } from "../harness.ts"
import { AT_ONCE } from "../limits.ts"

const MOST = 10_000

const each = (own: Series, none: Series, connections: number): Series =>
  own.map((value, round) => (value - (none[round] ?? Number.NaN)) / connections)

const open = (mode: string, count: number, closes = false): Contestant => ({
  mode,
  connections: count,
  closes
})

export const connections = async ({ all, rounds: times }: Options): Promise<Section> => {
  const measured = await rounds<string>(
    {
      bareNone: { mode: "nothing" },
      ownNone: { mode: "nothing", plugins: 0 },
      bare: open("bare-open", 5000),
      own: open("open", 5000),
      bareMost: open("bare-open", MOST, all),
      ownMost: open("open", MOST, all),
      ...(all ? { bareFew: open("bare-open", 1000), ownFew: open("open", 1000) } : {})
    },
    times
  )
  const figures = (name: string, key: string): Series => series(measured[name] ?? [], key)
  const holds = (count: number, own: string, bare: string, isTarget: boolean) => {
    const both = (key: string) =>
      [
        { name: "mooring", values: each(figures(own, key), figures("ownNone", key), count) },
        { name: "bare ws", values: each(figures(bare, key), figures("bareNone", key), count) }
      ] as const
    return [
      against(
        `resident memory of an idle connection, of ${count.toLocaleString("en")}`,
        ...both("rssKib"),
        "KiB",
        isTarget ? 1.4 : undefined
      ),
      more(
        `live heap of an idle connection, of ${count.toLocaleString("en")}`,
        ...both("heapKib"),
        "KiB",
        isTarget ? 8 : undefined
      )
    ]
  }
  const took = (what: string, key: string, most?: number) =>
    against(
      what,
      { name: "mooring", values: figures("ownMost", key) },
      { name: "bare ws", values: figures("bareMost", key) },
      "ms",
      most
    )
  return {
    title: "Many connections",
    about: `Connections of one process, all open and idle. Both sides dial at most ${AT_ONCE.toLocaleString("en")} at a time; every limit that counts connections or spaces dials is at its highest. What a process holds that has only loaded the code, for mooring with a host without plugins, is taken off.`,
    rows: [
      ...holds(5000, "own", "bare", true),
      took(`${counted(MOST, "connection")} open after`, "openMs", 1.5),
      took(`CPU of opening ${MOST.toLocaleString("en")}`, "openCpuMs"),
      ...(all ? [took(`${counted(MOST, "connection")} closed in order after`, "closeMs")] : []),
      ...(all ? holds(1000, "ownFew", "bareFew", false) : []),
      ...(all ? holds(MOST, "ownMost", "bareMost", false) : [])
    ]
  }
}
