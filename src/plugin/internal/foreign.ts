/**
 * What a plugin failed with or died of, as a JSON value that says as much as
 * its author wants to know of it: its tag, name, message and fields, what
 * caused it, and where in the plugin's own files it came from. Bounded, and
 * made without trusting anything in it; masked by whoever shows it.
 */
import type * as Schema from "effect/Schema"
import { READ_TEXT } from "../../diagnostics/Redaction.ts"
import { abandonOne } from "../../internal/promises.ts"

const MOST_DEPTH = 5
const MOST_FIELDS = 32
/** How much of a stack is searched, and how long a line of it may be. */
const MOST_STACK = 16_384
const MOST_LINE = 1024
const MOST_FRAMES = 3

/** Describes a value that somebody failed with or threw. */
export const describe = (cause: unknown): Schema.Json => valueOf(cause, 0)

const valueOf = (value: unknown, depth: number): Schema.Json => {
  switch (typeof value) {
    case "string":
      return value.slice(0, READ_TEXT)
    case "boolean":
      return value
    case "number":
      return Number.isFinite(value) ? value : String(value)
    case "object":
      return value === null ? null : (attempt(() => objectOf(value, depth)) ?? "what can't be read")
    case "undefined":
    case "function":
      return typeof value
    default:
      return String(value).slice(0, READ_TEXT)
  }
}

const objectOf = (value: object, depth: number): Schema.Json => {
  if (depth >= MOST_DEPTH) return "\u{2026}"
  if (abandonOne(value)) return "a promise"
  if (isError(value)) return errorOf(value, depth)
  if (Array.isArray(value)) return value.slice(0, MOST_FIELDS).map((item: unknown) => valueOf(item, depth + 1))
  // What knows how it is to be shown, as a secret that is never to be.
  if ("toJSON" in value && typeof value.toJSON === "function") return valueOf(value.toJSON(), depth + 1)
  return fieldsOf(value, depth)
}

/** Also one of another realm, which is no instance of ours. */
const isError = (value: object): value is Error =>
  value instanceof Error || Object.prototype.toString.call(value) === "[object Error]"

const errorOf = (error: Error, depth: number): Schema.Json => {
  const { cause: _, ...fields } = fieldsOf(error, depth)
  const cause = attempt(() => error.cause)
  const frames = framesOf(attempt(() => error.stack))
  return {
    name: textOf(() => error.name),
    message: textOf(() => error.message),
    ...fields,
    ...(cause === undefined ? {} : { cause: valueOf(cause, depth + 1) }),
    ...(frames.length === 0 ? {} : { frames })
  }
}

/** The fields that are there without running anything. */
const fieldsOf = (value: object, depth: number): { readonly [key: string]: Schema.Json } =>
  Object.fromEntries(
    Object.entries(Object.getOwnPropertyDescriptors(value))
      .filter(([, { enumerable, value: field }]) => enumerable === true && field !== undefined)
      .slice(0, MOST_FIELDS)
      .map(([key, { value: field }]: [string, PropertyDescriptor]) => [key, valueOf(field, depth + 1)])
  )

/** What a look at something of others shows; undefined where it throws. */
export const attempt = <A>(look: () => A): A | undefined => {
  try {
    return look()
  } catch {
    return undefined
  }
}

const textOf = (look: () => unknown): string => {
  const text = attempt(look)
  return typeof text === "string" ? text.slice(0, READ_TEXT) : ""
}

const FRAME = /^\s+at (?:async )?(?:(.*?) \()?(?:file:\/\/)?(\/.+|[A-Za-z]:[\\/].+?):(\d+:\d+)\)?$/

/** The first frames in files that are neither ours, nor a library's, nor the engine's: base name and position. */
const framesOf = (stack: unknown): ReadonlyArray<string> => {
  if (typeof stack !== "string") return []
  const frames: Array<string> = []
  for (const line of stack.slice(0, MOST_STACK).split("\n")) {
    if (line.length > MOST_LINE) continue
    const [, name, file = "", position = ""] = FRAME.exec(line) ?? []
    if (file === "" || isOfOthers(file)) continue
    const place = `${file.replace(/^.*[\\/]/, "")}:${position}`
    frames.push(name === undefined ? place : `${name} (${place})`)
    if (frames.length === MOST_FRAMES) return frames
  }
  return frames
}

const decoded = (path: string): string => attempt(() => decodeURI(path)) ?? path

/** The folder that has all of our files; undefined where somebody bundled them with others. */
const OURS = /^file:\/\/(\/.*\/)plugin\/internal\/foreign\.[jt]s$/.exec(import.meta.url)?.[1]

const isOfOthers = (file: string): boolean =>
  /[\\/]node_modules[\\/]/.test(file) || (OURS !== undefined && decoded(file).startsWith(decoded(OURS)))
