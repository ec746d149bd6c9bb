/**
 * Whether a frame has room: in its source's queue, by number and memory, and in
 * what all sources of the host may hold together.
 */
import type { HostBytes } from "../Accounting.ts"
import type { Limits } from "./backpressure.ts"
import type { Frames } from "./frames.ts"

export class Room {
  readonly #hostBytes: HostBytes
  readonly #frames: Pick<Frames, "depth" | "bytes" | "dispensable">
  #limits: Limits

  constructor(
    { hostBytes, limits }: { readonly hostBytes: HostBytes; readonly limits: Limits },
    frames: Pick<Frames, "depth" | "bytes" | "dispensable">
  ) {
    this.#hostBytes = hostBytes
    this.#frames = frames
    this.#limits = limits
  }

  /** There are other limits from now on. */
  reconfigure(limits: Limits): void {
    this.#limits = limits
  }

  /** Whether one that takes so much memory has none. */
  isLackingFor(memory: number): boolean {
    const { ingressQueueBytes, ingressQueueCapacity } = this.#limits
    const { limit, used } = this.#hostBytes
    return (
      this.#frames.depth >= ingressQueueCapacity ||
      this.#frames.bytes + memory > ingressQueueBytes ||
      used + memory > limit
    )
  }

  /** Whether it has some where the source's queue may hold more than its capacity. */
  isThereBeyond(memory: number): boolean {
    return memory <= this.#limits.ingressQueueBytes && this.#hostBytes.used + memory <= this.#hostBytes.limit
  }

  /** Whether it would have some if all went that may go for it. */
  canBeMade(memory: number, isUrgent: boolean): boolean {
    const { ingressQueueBytes, ingressQueueCapacity } = this.#limits
    const { limit, used } = this.#hostBytes
    const going = this.#frames.dispensable(isUrgent)
    return (
      this.#frames.depth - going.depth < ingressQueueCapacity &&
      this.#frames.bytes - going.bytes + memory <= ingressQueueBytes &&
      used - going.bytes + memory <= limit
    )
  }
}
