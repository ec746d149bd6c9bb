/**
 * How much a plugin may send to one granted target in a minute: a token bucket
 * each for texts and bytes, full at the start and refilled evenly.
 *
 * @since 0.1.0
 */
import type { GrantedTarget } from "../manifest/WebSocketTarget.ts"

const MINUTE_MS = 60_000

class Bucket {
  readonly limit: number
  #tokens: number
  #at: number

  constructor(limit: number, now: number) {
    this.limit = limit
    this.#tokens = limit
    this.#at = now
  }

  has(amount: number, now: number): boolean {
    const elapsed = Math.max(0, now - this.#at)
    this.#tokens = Math.min(this.limit, this.#tokens + (elapsed * this.limit) / MINUTE_MS)
    this.#at = now
    return this.#tokens >= amount
  }

  /** Milliseconds until there is so much, or as much as there can be. */
  untilHas(amount: number): number {
    return Math.max(1, Math.ceil(((Math.min(amount, this.limit) - this.#tokens) * MINUTE_MS) / this.limit))
  }

  take(amount: number): void {
    this.#tokens -= amount
  }
}

interface Buckets {
  readonly sends: Bucket | undefined
  readonly bytes: Bucket | undefined
}

/**
 * What there is too little of, and how long until there is enough of it.
 *
 * @category models
 * @since 0.2.0
 */
export interface Over {
  readonly per: "sends" | "bytes"
  readonly limit: number
  readonly retryAfterMs: number
}

const overOf = (per: Over["per"], bucket: Bucket, amount: number): Over => ({
  per,
  limit: bucket.limit,
  retryAfterMs: bucket.untilHas(amount)
})

/**
 * The rates of the granted targets of one plugin.
 *
 * @category models
 * @since 0.1.0
 */
export class SendRates {
  readonly #targets = new Map<string, Buckets>()

  /** What there is too little of for one more text of so many bytes, if anything. */
  over(target: GrantedTarget, bytes: number, now: number): Over | undefined {
    const { bytes: ofBytes, sends } = this.#buckets(target, now)
    if (sends !== undefined && !sends.has(1, now)) return overOf("sends", sends, 1)
    if (ofBytes !== undefined && !ofBytes.has(bytes, now)) return overOf("bytes", ofBytes, bytes)
    return undefined
  }

  /** Takes one text of so many bytes. */
  take(target: GrantedTarget, bytes: number, now: number): void {
    const { bytes: ofBytes, sends } = this.#buckets(target, now)
    sends?.take(1)
    ofBytes?.take(bytes)
  }

  #buckets(target: GrantedTarget, now: number): Buckets {
    const key = JSON.stringify(target)
    let buckets = this.#targets.get(key)
    if (buckets === undefined) {
      buckets = {
        sends: target.sendsPerMinute === undefined ? undefined : new Bucket(target.sendsPerMinute, now),
        bytes: target.sendBytesPerMinute === undefined ? undefined : new Bucket(target.sendBytesPerMinute, now)
      }
      this.#targets.set(key, buckets)
    }
    return buckets
  }
}
