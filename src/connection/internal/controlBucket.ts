/**
 * Judges a peer's pings and pongs: a second's worth at once, and as many again
 * as the time since the last one allows, up to a minute's worth, since after an
 * outage or a standstill TCP brings at once what a peer had sent all along.
 * What such a gap has filled may be used up later, too: a slow line brings it in
 * many reads.
 */
const LONGEST_GAP_S = 60

export class ControlBucket {
  readonly #perSecond: number
  #tokens: number
  #at: number

  /** Full, at a time in milliseconds of a clock that is never set. */
  constructor(perSecond: number, now: number) {
    this.#perSecond = perSecond
    this.#tokens = perSecond
    this.#at = now
  }

  /** Takes one more frame; false where it is one too many. */
  take(now: number): boolean {
    const gap = (now - this.#at) / 1000
    const most = this.#perSecond * (1 + Math.min(gap, LONGEST_GAP_S))
    const filled = Math.min(most, this.#tokens + this.#perSecond * gap)
    this.#tokens = Math.max(this.#tokens, filled)
    this.#at = now
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}
