/**
 * Logging by whoever isn't the host: a logger may throw, and that is nobody's
 * but its own.
 */
import * as Effect from "effect/Effect"

/** The effect of a logger, which never fails. */
export const written = (logging: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.catchCause(logging, () => Effect.void)
