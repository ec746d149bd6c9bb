/**
 * Values of somebody else's as JSON texts: looked at once, bounded in depth,
 * and from then on nobody's to change.
 */
import { abandon, abandonOne } from "./promises.ts"

/** How deep a value may be nested, so that whoever decodes or shows it later has stack enough. */
export const MOST_DEPTH = 100

const QUOTE = 0x22
const ESCAPE = 0x5c
const OPENING: ReadonlySet<number> = new Set([0x5b, 0x7b])
const CLOSING: ReadonlySet<number> = new Set([0x5d, 0x7d])

/** A value as JSON text; undefined where it isn't a JSON value, or is nested too deeply. */
export const textOf = (value: unknown): string | undefined => {
  try {
    const shown = shownBy(value)
    if (abandonOne(shown)) return undefined
    const text: string | undefined = JSON.stringify(shown)
    if (text === undefined || isTooDeep(text)) return undefined
    // JSON writes a promise as an object without fields.
    return text.includes("{}") && abandon(value) ? undefined : text
  } catch {
    // A cycle, a bigint, a getter that throws, or more levels than there is stack.
    return undefined
  }
}

/** What it says itself that it is as JSON, which nobody could take care of any more once it was written. */
const shownBy = (value: unknown): unknown => {
  if (typeof value !== "object" || value === null || !("toJSON" in value)) return value
  const { toJSON } = value
  if (typeof toJSON !== "function") return value
  const shown: unknown = Reflect.apply(toJSON, value, [""])
  return shown
}

const isTooDeep = (text: string): boolean => {
  // Each level takes two characters.
  if (text.length <= 2 * MOST_DEPTH) return false
  let depth = 0
  let isInText = false
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit === QUOTE) isInText = !isInText
    else if (isInText) index += unit === ESCAPE ? 1 : 0
    else if (OPENING.has(unit) && ++depth > MOST_DEPTH) return true
    else if (CLOSING.has(unit)) depth--
  }
  return false
}
