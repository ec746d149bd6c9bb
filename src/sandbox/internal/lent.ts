/**
 * What a guest was lent, as host and worker see it at any moment: one block of
 * memory that both share, for each guest its own, and new for each worker.
 *
 * One word says which batch is out and how many of its events have begun: the
 * worker takes the next by exchanging it for the one after it, and the host
 * takes back what hasn't begun by exchanging it for none. What came of each
 * event stands in the same block, for the host to read though the worker may
 * have been ended meanwhile.
 */
import type { Answer } from "./guest.ts"

/** At most how many events a batch has. */
export const MOST_EVENTS = 128

// The number of the batch, and below it how many of its events have begun.
const TAKEN_BITS = 8
const MOST_TAKEN = 2 ** TAKEN_BITS
const MOST_BATCHES = 2 ** (31 - TAKEN_BITS)
const RECALLED = -1

/** Where the words stand: what was taken, and the results of how many events can be read. */
const TAKEN = 0
const DONE = 1
const WORD = Int32Array.BYTES_PER_ELEMENT
const FIRST_RESULT = 2 * WORD
/** What the results of one batch may take. One that finds no room comes with the end of its batch. */
const RESULT_BYTES = 65_536

const sharedBlock = (): SharedArrayBuffer => new SharedArrayBuffer(FIRST_RESULT + RESULT_BYTES)

/** The number of a batch, as the word has room for it. */
const tagOf = (batch: number): number => (batch % MOST_BATCHES) * MOST_TAKEN

/** Where the result after one of so many bytes begins: words stand at whole words. */
const after = (at: number, length: number): number => at + WORD + Math.ceil(length / WORD) * WORD

/** The block as the host has it. One batch is out at a time. */
export class Lent {
  readonly shared = sharedBlock()
  readonly #words = new Int32Array(this.shared)
  readonly #bytes = Buffer.from(this.shared)
  /** How many had begun when what hadn't was taken back; undefined while more may begin. */
  #kept: number | undefined = 0
  #read = 0
  #at = FIRST_RESULT

  /** A batch is lent. Nobody reads nor writes here any more for the one before it. */
  lend(batch: number): void {
    this.#kept = undefined
    this.#read = 0
    this.#at = FIRST_RESULT
    Atomics.store(this.#words, DONE, 0)
    Atomics.store(this.#words, TAKEN, tagOf(batch))
  }

  /** How many have begun. */
  get begun(): number {
    return this.#kept ?? Atomics.load(this.#words, TAKEN) % MOST_TAKEN
  }

  /** Nothing more begins; how many have. */
  recall(): number {
    this.#kept ??= Atomics.exchange(this.#words, TAKEN, RECALLED) % MOST_TAKEN
    return this.#kept
  }

  /** What came of the oldest whose result hasn't been read yet. */
  next(): Answer | undefined {
    if (this.#read >= Atomics.load(this.#words, DONE)) return undefined
    this.#read++
    const head = this.#words[this.#at / WORD] ?? 0
    const from = this.#at + WORD
    const length = head >> 1
    this.#at = after(this.#at, length)
    const text = this.#bytes.toString("utf8", from, from + length)
    // Written below, of an answer.
    return (head & 1) === 1 ? (JSON.parse(text) as Answer) : { kind: "answered", text }
  }
}

/** The same as its worker has it. */
export class Borrowed {
  readonly #words: Int32Array
  readonly #bytes: Uint8Array
  #tag = 0
  #taken = 0
  #at = FIRST_RESULT
  /** The length of what was copied and isn't told yet. */
  #copied: number | undefined = undefined

  constructor(shared: SharedArrayBuffer) {
    this.#words = new Int32Array(shared)
    this.#bytes = new Uint8Array(shared)
  }

  /** A batch has come. */
  begin(batch: number): void {
    this.#tag = tagOf(batch)
    this.#taken = 0
    this.#at = FIRST_RESULT
  }

  /** Takes up the next event; false where it was taken back. */
  take(): boolean {
    const expected = this.#tag + this.#taken
    if (Atomics.compareExchange(this.#words, TAKEN, expected, expected + 1) !== expected) return false
    this.#taken++
    return true
  }

  /** Takes an answer's text out of the guest's memory; false where there is no room. It counts once it is told. */
  readonly copy = (utf8: Uint8Array): boolean => {
    if (after(this.#at, utf8.length) > this.#bytes.length) return false
    this.#bytes.set(utf8, this.#at + WORD)
    this.#copied = utf8.length
    return true
  }

  /** Tells what came of the event; false where there is no room. What was copied is the text of its answer. */
  tell(answer: Answer): boolean {
    const copied = this.#copied
    this.#copied = undefined
    const isText = answer.kind === "answered"
    if (isText && copied !== undefined) return this.#tell(copied, 0)
    const utf8 = new TextEncoder().encode(isText ? answer.text : JSON.stringify(answer))
    if (!this.copy(utf8)) return false
    this.#copied = undefined
    return this.#tell(utf8.length, isText ? 0 : 1)
  }

  #tell(length: number, flag: 0 | 1): true {
    this.#words[this.#at / WORD] = (length << 1) | flag
    this.#at = after(this.#at, length)
    Atomics.store(this.#words, DONE, this.#taken)
    return true
  }
}
