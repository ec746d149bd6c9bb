/** Reads the documentation as the tests see it: files, code blocks, headings, links, tables. */
import { existsSync, globSync, readFileSync } from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"

export const ROOT = fileURLToPath(new URL("../..", import.meta.url))

export const read = (file: string): string => readFileSync(path.join(ROOT, file), "utf8")

/** The documents, by their paths from the root. */
export const documents: ReadonlyArray<string> = [
  "README.md",
  "CHANGELOG.md",
  ...globSync("docs/**/*.md", { cwd: ROOT }).toSorted()
]

/** A fenced code block: the words behind the fence, where it begins, and its text. */
export interface Block {
  readonly file: string
  readonly line: number
  readonly language: string
  readonly words: ReadonlyArray<string>
  readonly text: string
}

/** The code blocks of a Markdown text; `firstLine` is where the text begins in its file. */
export const blocksOf = (file: string, text: string, firstLine = 1): ReadonlyArray<Block> => {
  const blocks: Array<Block> = []
  let open: { readonly line: number; readonly info: string; readonly lines: Array<string> } | undefined
  for (const [index, line] of text.split("\n").entries()) {
    if (open === undefined) {
      const info = /^```(\S.*)?$/.exec(line)
      if (info !== null) open = { line: firstLine + index, info: info[1] ?? "", lines: [] }
    } else if (line === "```") {
      const [language = "", ...words] = open.info.split(/\s+/)
      blocks.push({ file, line: open.line, language, words, text: `${open.lines.join("\n")}\n` })
      open = undefined
    } else {
      open.lines.push(line)
    }
  }
  if (open !== undefined) throw new Error(`${file}:${open.line}: the code block has no end`)
  return blocks
}

/** The code blocks in the JSDoc comments of a source file. */
export const jsdocBlocksOf = (file: string, text: string): ReadonlyArray<Block> =>
  [...text.matchAll(/^[ \t]*\/\*\*[ \t]*\n([\s\S]*?)^[ \t]*\*\//gm)].flatMap((comment) => {
    const firstLine = text.slice(0, comment.index).split("\n").length + 1
    const lines = (comment[1] ?? "").split("\n").map((line) => line.replace(/^[ \t]*\* ?/, ""))
    return blocksOf(file, lines.join("\n"), firstLine)
  })

/** A text without its code blocks, so that nothing in them is taken for a link or a heading. */
export const withoutCode = (text: string): string => text.replace(/^```[\s\S]*?^```$/gm, "")

export interface Heading {
  readonly level: number
  readonly text: string
}

export const headingsOf = (text: string): ReadonlyArray<Heading> =>
  [...withoutCode(text).matchAll(/^(#{1,6}) (.+)$/gm)].map(([, marks = "", title = ""]) => ({
    level: marks.length,
    text: title.trim()
  }))

/** The anchors of a document, as GitHub makes them. */
export const anchorsOf = (text: string): ReadonlySet<string> => {
  const seen = new Map<string, number>()
  return new Set(
    headingsOf(text).map((heading) => {
      const slug = heading.text
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, "")
        .replaceAll(/\s/g, "-")
      const before = seen.get(slug) ?? 0
      seen.set(slug, before + 1)
      return before === 0 ? slug : `${slug}-${before}`
    })
  )
}

const cellsOf = (line: string): ReadonlyArray<string> =>
  line
    .slice(1, -1)
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll("`", "").replaceAll("\\|", "|"))

/** The rows of the tables whose first heading is this, cell by cell, without the back quotes of code. */
export const rowsOf = (text: string, firstHeading: string): ReadonlyArray<ReadonlyArray<string>> => {
  const rows: Array<ReadonlyArray<string>> = []
  let inTable = false
  for (const line of withoutCode(text).split("\n")) {
    if (!line.startsWith("|")) inTable = false
    else if (!inTable && cellsOf(line)[0] === firstHeading) inTable = true
    else if (inTable && !/^\|[-: |]+\|$/.test(line)) rows.push(cellsOf(line))
  }
  return rows
}

export interface Link {
  readonly file: string
  readonly target: string
}

export const linksOf = (file: string): ReadonlyArray<Link> =>
  [...withoutCode(read(file)).matchAll(/\[[^\]]*\]\(([^)\s]+)\)/g)].map(([, target = ""]) => ({ file, target }))

/** Why a relative link leads nowhere; `undefined` where it leads somewhere. */
export const problemOf = ({ file, target }: Link): string | undefined => {
  const [to = "", anchor] = target.split("#")
  const linked = to === "" ? file : path.join(path.dirname(file), to)
  if (linked.startsWith("..")) return "it leads out of the repository"
  if (!existsSync(path.join(ROOT, linked))) return "there is no such file"
  if (anchor === undefined) return undefined
  if (!linked.endsWith(".md")) return "only documents have anchors"
  return anchorsOf(read(linked)).has(anchor) ? undefined : "there is no such heading"
}
