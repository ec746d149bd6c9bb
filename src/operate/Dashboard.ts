/**
 * The dashboard: one page and what it needs, from this package and from the
 * packages of its libraries as they are, for `Control` to serve. Nothing of it
 * is loaded from anywhere else, and every path in it is relative.
 *
 * @since 0.5.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Fs from "node:fs/promises"
import { createRequire } from "node:module"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import type { StaticFile } from "./Control.ts"

/**
 * A file of the page isn't where the package has it.
 *
 * @category errors
 * @since 0.5.0
 */
export class DashboardUnreadable extends Schema.TaggedError<DashboardUnreadable>("mooring/operate/DashboardUnreadable")(
  "DashboardUnreadable",
  { reason: Schema.String }
) {
  override get message(): string {
    return `the dashboard can't be read: ${this.reason}`
  }
}

const PACKAGE = fileURLToPath(new URL("../..", import.meta.url))

/** What is written by hand, what is built of it, and what it says of tags. */
const WRITTEN = Path.join(PACKAGE, "src/operate/page")
const BUILT = Path.join(PACKAGE, "dist/operate/page")
const DOCS = Path.join(PACKAGE, "docs")

/** The files of the libraries, under the names that the page has for them. */
const LIBRARIES = {
  "preact.js": ["preact", ""],
  "uplot.js": ["uplot", "uPlot.esm.js"],
  "uplot.css": ["uplot", "uPlot.min.css"],
  "parse.js": ["eventsource-parser", "parse.js"],
  "errors.js": ["eventsource-parser", "errors.js"],
  "marked.js": ["marked", ""]
} as const

const TYPES: { readonly [extension: string]: string } = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".md": "text/markdown; charset=utf-8"
}

type Entry = readonly [path: string, file: string]

const libraries = (): ReadonlyArray<Entry> => {
  const { resolve } = createRequire(import.meta.url)
  return Object.entries(LIBRARIES).map(([name, [library, beside]]) => {
    const main = resolve(library)
    return [`/page/lib/${name}`, beside === "" ? main : Path.join(Path.dirname(main), beside)]
  })
}

const inFolder = async (folder: string, at: string, extension: string): Promise<ReadonlyArray<Entry>> => {
  const names = await Fs.readdir(folder)
  return names
    .filter((name) => Path.extname(name) === extension)
    .map((name) => [`${at}/${name}`, Path.join(folder, name)])
}

const read = async (): Promise<ReadonlyMap<string, StaticFile>> => {
  const entries: ReadonlyArray<Entry> = [
    ["/", Path.join(WRITTEN, "index.html")],
    ["/docs.html", Path.join(WRITTEN, "docs.html")],
    ["/page.css", Path.join(WRITTEN, "page.css")],
    ["/icon.svg", Path.join(WRITTEN, "icon.svg")],
    ...(await inFolder(BUILT, "/page", ".js")),
    ...(await inFolder(Path.join(BUILT, "view"), "/page/view", ".js")),
    ...(await inFolder(DOCS, "/docs", ".md")),
    ...libraries()
  ]
  const files = await Promise.all(
    entries.map(async ([path, file]): Promise<[string, StaticFile]> => {
      const contentType = TYPES[Path.extname(file)] ?? TYPES[".js"] ?? ""
      return [path, { contentType, bytes: await Fs.readFile(file) }]
    })
  )
  return new Map(files)
}

/**
 * The files of the page, by their path: for the option `files` of `Control`.
 *
 * @category constructors
 * @since 0.5.0
 */
export const files: Effect.Effect<ReadonlyMap<string, StaticFile>, DashboardUnreadable> = Effect.tryPromise({
  try: read,
  catch: (error) => new DashboardUnreadable({ reason: error instanceof Error ? error.message : String(error) })
})
