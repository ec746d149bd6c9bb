/**
 * What the application's own code hands over at a port, which need not be
 * written in TypeScript: in place of an effect or a stream it may return
 * anything, and what it succeeds or fails with may hold promises. Those are
 * taken care of, whatever becomes of the answer; a throw and a value that isn't
 * what it should be are defects.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { abandon, abandonExit } from "./promises.ts"

/** The effect that `ask` returns. */
export const effectFrom = <A, E, R>(ask: () => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const value = ask()
    return Effect.isEffect(value) ? value : refused(value, "Effect")
  }).pipe(Effect.onExit((exit) => Effect.sync(() => abandonExit(exit))))

/** The stream that `ask` returns. */
export const streamFrom = <A, E, R>(ask: () => Stream.Stream<A, E, R>): Stream.Stream<A, E, R> =>
  Stream.suspend(() => {
    const value = ask()
    return Stream.isStream(value) ? value : Stream.fromEffect(refused(value, "Stream"))
  }).pipe(
    Stream.tap((element) => Effect.sync(() => abandon(element))),
    Stream.onExit((exit) => Effect.sync(() => abandonExit(exit)))
  )

const refused = (value: unknown, expected: string): Effect.Effect<never> => {
  abandon(value)
  return Effect.die(new TypeError(`what was returned is no ${expected}`))
}
