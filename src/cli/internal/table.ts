/**
 * The status for people: what there is, trouble first, in as many columns and
 * rows as there are. The last column is the only one whose text may be foreign,
 * so that nothing stands behind what a terminal takes for wider than we do.
 */
import type { HostStatus } from "../../host/HostStatus.ts"
import { formatProblem } from "../../internal/wire.ts"
import { clean, cut, pad } from "./cells.ts"
import { TROUBLE, type Trouble } from "../../operate/page/trouble.ts"
import { rowsOf, type Row } from "./rows.ts"
import { bold, colour, type Colour } from "./style.ts"

/** What a table is made for. */
export interface Room {
  readonly columns: number
  /** Without, all of them. */
  readonly rows?: number | undefined
  readonly isColoured?: boolean | undefined
}

interface Column {
  readonly heading: string
  readonly side: "left" | "right"
  readonly most: number
  readonly text: (row: Row) => string
}

const count = (heading: string, of: (row: Row) => number | null): Column => {
  const most = Math.max(heading.length, 6)
  return { heading, side: "left", most, text: (row) => figure(of(row), most) }
}

const PLUGIN: Column = { heading: "PLUGIN", side: "right", most: 48, text: ({ plugin }) => plugin }

// Where there is no room for all, the last one of these goes first.
const COUNTED: ReadonlyArray<Column> = [
  { heading: "STATE", side: "right", most: 10, text: ({ state }) => state },
  count("DROPPED", ({ dropped }) => dropped),
  count("WAITING", ({ waiting }) => waiting),
  count("RECEIVED", ({ received }) => received),
  count("SENT", ({ sent }) => sent)
]
const IN_ORDER = ["STATE", "RECEIVED", "WAITING", "DROPPED", "SENT"]

const GAP = 2
/** What a plugin's name and a note are given before any count is. */
const NAME = 14
const NOTE = 14
const MOST_NOTE = 160
/** From this width on names are shown whole. */
const WIDE = 100
/** Log lines are worth a look, too. */
const ROWS_FOR_LOG = 5

/** The lines of the table, none of them wider than there is room. */
export const table = (status: HostStatus, { columns: width, isColoured = false, rows: height }: Room) => {
  const rows = shortened(rowsOf(status), width)
  const most = height === undefined ? Infinity : Math.max(1, height - Math.min(ROWS_FOR_LOG, Math.floor(height / 4)))
  // Two lines are heads, and one says how many more there are.
  const shown = rows.length + 2 <= most ? rows : rows.slice(0, Math.max(0, most - 3))
  const layout = layoutOf(rows, width)
  const more = rows.length - shown.length
  const lines = [
    headOf(status, rows, width, isColoured),
    styled(
      cut(
        lineOf(layout, ({ heading }) => heading, "NOTE"),
        width
      ),
      isColoured,
      bold
    ),
    ...shown.map((row) => rowLine(layout, row, width, isColoured)),
    ...(more === 0 ? [] : [cut(`\u2026 and ${more} more`, width)])
  ]
  const cutOff = shown.filter((row) => row.trouble > TROUBLE.none && clean(row.note).length > layout.note)
  return [...lines, ...detailsOf(status, cutOff, width, isColoured).slice(0, Math.max(0, most - lines.length))].slice(
    0,
    most
  )
}

/** Where there is little room names are shown without where they are from, unless that tells two apart. */
const shortened = (rows: ReadonlyArray<Row>, width: number): ReadonlyArray<Row> => {
  const short = rows.map((row) => ({ ...row, plugin: row.plugin.replace(/^[a-z]+:/, "") }))
  const [long, less] = [rows, short].map((each) => new Set(each.map(({ plugin }) => plugin)))
  return width < WIDE && long?.size === less?.size ? short : rows
}

interface Layout {
  readonly columns: ReadonlyArray<Column & { readonly width: number }>
  readonly note: number
}

const layoutOf = (rows: ReadonlyArray<Row>, width: number): Layout => {
  const named = rows.reduce((widest, { plugin }) => Math.max(widest, plugin.length), PLUGIN.heading.length)
  let counted = COUNTED.map((column) => ({ ...column, width: column.most }))
  const least = Math.min(NAME, named) + GAP + NOTE
  const widthOfAll = () => counted.reduce((sum, column) => sum + column.width + GAP, 0)
  while (counted.length > 1 && least + widthOfAll() > width) counted = counted.slice(0, -1)
  // Names have what is over, and leave as much for notes as for themselves.
  const left = Math.max(0, width - widthOfAll() - GAP)
  const name = Math.min(named, PLUGIN.most, Math.max(Math.min(NAME, left), Math.floor(left / 2)))
  const columns = IN_ORDER.flatMap((heading) => counted.filter((column) => column.heading === heading))
  return { columns: [{ ...PLUGIN, width: name }, ...columns], note: Math.min(MOST_NOTE, Math.max(0, left - name)) }
}

