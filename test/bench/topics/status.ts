/** What it costs to look at a host of a thousand plugins ten times a second. */
import { alone, counted, series, type Options, type Section } from "../cells.ts"
import { rounds } from "../harness.ts"

const PLUGINS = 1000
const PERCENT = 100

export const status = async ({ rounds: times }: Options): Promise<Section> => {
  const { own } = await rounds({ own: { mode: "status", plugins: PLUGINS, connections: PLUGINS, forMs: 400 } }, times)
  const share = (what: string, key: string, most?: number) =>
    alone(what, { name: "mooring", values: series(own, key).map((value) => value * PERCENT) }, "% of a core", most)
  return {
    title: "Status",
    about: `A host of ${counted(PLUGINS, "plugin")} with an idle connection each, asked ten times a second; what it needs while nobody asks is taken off.`,
    rows: [
      share("`status`", "read", 5),
      share("`status`, encoded and written as JSON", "written"),
      share("nobody asks", "idle")
    ]
  }
}
