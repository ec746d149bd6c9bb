/**
 * Decides which of many things are measured: each with the same probability, by
 * itself, so that nothing that comes at regular times is always missed. Whoever
 * asks counts down to the next one, and chance is asked once for each of those.
 */

export class Sampler {
  readonly #share: number
  readonly #random: () => number
  #left: number

  /** `share` of all are measured; `random` is uniform in [0, 1). */
  constructor(share: number, random: () => number) {
    this.#share = share
    this.#random = random
    this.#left = this.#gap()
  }

  /** Whether this one is. */
  readonly hit = (): boolean => {
    // Of nothing there is no next one to count down to.
    if (this.#share <= 0) return false
    this.#left--
    if (this.#left > 0) return false
    this.#left = this.#gap()
    return true
  }

  /** The number of the next one that is, from 1: geometrically distributed. */
  #gap(): number {
    if (this.#share >= 1) return 1
    // However small the share is: beside 1 it may be lost.
    return Math.floor(Math.log(1 - this.#random()) / Math.log1p(-this.#share)) + 1
  }
}
