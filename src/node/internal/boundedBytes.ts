/**
 * Bytes that come in pieces, copied together up to a bound: a piece of one byte
 * costs one byte, not the chunk that it came in.
 */

const FIRST_BYTES = 4096

export class BoundedBytes {
  readonly #most: number
  #bytes = new Uint8Array(0)
  #length = 0

  constructor(most: number) {
    this.#most = most
  }

  /** Takes a piece; false where it would be too much, of which nothing is kept. */
  add(piece: Uint8Array): boolean {
    const length = this.#length + piece.length
    if (length > this.#most) return false
    if (length > this.#bytes.length) this.#grow(length)
    this.#bytes.set(piece, this.#length)
    this.#length = length
    return true
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  #grow(length: number): void {
    const grown = new Uint8Array(Math.min(this.#most, Math.max(length, 2 * this.#bytes.length, FIRST_BYTES)))
    grown.set(this.bytes)
    this.#bytes = grown
  }
}
