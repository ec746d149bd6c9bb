/**
 * Whether bytes that come in pieces can still become valid UTF-8 (RFC 3629), so
 * that a text which can't is ended with the byte that makes it so and not when
 * it is whole, which may be never.
 */
import { isAscii, isUtf8 } from "node:buffer"

const NOTHING = Buffer.alloc(0)
const CONTINUES = 0x80
const TOP_TWO_BITS = 0xc0
const LONGEST = 4

/** How many bytes the character takes whose first byte this is; 1 for what is none, which is invalid by itself. */
const lengthOf = (lead: number): number => (lead >= 0xf0 ? LONGEST : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1)

/** How many bytes at the end are the beginning of a character that isn't whole. */
const begunBytes = (bytes: Buffer): number => {
  for (let back = 1; back < LONGEST && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back] ?? 0
    if ((byte & TOP_TWO_BITS) !== CONTINUES) return lengthOf(byte) > back ? back : 0
  }
  return 0
}

/** Whether some end makes it a character: what a second byte may be is a range that has one of the two ends. */
const canEnd = (begun: Buffer): boolean => {
  const missing = lengthOf(begun[0] ?? 0) - begun.length
  return [0x80, 0xbf].some((end) => isUtf8(Buffer.concat([begun, Buffer.alloc(missing, end)])))
}

export class Utf8Prefix {
  /** At most three bytes: a character that isn't whole. */
  #begun = NOTHING

  /** Takes the next piece; false where no valid text begins like this. */
  take(piece: Buffer): boolean {
    if (this.#begun.length === 0 && isAscii(piece)) return true
    const bytes = this.#begun.length === 0 ? piece : Buffer.concat([this.#begun, piece])
    const whole = bytes.length - begunBytes(bytes)
    // The piece's memory is its giver's, to use again.
    this.#begun = Buffer.from(bytes.subarray(whole))
    return isUtf8(bytes.subarray(0, whole)) && (this.#begun.length === 0 || canEnd(this.#begun))
  }

  reset(): void {
    this.#begun = NOTHING
  }
}
