/**
 * What can happen to an event before a handler sees it.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

const id = (name: string) => `mooring/ingress/${name}`

/**
 * The oldest text, result or delivered event of a full queue was dropped to
 * make room for a new one. `url` is the source.
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
    return `the queue of ${this.url} was full (${this.capacity} events or ${this.capacityBytes} bytes); its oldest event was dropped`
  }
}

/**
 * What an application delivered can't be an event: its ingress, kind or payload
 * is not what it must be.
 *
 * @category errors
 * @since 0.1.0
 */
export class EventInvalid extends Schema.TaggedError<EventInvalid>(id("EventInvalid"))("EventInvalid", {
  field: Schema.Literals(["ingress", "kind", "payload"]),
  problem: Schema.String
}) {
  override get message(): string {
    return `the event is invalid: ${this.field}: ${this.problem}`
  }
}

/**
 * The service takes no events now, but is about to: it starts or restarts.
 *
 * @category errors
 * @since 0.1.0
 */
export class ServiceUnavailable extends Schema.TaggedError<ServiceUnavailable>(id("ServiceUnavailable"))(
  "ServiceUnavailable",
  { lifecycle: Schema.Literals(["ready", "starting", "restarting"]) }
) {
  override get message(): string {
    return `the service takes no events while it is ${this.lifecycle}`
  }
}

/**
 * The service takes no events: it was stopped, or is being stopped.
 *
 * @category errors
 * @since 0.1.0
 */
export class ServiceStopped extends Schema.TaggedError<ServiceStopped>(id("ServiceStopped"))("ServiceStopped", {
  lifecycle: Schema.Literals(["stopping", "stopped"])
}) {
  override get message(): string {
    return `the service is ${this.lifecycle}`
  }
}

/**
 * The service takes no events: it has failed.
 *
 * @category errors
 * @since 0.1.0
 */
export class ServiceFailed extends Schema.TaggedError<ServiceFailed>(id("ServiceFailed"))("ServiceFailed", {
  /** The tag of what it failed for, where that is known. */
  tag: Schema.NullOr(Schema.String)
}) {
  override get message(): string {
    return `the service has failed${this.tag === null ? "" : ` (${this.tag})`}`
  }
}

/**
 * The errors of this stage.
 *
 * @category errors
 * @since 0.1.0
 */
export const IngressError = Schema.Union([
  QueueOverflow,
  EventInvalid,
  ServiceUnavailable,
  ServiceStopped,
  ServiceFailed
])

/**
 * @category errors
 * @since 0.1.0
 */
export type IngressError = typeof IngressError.Type
