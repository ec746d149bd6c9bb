/**
 * Writes what was measured into `docs/benchmarks.md`, between the marks that
 * keep it apart from what people have written there, and the pictures beside it.
 */
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { counted, type Row, type Section } from "./cells.ts"
import { chart } from "./chart.ts"

const DOCS = fileURLToPath(new URL("../../docs", import.meta.url))
const PAGE = Path.join(DOCS, "benchmarks.md")
const MARKS = ["<!-- measured: begin -->", "<!-- measured: end -->"] as const

const verdict = ({ isReached, judged, own, target }: Row): string => {
  if (isReached === undefined) return ""
  if (`${own}${judged}`.includes("?")) return `${target}: **not measured**`
  return `${target}: ${isReached ? "yes" : "**no**"}`
}

const line = (cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |`.replaceAll("|  |", "| |")

const HEAD = ["what", "mooring", "peer", "ratio", "target"]

const table = (rows: ReadonlyArray<Row>): string =>
  [
    line(HEAD),
    `|${HEAD.map(() => "---").join("|")}|`,
    ...rows.map((row) => line([row.what, row.own, row.peer, row.judged, verdict(row)]))
  ].join("\n")

const sectionText = ({ about, pictures = [], rows, title }: Section): string => {
  const images = pictures.map(({ file, title: alt }) => `![${alt}](images/${file})`)
  return [`### ${title}`, about, table(rows), ...images].join("\n\n")
}

/** The libraries that are compared. */
export const PEERS = ["ws", "effect", "@effect/platform-node", "p-queue", "partysocket"]

export const versionOf = (name: string): string | undefined => {
  const file = fileURLToPath(new URL(`../../node_modules/${name}/package.json`, import.meta.url))
  if (!Fs.existsSync(file)) return undefined
  const { version } = JSON.parse(Fs.readFileSync(file, "utf8")) as { readonly version: string }
  return version
}

const commit = (): string => {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: DOCS, encoding: "utf8" }).trim()
  } catch {
    return "unknown"
  }
}

export interface Made {
  readonly command: string
  readonly rounds: number
  readonly minutes: number
  /** Of the machine before the first round: processes that wanted a core. */
  readonly loadBefore: number
}

const conditions = ({ command, loadBefore, minutes, rounds }: Made): string => {
  const { model = "unknown processor" } = Os.cpus()[0] ?? {}
  const versions = PEERS.map((name) => `${name} ${versionOf(name) ?? "not installed"}`)
  return [
    `\`${command}\` on ${new Date().toISOString().slice(0, 10)}, commit ${commit()}, ${minutes.toFixed(1)} minutes:`,
    `${counted(rounds, "round")} on ${Os.availableParallelism()} cores (${model.replaceAll(/\s+/g, " ").trim()}, ${Math.round(Os.totalmem() / 2 ** 30)} GiB, ${Os.platform()} ${Os.arch()}, load ${loadBefore.toFixed(1)} before it began),`,
    `Node ${process.versions.node}, ${versions.join(", ")}.`
  ].join(" ")
}

const READING =
  "A figure is the median of the rounds, with the least and the most in brackets; a ratio is the median of the ratios of each round, and it is what a target judges where there is one. CPU is that of the whole process, collector and compiler included; the wall time stands beside it."

/** The page with what was measured in the place of what was measured before. */
export const replaced = (page: string, measured: string): string => {
  const [begin, end] = MARKS.map((mark) => page.indexOf(mark))
  if (begin === undefined || end === undefined || begin < 0 || end < begin) {
    throw new Error(`docs/benchmarks.md has no place for what is measured: ${MARKS.join(" … ")}`)
  }
  return `${page.slice(0, begin)}${MARKS[0]}\n\n${measured}\n\n${page.slice(end)}`
}

export const write = (sections: ReadonlyArray<Section>, made: Made): void => {
  const targets = sections.flatMap(({ rows }) => rows).filter(({ isReached }) => isReached !== undefined)
  const missed = targets.filter(({ isReached }) => isReached === false).length
  const count = `${targets.length - missed} of ${targets.length} targets were reached.`
  const text = ["## The figures", conditions(made), `${READING} ${count}`, ...sections.map(sectionText)].join("\n\n")
  Fs.writeFileSync(PAGE, replaced(Fs.readFileSync(PAGE, "utf8"), text))
  for (const picture of sections.flatMap(({ pictures = [] }) => pictures)) {
    Fs.writeFileSync(Path.join(DOCS, "images", picture.file), chart(picture))
  }
}

/** The section as a terminal shows it. */
export const asText = ({ rows, title }: Section): string => {
  const cells = rows.map((row) => [row.what, row.own, row.peer, row.judged, verdict(row).replaceAll("*", "")])
  const widths = [0, 1, 2, 3, 4].map((nth) => Math.max(...cells.map((row) => row[nth]?.length ?? 0)))
  const padded = (row: ReadonlyArray<string>) =>
    row
      .map((cell, nth) => cell.padEnd(widths[nth] ?? 0))
      .join("  ")
      .trimEnd()
  return [`\n${title}`, ...cells.map((row) => `  ${padded(row)}`)].join("\n")
}
