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

  take(amount: number): void {
    this.#tokens -= amount
  }
}

interface Buckets {
  readonly sends: Bucket | undefined
  readonly bytes: Bucket | undefined
}

/**
 * The rates of the granted targets of one plugin.
 *
 * @category models
 * @since 0.1.0
 */
export class SendRates {
  readonly #targets = new Map<string, Buckets>()

  /** What there is too little of for one more text of so many bytes, if anything. */
  over(
    target: GrantedTarget,
    bytes: number,
    now: number
  ): { readonly per: "sends" | "bytes"; readonly limit: number } | undefined {
    const { bytes: ofBytes, sends } = this.#buckets(target, now)
    if (sends !== undefined && !sends.has(1, now)) return { per: "sends", limit: sends.limit }
    if (ofBytes !== undefined && !ofBytes.has(bytes, now)) return { per: "bytes", limit: ofBytes.limit }
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