const lineOf = ({ columns }: Layout, cell: (column: Column) => string, note: string): string => {
  const cells = columns.map((column) => pad(fit(cell(column), column.width), column.width, column.side))
  return [...cells, note].join(" ".repeat(GAP)).trimEnd()
}

/** What tells names apart stands at their ends. */
const fit = (text: string, width: number): string =>
  text.length <= width ? text : width < 2 ? text.slice(0, width) : `\u2026${text.slice(1 - width)}`

const rowLine = (layout: Layout, row: Row, width: number, isColoured: boolean): string => {
  const note = cut(clean(row.note), layout.note).trimEnd()
  const line = lineOf(layout, ({ text }) => text(row), note)
  if (!isColoured || line.length > width) return cut(line, width)
  const [name, state] = layout.columns
  const from = (name?.width ?? 0) + GAP
  const to = from + (state?.width ?? 0)
  const rest = line.slice(to)
  return (
    line.slice(0, from) + colour(line.slice(from, to), colourOf(row)) + (note === "" ? rest : noteIn(rest, row, note))
  )
}

const noteIn = (rest: string, row: Row, note: string): string =>
  rest.slice(0, -note.length) + colour(note, row.trouble === TROUBLE.none ? "dim" : OF_TROUBLE[row.trouble])

const OF_TROUBLE: { readonly [trouble in Exclude<Trouble, 0>]: Colour } = {
  1: "yellow",
  2: "yellow",
  3: "red",
  4: "red"
}

const colourOf = ({ state, trouble }: Row): Colour => {
  if (trouble === TROUBLE.past) return state === "flowing" ? "green" : "yellow"
  if (trouble !== TROUBLE.none) return OF_TROUBLE[trouble]
  if (state === "flowing") return "green"
  return state === "stopped" || state === "closed" ? "dim" : "yellow"
}

/** Where notes are too narrow, what is wrong is told below in whole lines. */
const detailsOf = ({ host }: HostStatus, cutOff: ReadonlyArray<Row>, width: number, isColoured: boolean) => {
  const problems = host.config.problems.map((problem) => `host file  ${clean(formatProblem(problem))}`)
  const notes = cutOff.map(({ note, plugin }) => `${plugin}  ${clean(note)}`)
  return [...problems, ...notes].map((line) => styled(cut(line, width), isColoured, (text) => colour(text, "dim")))
}

const headOf = ({ host, plugins }: HostStatus, rows: ReadonlyArray<Row>, width: number, isColoured: boolean) => {
  const counts = new Map<string, number>()
  for (const { lifecycle } of plugins) counts.set(lifecycle, (counts.get(lifecycle) ?? 0) + 1)
  const lifecycles = LIFECYCLES.flatMap((name) => (counts.has(name) ? [`${counts.get(name)} ${name}`] : []))
  const { problems, state } = host.config
  const line = cut(
    [
      `mooring ${clean(host.version)}`,
      `${plugins.length} ${plugins.length === 1 ? "plugin" : "plugins"}${lifecycles.length === 0 ? "" : `: ${lifecycles.join(", ")}`}`,
      ...(state === "applied"
        ? []
        : [`host file ${state}, ${problems.length} ${problems.length === 1 ? "problem" : "problems"}`]),
      `up ${duration(host.uptimeMs / 1000)}`,
      `${host.rssBytes === null || !Number.isFinite(host.rssBytes) ? "\u2013" : Math.round(host.rssBytes / 1_048_576)} MiB`,
      `loop lag ${host.eventLoopLagMs} ms`
    ].join("  "),
    width
  )
  const isTroubled = state !== "applied" || rows.some(({ trouble }) => trouble >= TROUBLE.down)
  return styled(line, isColoured, isTroubled ? (text) => colour(text, "yellow") : bold)
}

const LIFECYCLES = ["failed", "restarting", "starting", "ready", "running", "stopping", "stopped"]

const styled = (text: string, isColoured: boolean, style: (text: string) => string): string =>
  isColoured ? style(text) : text

const duration = (seconds: number): string => {
  const whole = Math.max(0, Math.round(seconds))
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  const hours = Math.floor(whole / 3600)
  return hours < 48
    ? `${hours} h ${Math.floor((whole % 3600) / 60)} min`
    : `${Math.floor(hours / 24)} d ${hours % 24} h`
}

const UNITS = ["", "k", "M", "G", "T", "P", "E"]

/** A count in so many characters; a dash where there is none to tell. */
const figure = (value: number | null, most: number): string => {
  if (value === null || !Number.isFinite(value)) return "\u2013"
  const whole = String(Math.round(value))
  if (whole.length <= most) return whole
  let [rest, unit] = [value, 0]
  while (rest >= 999.5 && unit < UNITS.length - 1) {
    rest /= 1000
    unit++
  }
  return `${rest >= 99.95 ? Math.round(rest) : rest.toFixed(1)}${UNITS[unit]}`
}
