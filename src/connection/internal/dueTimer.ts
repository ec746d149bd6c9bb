/**
 * Waits for one time at which a connection has something to do by itself. A
 * close judges the peer, so it waits by time that was had; everything else only
 * waits, by the clock that is never set.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { HadTime } from "../../time/HadTime.ts"

export interface DueTimer {
  readonly at: number
  readonly kind: "due" | "graceOver"
  /** Waits no more. */
  readonly end: () => void
}

export interface Options extends Pick<DueTimer, "at" | "kind"> {
  readonly time: HadTime
  readonly monotonic: () => number
  /** Runs a wait while anybody runs the connection. */
  readonly fork: (wait: Effect.Effect<void>) => Fiber.Fiber<void> | undefined
  readonly over: () => void
}

const hadUntil = ({ at, over, time }: Options): (() => void) => time.after(at - time.now(), over)

const until = ({ at, fork, monotonic, over }: Options): (() => void) => {
  const sleep = Effect.suspend(() => Effect.sleep(Math.max(1, Math.ceil(at - monotonic()))))
  const fiber = fork(Effect.andThen(sleep, Effect.sync(over)))
  return () => fiber?.interruptUnsafe()
}

export const begin = (options: Options): DueTimer => {
  const { at, kind } = options
  return { at, kind, end: kind === "graceOver" ? hadUntil(options) : until(options) }
}
