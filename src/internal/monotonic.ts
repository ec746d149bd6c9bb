/**
 * Time to decide by. The wall clock may be set back or forward by hours, so it
 * is only for what people read.
 */
import type * as Clock from "effect/Clock"

/** Milliseconds of a clock that is never set. */
export const monotonic =
  (clock: Clock.Clock): (() => number) =>
  () =>
    Number(clock.monotonicTimeNanosUnsafe()) / 1e6
