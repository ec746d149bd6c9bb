/**
 * The places of a host's connections (`connections_per_host`): first come,
 * first served. A source has one from when its service starts until that rests
 * or the source is gone; who found none waits, and is told in the turn in which
 * one becomes his.
 *
 * @since 0.3.0
 */

/**
 * The place of one source. Taking one that is held or waited for, and leaving
 * one that is neither, does nothing.
 *
 * @category models
 * @since 0.3.0
 */
export interface Place {
  readonly isHeld: boolean
  /** Takes a place, or waits for one. */
  take(): void
  /** Gives the place back, or waits no more. */
  leave(): void
}

/**
 * Who waits for a place: it is told when it has one.
 *
 * @category models
 * @since 0.5.0
 */
export interface Waiter {
  wake(): void
}

/**
 * So many places.
 *
 * @category models
 * @since 0.3.0
 */
export class Places {
  readonly limit: number
  readonly #holding = new Set<Place>()
  /** The one who came first is the first one in it. */
  readonly #waiting = new Map<Place, Waiter>()

  constructor(limit: number) {
    this.limit = limit
  }

  /** For one more source, which has no place yet. */
  place(waiter: Waiter): Place {
    return new OnePlace(this, waiter)
  }

  holds(place: Place): boolean {
    return this.#holding.has(place)
  }

  take(place: Place, waiter: Waiter): void {
    if (this.#holding.has(place)) return
    if (this.#holding.size < this.limit) this.#holding.add(place)
    else this.#waiting.set(place, waiter)
  }

  leave(place: Place): void {
    this.#waiting.delete(place)
    if (!this.#holding.delete(place)) return
    for (const [next, waiter] of this.#waiting) {
      this.#waiting.delete(next)
      this.#holding.add(next)
      return waiter.wake()
    }
  }
}

class OnePlace implements Place {
  readonly #places: Places
  readonly #waiter: Waiter

  constructor(places: Places, waiter: Waiter) {
    this.#places = places
    this.#waiter = waiter
  }

  get isHeld(): boolean {
    return this.#places.holds(this)
  }

  take(): void {
    this.#places.take(this, this.#waiter)
  }

  leave(): void {
    this.#places.leave(this)
  }
}
