/**
 * How long a plugin's last requests took, and so how long who finds no room may
 * have to wait for some.
 */
const MOST_KEPT = 8
// Shorter than that no timer of a plugin is.
const SHORTEST_MS = 100

export class Pace {
  /** A ring. */
  readonly #durations: Array<number> = []
  #next = 0

  /** A request was answered that ran for so long. */
  ended(ms: number): void {
    this.#durations[this.#next] = ms
    this.#next = (this.#next + 1) % MOST_KEPT
  }

  /**
   * Milliseconds after which one of those that run or wait is expected to be over: as long as the slowest of the last took,
   * and no longer than the first of them can last. With none there are only answers, which the plugin is handed before its
   * next timer.
   */
  untilRoom(lastAtMost: ReadonlyArray<number>): number {
    if (lastAtMost.length === 0) return SHORTEST_MS
    const longest = this.#durations.length === 0 ? Infinity : Math.max(...this.#durations)
    return Math.max(SHORTEST_MS, Math.ceil(Math.min(longest, ...lastAtMost)))
  }
}
