/**
 * How many requests a plugin has made to the granted targets that have a rate.
 */
import type { RequestRate } from "../../grants/Evaluation.ts"
import { bucketOf, type Bucket } from "../../internal/bucket.ts"

/** What a target has allowed in this minute, and how long until it allows one more. */
interface Over {
  readonly limit: number
  readonly retryAfterMs: number
}

export class RequestRates {
  // Weak: nothing is kept of what isn't granted any more.
  readonly #buckets = new WeakMap<RequestRate["account"], Bucket>()

  /** Why there may be no further one now, if so. */
  over(rate: RequestRate, now: number): Over | undefined {
    const bucket = this.#of(rate, now)
    if (bucket === undefined || bucket.has(1, now)) return undefined
    return { limit: bucket.limit, retryAfterMs: bucket.untilHas(1) }
  }

  take(rate: RequestRate, now: number): void {
    this.#of(rate, now)?.take(1)
  }

  #of({ account, requestsPerMinute }: RequestRate, now: number): Bucket | undefined {
    const bucket = bucketOf(requestsPerMinute, this.#buckets.get(account), now)
    if (bucket === undefined) this.#buckets.delete(account)
    else this.#buckets.set(account, bucket)
    return bucket
  }
}
