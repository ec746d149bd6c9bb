/**
 * What can happen to an event before a handler sees it.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

const id = (name: string) => `mooring/ingress/${name}`

/**
 * The oldest text event of a full queue was dropped to make room for a new
 * one.
 *
 * @category errors
 * @since 0.1.0
 */
export class QueueOverflow extends Schema.TaggedError<QueueOverflow>(id("QueueOverflow"))("QueueOverflow", {
  url: Schema.String,
  capacity: Schema.Int,
  capacityBytes: Schema.Int
}) {
  override get message(): string {
    return `the queue of ${this.url} was full (${this.capacity} events or ${this.capacityBytes} bytes); its oldest text was dropped`
  }
}

/**
 * The errors of this stage.
 *
 * @category errors
 * @since 0.1.0
 */
export const IngressError = Schema.Union([QueueOverflow])

/**
 * @category errors
 * @since 0.1.0
 */
export type IngressError = typeof IngressError.Type
