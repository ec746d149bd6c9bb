/**
 * Ingress events: what a plugin is handed.
 *
 * In process an event is one small object. What can be derived from it (the
 * wire form, `createdAt` as text, the correlation id) is computed when
 * somebody asks. The encoded form is in `IngressEventWire`, the same that a
 * sandboxed plugin gets.
 *
 * @since 0.1.0
 */
import type { ReportedError } from "../connection/ConnectionSink.ts"

/**
 * Where events come from, shared by all of them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Origin {
  /** Unique in this host's life and across restarts; the head of every correlation id. */
  readonly key: string
  /** With its prefix: `websocket:ws://127.0.0.1:7700/gateway`. */
  readonly source: string
  /** The source's URL as written. */
  readonly url: string
  readonly ingressName: string
}

/**
 * The correlation id of an event.
 *
 * @category getters
 * @since 0.1.0
 */
export const correlationId = (origin: Origin, sequence: number): string => `${origin.key}.${sequence}`

abstract class Base {
  /** How many of the source's events before this one were never handed over. Set when this one is. */
  droppedBefore = 0
  readonly origin: Origin
  /** Grows by one per event enqueued from this source, from 1. */
  readonly sequence: number
  /** The epoch of the connection, 0 before the first open. */
  readonly epoch: number
  /** When it happened, in Unix milliseconds. */
  readonly at: number

  constructor(origin: Origin, sequence: number, epoch: number, at: number) {
    this.origin = origin
    this.sequence = sequence
    this.epoch = epoch
    this.at = at
  }

  /** The source's URL as written. */
  get url(): string {
    return this.origin.url
  }

  /** The source, with its prefix. */
  get source(): string {
    return this.origin.source
  }

  get ingressName(): string {
    return this.origin.ingressName
  }

  /** When it happened, RFC 3339 in UTC. */
  get createdAt(): string {
    return new Date(this.at).toISOString()
  }

  get correlationId(): string {
    return correlationId(this.origin, this.sequence)
  }
}

/**
 * The connection opened. `attempts` is how many dials it took, `subprotocol`
 * the server's choice.
 *
 * @category models
 * @since 0.1.0
 */
export class WebSocketOpen extends Base {
  readonly attempts: number
  readonly subprotocol: string | null

  constructor(
    origin: Origin,
    sequence: number,
    epoch: number,
    at: number,
    attempts: number,
    subprotocol: string | null
  ) {
    super(origin, sequence, epoch, at)
    this.attempts = attempts
    this.subprotocol = subprotocol
  }

  get kind() {
    return "websocket_open" as const
  }

  get frame(): number {
    return 0
  }

  get payload() {
    return { url: this.url, attempts: this.attempts, subprotocol: this.subprotocol }
  }
}

/**
 * A text frame. `frame` numbers the text frames of one epoch from 1 as they
 * arrived, so a gap is a frame the plugin never saw. `bytes` is its length in
 * UTF-8.
 *
 * @category models
 * @since 0.1.0
 */
export class WebSocketText extends Base {
  readonly text: string
  readonly bytes: number
  readonly frame: number

  constructor(origin: Origin, sequence: number, epoch: number, at: number, frame: number, text: string, bytes: number) {
    super(origin, sequence, epoch, at)
    this.text = text
    this.bytes = bytes
    this.frame = frame
  }

  get kind() {
    return "websocket_text" as const
  }

  get payload() {
    return { url: this.url, text: this.text }
  }
}

/**
 * The connection ended. `code` and `reason` are those of the peer's close
 * frame: 1005 if it had no code, 1006 if none came; `clean`: one came.
 * `willReconnect`: the source is dialled again by itself.
 *
 * @category models
 * @since 0.1.0
 */
export class WebSocketClose extends Base {
  readonly code: number
  readonly reason: string
  readonly clean: boolean
  readonly willReconnect: boolean

  constructor(
    origin: Origin,
    sequence: number,
    epoch: number,
    at: number,
    end: { readonly code: number; readonly reason: string; readonly clean: boolean },
    willReconnect: boolean
  ) {
    super(origin, sequence, epoch, at)
    this.code = end.code
    this.reason = end.reason
    this.clean = end.clean
    this.willReconnect = willReconnect
  }

  get kind() {
    return "websocket_close" as const
  }

  get frame(): number {
    return 0
  }

  get payload() {
    return {
      url: this.url,
      code: this.code,
      reason: this.reason,
      clean: this.clean,
      willReconnect: this.willReconnect
    }
  }
}

/**
 * A dial failed, or the connection ended by something else than a close frame;
 * then a `websocket_close` follows.
 *
 * @category models
 * @since 0.1.0
 */
export class WebSocketError extends Base {
  readonly error: ReportedError
  readonly willReconnect: boolean

  constructor(
    origin: Origin,
    sequence: number,
    epoch: number,
    at: number,
    error: ReportedError,
    willReconnect: boolean
  ) {
    super(origin, sequence, epoch, at)
    this.error = error
    this.willReconnect = willReconnect
  }

  get kind() {
    return "websocket_error" as const
  }

  get frame(): number {
    return 0
  }

  get payload() {
    return { url: this.url, error: this.error, willReconnect: this.willReconnect }
  }
}

/**
 * Any event.
 *
 * @category models
 * @since 0.1.0
 */
export type IngressEvent = WebSocketOpen | WebSocketText | WebSocketClose | WebSocketError

/**
 * The events of each kind.
 *
 * @category models
 * @since 0.1.0
 */
export type ByKind = { readonly [Kind in IngressEvent["kind"]]: Extract<IngressEvent, { readonly kind: Kind }> }
