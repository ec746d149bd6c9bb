/**
 * TOML that people wrote: its value, or why there is none, and where in the
 * text each key stands.
 *
 * What is wrong with it is said without any piece of the text, which may hold a
 * secret. What TOML can say and JSON can't is a text (a date, as RFC 3339
 * writes it) or a problem at its key (a number that no double holds), in place
 * of which a text stands.
 */
import * as Result from "effect/Result"
import * as Toml from "smol-toml"
import { type AST, parseTOML } from "toml-eslint-parser"
import * as Bounded from "../../internal/bounded.ts"
import * as Wire from "../../internal/wire.ts"

/** A text that is TOML. */
export interface Document {
  readonly value: unknown
  /**
   * What is wrong with some of its values and what else was found in it, in the order of the text, each with where it
   * stands: at its key, or, where that is missing, at its table.
   */
  readonly problems: (found?: ReadonlyArray<Wire.Problem>) => ReadonlyArray<Wire.Problem>
  /** What was found in it, likewise. */
  readonly located: <Found extends Wire.Problem>(found: ReadonlyArray<Found>) => ReadonlyArray<Found>
}

interface Position {
  readonly line: number
  readonly column: number
}

/** Reads a text; its failure is what keeps it from being TOML. */
export const parse = (text: string, file: string): Result.Result<Document, Wire.Problem> => {
  try {
    const own = new Map<string, Wire.Problem>()
    const refuse: Refuse = (keys, message) => {
      const path = Wire.formatPath(keys)
      own.set(path, { path, message })
    }
    const value = plain(Toml.parse(withoutMark(text), { integersAsBigInt: "asNeeded" }), [], refuse)
    // They cost as much as the reading, are seldom wanted, and then often.
    let positions: ReadonlyMap<string, Position> | undefined
    const located = <Found extends Wire.Problem>(found: ReadonlyArray<Found>): ReadonlyArray<Found> => {
      if (found.length === 0) return []
      positions ??= positionsOf(withoutMark(text))
      return inOrder(file, found, positions)
    }
    return Result.succeed({
      value,
      // What is said of the text in place of such a value would mislead.
      problems: (found = []) => located(Wire.once([...own.values(), ...found.filter(({ path }) => !own.has(path))])),
      located
    })
  } catch (error) {
    // Whatever else a parser throws at a text (a RangeError at thousands of dots) is the text's fault.
    if (!(error instanceof Toml.TomlError)) return Result.fail({ path: "", message: "Expected TOML", file })
    const { column, line, message } = error
    return Result.fail({ path: "", message: `Expected TOML: ${reasonOf(message)}`, file, line, column })
  }
}

/** The parser's positions are those of an editor, which shows no byte order mark. */
const withoutMark = (text: string): string => (text.startsWith("\ufeff") ? text.slice(1) : text)

/** The first line of the parser's message, which is one of its own; the others quote the text. */
const reasonOf = (message: string): string =>
  /^Invalid TOML document: ([a-z][a-z :,-]*)$/.exec(message.split("\n")[0] ?? "")?.[1] ?? "it is none"

type Refuse = (path: ReadonlyArray<PropertyKey>, message: string) => void

const plain = (value: Toml.TomlValue, path: ReadonlyArray<PropertyKey>, refuse: Refuse): unknown => {
  if (typeof value === "bigint") {
    refuse(path, "Expected a whole number within \u00b1(2^53 \u2212 1): write it as a text")
    return String(value)
  }
  if (typeof value === "number" && !Number.isFinite(value)) {
    refuse(path, "Expected a number that is finite")
    return String(value)
  }
  if (value instanceof Toml.TomlDate) return value.toISOString()
  if (Array.isArray(value)) return value.map((item, index) => plain(item, [...path, index], refuse))
  if (typeof value !== "object") return value
  // Also a key like `__proto__` becomes one of its own.
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item, [...path, key], refuse)]))
}

const inOrder = <Found extends Wire.Problem>(
  file: string,
  found: ReadonlyArray<Found>,
  positions: ReadonlyMap<string, Position>
): ReadonlyArray<Found> =>
  found
    .map((problem) => ({ ...problem, file, ...nearestTo(problem.path, positions) }))
    .toSorted((one, other) => one.line - other.line || one.column - other.column)

const START: Position = { line: 1, column: 1 }

/** The position of a path, or of the nearest table around it. */
const nearestTo = (path: string, positions: ReadonlyMap<string, Position>): Position => {
  for (let end = path.length; end > 0; end = Math.max(path.lastIndexOf(".", end - 1), path.lastIndexOf("[", end - 1))) {
    const position = positions.get(path.slice(0, end))
    if (position !== undefined) return position
  }
  return START
}

/** Where each key path of a text was first written. */
const positionsOf = (text: string): ReadonlyMap<string, Position> => {
  const positions = new Map<string, Position>()
  const put = (path: ReadonlyArray<PropertyKey>, { loc }: AST.HasLocs) => {
    // A path that is longer is no problem's.
    if (path.length > Bounded.MAX_DEPTH) return
    const key = Wire.formatPath(path)
    if (!positions.has(key)) positions.set(key, { line: loc.start.line, column: loc.start.column + 1 })
  }
  const putAll = (path: ReadonlyArray<PropertyKey>, entries: ReadonlyArray<AST.TOMLKeyValue>) => {
    for (const { key, value } of entries) {
      const whole = [...path]
      for (const part of key.keys) {
        whole.push(part.type === "TOMLBare" ? part.name : part.value)
        put(whole, part)
      }
      putContent(whole, value)
    }
  }
  const putContent = (path: ReadonlyArray<PropertyKey>, node: AST.TOMLContentNode) => {
    if (node.type === "TOMLInlineTable") return putAll(path, node.body)
    if (node.type !== "TOMLArray") return
    for (const [index, element] of node.elements.entries()) {
      put([...path, index], element)
      putContent([...path, index], element)
    }
  }
  try {
    for (const node of parseTOML(text, { tomlVersion: "1.1" }).body[0].body) {
      if (node.type === "TOMLKeyValue") {
        putAll([], [node])
        continue
      }
      for (const index of node.resolvedKey.keys()) put(node.resolvedKey.slice(0, index + 1), node.key)
      putAll(node.resolvedKey, node.body)
    }
  } catch {
    // Two parsers may differ about a text; then its problems stand at its start.
  }
  return positions
}
