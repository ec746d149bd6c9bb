/**
 * SHA-256 (FIPS 180-4), at once and anywhere: the platform's own is a promise
 * that waits for a place in the thread pool which name lookups may hold, and
 * what is hashed here is short.
 */
const ROUNDS = 64
const BLOCK_BYTES = 64
const LENGTH_BYTES = 8

/** The first 32 bits of the fractional part of a number's square or cube root, which is what the constants are. */
const fraction = (root: number): number => Math.floor((root % 1) * 2 ** 32)

const primes: ReadonlyArray<number> = Array.from({ length: 312 }, (_, n) => n).filter((n) => {
  for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) return false
  return n > 1
})

const K = Uint32Array.from(primes.slice(0, ROUNDS), (prime) => fraction(Math.cbrt(prime)))
const INITIAL = Uint32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime)))

const rotate = (word: number, by: number): number => (word >>> by) | (word << (32 - by))

/** The message with a one bit, zeros and its length in bits behind it: whole blocks. */
const padded = (bytes: Uint8Array): DataView => {
  const blocks = Math.ceil((bytes.length + 1 + LENGTH_BYTES) / BLOCK_BYTES)
  const message = new Uint8Array(blocks * BLOCK_BYTES)
  message.set(bytes)
  message[bytes.length] = 0x80
  const view = new DataView(message.buffer)
  view.setBigUint64(message.length - LENGTH_BYTES, BigInt(bytes.length) * 8n)
  return view
}

/** The message schedule of a block: section 6.2.2, step 1. */
const schedule = (message: DataView, offset: number, w: Uint32Array): void => {
  for (let t = 0; t < 16; t++) w[t] = message.getUint32(offset + t * 4)
  for (let t = 16; t < ROUNDS; t++) {
    const a = w[t - 15] ?? 0
    const b = w[t - 2] ?? 0
    const s0 = rotate(a, 7) ^ rotate(a, 18) ^ (a >>> 3)
    const s1 = rotate(b, 17) ^ rotate(b, 19) ^ (b >>> 10)
    w[t] = (w[t - 16] ?? 0) + s0 + (w[t - 7] ?? 0) + s1
  }
}

const compress = (hash: Uint32Array, w: Uint32Array): void => {
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = hash
  for (let t = 0; t < ROUNDS; t++) {
    const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + (K[t] ?? 0) + (w[t] ?? 0)) | 0
    const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
    h = g
    g = f
    f = e
    e = (d + t1) | 0
    d = c
    c = b
    b = a
    a = (t1 + t2) | 0
  }
  const words = [a, b, c, d, e, f, g, h]
  for (const [index, word] of words.entries()) hash[index] = (hash[index] ?? 0) + word
}

/** The digest of some bytes, as 64 hexadecimal digits in lower case. */
export const hex = (bytes: Uint8Array): string => {
  const message = padded(bytes)
  const hash = INITIAL.slice()
  const w = new Uint32Array(ROUNDS)
  for (let offset = 0; offset < message.byteLength; offset += BLOCK_BYTES) {
    schedule(message, offset, w)
    compress(hash, w)
  }
  return Array.from(hash, (word) => word.toString(16).padStart(8, "0")).join("")
}
