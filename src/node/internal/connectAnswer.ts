/**
 * What a proxy answers to CONNECT: of HTTP/1 just as much as it takes to know
 * where the tunnel begins. Node's own client takes the first interim response
 * for the answer.
 */

/** The rest of what was read is the tunnel's already. */
export type Read =
  | { readonly kind: "tunnel"; readonly rest: Buffer }
  | { readonly kind: "refused"; readonly code: string }

// All that a proxy may say before the tunnel begins, interim responses included.
const MOST_BYTES = 65_536
const END = "\r\n\r\n"
const STATUS_LINE = /^HTTP\/1\.[01] ([1-9]\d\d)(?: [^\r\n]*)?\r\n/u
// The beginning of such a line, each digit a 0.
const BEGINNING = "HTTP/0.0 000"

const SWITCHING_PROTOCOLS = 101

export class ConnectAnswer {
  readonly #bytes = Buffer.allocUnsafe(MOST_BYTES)
  #length = 0
  /** Where the response begins that isn't whole, and up to where its end was looked for. */
  #from = 0
  #searched = 0

  /** Takes what was read next; undefined while there is more to come. */
  take(chunk: Buffer): Read | undefined {
    const fits = Math.min(chunk.length, MOST_BYTES - this.#length)
    chunk.copy(this.#bytes, this.#length, 0, fits)
    this.#length += fits
    for (let end = this.#end(); end !== -1; end = this.#end()) {
      const status = this.#status(end)
      if (status === undefined) return { kind: "refused", code: "PROXY_NOT_HTTP" }
      if (status >= 200 && status < 300) {
        return { kind: "tunnel", rest: chunk.subarray(end - (this.#length - fits)) }
      }
      if (status >= 200 || status === SWITCHING_PROTOCOLS) return { kind: "refused", code: `PROXY_${status}` }
      this.#from = end
    }
    if (!this.#isBegun) return { kind: "refused", code: "PROXY_NOT_HTTP" }
    return this.#length === MOST_BYTES ? { kind: "refused", code: "PROXY_TOO_LONG" } : undefined
  }

  /** The end of the response that isn't whole, -1 where it hasn't come. */
  #end(): number {
    const found = this.#bytes.subarray(0, this.#length).indexOf(END, Math.max(this.#from, this.#searched - END.length))
    if (found !== -1) return found + END.length
    this.#searched = this.#length
    return -1
  }

  #status(end: number): number | undefined {
    const digits = STATUS_LINE.exec(this.#bytes.toString("latin1", this.#from, end))?.[1]
    return digits === undefined ? undefined : Number(digits)
  }

  /** Whether what has come of the response can be the beginning of one. */
  get #isBegun(): boolean {
    const begun = this.#bytes.toString("latin1", this.#from, Math.min(this.#length, this.#from + BEGINNING.length))
    return begun.replace(/\d/gu, "0") === BEGINNING.slice(0, begun.length)
  }
}
