/**
 * A small chart of the last hour, or of what is known of it. Who can't see it is told its last and its
 * highest value.
 */
import { count, minute } from "../format.ts"
import { Component, createRef, h } from "../lib/preact.js"
import uPlot from "../lib/uplot.js"
import { SLOT_MS, SLOTS, type Track } from "../track.ts"

interface Line {
  readonly track: Track | undefined
  readonly column: number
  readonly name: string
  readonly isBad?: boolean
}

interface Props {
  readonly title: string
  readonly slot: number
  readonly lines: ReadonlyArray<Line>
  /** Where values are states: their names, from the bottom. */
  readonly states?: ReadonlyArray<string>
}

const HEIGHT = 110

type Values = ReadonlyArray<number | null>

const valuesOf = ({ lines, slot }: Props): ReadonlyArray<Values> =>
  lines.map(({ column, track }) => track?.hour(column, slot) ?? Array.from({ length: SLOTS }, () => null))

/** Five minutes: what is shown at least, where less is known of the hour. */
const LEAST = 60

/** Where the chart begins: at the first that is known. */
const beginOf = (all: ReadonlyArray<Values>): number => {
  const known = all.map((values) => values.findIndex((value) => value !== null)).filter((index) => index >= 0)
  return Math.min(SLOTS - LEAST, ...known)
}

const dataOf = (props: Props): uPlot.AlignedData => {
  const all = valuesOf(props)
  const begin = beginOf(all)
  const times = Array.from(
    { length: SLOTS - begin },
    (_, index) => ((props.slot - SLOTS + 1 + begin + index) * SLOT_MS) / 1000
  )
  return [times, ...all.map((values) => values.slice(begin))]
}

const last = (values: Values): number | null => values.findLast((value) => value !== null) ?? null

const figure = (value: number): string => count(Math.round(value * 10) / 10)

/** What the chart says, in words. */
const wordsOf = (props: Props): string =>
  valuesOf(props)
    .map((values, index) => {
      const name = props.lines[index]?.name ?? ""
      const now = last(values)
      if (now === null) return `${name}: nothing yet`
      if (props.states !== undefined) return `${name}: ${props.states[now] ?? ""}`
      const most = values.reduce<number>((highest, value) => Math.max(highest, value ?? 0), 0)
      return `${name}: ${figure(now)}, at most ${figure(most)}`
    })
    .join("; ")

const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

const LINES = ["--line-one", "--line-two"]

const optionsOf = ({ lines, states }: Props, width: number): uPlot.Options => {
  const axis = { stroke: colour("--soft"), grid: { stroke: colour("--edge"), width: 1 }, ticks: { show: false } }
  const stepped = uPlot.paths.stepped?.({ align: 1 })
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_, __, most) => [0, states === undefined ? Math.max(1, most) : states.length - 1] } },
    axes: [
      { ...axis, size: 24, font: "11px sans-serif", values: (_, seconds) => seconds.map((at) => minute(at * 1000)) },
      {
        ...axis,
        font: "11px sans-serif",
        size: states === undefined ? 44 : 66,
        ...(states === undefined ? {} : { splits: states.map((_, index) => index), values: () => [...states] })
      }
    ],
    series: [
      {},
      ...lines.map(({ isBad, name }, index) => ({
        label: name,
        stroke: colour(isBad === true ? "--bad" : (LINES[index] ?? "--line-one")),
        width: 1.5,
        points: { show: false },
        ...(stepped === undefined ? {} : { paths: stepped })
      }))
    ]
  }
}

export class Chart extends Component<Props> {
  readonly #place = createRef<HTMLDivElement>()
  readonly #dark = matchMedia("(prefers-color-scheme: dark)")
  readonly #resized = new ResizeObserver(() => {
    const width = this.#width
    if (this.#plot !== undefined && width > 0) this.#plot.setSize({ width, height: HEIGHT })
  })
  readonly #turned = () => this.#draw()
  #plot: uPlot | undefined

  override componentDidMount(): void {
    this.#draw()
    this.#dark.addEventListener("change", this.#turned)
    if (this.#place.current !== null) this.#resized.observe(this.#place.current)
  }

  override componentDidUpdate(): void {
    this.#plot?.setData(dataOf(this.props))
  }

  override componentWillUnmount(): void {
    this.#dark.removeEventListener("change", this.#turned)
    this.#resized.disconnect()
    this.#plot?.destroy()
  }

  override shouldComponentUpdate(next: Props): boolean {
    return next.slot !== this.props.slot || next.lines[0]?.track !== this.props.lines[0]?.track
  }

  override render(props: Props) {
    const words = wordsOf(props)
    return (
      <figure>
        <figcaption>
          {props.title} <span class="soft">{words}</span>
        </figcaption>
        <div ref={this.#place} role="img" aria-label={`${props.title} in the last hour. ${words}`} />
      </figure>
    )
  }

  get #width(): number {
    return this.#place.current?.clientWidth ?? 0
  }

  #draw(): void {
    this.#plot?.destroy()
    if (this.#place.current === null) return
    this.#plot = new uPlot(optionsOf(this.props, this.#width), dataOf(this.props), this.#place.current)
  }
}
