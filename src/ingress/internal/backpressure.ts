/**
 * How fast a socket is read, by how full the queue behind it is: paused at
 * half, read again at a quarter, and read slowly once a pause was too long and
 * the queue has to slide.
 */
import type { ReadMode } from "../../connection/WebSocketClient.ts"
import type { Values } from "../../limits/Limits.ts"

/** As it comes, not at all, or slowly. */
export type Flow = "flowing" | "paused" | "sliding"

/** How much a queue may hold, and how long it may be paused. */
export type Limits = Pick<Values, "ingressQueueCapacity" | "ingressQueueBytes" | "burstPatienceMs">

export interface Options {
  readonly limits: Limits
  /** Milliseconds of a clock that is never set. */
  readonly monotonic: () => number
  /** Told when the socket is paused, so that somebody calls `slide` in time. */
  paused(): void
}

/** What waits. */
export interface Waiting {
  readonly depth: number
  readonly bytes: number
}

const NOTHING = (): void => {}

// What one read of a socket can bring, in bytes, and the fewest that a frame has on the wire (RFC 6455, 5.2).
const READ_BYTES = 65_536
const FRAME_HEADER_BYTES = 2

export class Backpressure {
  flow: Flow = "flowing"
  readonly #options: Options
  readonly #held: Waiting
  #limits: Limits
  #halfDepth = 0
  #halfBytes = 0
  #read: (mode: ReadMode) => void = NOTHING
  /** When the socket was paused, by the clock that is never set. */
  #pausedAt = 0
  /** Bytes on the wire that came since it was. */
  #sincePause = 0

  constructor(options: Options, held: Waiting) {
    this.#options = options
    this.#held = held
    this.#limits = options.limits
    this.reconfigure(options.limits)
  }

  /** There are other limits from now on. */
  reconfigure(limits: Limits): void {
    this.#limits = limits
    this.#halfDepth = limits.ingressQueueCapacity / 2
    this.#halfBytes = limits.ingressQueueBytes / 2
  }

  /** When the queue is to slide, by the clock that is never set; null where it isn't paused. */
  get slidesAt(): number | null {
    return this.flow === "paused" ? this.#pausedAt + this.#limits.burstPatienceMs : null
  }

  /** Another socket is read. The last one's frames may still wait; its pause has nothing to do with this one. */
  opened(read: (mode: ReadMode) => void): void {
    this.#read = read
    this.flow = "flowing"
    if (this.#isHalfFull) this.#pause()
  }

  /** There is no socket to read. */
  ended(): void {
    this.flow = "flowing"
  }

  /** A frame of so many bytes waits. */
  added(bytes: number): void {
    if (this.flow !== "flowing") this.#sincePause += bytes + FRAME_HEADER_BYTES
    else if (this.#isHalfFull) this.#pause()
  }

  /** A frame doesn't wait any more. */
  removed(): void {
    if (this.flow === "flowing" || this.#exceeds(4)) return
    this.flow = "flowing"
    this.#read("full")
  }

  /** Lets the queue slide: the pause has lasted too long. */
  slide(): void {
    if (this.flow !== "paused") return
    this.flow = "sliding"
    this.#read("slow")
  }

  /** Whether what comes was read before reading paused, and may exceed the capacity. */
  get mayExceed(): boolean {
    return this.flow === "paused" && this.#sincePause <= READ_BYTES
  }

  #pause(): void {
    this.flow = "paused"
    // What is over the capacity came with an earlier read: a new epoch brings no further allowance.
    if (!this.#exceeds(1)) this.#sincePause = 0
    this.#pausedAt = this.#options.monotonic()
    this.#read("off")
    if (this.#limits.burstPatienceMs === 0) this.slide()
    else this.#options.paused()
  }

  get #isHalfFull(): boolean {
    const held = this.#held
    return held.depth >= this.#halfDepth || held.bytes >= this.#halfBytes
  }

  #exceeds(part: number): boolean {
    const limits = this.#limits
    const held = this.#held
    return held.depth > limits.ingressQueueCapacity / part || held.bytes > limits.ingressQueueBytes / part
  }
}
