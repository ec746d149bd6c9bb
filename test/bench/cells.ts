/** What is said of a measurement: figures beside those of a peer, and whether the target was reached. */
import type { Figures } from "./harness.ts"
import { ratios, summary, type Summary } from "./statistics.ts"

/** A figure in each round. */
export type Series = ReadonlyArray<number>

export const series = (figures: ReadonlyArray<Figures>, key: string): Series =>
  figures.map((each) => each[key] ?? Number.NaN)

/** Something that was measured: its name in the table, what it costs, and beside CPU time the wall time. */
export interface Measured {
  readonly name: string
  readonly values: Series
  readonly wall?: Series
}

export interface Row {
  readonly what: string
  readonly own: string
  readonly peer: string
  /** What the target is about. */
  readonly judged: string
  readonly target: string
  readonly isReached: boolean | undefined
}

export interface Section {
  readonly title: string
  /** What was measured, and how it is to be read. */
  readonly about: string
  readonly rows: ReadonlyArray<Row>
  readonly pictures?: ReadonlyArray<Picture>
}

/** A curve of each contestant, drawn beside the table. */
export interface Picture {
  readonly file: string
  readonly title: string
  readonly unit: string
  readonly x: ReadonlyArray<number>
  readonly lines: ReadonlyArray<{ readonly name: string; readonly y: ReadonlyArray<number> }>
}

export interface Options {
  readonly rounds: number
  /** Everything, not only what has a target. */
  readonly all: boolean
}

export type Topic = (options: Options) => Promise<Section>

const THOUSAND = 1000

/** So many digits that three of them say something. */
export const number = (value: number): string => {
  if (!Number.isFinite(value)) return "?"
  const size = Math.abs(value)
  if (size >= THOUSAND || Number.isInteger(value)) return Math.round(value).toLocaleString("en")
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)
}

/** How many of them, as it is said. */
export const counted = (count: number, what: string): string =>
  `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`

const spread = ({ least, median, most }: Summary): string =>
  least === most || Number.isNaN(median) ? number(median) : `${number(median)} (${number(least)}–${number(most)})`

const figure = ({ values, wall }: Measured, unit: string): string => {
  const beside = wall === undefined ? "" : `; wall ${number(summary(wall).median)}`
  return `${spread(summary(values))} ${unit}${beside}`
}

const reached = ({ median }: Summary, most: number | undefined): boolean | undefined =>
  most === undefined ? undefined : median <= most

/** A figure as a multiple of a peer's: the median of the rounds' ratios, of which the target says the most. */
export const against = (what: string, own: Measured, peer: Measured, unit: string, most?: number): Row => {
  const ratio = summary(ratios(own.values, peer.values))
  return {
    what,
    own: figure(own, unit),
    peer: `${peer.name}: ${figure(peer, unit)}`,
    judged: `× ${spread(ratio)}`,
    target: most === undefined ? "" : `≤ ${most} ×`,
    isReached: reached(ratio, most)
  }
}

/** A figure that is judged by itself. */
export const alone = (what: string, own: Measured, unit: string, most?: number): Row => ({
  what,
  own: figure(own, unit),
  peer: "",
  judged: "",
  target: most === undefined ? "" : `≤ ${most} ${unit}`,
  isReached: reached(summary(own.values), most)
})

/** How much more a figure is than a peer's. */
export const more = (what: string, own: Measured, peer: Measured, unit: string, most?: number): Row => {
  const difference = summary(own.values.map((value, round) => value - (peer.values[round] ?? Number.NaN)))
  return {
    what,
    own: figure(own, unit),
    peer: `${peer.name}: ${figure(peer, unit)}`,
    judged: `+ ${spread(difference)} ${unit}`,
    target: most === undefined ? "" : `≤ ${most} ${unit} more`,
    isReached: reached(difference, most)
  }
}

/** What must not happen in any round. */
export const never = (what: string, values: Series): Row => {
  const { most } = summary(values)
  return { what, own: number(most), peer: "", judged: "", target: "0", isReached: most === 0 }
}
