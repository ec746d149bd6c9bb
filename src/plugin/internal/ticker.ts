/**
 * Does what is due at some time of a plugin: one loop per plugin that sleeps
 * until the next thing is due, and no timer per frame, pause or plugin timer.
 */
import * as Effect from "effect/Effect"
import * as Parking from "../../internal/parking.ts"

/** Does what is due now; milliseconds until it wants to be called again, null for never. */
export type Task = () => number | null

export class Ticker {
  readonly #parking = Parking.make(() => {})
  readonly #tasks: ReadonlyArray<Task>

  constructor(tasks: ReadonlyArray<Task>) {
    this.#tasks = tasks
  }

  /** Something may be due earlier than it was. */
  wake(): void {
    this.#parking.wake()
  }

  get run(): Effect.Effect<never> {
    return Effect.gen({ self: this }, function* () {
      while (true) {
        this.#parking.look()
        let next: number | null = null
        for (const task of this.#tasks) {
          const due = task()
          if (due !== null) next = Math.min(next ?? due, due)
        }
        yield* this.#parking.park(next)
      }
    })
  }
}
