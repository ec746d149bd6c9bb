/** Counts the fibers that run, so that a test can say that none is left. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

/** How many fibers that were started within the effect are running at the moment. */
export const counted = <A, E, R>(within: (running: () => number) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    let running = 0
    return Effect.provideService(
      within(() => running),
      Metric.FiberRuntimeMetrics,
      {
        recordFiberStart: () => {
          running++
        },
        recordFiberEnd: () => {
          running--
        }
      }
    )
  })
