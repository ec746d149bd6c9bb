/**
 * Where an error of a plugin's own code came from: its stack for the
 * developer's log, and the first places in the plugin's own files for its
 * diagnostic. What was thrown may be anything, also what can't be looked at.
 *
 * @since 0.2.0
 */

/** How much of a stack is logged, and how much is looked at for places. */
const MAX_STACK = 4096
const MAX_FRAMES = 3

// Line ends and tabs are the form of a stack; other controls could play with a terminal.
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** The folder of this package's own code. */
const OWN = new URL("..", import.meta.url).href.replace(/^file:\/\//, "")

const isElsewhere = (place: string): boolean =>
  place.startsWith("node:") || /\/node_modules\/@?effect\//.test(place) || place.replace("file://", "").startsWith(OWN)

/**
 * The stack of what was thrown; of what has none, what it is if that is a text
 * or a number.
 *
 * @category getters
 * @since 0.2.0
 */
export const of = (thrown: unknown): string | undefined => {
  try {
    if (typeof thrown === "object" && thrown !== null) {
      const stack: unknown = thrown instanceof Error ? thrown.stack : undefined
      return typeof stack === "string" && stack !== "" ? clean(stack) : undefined
    }
    return thrown === undefined || thrown === null || typeof thrown === "function" ? undefined : clean(String(thrown))
  } catch {
    return undefined
  }
}

/**
 * The first places of an error's stack that are neither in this package nor in
 * Node or Effect: `handler (echo.ts:12:9)`. The file's name without its folder,
 * which says more about the machine than about the error.
 *
 * @category getters
 * @since 0.2.0
 */
export const frames = (thrown: unknown): ReadonlyArray<string> => {
  const stack = typeof thrown === "object" ? of(thrown) : undefined
  if (stack === undefined) return []
  return stack.split("\n").flatMap(frame).slice(0, MAX_FRAMES)
}

/** `at name (place:line:column)`, or without the name. */
const frame = (line: string): ReadonlyArray<string> => {
  const [, name, inner, outer] = /^\s*at (?:(.+) \((.+:\d+:\d+)\)|(\S.*:\d+:\d+))$/.exec(line) ?? []
  const place = inner ?? outer?.replace(/^async /, "")
  if (place === undefined || isElsewhere(place)) return []
  const file = place.split(/[/\\]/).at(-1) ?? place
  return [name === undefined ? file : `${name} (${file})`]
}

const clean = (text: string): string => text.slice(0, MAX_STACK).replace(CONTROLS, "\u{fffd}")
