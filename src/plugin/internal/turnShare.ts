/**
 * What of a turn of the event loop a resting runner may use for texts that come
 * in that turn: whether what waits is handed over now, inside of the call in
 * which a socket hands over a text, or once the turn is over.
 *
 * Now is earlier, and cheaper: by the end of the turn what many sockets brought
 * in it has left the processor's cache, which cost more than `ws` itself. Later
 * is fairer: only of what waits can a plugin's sources take turns, and only that
 * an operator can still stop. So the first text of a turn is handed over at
 * once, and what comes behind it whenever it is a cacheful.
 */

// Texts that wait together, and are still in the cache when the last of them comes.
const CACHEFUL = 128
// How much of a turn may be used at least; beyond that as much again as it takes without it, so that it becomes twice as
// long at most. Used up it grows again as the turn does: in one that 1,000 sockets make long, what they bring would
// otherwise all wait, and be copied by each scavenge. That cost as much as all the rest of a text.
const LEAST_MS = 8

export interface Options {
  /** Unix milliseconds. */
  readonly now: () => number
  /** Calls back once this turn of the event loop is over. */
  readonly whenOver: (over: () => void) => void
  /** Told when a turn is over in which something was handed over. */
  readonly over: () => void
}

export class TurnShare {
  readonly #options: Options
  /** How much of the turn may still be used, where that was allowed. */
  leftMs = LEAST_MS
  #hasBegun = false
  #beganAt = 0
  #usedMs = 0

  constructor(options: Options) {
    this.#options = options
  }

  /** The time, if what waits, so many events, may be handed over now; undefined where it has to wait. */
  allows(waiting: number): number | undefined {
    if (waiting < CACHEFUL && (waiting > 1 || this.#hasBegun)) return undefined
    if (!this.#hasBegun) return this.#begin()
    const now = this.#options.now()
    this.leftMs = Math.max(LEAST_MS, (now - this.#beganAt) / 2) - this.#usedMs
    return this.leftMs > 0 ? now : undefined
  }

  /** What was handed over has taken this long. */
  used(ms: number): void {
    this.#usedMs += ms
  }

  #begin(): number {
    this.#hasBegun = true
    this.#beganAt = this.#options.now()
    this.#usedMs = 0
    this.leftMs = LEAST_MS
    this.#options.whenOver(this.#over)
    return this.#beganAt
  }

  readonly #over = (): void => {
    this.#hasBegun = false
    this.#options.over()
  }
}
