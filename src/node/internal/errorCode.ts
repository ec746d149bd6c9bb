/**
 * The code of what Node's own modules throw or hand to callbacks.
 */
import * as Predicate from "effect/Predicate"

export const UNKNOWN = "EUNKNOWN"

export const codeOf = (error: unknown): string =>
  Predicate.hasProperty(error, "code") && Predicate.isString(error.code) ? error.code : UNKNOWN
