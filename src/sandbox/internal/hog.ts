/**
 * Whether a plugin takes more than its share of a worker: more than 250 ms of
 * every second, for 5 seconds.
 */

const SECOND_MS = 1000
const SHARE_MS = 250
const SECONDS = 5

export class Hog {
  #from = 0
  #busyMs = 0
  #seconds = 0

  /** It was busy for so long until now; true once that is too much. */
  busy(ms: number, now: number): boolean {
    while (now - this.#from >= SECOND_MS) {
      // After a pause the seconds between weren't used at all.
      const isPause = now - this.#from >= (SECONDS + 1) * SECOND_MS
      this.#seconds = this.#busyMs > SHARE_MS && !isPause ? this.#seconds + 1 : 0
      this.#from = isPause ? now : this.#from + SECOND_MS
      this.#busyMs = 0
    }
    this.#busyMs += ms
    return this.#seconds >= SECONDS
  }
}
