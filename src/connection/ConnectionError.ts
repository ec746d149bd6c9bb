/**
 * Why a dial failed and why a connection ended. Close codes and reasons are
 * those of the peer's close frame (RFC 6455, section 7.1.5 and 7.1.6).
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

const id = (name: string) => `mooring/connection/${name}`

/**
 * What a dial goes through, in this order: the URL is asked for, its name is
 * resolved, a proxy is asked for a way, TCP connects, TLS is agreed upon, the
 * server answers the upgrade.
 *
 * @category models
 * @since 0.2.0
 */
export const DialPhase = Schema.Literals(["url", "dns", "proxy", "tcp", "tls", "upgrade"])

/**
 * @category models
 * @since 0.2.0
 */
export type DialPhase = typeof DialPhase.Type

/**
 * The socket wasn't open within the deadline, over DNS, TCP, TLS and the
 * upgrade together. `phase` is what it was waiting for then.
 *
 * @category errors
 * @since 0.1.0
 */
export class OpenTimeout extends Schema.TaggedError<OpenTimeout>(id("OpenTimeout"))("OpenTimeout", {
  url: Schema.String,
  phase: DialPhase,
  deadlineMs: Schema.Int
}) {
  override get message(): string {
    return `${this.url} was not open after ${this.deadlineMs} ms, waiting for ${this.phase}`
  }
}

/**
 * No connection could be made. `code` is the system's, for example
 * `ECONNREFUSED`. In the phase `url` there was nothing to dial: the
 * application's `SourceUrl` failed, and `reason` is what it failed with. In the
 * phase `client` the `WebSocketClient` itself did.
 *
 * @category errors
 * @since 0.1.0
 */
export class DialFailed extends Schema.TaggedError<DialFailed>(id("DialFailed"))("DialFailed", {
  url: Schema.String,
  phase: Schema.Literals(["url", "dns", "proxy", "tcp", "tls", "client"]),
  code: Schema.String,
  reason: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    return `${this.url} can't be reached: ${this.phase} failed with ${this.code}`
  }
}

/**
 * The server was reached and answered the upgrade with something else than a
 * valid 101, or hung up. `status` is the HTTP status, null where there was none;
 * `retryAfterMs` is what will be obeyed of a `Retry-After` header.
 *
 * @category errors
 * @since 0.1.0
 */
export class HandshakeRejected extends Schema.TaggedError<HandshakeRejected>(id("HandshakeRejected"))(
  "HandshakeRejected",
  {
    url: Schema.String,
    status: Schema.NullOr(Schema.Int),
    problem: Schema.String,
    retryAfterMs: Schema.NullOr(Schema.Int)
  }
) {
  override get message(): string {
    return `${this.url} refused the upgrade: ${this.problem}`
  }
}

/**
 * The name resolves to an address that it may not be dialled at.
 *
 * @category errors
 * @since 0.1.0
 */
export class AddressDenied extends Schema.TaggedError<AddressDenied>(id("AddressDenied"))("AddressDenied", {
  url: Schema.String,
  address: Schema.String
}) {
  override get message(): string {
    const why = "which is not granted; private_addresses of the granted target allows private ones"
    return `${this.url} resolves to ${this.address}, ${why}`
  }
}

/**
 * The plugin or the host has as many connections as it may have.
 *
 * @category errors
 * @since 0.1.0
 */
export class ConnectionLimit extends Schema.TaggedError<ConnectionLimit>(id("ConnectionLimit"))("ConnectionLimit", {
  url: Schema.String,
  per: Schema.Literals(["plugin", "host"]),
  limit: Schema.Int
}) {
  override get message(): string {
    return `${this.url} is one more than the ${this.limit} connections of this ${this.per}`
  }
}

/**
 * The errors of a dial.
 *
 * @category errors
 * @since 0.1.0
 */
export const DialError = Schema.Union([OpenTimeout, DialFailed, HandshakeRejected, AddressDenied, ConnectionLimit])

/**
 * @category errors
 * @since 0.1.0
 */
export type DialError = typeof DialError.Type

/**
 * The connection ended. `clean`: by a close frame of the peer. Without one
 * `code` is 1006, with one that has no code it is 1005.
 *
 * @category errors
 * @since 0.1.0
 */
export class ConnectionClosed extends Schema.TaggedError<ConnectionClosed>(id("ConnectionClosed"))("ConnectionClosed", {
  url: Schema.String,
  code: Schema.Int,
  reason: Schema.String,
  clean: Schema.Boolean
}) {
  override get message(): string {
    return this.clean ? `${this.url} closed with code ${this.code}` : `${this.url} ended without a close frame`
  }
}

