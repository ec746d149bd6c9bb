/**
 * Texts that wait, the oldest first, as their UTF-8 in blocks: a million texts
 * of a byte take a few megabytes, and none keeps alive a longer one that it is
 * a part of.
 */
interface Block {
  readonly bytes: Uint8Array
  readonly view: DataView
  /** Where the next one is put. */
  end: number
}

// Each is kept behind its length.
const LENGTH_BYTES = 4
const BLOCK_BYTES = 16_384

const blockFor = (bytes: number): Block => {
  const block = new Uint8Array(Math.max(BLOCK_BYTES, bytes))
  return { bytes: block, view: new DataView(block.buffer), end: 0 }
}

export class WaitingTexts {
  readonly #blocks: Array<Block> = []
  /** Where the oldest one lies, in the first block. */
  #start = 0
  #count = 0

  get count(): number {
    return this.#count
  }

  /** How long the oldest one is; 0 where none waits. */
  get nextLength(): number {
    return this.#blocks[0]?.view.getUint32(this.#start) ?? 0
  }

  push(text: Uint8Array): void {
    const bytes = LENGTH_BYTES + text.length
    let last = this.#blocks.at(-1)
    if (last === undefined || last.end + bytes > last.bytes.length) {
      last = blockFor(bytes)
      this.#blocks.push(last)
    }
    last.view.setUint32(last.end, text.length)
    last.bytes.set(text, last.end + LENGTH_BYTES)
    last.end += bytes
    this.#count++
  }

  /** Takes the oldest one out. */
  shift(): Uint8Array | undefined {
    const first = this.#blocks[0]
    if (first === undefined) return undefined
    const start = this.#start + LENGTH_BYTES
    const end = start + this.nextLength
    this.#count--
    this.#start = end
    if (end === first.end) {
      this.#blocks.shift()
      this.#start = 0
    }
    return first.bytes.subarray(start, end)
  }
}
