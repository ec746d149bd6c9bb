/**
 * The time that a guest has for one call, by the clock of its worker. What the
 * process stood still for meanwhile is not the guest's: a gap between two looks
 * counts as a slice, or as the processor time that the thread did use in it.
 */

/** What a gap counts at most, in milliseconds, where the thread wasn't seen to work in it. */
const SLICE_MS = 50

/** The processor time that this thread has used, in milliseconds; 0 where the engine can't tell. */
export const threadMs = (): number => {
  // Node 22 hasn't got it.
  if (typeof process.threadCpuUsage !== "function") return 0
  const { system, user } = process.threadCpuUsage()
  return (system + user) / 1000
}

export class Budget {
  #left = 0
  #ms = 0
  #last = 0
  #threadFrom = 0

  /** Begins a call that may take so many milliseconds. */
  begin(ms: number): void {
    this.#ms = ms
    this.#left = ms
    this.#last = performance.now()
    this.#threadFrom = threadMs()
  }

  /** The processor time that this thread had used when the call began, in milliseconds. */
  get usedBefore(): number {
    return this.#threadFrom
  }

  /** Milliseconds that are left of it, as of the last look. */
  get left(): number {
    return this.#left
  }

  /** Whether it is used up. */
  get isOver(): boolean {
    const now = performance.now()
    const elapsed = now - this.#last
    this.#last = now
    this.#left -= Math.min(elapsed, SLICE_MS)
    if (elapsed > SLICE_MS) this.#left = Math.min(this.#left, this.#ms - (threadMs() - this.#threadFrom))
    return this.#left <= 0
  }
}
