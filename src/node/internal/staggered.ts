/**
 * Tries one candidate after the other, each while the earlier ones go on: the
 * next begins when one has failed or a delay has passed, the first that
 * succeeds wins, the others are interrupted. None is given up for being slow.
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"

export interface Candidates<I> {
  /** Takes the one that is to be tried next. */
  readonly next: () => I | undefined
  /** Whether no more will come than it has. */
  readonly isComplete: () => boolean
  /** Who wants to be told when one of the two has changed. */
  readonly watch: (changed: () => void) => void
}

/** Candidates that are all there from the beginning. */
export const listed = <I>(items: ReadonlyArray<I>): Candidates<I> => {
  const left = [...items]
  return { next: () => left.shift(), isComplete: () => true, watch: () => {} }
}

interface Options<I, A, E> {
  readonly candidates: Candidates<I>
  readonly attempt: (candidate: I) => Effect.Effect<A, E>
  /** How long the `nth` attempt (from 1) may go on before the next begins, in milliseconds. */
  readonly delayMs: (nth: number) => number
}

type Signal<A, E> =
  | { readonly kind: "ended"; readonly exit: Exit.Exit<Exit.Exit<A, E>> }
  | { readonly kind: "due"; readonly nth: number }
  | { readonly kind: "changed" }

/** Fails with every failure, in order, once all have failed and no more will come. */
export const race = <I, A, E>({ attempt, candidates, delayMs }: Options<I, A, E>): Effect.Effect<A, ReadonlyArray<E>> =>
  Effect.scoped(
    Effect.gen(function* () {
      const signals = yield* Queue.unbounded<Signal<A, E>>()
      candidates.watch(() => Queue.offerUnsafe(signals, { kind: "changed" }))
      const failures: Array<E> = []
      let begun = 0
      let isDue = true
      while (true) {
        const candidate = isDue ? candidates.next() : undefined
        if (candidate !== undefined) {
          isDue = false
          const nth = ++begun
          yield* Effect.forkScoped(
            Effect.onExit(Effect.exit(attempt(candidate)), (exit) => Queue.offer(signals, { kind: "ended", exit }))
          )
          yield* Effect.forkScoped(
            Effect.andThen(Effect.sleep(delayMs(nth)), Queue.offer(signals, { kind: "due", nth }))
          )
        } else if (failures.length === begun && candidates.isComplete()) {
          return yield* Effect.fail(failures)
        }
        const signal = yield* Queue.take(signals)
        if (signal.kind === "due") isDue ||= signal.nth === begun
        if (signal.kind !== "ended") continue
        // What is no failure, a defect, is the race's own.
        const ended = yield* Effect.result(Effect.flatten(signal.exit))
        if (Result.isSuccess(ended)) return ended.success
        failures.push(ended.failure)
        isDue = true
      }
    })
  )
