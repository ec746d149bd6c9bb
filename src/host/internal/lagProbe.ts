/**
 * How late the event loop is: by how much a sleep took longer than it should
 * have, measured once a second.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

const INTERVAL_MS = 1000

/** The last measured lag in milliseconds. */
export const lagProbe = (clock: Clock.Clock): Effect.Effect<() => number, never, Scope.Scope> =>
  Effect.gen(function* () {
    let lag = 0
    const measure = Effect.gen(function* () {
      const before = clock.monotonicTimeNanosUnsafe()
      yield* Effect.sleep(INTERVAL_MS)
      const elapsed = Number(clock.monotonicTimeNanosUnsafe() - before) / 1e6
      lag = Math.max(0, Math.round((elapsed - INTERVAL_MS) * 100) / 100)
    })
    yield* Effect.forkScoped(Effect.forever(measure))
    return () => lag
  })
