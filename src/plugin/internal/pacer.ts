/**
 * Lets queues slide whose socket has been paused for longer than the patience:
 * one loop per plugin that sleeps until the next one is due, and no timer per
 * frame or pause.
 */
import * as Effect from "effect/Effect"
import type { IngressQueue } from "../../ingress/IngressQueue.ts"
import * as Parking from "../../internal/parking.ts"

export class Pacer {
  readonly #parking = Parking.make(() => {})
  readonly #queues: () => Iterable<IngressQueue>
  readonly #patienceMs: number
  readonly #monotonic: () => number
  #sleeping = false

  constructor(queues: () => Iterable<IngressQueue>, patienceMs: number, monotonic: () => number) {
    this.#queues = queues
    this.#patienceMs = patienceMs
    this.#monotonic = monotonic
  }

  /** A queue was paused. Who is due before it is due before its patience ends, too. */
  paused(): void {
    if (!this.#sleeping) this.#parking.wake()
  }

  get run(): Effect.Effect<never> {
    return Effect.gen({ self: this }, function* () {
      while (true) {
        this.#parking.look()
        const next = this.#slideDue()
        this.#sleeping = next !== null
        yield* this.#parking.park(next)
      }
    })
  }

  #slideDue(): number | null {
    const now = this.#monotonic()
    let next: number | null = null
    for (const queue of this.#queues()) {
      if (queue.flow !== "paused") continue
      const left = Math.ceil(queue.pausedAt + this.#patienceMs - now)
      if (left <= 0) queue.slide()
      else next = Math.min(next ?? left, left)
    }
    return next
  }
}
