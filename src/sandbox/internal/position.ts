/**
 * Where in a plugin's code something went wrong: the first position in its own
 * file that a stack names, in the source where there is a usable source map.
 * Both are the plugin's own words.
 */
import { originalPositionFor, TraceMap } from "@jridgewell/trace-mapping"

/** A larger map is ignored: reading it would take its neighbours' time. */
const MOST_MAP_LENGTH = 4_194_304

export class Positions {
  readonly #file: string
  #map: string | undefined
  #traced: TraceMap | undefined = undefined

  constructor(file: string, map: string | undefined) {
    this.#file = file
    this.#map = map !== undefined && map.length <= MOST_MAP_LENGTH ? map : undefined
  }

  /** The position that a stack names; undefined where it names none. */
  of(stack: string): string | undefined {
    const found = this.#inStack(stack)
    if (found === undefined) return undefined
    return this.#original(found.line, found.column) ?? `${this.#file}:${found.line}:${found.column}`
  }

  #inStack(stack: string): { readonly line: number; readonly column: number } | undefined {
    const before = `${this.#file}:`
    for (const text of stack.split("\n")) {
      const at = text.lastIndexOf(before)
      if (at < 0 || !/^\s+at (?:.* \()?$/.test(text.slice(0, at))) continue
      const [, line, column] = /^(\d{1,9}):(\d{1,9})\)?$/.exec(text.slice(at + before.length)) ?? []
      if (line !== undefined && column !== undefined) return { line: Number(line), column: Number(column) }
    }
    return undefined
  }

  #original(line: number, column: number): string | undefined {
    const traced = this.#read()
    if (traced === undefined) return undefined
    try {
      const original = originalPositionFor(traced, { line, column: column - 1 })
      if (original.source === null) return undefined
      return `${original.source.replace(/^.*[\\/]/, "")}:${original.line}:${original.column + 1}`
    } catch {
      return undefined
    }
  }

  /** The map, read when it is needed first. */
  #read(): TraceMap | undefined {
    const map = this.#map
    this.#map = undefined
    if (map === undefined) return this.#traced
    try {
      this.#traced = new TraceMap(map)
    } catch {
      // A broken map is as good as none.
    }
    return this.#traced
  }
}
