/**
 * How much a plugin may send to one granted target in a minute: a token bucket
 * each for texts and bytes, full at the start and refilled evenly.
 *
 * @since 0.1.0
 */
import type { Rate } from "../grants/Evaluation.ts"
import { bucketOf, type Bucket } from "../internal/bucket.ts"

interface Buckets {
  sends: Bucket | undefined
  bytes: Bucket | undefined
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
 * What one plugin has sent to the granted targets that have a rate. Times are
 * milliseconds of a clock that is never set.
 *
 * @category models
 * @since 0.1.0
 */
export class SendRates {
  // Weak: nothing is kept of what isn't granted any more.
  readonly #buckets = new WeakMap<Rate["account"], Buckets>()

  /** What there is too little of for one more text of so many bytes, if anything. */
  over(rate: Rate, bytes: number, now: number): Over | undefined {
    const { bytes: ofBytes, sends } = this.#of(rate, now)
    if (sends !== undefined && !sends.has(1, now)) return overOf("sends", sends, 1)
    if (ofBytes !== undefined && !ofBytes.has(bytes, now)) return overOf("bytes", ofBytes, bytes)
    return undefined
  }

  /** Takes one text of so many bytes. */
  take(rate: Rate, bytes: number, now: number): void {
    const { bytes: ofBytes, sends } = this.#of(rate, now)
    sends?.take(1)
    ofBytes?.take(bytes)
  }

  #of({ account, sendBytesPerMinute, sendsPerMinute }: Rate, now: number): Buckets {
    const known = this.#buckets.get(account)
    const buckets = known ?? { sends: undefined, bytes: undefined }
    buckets.sends = bucketOf(sendsPerMinute, buckets.sends, now)
    buckets.bytes = bucketOf(sendBytesPerMinute, buckets.bytes, now)
    if (known === undefined) this.#buckets.set(account, buckets)
    return buckets
  }
}
