/**
 * What was measured of one thing in the last hour, five seconds a slot. A slot
 * is known by its place in time, so that what two tabs have seen fits together.
 */

export const SLOT_MS = 5000

/** An hour of slots. */
export const SLOTS = 720

export const slotOf = (at: number): number => Math.floor(at / SLOT_MS)

/** How a connection ended. */
export interface End {
  readonly at: string
  readonly code: number
  readonly reason: string
}

/** How many ends are kept. */
const MOST_ENDS = 20

/** A track as one tab hands it to another. */
export interface TrackCopy {
  readonly last: number
  readonly columns: ReadonlyArray<Float32Array>
  readonly ends: ReadonlyArray<End>
}

export class Track {
  readonly #columns: ReadonlyArray<Float32Array>
  #last: number
  #ends: ReadonlyArray<End> = []

  constructor(width: number, slot: number) {
    this.#columns = Array.from({ length: width }, () => new Float32Array(SLOTS).fill(Number.NaN))
    this.#last = slot
  }

  get ends(): ReadonlyArray<End> {
    return this.#ends
  }

  /** The values of a slot, which is none that is older than the last one. */
  put(slot: number, values: ReadonlyArray<number>): void {
    this.#advance(slot)
    for (const [index, value] of values.entries()) this.#write(index, slot, value)
  }

  end(end: End): void {
    if (this.#ends.some(({ at, code }) => at === end.at && code === end.code)) return
    this.#ends = [end, ...this.#ends].toSorted((one, other) => (one.at < other.at ? 1 : -1)).slice(0, MOST_ENDS)
  }

  /** A column's hour up to a slot, the oldest first; null where nothing is known. */
  hour(column: number, until: number): ReadonlyArray<number | null> {
    return Array.from({ length: SLOTS }, (_, index) => this.#read(column, until - SLOTS + 1 + index))
  }

  /** The newest value of a column that is known, up to a slot; null where there is none of the last minute. */
  newest(column: number, until: number): number | null {
    for (let slot = until; slot > until - 12; slot--) {
      const value = this.#read(column, slot)
      if (value !== null) return value
    }
    return null
  }

  get copy(): TrackCopy {
    return { last: this.#last, columns: this.#columns, ends: this.#ends }
  }

  /** Takes over what it doesn't know itself. */
  adopt({ columns, ends, last }: TrackCopy): void {
    this.#advance(last)
    for (let slot = Math.max(last, this.#last) - SLOTS + 1; slot <= last; slot++) {
      for (const [index, column] of columns.entries()) {
        if (this.#read(index, slot) === null) this.#write(index, slot, column[slot % SLOTS] ?? Number.NaN)
      }
    }
    for (const end of ends) this.end(end)
  }

  #advance(slot: number): void {
    const from = Math.max(this.#last + 1, slot - SLOTS + 1)
    for (let skipped = from; skipped <= slot; skipped++) {
      for (const column of this.#columns) column[skipped % SLOTS] = Number.NaN
    }
    this.#last = Math.max(this.#last, slot)
  }

  #write(column: number, slot: number, value: number): void {
    if (slot > this.#last - SLOTS) this.#columns[column]?.fill(value, slot % SLOTS, (slot % SLOTS) + 1)
  }

  #read(column: number, slot: number): number | null {
    if (slot > this.#last || slot <= this.#last - SLOTS) return null
    const value = this.#columns[column]?.[slot % SLOTS] ?? Number.NaN
    return Number.isNaN(value) ? null : value
  }
}
