/** One direction of a line that does to packets what a test tells it to. Pure: time, chance and delivery come in. */
import type { Packet } from "./packets.ts"

export interface Conditions {
  /** Whether nothing passes. */
  readonly isDown: boolean
  /** How many of all packets are lost, 0 to 1. */
  readonly loss: number
  readonly delayMs: number
  /** Each packet is late by up to so much more, so that one may overtake another. */
  readonly jitterMs: number
  /** 0: as fast as may be. */
  readonly bitsPerSecond: number
  /** What may wait for a slow line; the rest is lost. */
  readonly queueBytes: number
  /** Longer packets vanish, and nobody is told. */
  readonly mtu: number
}

export const FINE: Conditions = {
  isDown: false,
  loss: 0,
  delayMs: 0,
  jitterMs: 0,
  bitsPerSecond: 0,
  queueBytes: 65_536,
  mtu: 65_536
}

export class Line {
  #conditions = FINE
  /** When the last packet will have been put on the line. */
  #busyUntil = 0
  readonly #flows = new Set<string>()
  readonly #forgotten = new Set<string>()
  readonly counts = { passed: 0, lost: 0 }

  set(conditions: Partial<Conditions>): void {
    this.#conditions = { ...this.#conditions, ...conditions }
  }

  heal(): void {
    this.#conditions = FINE
    this.#forgotten.clear()
  }

  /** Every TCP connection that it knows is unknown from now on: only new ones pass. */
  forget(): void {
    for (const flow of this.#flows) this.#forgotten.add(flow)
  }

  /** When a packet that comes now arrives; null where it is lost. `random` is uniform in [0, 1). */
  arrival({ bytes, flow, isSyn }: Packet, now: number, random: () => number): number | null {
    const { bitsPerSecond, delayMs, isDown, jitterMs, loss, mtu, queueBytes } = this.#conditions
    if (flow !== null) {
      this.#flows.add(flow)
      if (isSyn) this.#forgotten.delete(flow)
    }
    const isForgotten = flow !== null && this.#forgotten.has(flow)
    if (isDown || isForgotten || bytes > mtu || random() < loss) return this.#lost()
    let departs = now
    if (bitsPerSecond > 0) {
      const begins = Math.max(now, this.#busyUntil)
      if (((begins - now) * bitsPerSecond) / 8000 + bytes > queueBytes) return this.#lost()
      departs = begins + (bytes * 8000) / bitsPerSecond
      this.#busyUntil = departs
    }
    this.counts.passed++
    return departs + delayMs + random() * jitterMs
  }

  #lost(): null {
    this.counts.lost++
    return null
  }
}
