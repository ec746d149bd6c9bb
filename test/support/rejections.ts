/** The rejections that nobody takes care of: each of them would end the process. */
import * as Effect from "effect/Effect"

/** Those of while an effect ran. */
export const unhandled = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<ReadonlyArray<unknown>, E, R> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const seen: Array<unknown> = []
      const before = process.listeners("unhandledRejection")
      process.removeAllListeners("unhandledRejection")
      process.on("unhandledRejection", (reason) => void seen.push(reason))
      return { before, seen }
    }),
    ({ seen }) =>
      Effect.gen(function* () {
        yield* effect
        // They are told after all microtasks of a turn.
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(() => setImmediate(resolve))))
        return seen
      }),
    ({ before }) =>
      Effect.sync(() => {
        process.removeAllListeners("unhandledRejection")
        for (const listener of before) process.on("unhandledRejection", listener)
      })
  )