/**
 * A message had more bytes than `max_message_bytes`, or more fragments than
 * `max_message_fragments`.
 *
 * @category errors
 * @since 0.1.0
 */
export class MessageTooLarge extends Schema.TaggedError<MessageTooLarge>(id("MessageTooLarge"))("MessageTooLarge", {
  url: Schema.String,
  what: Schema.Literals(["bytes", "fragments"]),
  limit: Schema.Int
}) {
  override get message(): string {
    return `${this.url} sent a message of more than ${this.limit} ${this.what}`
  }
}

/**
 * The peer broke the WebSocket protocol, or sent text that is not UTF-8.
 *
 * @category errors
 * @since 0.1.0
 */
export class ProtocolViolation extends Schema.TaggedError<ProtocolViolation>(id("ProtocolViolation"))(
  "ProtocolViolation",
  { url: Schema.String, problem: Schema.String }
) {
  override get message(): string {
    return `${this.url} broke the protocol: ${this.problem}`
  }
}

/**
 * A binary frame came for an ingress that takes none. It is counted and not delivered; the connection stays.
 *
 * @category errors
 * @since 0.1.0
 */
export class BinaryUnsupported extends Schema.TaggedError<BinaryUnsupported>(id("BinaryUnsupported"))(
  "BinaryUnsupported",
  { url: Schema.String, bytes: Schema.Int }
) {
  override get message(): string {
    return `${this.url} sent a binary frame of ${this.bytes} bytes, and its ingress doesn't list websocket_binary`
  }
}

/**
 * The peer took nothing for `send_stall_ms`, while so many bytes waited for it.
 *
 * @category errors
 * @since 0.3.0
 */
export class PeerStalled extends Schema.TaggedError<PeerStalled>(id("PeerStalled"))("PeerStalled", {
  url: Schema.String,
  stalledMs: Schema.Int,
  bufferedBytes: Schema.Int
}) {
  override get message(): string {
    return `${this.url} took nothing for ${this.stalledMs} ms, while ${this.bufferedBytes} bytes waited for it`
  }
}

/**
 * The peer sent more pings and pongs in a second than are allowed.
 *
 * @category errors
 * @since 0.1.0
 */
export class ControlFlood extends Schema.TaggedError<ControlFlood>(id("ControlFlood"))("ControlFlood", {
  url: Schema.String,
  limit: Schema.Int
}) {
  override get message(): string {
    return `${this.url} sent more than ${this.limit} control frames in a second`
  }
}

/**
 * The peer isn't there any more, though nothing said so: not one byte came for
 * `afterMs` after a ping (`silent`), or a ping is unanswered for so long and
 * earlier ones weren't (`unanswered`). Only time in which the socket was read
 * counts.
 *
 * @category errors
 * @since 0.3.0
 */
export class KeepaliveTimeout extends Schema.TaggedError<KeepaliveTimeout>(id("KeepaliveTimeout"))("KeepaliveTimeout", {
  url: Schema.String,
  what: Schema.Literals(["silent", "unanswered"]),
  afterMs: Schema.Int
}) {
  override get message(): string {
    return this.what === "silent"
      ? `${this.url} sent nothing for ${this.afterMs} ms after a ping`
      : `${this.url} left a ping unanswered for ${this.afterMs} ms`
  }
}

/**
 * No text came for as long as the operator allows, while the socket was open
 * and read.
 *
 * @category errors
 * @since 0.3.0
 */
export class DataStale extends Schema.TaggedError<DataStale>(id("DataStale"))("DataStale", {
  url: Schema.String,
  afterMs: Schema.Int
}) {
  override get message(): string {
    return `${this.url} sent no data for ${this.afterMs} ms`
  }
}

/**
 * The source was dialled as often as its window allows.
 *
 * @category errors
 * @since 0.1.0
 */
export class ReconnectExhausted extends Schema.TaggedError<ReconnectExhausted>(id("ReconnectExhausted"))(
  "ReconnectExhausted",
  { url: Schema.String, attempts: Schema.Int, windowMs: Schema.Int }
) {
  override get message(): string {
    return `${this.url} was dialled ${this.attempts} times within ${this.windowMs} ms`
  }
}

/**
 * The errors of an open connection.
 *
 * @category errors
 * @since 0.1.0
 */
export const ConnectionError = Schema.Union([
  ConnectionClosed,
  MessageTooLarge,
  ProtocolViolation,
  BinaryUnsupported,
  ControlFlood,
  KeepaliveTimeout,
  DataStale,
  PeerStalled,
  ReconnectExhausted
])

/**
 * @category errors
 * @since 0.1.0
 */
export type ConnectionError = typeof ConnectionError.Type
