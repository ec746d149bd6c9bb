/**
 * Deadlines over plugin code that may not heed an interruption: the wait ends
 * in time, whatever the code does.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { Parking } from "../../internal/parking.ts"
import { abandonExit } from "../../internal/promises.ts"

// A thread that was blocked, or a process that was stopped, for longer than this has used up no more of a fiber's time.
const SLICE_MS = 500

/** Whether a fiber that was interrupted is still running after it had so many milliseconds to end. */
export const outlives = (fiber: Fiber.Fiber<unknown, unknown>, millis: number): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    for (let left = millis; left > 0 && fiber.pollUnsafe() === undefined; left -= SLICE_MS) {
      yield* Effect.timeoutOption(Fiber.await(fiber), Math.min(left, SLICE_MS))
    }
    return fiber.pollUnsafe() === undefined
  })

/**
 * Runs an effect until it ends, is past its deadline (`late`), or isn't wanted
 * any more (`unwanted`); its fiber if it goes on after it was interrupted.
 * Wakes of `parking` make it ask again whether it is wanted.
 */
export const withDeadline = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options: {
    readonly parking: Parking
    readonly monotonic: () => number
    readonly deadlineMs: number
    readonly unstoppableMs: number
    readonly wanted: () => boolean
  }
): Effect.Effect<Exit.Exit<A, E> | "late" | "unwanted" | Fiber.Fiber<A, E>, never, R> =>
  Effect.gen(function* () {
    const { monotonic, parking, wanted } = options
    const deadline = monotonic() + options.deadlineMs
    const fiber = yield* Effect.forkDetach(effect)
    fiber.addObserver((exit) => {
      // At once: in the next turn it would be too late to take care of it.
      if (Exit.isFailure(exit)) abandonExit(exit)
      parking.wake()
    })
    while (true) {
      parking.look()
      const exit = fiber.pollUnsafe()
      if (exit !== undefined) return exit
      const left = Math.ceil(deadline - monotonic())
      if (left <= 0 || !wanted()) break
      yield* parking.pend(left)
    }
    const end = wanted() ? "late" : "unwanted"
    fiber.interruptUnsafe()
    if (yield* outlives(fiber, options.unstoppableMs)) return fiber
    return end
  })
