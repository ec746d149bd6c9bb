/**
 * Draws docs/images/demo.svg: what a terminal shows of `mooring demo` after ten
 * seconds, in colours for light and for dark pages. `npm run picture`.
 */
import { spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { terminal, type Cell } from "../cli/support/terminal.ts"

const COLUMNS = 104
const BIN = fileURLToPath(new URL("../../dist/cli/bin.cjs", import.meta.url))
const TARGET = fileURLToPath(new URL("../../docs/images/demo.svg", import.meta.url))

const { CI: _ci, NO_COLOR: _no, ...environment } = process.env
const recorded = spawnSync(
  "script",
  // It is ended from outside, so that the last frame but one is of plugins that run.
  ["-qefc", `stty rows 24 cols ${COLUMNS}; "$NODE" "$BIN" demo --for 10s`, "/dev/null"],
  { env: { ...environment, TERM: "xterm-256color", NODE: process.execPath, BIN }, encoding: "utf8", input: "" }
)

/** The frame before the last: the last one is of plugins that have stopped. */
const running = recorded.stdout.slice(0, recorded.stdout.lastIndexOf("\u001b[J\u001b["))
const screen = terminal(COLUMNS)
screen.write(`${running}\u001b[J`)

const CLASSES: ReadonlyMap<number, string> = new Map([
  [1, "b"],
  [2, "d"],
  [31, "r"],
  [32, "g"],
  [33, "y"]
])

const escaped = (text: string) => text.replace(/[&<>]/g, (found) => `&#${found.charCodeAt(0)};`)

interface Piece {
  readonly text: string
  readonly style: number
  readonly column: number
}

/** What stands together in one style: a viewer may take two spaces for one, so each piece has its own place. */
const pieces = (cells: ReadonlyArray<Cell>): ReadonlyArray<Piece> => {
  const line = cells.map(({ character }) => character).join("")
  const found: Array<Piece> = []
  for (const { 0: words, index } of line.matchAll(/\S+(?: \S+)*/g)) {
    let from = index
    for (let at = index; at <= index + words.length; at++) {
      const style = cells[from]?.style ?? 0
      if (at < index + words.length && cells[at]?.style === style) continue
      found.push({ text: line.slice(from, at).trim(), style, column: from })
      from = at
    }
  }
  return found.filter(({ text }) => text !== "")
}

const CHARACTER = 7.82
const LINE = 18
const MARGIN = 16

const cells = screen.cells()
const [width, height] = [Math.ceil(COLUMNS * CHARACTER) + 2 * MARGIN, cells.length * LINE + 2 * MARGIN]

const lines = cells.map((row, index) => {
  const y = MARGIN + LINE * index + 13
  const spans = pieces(row).map(({ column, style, text }) => {
    const name = CLASSES.get(style)
    const at = `x="${(MARGIN + column * CHARACTER).toFixed(1)}" textLength="${(text.length * CHARACTER).toFixed(1)}"`
    return `<tspan ${at}${name === undefined ? "" : ` class="${name}"`}>${escaped(text)}</tspan>`
  })
  return `  <text y="${y}">${spans.join("")}</text>`
})

writeFileSync(
  TARGET,
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="mooring demo at a terminal">
  <style>
    rect { fill: #f6f8fa; stroke: #d0d7de }
    text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #1f2328 }
    .b { font-weight: bold } .d { fill: #59636e } .r { fill: #c0202c } .g { fill: #0b6b2b } .y { fill: #8a5a00 }
    @media (prefers-color-scheme: dark) {
      rect { fill: #0d1117; stroke: #30363d }
      text { fill: #e6edf3 }
      .d { fill: #9198a1 } .r { fill: #ff7b72 } .g { fill: #56d364 } .y { fill: #e3b341 }
    }
  </style>
  <rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="6"/>
${lines.join("\n")}
</svg>
`
)
