/** What a client writes, frame by frame: masked, as RFC 6455 wants it in section 5.1. */

export interface ClientFrame {
  readonly fin: boolean
  /** The three reserved bits; 4 is the compressed one (RFC 7692, section 6). */
  readonly reserved: number
  readonly opcode: number
  readonly payload: Buffer
}

/** Reads frames out of what a client wrote; keeps what isn't whole for the next time. */
export class ClientFrames {
  readonly frames: Array<ClientFrame> = []
  /** What is wrong with what it wrote, if anything is. */
  problem: string | undefined = undefined
  readonly #told: (frame: ClientFrame) => void
  #pieces: Array<Buffer> = []
  #bytes = 0
  #needed = 2

  constructor(told: (frame: ClientFrame) => void = () => {}) {
    this.#told = told
  }

  readonly take = (chunk: Buffer): void => {
    this.#pieces.push(chunk)
    this.#bytes += chunk.length
    // Joined only when there is enough: a frame of 16 MiB comes in hundreds of pieces.
    while (this.#bytes >= this.#needed) {
      const all = Buffer.concat(this.#pieces)
      const rest = this.#one(all)
      this.#pieces = [rest]
      this.#bytes = rest.length
    }
  }

  #one(bytes: Buffer): Buffer {
    const first = bytes[0] ?? 0
    const second = bytes[1] ?? 0
    if ((second & 0x80) === 0) this.problem ??= "a frame that isn't masked"
    const short = second & 0x7f
    const header = (short < 126 ? 2 : short === 126 ? 4 : 10) + 4
    this.#needed = header
    if (bytes.length < header) return bytes
    const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
    this.#needed = header + length
    if (bytes.length < this.#needed) return bytes
    if (length < (header === 6 ? 0 : header === 8 ? 126 : 65_536)) this.problem ??= "a length longer than it need be"
    const mask = bytes.subarray(header - 4, header)
    const payload = Buffer.from(bytes.subarray(header, header + length))
    for (let at = 0; at < length; at++) payload[at] = (payload[at] ?? 0) ^ (mask[at & 3] ?? 0)
    const frame = { fin: (first & 0x80) !== 0, reserved: (first >> 4) & 7, opcode: first & 15, payload }
    this.frames.push(frame)
    this.#told(frame)
    const rest = bytes.subarray(this.#needed)
    this.#needed = 2
    return rest
  }
}
