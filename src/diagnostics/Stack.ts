/**
 * The stack of what plugin code threw, for its developer's log. That may be
 * anything, also what can't be looked at.
 *
 * @since 0.2.0
 */

/** How much of a stack is logged. */
const MAX_STACK = 4096

// Line ends and tabs are the form of a stack; other controls could play with a terminal.
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/**
 * The stack of what was thrown; of what has none, what it is if that is a text
 * or a number.
 *
 * @category getters
 * @since 0.2.0
 */
export const of = (thrown: unknown): string | undefined => {
  try {
    const said = typeof thrown === "object" ? stackOf(thrown) : typeof thrown === "function" ? undefined : thrown
    return said === undefined ? undefined : String(said).slice(0, MAX_STACK).replace(CONTROLS, "\u{fffd}")
  } catch {
    return undefined
  }
}

const stackOf = (thrown: object | null): string | undefined => {
  const stack: unknown = thrown instanceof Error ? thrown.stack : undefined
  return typeof stack === "string" && stack !== "" ? stack : undefined
}
