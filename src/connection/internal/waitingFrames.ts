/**
 * Frames that wait, the oldest first, as their bytes in blocks: a million of a
 * byte take a few megabytes, and none keeps alive a longer one that it is a part
 * of.
 */
import type { FrameKind } from "../WebSocketClient.ts"

/** Texts as their UTF-8. */
export interface WaitingFrame {
  readonly payload: Uint8Array
  readonly kind: FrameKind
}

interface Block {
  readonly bytes: Uint8Array
  readonly view: DataView
  /** Where the next one is put. */
  end: number
}

// Each is kept behind one word: its length, and in the lowest bit whether it is binary.
const HEAD_BYTES = 4
const BINARY = 1
const BLOCK_BYTES = 16_384

const blockFor = (bytes: number): Block => {
  const block = new Uint8Array(Math.max(BLOCK_BYTES, bytes))
  return { bytes: block, view: new DataView(block.buffer), end: 0 }
}

export class WaitingFrames {
  readonly #blocks: Array<Block> = []
  /** Where the oldest one lies, in the first block. */
  #start = 0
  #count = 0

  get count(): number {
    return this.#count
  }

  /** How long the oldest one is; 0 where none waits. */
  get nextLength(): number {
    return this.#head >>> 1
  }

  get #head(): number {
    return this.#blocks[0]?.view.getUint32(this.#start) ?? 0
  }

  push(payload: Uint8Array, kind: FrameKind): void {
    const bytes = HEAD_BYTES + payload.length
    let last = this.#blocks.at(-1)
    if (last === undefined || last.end + bytes > last.bytes.length) {
      last = blockFor(bytes)
      this.#blocks.push(last)
    }
    last.view.setUint32(last.end, payload.length * 2 + (kind === "binary" ? BINARY : 0))
    last.bytes.set(payload, last.end + HEAD_BYTES)
    last.end += bytes
    this.#count++
  }

  /** Takes the oldest one out. */
  shift(): WaitingFrame | undefined {
    const first = this.#blocks[0]
    if (first === undefined) return undefined
    const start = this.#start + HEAD_BYTES
    const end = start + this.nextLength
    const kind = (this.#head & BINARY) === 0 ? "text" : "binary"
    this.#count--
    this.#start = end
    if (end === first.end) {
      this.#blocks.shift()
      this.#start = 0
    }
    return { payload: first.bytes.subarray(start, end), kind }
  }
}
