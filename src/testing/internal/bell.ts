/** Rung whenever something happened, for whoever waits for a condition. */
import * as Effect from "effect/Effect"

export class Bell {
  readonly #waiting = new Set<() => void>()

  ring(): void {
    for (const look of this.#waiting) look()
  }

  /** Completes when the condition holds. */
  until(condition: () => boolean): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (condition()) {
        resume(Effect.void)
        return
      }
      const look = () => {
        if (!condition()) return
        this.#waiting.delete(look)
        resume(Effect.void)
      }
      this.#waiting.add(look)
      return Effect.sync(() => this.#waiting.delete(look))
    })
  }
}
