/**
 * Stands before the receiver of `ws` and hands it whole messages only.
 *
 * That receiver keeps what hasn't made a frame yet as the pieces in which it
 * came and takes them off an array one by one, which is quadratic in their
 * number; and it keeps an object for each fragment of a message. Here both are
 * bytes of one buffer, so that the cost is linear in bytes however they are
 * cut, and memory is bounded by the largest message and its frames' headers.
 * Control frames pass between the fragments of a message.
 *
 * Where compression was offered, fragments are made one frame, for the receiver
 * inflates each by itself, and each is a job for a thread. A compressed message
 * is handed on by itself, so that the receiver can be stopped behind it.
 *
 * It is no parser: what it finds odd in a header, or over a limit, it passes on
 * with all that it holds, at once, for the receiver to judge. Of a text that
 * can't become UTF-8 any more it passes on the shortest one that isn't.
 */
import {
  BINARY,
  CLOSE,
  COMPRESSED,
  CONTINUATION,
  FIN,
  headerBytes,
  isOddFirst,
  isOddSecond,
  LENGTH_OF_16_BITS,
  LENGTH_OF_64_BITS,
  OPCODE,
  payloadBytes,
  RESERVED,
  TEXT
} from "./frameHeader.ts"
import { Utf8Prefix } from "./utf8Prefix.ts"

/** What bounds a message. */
export interface MessageLimits {
  readonly bytes: number
  readonly fragments: number
}

/** Whether messages may be compressed (RFC 7692): not offered, not agreed upon, or agreed upon. */
export type Compression = "off" | "declined" | "agreed"

/** Where bytes go; false asks for a pause, as a stream's `write` does. */
export interface Taker {
  take(bytes: Buffer): boolean
}

const INCOMPLETE = 0
const ODD = -1

// The most that one read of a socket brings.
const ONE_READ = 65_536
const BEYOND_16_BITS = 0x1_0000
const NOTHING = Buffer.alloc(0)
/** A fragment that isn't the last. */
const FURTHER = Buffer.from([CONTINUATION, 0])
const INVALID_TEXT = Buffer.from([FIN | TEXT, 1, 0xff])

/** The header of a frame of so many bytes. */
const headerOf = (first: number, length: number): Buffer => {
  if (length < LENGTH_OF_16_BITS) return Buffer.from([first, length])
  const header = Buffer.alloc(length < BEYOND_16_BITS ? 4 : 10)
  header[0] = first
  header[1] = length < BEYOND_16_BITS ? LENGTH_OF_16_BITS : LENGTH_OF_64_BITS
  // No message has more bytes than 32 bits can say.
  if (length < BEYOND_16_BITS) header.writeUInt16BE(length, 2)
  else header.writeUInt32BE(length, 6)
  return header
}

export class FrameCollector implements Taker {
  readonly #limits: MessageLimits
  /** Where whole messages go. */
  readonly #receiver: Taker
  readonly #compression: Compression
  /** `passing`: all bytes go on as they come; `over`: none do, after a close frame. */
  #mode: "collecting" | "passing" | "over" = "collecting"
  /** Fragments of a message that isn't whole, then the beginning of a frame. */
  #held = NOTHING
  #length = 0
  /** Where in it the frame begins. */
  #frameAt = 0
  /** How much of it there must be to go on. */
  #needed = 0
  /** Fragments of the message so far, and what they carry. */
  #fragments = 0
  #messageBytes = 0
  /** What the text that isn't whole carries, up to where it was looked at. */
  readonly #text = new Utf8Prefix()
  #lookedAt = 0

  constructor(limits: MessageLimits, receiver: Taker, compression: Compression = "off") {
    this.#limits = limits
    this.#receiver = receiver
    this.#compression = compression
  }

