/**
 * Deadlines over plugin code that may not heed an interruption: the wait ends
 * in time, whatever the code does.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { Parking } from "../../internal/parking.ts"
import { abandonExit } from "../../internal/promises.ts"
import * as HadTime from "../../time/HadTime.ts"

/** Whether a fiber that was interrupted is still running after it had so many milliseconds to end. */
export const outlives = (
  fiber: Fiber.Fiber<unknown, unknown>,
  millis: number,
  time: HadTime.HadTime
): Effect.Effect<boolean> =>
  Effect.as(Fiber.await(fiber), false).pipe(HadTime.within(time, millis, () => Effect.succeed(true)))

/**
 * Runs an effect until it ends, is past its deadline (`late`), or isn't wanted
 * any more (`unwanted`); its fiber if it goes on after it was interrupted.
 * Wakes of `parking` make it ask again whether it is wanted. Where whoever runs
 * it keeps the deadline, that is `Infinity` here.
 */
export const withDeadline = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options: {
    readonly parking: Parking
    readonly time: HadTime.HadTime
    readonly deadlineMs: number
    readonly unstoppableMs: number
    readonly wanted: () => boolean
  }
): Effect.Effect<Exit.Exit<A, E> | "late" | "unwanted" | Fiber.Fiber<A, E>, never, R> =>
  Effect.suspend(() => {
    const { deadlineMs, parking, time, unstoppableMs, wanted } = options
    let isLate = false
    const due = () => {
      isLate = true
      parking.wake()
    }
    const forget = deadlineMs === Infinity ? () => {} : time.after(deadlineMs, due)
    const running = Effect.gen(function* () {
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
        if (isLate || !wanted()) break
        yield* parking.pend
      }
      const end = wanted() ? "late" : "unwanted"
      fiber.interruptUnsafe()
      if (yield* outlives(fiber, unstoppableMs, time)) return fiber
      return end
    })
    return Effect.ensuring(running, Effect.sync(forget))
  })
