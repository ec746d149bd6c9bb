/** Draws a curve of each contestant as an SVG, in colours for light and for dark pages. Both axes are logarithmic where the values span more than a hundred. */
import type { Picture } from "./cells.ts"

const WIDTH = 720
const HEIGHT = 300
const LEFT = 64
const RIGHT = 190
const TOP = 40
const BOTTOM = 40
const LABEL_HEIGHT = 14
const TICKS = 4
const SPAN_OF_A_LINE = 100

interface Scale {
  readonly at: (value: number) => number
  readonly ticks: ReadonlyArray<number>
}

const scale = (values: ReadonlyArray<number>, from: number, to: number): Scale => {
  const [least, most] = [Math.min(...values), Math.max(...values)]
  if (least > 0 && most / least > SPAN_OF_A_LINE) {
    const [low, high] = [Math.floor(Math.log10(least)), Math.ceil(Math.log10(most))]
    return {
      at: (value) => from + ((Math.log10(value) - low) / (high - low)) * (to - from),
      ticks: Array.from({ length: high - low + 1 }, (_, nth) => 10 ** (low + nth))
    }
  }
  const step = niceStep(most / TICKS)
  const top = Math.ceil(most / step) * step
  return {
    at: (value) => from + (value / top) * (to - from),
    ticks: Array.from({ length: Math.round(top / step) + 1 }, (_, nth) => nth * step)
  }
}

/** 1, 2 or 5 times a power of ten. */
const niceStep = (atLeast: number): number => {
  const power = 10 ** Math.floor(Math.log10(atLeast))
  return power * ([1, 2, 5].find((factor) => factor * power >= atLeast) ?? 10)
}

const shown = (value: number): string => Number(value.toPrecision(3)).toLocaleString("en")

/** Where the labels at the ends of the lines stand, none above another. */
const apart = (places: ReadonlyArray<number>): ReadonlyArray<number> => {
  const result = [...places]
  let last = Number.NEGATIVE_INFINITY
  for (const index of [...places.keys()].toSorted((a, b) => (places[a] ?? 0) - (places[b] ?? 0))) {
    last = Math.max(places[index] ?? 0, last + LABEL_HEIGHT)
    result[index] = last
  }
  return result
}

export const chart = ({ lines, title, unit, x }: Picture): string => {
  const measured = lines.map(({ name, y }) => ({
    name,
    points: x.flatMap((value, nth) => (Number.isFinite(y[nth]) ? [[value, y[nth] ?? 0] as const] : []))
  }))
  const values = measured.flatMap(({ points }) => points.map(([, value]) => value))
  const across = scale(x, LEFT, WIDTH - RIGHT)
  const up = scale(values.length === 0 ? [1] : values, HEIGHT - BOTTOM, TOP)
  const grid = up.ticks.map(
    (tick) =>
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${up.at(tick).toFixed(1)}" y2="${up.at(tick).toFixed(1)}"/>` +
      `<text x="${LEFT - 8}" y="${(up.at(tick) + 4).toFixed(1)}" text-anchor="end">${shown(tick)}</text>`
  )
  const feet = x.map(
    (value) =>
      `<text x="${across.at(value).toFixed(1)}" y="${HEIGHT - BOTTOM + 20}" text-anchor="middle">${shown(value)}</text>`
  )
  const ends = apart(measured.map(({ points }) => up.at(points.at(-1)?.[1] ?? 0)))
  const curves = measured.map(({ name, points }, nth) => {
    const places = points.map(([at, value]) => `${across.at(at).toFixed(1)},${up.at(value).toFixed(1)}`)
    const dots = places.map((place) => {
      const [cx, cy] = place.split(",")
      return `<circle class="f${nth}" cx="${cx}" cy="${cy}" r="3"/>`
    })
    return `<polyline class="l${nth}" points="${places.join(" ")}"/>${dots.join("")}<text class="f${nth}" x="${WIDTH - RIGHT + 10}" y="${((ends[nth] ?? 0) + 4).toFixed(1)}">${name}</text>`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="${title}">
  <style>
    text { font: 12px system-ui, sans-serif; fill: #1f2328 }
    .page { fill: #ffffff } .grid { stroke: #d0d7de } polyline { fill: none; stroke-width: 2 }
    .l0 { stroke: #8250df } .f0 { fill: #8250df } .l1 { stroke: #0969da } .f1 { fill: #0969da } .l2 { stroke: #bc4c00 } .f2 { fill: #bc4c00 }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 }
      .page { fill: #0d1117 } .grid { stroke: #30363d }
      .l0 { stroke: #d2a8ff } .f0 { fill: #d2a8ff } .l1 { stroke: #79c0ff } .f1 { fill: #79c0ff } .l2 { stroke: #ffa657 } .f2 { fill: #ffa657 }
    }
  </style>
  <rect class="page" width="${WIDTH}" height="${HEIGHT}"/>
  <text x="${LEFT}" y="22">${title}, ${unit}</text>
  ${[...grid, ...feet, ...curves].join("\n  ")}
</svg>
`
}
