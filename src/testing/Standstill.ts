/**
 * A process that stands still: a thread that is blocked, a process that is
 * stopped, a machine that is suspended. Time passes, nothing runs, and then all
 * at once everything is due.
 *
 * `TestClock.adjust` is the other way for time to pass: everything runs when it
 * is due.
 *
 * @since 0.3.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import type * as TestClock from "effect/testing/TestClock"

interface StandstillClock extends TestClock.TestClock {
  readonly standStill: (duration: Duration.Input) => Effect.Effect<void>
}

const hasStandstills = (clock: Clock.Clock): clock is StandstillClock => "standStill" in clock

const isTestClock = (clock: Clock.Clock): clock is TestClock.TestClock => "adjust" in clock

/** Whoever is due while it stands still goes on after that, in the order in which they were due. */
const around = (clock: TestClock.TestClock): StandstillClock => {
  const moves = Latch.makeUnsafe(true)
  // A clock like the one below it in everything else, whether that inherits its members or has them.
  const own: TestClock.TestClock = Object.create(clock)
  return Object.assign(own, clock, {
    sleep: (duration: Duration.Duration) => Effect.andThen(clock.sleep(duration), moves.await),
    standStill: (duration: Duration.Input) =>
      Effect.acquireUseRelease(
        Effect.sync(() => moves.closeUnsafe()),
        () => clock.adjust(duration),
        () => Effect.sync(() => moves.openUnsafe())
      )
  })
}

/**
 * Provides a virtual clock that can stand still, over the one at hand.
 * `TestHost.layer` has it. On a clock that isn't virtual it changes nothing.
 *
 * @category layers
 * @since 0.3.0
 */
export const layer: Layer.Layer<never> = Layer.effect(
  Clock.Clock,
  Clock.clockWith((clock) => Effect.succeed(isTestClock(clock) && !hasStandstills(clock) ? around(clock) : clock))
)

/**
 * Lets the process stand still for so long. On a clock that isn't virtual the
 * thread is blocked.
 *
 * @category constructors
 * @since 0.3.0
 */
export const cause = (duration: Duration.Input): Effect.Effect<void> =>
  Clock.clockWith((clock) => {
    if (hasStandstills(clock)) return clock.standStill(duration)
    if (isTestClock(clock))
      return Effect.die(new TypeError("provide Standstill.layer, or use a host of TestHost.layer"))
    return Effect.sync(() => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Duration.toMillis(duration))
    })
  })
