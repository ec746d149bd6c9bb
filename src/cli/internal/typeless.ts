/**
 * TypeScript without its types, by Node's own eraser, which puts spaces in
 * their place: whatever is left stands where it stood. What means more than a
 * type (an enum, a namespace, a parameter property) can't be erased.
 */
import * as Result from "effect/Result"
import * as Module from "node:module"
import { widthOf } from "./cells.ts"

/** Why a text has no form without types, and where; lines and columns count from 1. */
export interface Refusal {
  readonly line: number
  readonly column: number
  readonly message: string
}

/** The text without its types. */
export const typeless = (text: string): Result.Result<string, Refusal> => {
  try {
    return Result.succeed(Module.stripTypeScriptTypes(text, { mode: "strip" }))
  } catch (error) {
    const { message = "", stack = "" } = error instanceof Error ? error : {}
    return Result.fail({ ...positionIn(text, stack), message: message.split("\n")[0] ?? "" })
  }
}

/** Whether a warning of Node's is the one that it gives of its eraser. */
export const isOfEraser = ({ message, name }: Error): boolean =>
  name === "ExperimentalWarning" && message.startsWith("stripTypeScriptTypes ")

const NUMBERED = /^(?:.*):(\d+)$/
const MARKS = /^ *\^+$/
const BEGINNING = "  > "
// A part of several lines is shown without its first column.
const ERASED_LATE = /\b(?:enum|namespace|module)\b/

/**
 * Node tells the position by the first lines of the stack alone: the number of the line, that line, perhaps after the
 * one before it, and marks below what is meant, or a mark before each line that it begins and ends in.
 */
const positionIn = (text: string, stack: string): Omit<Refusal, "message"> => {
  const shown = stack.split("\n")
  const line = Number(NUMBERED.exec(shown[0] ?? "")?.[1] ?? 1)
  const source = text.split(/\r\n|[\n\r\u2028\u2029]/)[line - 1] ?? ""
  const marks = shown.slice(1, 4).findIndex((each, index) => index > 0 && MARKS.test(each)) + 1
  if (marks > 0) return { line, column: columnAt(source, (shown[marks] ?? "").indexOf("^")) }
  const isLong = shown.slice(1, 4).some((each) => each.startsWith(BEGINNING))
  // What is missing at the end is shown by no mark.
  if (!isLong) return { line, column: source.trimEnd().length + 1 }
  const found = source.search(ERASED_LATE)
  return { line, column: Math.max(0, found < 0 ? source.search(/\S/) : found) + 1 }
}

const TAB_WIDTH = 4

/** The column, in UTF-16 units, of what is shown behind so many cells. */
const columnAt = (source: string, cells: number): number => {
  let taken = 0
  let column = 1
  for (const character of source) {
    if (taken >= cells) break
    taken += character === "\t" ? TAB_WIDTH : widthOf(character)
    column += character.length
  }
  return column
}