  /** Takes what one read of the socket brought; false where the receiver wants a pause. */
  take(chunk: Buffer): boolean {
    let goesOn = true
    let at = 0
    while (at < chunk.length) {
      if (this.#mode === "over") break
      if (this.#mode === "passing") return this.#receiver.take(at === 0 ? chunk : chunk.subarray(at))
      if (this.#length === 0) {
        const end = this.#wholeUntil(chunk, at)
        if (end > at) {
          goesOn = this.#receiver.take(end - at === chunk.length ? chunk : chunk.subarray(at, end)) && goesOn
          at = end
          continue
        }
        if (this.#mode !== "collecting") continue
        this.#needed = this.#needs(chunk, at, chunk.length)
      }
      const until = Math.min(chunk.length, at + this.#needed - this.#length)
      this.#hold(chunk, at, until)
      at = until
      goesOn = this.#step() && goesOn
    }
    return goesOn
  }

  /** The end of the last whole message, where none is begun, in the chunk from `at` on; of the first compressed one. */
  #wholeUntil(chunk: Buffer, from: number): number {
    let at = from
    while (at < chunk.length) {
      const first = chunk[at] ?? 0
      const size = this.#frameSize(chunk, at, chunk.length)
      if (size === ODD) {
        this.#mode = "passing"
        return at
      }
      if (size === INCOMPLETE || (first & FIN) === 0 || at + size > chunk.length) return at
      at += size
      if ((first & OPCODE) === CLOSE) this.#mode = "over"
      if ((first & OPCODE) === CLOSE || (first & COMPRESSED) !== 0) return at
    }
    return at
  }

  /** The bytes of the frame that begins at `at`, header included; `INCOMPLETE` where its header isn't all there. */
  #frameSize(bytes: Buffer, at: number, end: number): number {
    const first = bytes[at] ?? 0
    if (isOddFirst(this.#isCompressed(first) ? first & ~COMPRESSED : first, this.#fragments > 0)) return ODD
    if (end - at < 2) return INCOMPLETE
    const second = bytes[at + 1] ?? 0
    if (isOddSecond(first, second)) return ODD
    const header = headerBytes(second)
    if (end - at < header) return INCOMPLETE
    const length = payloadBytes(bytes, at)
    const isData = (first & OPCODE) < CLOSE
    return isData && this.#messageBytes + length > this.#limits.bytes ? ODD : header + length
  }

  /** Whether a compressed message begins: its first frame says that it is one (RFC 7692, section 6). */
  #isCompressed(first: number): boolean {
    const opcode = first & OPCODE
    return this.#compression === "agreed" && (first & RESERVED) === COMPRESSED && (opcode === TEXT || opcode === BINARY)
  }

  /** How many bytes of the frame that begins at `at` there must be to go on: its header's, then all. */
  #needs(bytes: Buffer, at: number, end: number): number {
    const size = this.#frameSize(bytes, at, end)
    if (size !== INCOMPLETE) return size
    return end - at < 2 ? 2 : headerBytes(bytes[at + 1] ?? 0)
  }

  /** More of a frame is there. */
  #step(): boolean {
    const needs = this.#needs(this.#held, this.#frameAt, this.#length)
    if (needs === ODD) return this.#pass()
    this.#needed = this.#frameAt + needs
    if (!this.#canBeText()) {
      this.#mode = "over"
      this.#held = INVALID_TEXT
      this.#length = INVALID_TEXT.length
      return this.#release()
    }
    return this.#length < this.#needed || this.#whole()
  }

  /** Looks at what came of a text. */
  #canBeText(): boolean {
    const opcode = (this.#held[this.#frameAt] ?? 0) & OPCODE
    if (this.#held[0] !== TEXT && this.#held[0] !== (FIN | TEXT)) return true
    if (opcode >= CLOSE) return true
    const payloadAt = this.#frameAt + headerBytes(this.#held[this.#frameAt + 1] ?? 0)
    const from = Math.max(payloadAt, this.#lookedAt)
    if (this.#length <= from) return true
    this.#lookedAt = this.#length
    return this.#text.take(this.#held.subarray(from, this.#length))
  }

  /** A frame is whole. */
  #whole(): boolean {
    const first = this.#held[this.#frameAt] ?? 0
    const opcode = first & OPCODE
    if (opcode >= CLOSE) {
      if (opcode === CLOSE) this.#mode = "over"
      const frame = Buffer.from(this.#held.subarray(this.#frameAt, this.#length))
      this.#length = this.#frameAt
      this.#needed = this.#frameAt + 2
      return this.#receiver.take(frame)
    }
    const isLast = (first & FIN) !== 0
    if (isLast && (this.#fragments === 0 || !this.#merges)) return this.#release()
    if (++this.#fragments > this.#limits.fragments) return this.#merges ? this.#tooMany() : this.#pass()
    const header = headerBytes(this.#held[this.#frameAt + 1] ?? 0)
    this.#messageBytes += this.#length - this.#frameAt - header
    if (this.#merges && this.#frameAt > 0) {
      this.#held.copyWithin(this.#frameAt, this.#frameAt + header, this.#length)
      this.#length -= header
      this.#lookedAt -= header
    }
    this.#frameAt = this.#length
    this.#needed = this.#length + 2
    if (!isLast) return true
    const goesOn = this.#handMerged(FIN)
    return this.#release() && goesOn
  }

  get #merges(): boolean {
    return this.#compression !== "off"
  }

  /** Leaves all that is held and all that comes to the receiver. */
  #pass(): boolean {
    this.#mode = "passing"
    if (this.#merges && this.#fragments > 0) this.#handMerged(0)
    return this.#release()
  }

  /** Of merged fragments the receiver counts one, and is told not to take two. */
  #tooMany(): boolean {
    this.#length = this.#frameAt
    this.#pass()
    return this.#receiver.take(FURTHER)
  }

  /** Hands on the fragments so far as one frame, and holds what comes after them. */
  #handMerged(fin: number): boolean {
    const header = headerBytes(this.#held[1] ?? 0)
    const goesOn = this.#receiver.take(headerOf(fin | ((this.#held[0] ?? 0) & ~FIN), this.#messageBytes))
    const payload = this.#held.subarray(header, header + this.#messageBytes)
    this.#held = this.#held.subarray(header + this.#messageBytes)
    this.#length -= header + this.#messageBytes
    this.#frameAt = 0
    return (payload.length === 0 || this.#receiver.take(payload)) && goesOn
  }

  /** Passes on what is held. The buffer is the receiver's from here on. */
  #release(): boolean {
    const bytes = this.#held.subarray(0, this.#length)
    this.#held = NOTHING
    this.#length = 0
    this.#frameAt = 0
    this.#fragments = 0
    this.#messageBytes = 0
    this.#lookedAt = 0
    this.#text.reset()
    return bytes.length === 0 || this.#receiver.take(bytes)
  }

  #hold(chunk: Buffer, from: number, until: number): void {
    const length = this.#length + until - from
    if (length > this.#held.length) this.#grow(length)
    chunk.copy(this.#held, this.#length, from, until)
    this.#length = length
  }

  /** What grows by a factor is copied a bounded number of times. A single frame never takes more than it needs. */
  #grow(length: number): void {
    const room = this.#frameAt === 0 ? Math.min(this.#needed, Math.max(ONE_READ, 4 * length)) : 2 * length
    const grown = Buffer.allocUnsafe(Math.max(length, room))
    this.#held.copy(grown, 0, 0, this.#length)
    this.#held = grown
  }
}
