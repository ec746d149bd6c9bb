/**
 * Deadlines over plugin code that may not heed an interruption: the wait ends
 * in time, whatever the code does.
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type { Parking } from "../../internal/parking.ts"

/** Whether a fiber that was interrupted is still running after so many milliseconds. */
export const outlives = (fiber: Fiber.Fiber<unknown, unknown>, millis: number): Effect.Effect<boolean> =>
  fiber.pollUnsafe() !== undefined
    ? Effect.succeed(false)
    : Effect.map(Effect.timeoutOption(Fiber.await(fiber), millis), Option.isNone)

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
    fiber.addObserver(() => parking.wake())
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
