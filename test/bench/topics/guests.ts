/** What the sandbox costs beside the trusted path, and what it keeps away from the host. */
import { against, alone, more, series, type Options, type Section } from "../cells.ts"
import { rounds, type Entry } from "../harness.ts"

const EVENTS = 16_000
const PACKAGES = 100
/** At most so many µs of CPU over all threads, with so many events at once. */
const TARGETS = [
  [1, 100],
  [8, 25],
  [32, 18]
] as const

const host = (...args: ReadonlyArray<string | number>): Entry => ({ program: "sandboxHost.ts", args })
const loop = (neighbour: "loops" | "refuses"): Entry => ({
  mode: "loop",
  neighbour,
  forMs: 2000,
  load: { perSecond: 20 }
})

export const guests = async ({ all, rounds: times }: Options): Promise<Section> => {
  const costs = TARGETS.flatMap(([batch]) => [
    [`trusted ${batch}`, host("cost", "trusted", batch, EVENTS)] as const,
    [`sandboxed ${batch}`, host("cost", "sandboxed", batch, EVENTS)] as const
  ])
  const starts = [0, 1, PACKAGES].map((count) => [`start ${count}`, host("start", count)] as const)
  const measured = await rounds<string>(
    {
      ...Object.fromEntries(costs),
      loops: loop("loops"),
      refuses: loop("refuses"),
      ...(all ? Object.fromEntries([...starts, ["delay", host("delay", 20, 400)]]) : {})
    },
    times
  )
  const of = (name: string, key: string, label = name) => ({ name: label, values: series(measured[name] ?? [], key) })
  const cost = (name: string, label: string) => ({
    ...of(name, "cpuUs", label),
    wall: series(measured[name] ?? [], "wallUs")
  })
  const started = (): Section["rows"] => [
    more("1 package started after", of("start 1", "startMs"), of("start 0", "startMs", "none"), "ms"),
    more(
      `${PACKAGES} packages started after`,
      of(`start ${PACKAGES}`, "startMs"),
      of("start 0", "startMs", "none"),
      "ms",
      1500
    ),
    alone("a neighbour in the same worker works 20 ms an event: round trip, p99", of("delay", "p99Ms"), "ms", 40)
  ]
  return {
    title: "Plugins in the sandbox",
    about:
      "A dispatch of 300 bytes in and 250 out on the fake network, CPU over all threads, with so many events at once; and how late the host's event loop is while a guest loops until its deadline, again and again.",
    rows: [
      ...TARGETS.flatMap(([batch, most]) => [
        alone(`a dispatch, ${batch} at once`, cost(`sandboxed ${batch}`, "sandboxed"), "µs", most),
        against(
          `a dispatch, ${batch} at once`,
          cost(`sandboxed ${batch}`, "sandboxed"),
          cost(`trusted ${batch}`, "in process"),
          "µs"
        )
      ]),
      alone("the host's event loop beside a guest that loops, p99", of("loops", "p99Ms"), "ms", 5),
      alone("the host's event loop beside a guest that doesn't, p99", of("refuses", "p99Ms"), "ms"),
      ...(all ? started() : [])
    ]
  }
}
