/**
 * Tells when a host has nothing to do. Every loop says when it has something
 * to do and when it hasn't any more.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"

// A loop that was just woken or forked runs within a few turns of the scheduler.
const TURNS = 8

export class IdleSignal {
  readonly #idle = Latch.makeUnsafe(true)
  #busy = 0

  add(delta: 1 | -1): void {
    this.#busy += delta
    if (this.#busy === 0) this.#idle.openUnsafe()
    else this.#idle.closeUnsafe()
  }

  /** Completes when nothing has had anything to do for a few turns. */
  get wait(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      for (let turn = 0; turn < TURNS; turn++) {
        if (this.#busy > 0) turn = 0
        yield* this.#idle.await
        yield* Effect.yieldNow
      }
    })
  }
}
