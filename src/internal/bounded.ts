/**
 * A copy of a value that somebody wrote, made before anything is decided about
 * it: bounded in depth and size, so that whatever walks through it later ends
 * and needs no more stack than there is, and nobody else's to change, so that
 * what was checked is what is used.
 *
 * Only arrays and plain objects are copied; what else there may be (a date, an
 * instance of a class) is for a schema to judge.
 */
import * as Result from "effect/Result"

/** How deeply values may be nested, the outermost one included. */
export const MAX_DEPTH = 128

/** How many values there may be, nested ones included. */
export const MAX_VALUES = 262_144

/** How long all texts and keys together may be, in UTF-16 code units. */
export const MAX_CHARACTERS = 16_777_216

/** Why a value is refused; `key` is the outermost key under which it is too deep, where there is one. */
export interface Refusal {
  readonly key: string | undefined
  readonly expected: string
}

const SIZE = `at most ${MAX_VALUES} values and ${MAX_CHARACTERS} characters`

/** Copies a value. A key whose value is `undefined` is one that isn't there. */
export const copy = (value: unknown): Result.Result<unknown, Refusal> => {
  let values = 0
  let characters = 0
  let refusal: Refusal | undefined

  const refuse = (key: string | undefined, expected: string) => {
    refusal ??= { key, expected }
    return undefined
  }

  const copied = (item: unknown, depth: number, key: string | undefined): unknown => {
    if (refusal !== undefined) return undefined
    if (typeof item === "string") characters += item.length
    if (++values > MAX_VALUES || characters > MAX_CHARACTERS) return refuse(undefined, SIZE)
    if (Array.isArray(item)) {
      if (depth > MAX_DEPTH) return refuse(key, `a value that is nested at most ${MAX_DEPTH} deep`)
      if (item.length > MAX_VALUES) return refuse(undefined, SIZE)
      return Array.from(item, (each: unknown) => copied(each, depth + 1, key))
    }
    if (!isPlain(item)) return item
    if (depth > MAX_DEPTH) return refuse(key, `a value that is nested at most ${MAX_DEPTH} deep`)
    const entries: Array<[string, unknown]> = []
    for (const [name, each] of Object.entries(item)) {
      characters += name.length
      if (each !== undefined) entries.push([name, copied(each, depth + 1, key ?? name)])
    }
    // Also a key like `__proto__` becomes one of its own.
    return Object.fromEntries(entries)
  }

  const whole = copied(value, 1, undefined)
  return refusal === undefined ? Result.succeed(whole) : Result.fail(refusal)
}

/** An object as a literal or a parser makes it, of whichever realm. */
const isPlain = (value: unknown): value is object => {
  if (typeof value !== "object" || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/** Freezes a value and everything in it, for as deep as a {@link copy} may be. */
export const freeze = <A>(value: A): A => {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const item of Object.values(value)) freeze(item)
  }
  return value
}
