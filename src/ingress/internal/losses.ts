/**
 * The events of a source that were lost, evicted or discarded, until the plugin
 * has been told: each by the first event with a higher sequence that is handed
 * over.
 *
 * Kept as runs of sequences between which nothing waits. What isn't lost waits
 * or was handed over, so there are never many more runs than events may wait.
 */
export interface Run {
  /** The lowest and the highest sequence. */
  from: number
  to: number
  count: number
}

export class Losses {
  /** How many were lost and aren't told yet. */
  untold = 0
  /** By sequence, the lowest first. */
  #runs: Array<Run> = []

  /** How many runs are kept. */
  get size(): number {
    return this.#runs.length
  }

  /** The event of this sequence was lost. */
  lose(sequence: number): void {
    this.untold++
    const index = this.#indexOf(sequence)
    const before = this.#runs[index - 1]
    const after = this.#runs[index]
    if (before?.to === sequence - 1) {
      before.to = sequence
      before.count++
      if (after?.from === sequence + 1) this.#join(before, after, index)
    } else if (after?.from === sequence + 1) {
      after.from = sequence
      after.count++
    } else {
      this.#runs.splice(index, 0, { from: sequence, to: sequence, count: 1 })
    }
  }

  /** All that waited was lost, so many events; `last` is the highest sequence there is. */
  loseAll(waiting: number, last: number): void {
    this.untold += waiting
    this.#runs = [{ from: this.#runs[0]?.from ?? last, to: last, count: this.untold }]
  }

  /** How many are told by the event of this sequence, which is handed over. */
  tell(sequence: number): number {
    return this.untold === 0 ? 0 : countOf(this.take(sequence))
  }

  /** As `tell`, but what is told can be restored. */
  take(sequence: number): ReadonlyArray<Run> {
    const told = this.#runs.splice(0, this.#indexOf(sequence))
    this.untold -= countOf(told)
    return told
  }

  /** What was taken last isn't told after all: the event that would have told it waits again. */
  restore(runs: ReadonlyArray<Run>): void {
    if (runs.length > 0) this.#runs = [...runs, ...this.#runs]
    this.untold += countOf(runs)
  }

  #join(before: Run, after: Run, index: number): void {
    before.to = after.to
    before.count += after.count
    this.#runs.splice(index, 1)
  }

  /** The index of the first run behind a sequence. */
  #indexOf(sequence: number): number {
    let low = 0
    let high = this.#runs.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#runs[middle]?.from ?? 0) < sequence) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** How many were lost in these runs. */
export const countOf = (runs: ReadonlyArray<Run>): number => {
  let lost = 0
  for (const { count } of runs) lost += count
  return lost
}
