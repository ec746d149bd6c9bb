/**
 * What waits for a time, the earliest first and of equal times the one that
 * came first: a binary heap whose entries know where they stand, so that one
 * that isn't wanted any more leaves it at once.
 */
export interface Entry {
  readonly at: number
  readonly nth: number
  readonly due: () => void
  /** Where it stands; −1 once it has left. */
  place: number
}

export class DueHeap {
  readonly #entries: Array<Entry> = []
  #added = 0

  get size(): number {
    return this.#entries.length
  }

  get first(): Entry | undefined {
    return this.#entries[0]
  }

  add(at: number, due: () => void): Entry {
    const entry: Entry = { at, nth: this.#added++, due, place: this.#entries.length }
    this.#entries.push(entry)
    this.#up(entry)
    return entry
  }

  remove(entry: Entry): void {
    if (entry.place < 0) return
    const last = this.#entries.pop()
    if (last !== undefined && last !== entry) {
      this.#put(last, entry.place)
      this.#up(last)
      this.#down(last)
    }
    entry.place = -1
  }

  #up(entry: Entry): void {
    for (let parent = this.#at((entry.place - 1) >> 1); parent !== undefined && isBefore(entry, parent);) {
      this.#swap(parent, entry)
      parent = this.#at((entry.place - 1) >> 1)
    }
  }

  #down(entry: Entry): void {
    for (let child = this.#earlierChild(entry); child !== undefined && isBefore(child, entry);) {
      this.#swap(entry, child)
      child = this.#earlierChild(entry)
    }
  }

  #earlierChild({ place }: Entry): Entry | undefined {
    const left = this.#at(2 * place + 1)
    const right = this.#at(2 * place + 2)
    return left === undefined || right === undefined || isBefore(left, right) ? left : right
  }

  #at(place: number): Entry | undefined {
    return place < 0 ? undefined : this.#entries[place]
  }

  /** `lower` takes the place of `upper`, its parent, and the other way round. */
  #swap(upper: Entry, lower: Entry): void {
    const { place } = upper
    this.#put(upper, lower.place)
    this.#put(lower, place)
  }

  #put(entry: Entry, place: number): void {
    this.#entries[place] = entry
    entry.place = place
  }
}

const isBefore = (one: Entry, other: Entry): boolean =>
  one.at < other.at || (one.at === other.at && one.nth < other.nth)
