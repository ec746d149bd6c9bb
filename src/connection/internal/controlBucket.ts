/**
 * Judges a peer's pings and pongs: a second's worth at once, and as many again
 * as the time since the last one allows, up to a minute's worth, since after an
 * outage or a standstill TCP brings at once what a peer had sent all along.
 * What such a gap has filled may be used up later, too: a slow line brings it in
 * many reads.
 */
const LONGEST_GAP_MS = 60_000
const SECOND_MS = 1000

/** Counts in thousandths of a frame and in whole milliseconds, so that nothing is lost by rounding. */
export class ControlBucket {
  readonly #perSecond: number
  #credit: number
  #at: number

  /** Full, at a time in milliseconds of a clock that is never set. */
  constructor(perSecond: number, now: number) {
    this.#perSecond = perSecond
    this.#credit = perSecond * SECOND_MS
    this.#at = Math.floor(now)
  }

  /** Takes one more frame; false where it is one too many. */
  take(now: number): boolean {
    const at = Math.floor(now)
    const gap = at - this.#at
    const most = this.#perSecond * (SECOND_MS + Math.min(gap, LONGEST_GAP_MS))
    const filled = Math.min(most, this.#credit + this.#perSecond * gap)
    this.#credit = Math.max(this.#credit, filled)
    this.#at = at
    if (this.#credit < SECOND_MS) return false
    this.#credit -= SECOND_MS
    return true
  }
}
