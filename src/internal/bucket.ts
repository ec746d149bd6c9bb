/**
 * A token bucket for a minute: full at the start, refilled evenly, and another
 * limit takes over what was taken. Times are milliseconds of a clock that is
 * never set.
 */

const MINUTE_MS = 60_000

/** Counts in 60,000ths of what is counted and in whole milliseconds, so that nothing is lost by rounding. */
export class Bucket {
  #limit: number
  #credit: number
  #at: number

  constructor(limit: number, now: number) {
    this.#limit = limit
    this.#credit = limit * MINUTE_MS
    this.#at = Math.floor(now)
  }

  get limit(): number {
    return this.#limit
  }

  /** Another limit from now on: what was taken of the one before is taken of it. */
  resize(limit: number, now: number): void {
    this.#refill(now)
    const taken = this.#limit * MINUTE_MS - this.#credit
    this.#limit = limit
    this.#credit = Math.max(0, limit * MINUTE_MS - taken)
  }

  has(amount: number, now: number): boolean {
    this.#refill(now)
    return this.#credit >= amount * MINUTE_MS
  }

  #refill(now: number): void {
    const at = Math.floor(now)
    this.#credit = Math.min(this.#limit * MINUTE_MS, this.#credit + (at - this.#at) * this.#limit)
    this.#at = at
  }

  /** Milliseconds until there is so much, or as much as there can be. */
  untilHas(amount: number): number {
    return Math.max(1, Math.ceil((Math.min(amount, this.#limit) * MINUTE_MS - this.#credit) / this.#limit))
  }

  take(amount: number): void {
    this.#credit -= amount * MINUTE_MS
  }
}

/** The bucket of a limit, after the one that there was. */
export const bucketOf = (limit: number | undefined, former: Bucket | undefined, now: number): Bucket | undefined => {
  if (limit === undefined || limit === former?.limit) return limit === undefined ? undefined : former
  former?.resize(limit, now)
  return former ?? new Bucket(limit, now)
}
