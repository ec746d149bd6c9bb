/**
 * Runs one effect after the other by an effect that is made once and kept: made
 * for each of them, its parts took half as long as a handler's `Effect.sync`.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

/** Makes interruptible what runs where nothing else is. */
export type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

export interface Options {
  readonly restore: Restore
  /** What is to run now. */
  readonly effect: () => Effect.Effect<unknown, unknown>
  readonly ended: (exit: Exit.Exit<unknown, unknown>) => void
  readonly next: Effect.Effect<void>
}

/** Runs what is to run, tells how it ended, and goes on with what is next. */
export const make = ({ effect, ended, next, restore }: Options): Effect.Effect<void> => {
  const checked = Effect.andThen(restore(Effect.void), next)
  return Effect.matchCauseEffect(restore(Effect.suspend(effect)), {
    onSuccess: (value) => {
      ended(value === undefined ? Exit.void : Exit.succeed(value))
      return next
    },
    onFailure: (cause) => {
      ended(Exit.failCause(cause))
      // Where its own fiber was interrupted it ends here, before it takes another event.
      return Cause.hasInterrupts(cause) ? checked : next
    }
  })
}
