/**
 * Why a request wasn't accepted though it may be made: there are too many. Each
 * stands in the result of its command, with how long to wait.
 *
 * @since 0.5.0
 */
import * as Schema from "effect/Schema"

const id = (name: string) => `mooring/commands/${name}`

/**
 * As many of the plugin's requests and answers wait as may. After
 * `retryAfterMs` one of them is expected to be over.
 *
 * @category errors
 * @since 0.5.0
 */
export class RequestsTooMany extends Schema.TaggedError<RequestsTooMany>(id("RequestsTooMany"))("RequestsTooMany", {
  limit: Schema.Int,
  retryAfterMs: Schema.Int
}) {
  override get message(): string {
    return `${this.limit} requests and answers wait, no more are allowed`
  }
}

/**
 * The grant allows no further request in this minute. It does after
 * `retryAfterMs`, unless another one is made first.
 *
 * @category errors
 * @since 0.5.0
 */
export class RequestRateLimited extends Schema.TaggedError<RequestRateLimited>(id("RequestRateLimited"))(
  "RequestRateLimited",
  {
    url: Schema.String,
    limit: Schema.Int,
    retryAfterMs: Schema.Int
  }
) {
  override get message(): string {
    return `${this.url} may be requested ${this.limit} times a minute`
  }
}

/**
 * The refusals of requests.
 *
 * @category errors
 * @since 0.5.0
 */
export const RequestRefusal = Schema.Union([RequestsTooMany, RequestRateLimited])

/**
 * @category errors
 * @since 0.5.0
 */
export type RequestRefusal = typeof RequestRefusal.Type
