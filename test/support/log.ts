/** A logger that keeps what is logged. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as References from "effect/References"

export interface Line {
  readonly level: string
  readonly message: string
  /** The cause that was logged with it, as Effect shows it; "" for none. */
  readonly cause: string
  readonly annotations: { readonly [name: string]: unknown }
}

/** What was logged within `logged`, and by which fibers. `before` may throw, as a logger might. */
export const capture = (before: (nth: number) => void = () => {}) => {
  const lines: Array<Line> = []
  const fibers = new Set<number>()
  let nth = 0
  const logger = Logger.make<unknown, void>(({ cause, fiber, logLevel, message }) => {
    before(nth++)
    fibers.add(fiber.id)
    lines.push({
      level: logLevel,
      message: (Array.isArray(message) ? message : [message]).map(String).join(" "),
      cause: cause.reasons.length === 0 ? "" : Cause.pretty(cause),
      annotations: fiber.getRef(References.CurrentLogAnnotations)
    })
  })
  return { lines, fibers, logged: Effect.provide(Logger.layer([logger])) }
}
