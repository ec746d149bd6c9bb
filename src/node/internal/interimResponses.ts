/**
 * Takes the interim responses (1xx) out of what a server says before its answer
 * (RFC 9110, section 15.2): a client has to pass over any of them, and `undici`
 * takes an unasked 100 for a broken answer. A 101 that nobody asked for is one.
 */

// How the status line of an interim response begins, up to its status.
const INTERIM = /^HTTP\/1\.\d 1\d\d$/u
// One of them: with what is missing of a beginning it has to be one.
const EXAMPLE = "HTTP/1.1 100"
const SWITCHING_PROTOCOLS = "101"
// All of them together, as much as the headers of an answer may have and more.
const MOST_BYTES = 65_536

const CR = 0x0d
const LF = 0x0a

/** What is left for a parser, or why there will be no answer. */
export type Passed =
  | { readonly kind: "bytes"; readonly bytes: Buffer }
  | { readonly kind: "refused"; readonly code: string }

const NOTHING: Passed = { kind: "bytes", bytes: Buffer.alloc(0) }

export class InterimResponses {
  /** The beginning of a status line that may be an interim one's; null within the head of one, and once the answer comes. */
  #line: string | null = null
  #isAnswer = true
  #isEmptyLine = false
  #bytes = 0

  /** The next thing that comes may be an interim response. */
  begin(): void {
    this.#line = ""
    this.#isAnswer = false
    this.#bytes = 0
  }

  take(chunk: Buffer): Passed {
    for (let at = 0; at < chunk.length && !this.#isAnswer; at++) {
      const byte = chunk[at] ?? 0
      if (++this.#bytes > MOST_BYTES) return { kind: "refused", code: "HEADERS_TOO_LARGE" }
      if (this.#line === null) {
        this.#takeHead(byte)
        continue
      }
      if (this.#line === "" && (byte === CR || byte === LF)) continue
      this.#line += String.fromCharCode(byte)
      if (!isInterim(this.#line)) return this.#answer(this.#line, chunk.subarray(at + 1))
      if (this.#line.length < EXAMPLE.length) continue
      if (this.#line.endsWith(SWITCHING_PROTOCOLS)) return { kind: "refused", code: "UNASKED_UPGRADE" }
      this.#line = null
      this.#isEmptyLine = false
    }
    return this.#isAnswer ? { kind: "bytes", bytes: chunk } : NOTHING
  }

  /** Up to the empty line. */
  #takeHead(byte: number): void {
    if (byte === CR) return
    if (byte === LF && this.#isEmptyLine) this.#line = ""
    this.#isEmptyLine = byte === LF
  }

  #answer(line: string, rest: Buffer): Passed {
    this.#isAnswer = true
    return { kind: "bytes", bytes: Buffer.concat([Buffer.from(line, "latin1"), rest]) }
  }
}

const isInterim = (line: string): boolean => INTERIM.test(line + EXAMPLE.slice(line.length))
