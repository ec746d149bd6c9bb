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
 * So many places.
 *
 * @category models
 * @since 0.3.0
 */
export class Places {
  readonly limit: number
  readonly #holding = new Set<Place>()
  /** The one who came first is the first one in it. */
  readonly #waiting = new Map<Place, () => void>()

  constructor(limit: number) {
    this.limit = limit
  }

  /** For one more source, which has no place yet. `told`: one that it waited for is its own. */
  place(told: () => void): Place {
    return new OnePlace(this, told)
  }

  holds(place: Place): boolean {
    return this.#holding.has(place)
  }

  take(place: Place, told: () => void): void {
    if (this.#holding.has(place)) return
    if (this.#holding.size < this.limit) this.#holding.add(place)
    else this.#waiting.set(place, told)
  }

  leave(place: Place): void {
    this.#waiting.delete(place)
    if (!this.#holding.delete(place)) return
    for (const [next, told] of this.#waiting) {
      this.#waiting.delete(next)
      this.#holding.add(next)
      return told()
    }
  }
}

class OnePlace implements Place {
  readonly #places: Places
  readonly #told: () => void

  constructor(places: Places, told: () => void) {
    this.#places = places
    this.#told = told
  }

  get isHeld(): boolean {
    return this.#places.holds(this)
  }

  take(): void {
    this.#places.take(this, this.#told)
  }

  leave(): void {
    this.#places.leave(this)
  }
}
