/**
 * Ingress events on the wire: what a plugin outside the process is handed.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { Timestamp } from "../diagnostics/Diagnostic.ts"
import * as Base64 from "../internal/base64.ts"
import * as Wire from "../internal/wire.ts"
import { DeliveredKind } from "../manifest/Manifest.ts"
import { CommandOutcome } from "./CommandOutcome.ts"
import type { AnyEvent } from "./IngressEvent.ts"

const Headers = Schema.Record(Schema.String, Schema.String)

const requested = { commandId: Schema.String, requestId: Schema.String, durationMs: Schema.Int }

const responded = { ...requested, status: Schema.Int, headers: Headers }

/** What a server answered, its body as text or not; or why there is no answer. */
const hostResponse = Schema.Union([
  Wire.struct({ ...responded, text: Schema.String }),
  Schema.Struct({ ...responded, bytes: Base64.Bytes }).pipe(
    Schema.encodeKeys({ commandId: "command_id", requestId: "request_id", durationMs: "duration_ms", bytes: "base64" })
  ),
  Wire.struct({
    ...requested,
    error: Schema.Struct({
      tag: Schema.String,
      message: Schema.String,
      sent: Schema.Boolean,
      phase: Schema.optionalKey(Schema.String),
      code: Schema.optionalKey(Schema.String),
      status: Schema.optionalKey(Schema.Int),
      headers: Schema.optionalKey(Headers)
    })
  })
])

const payloads = {
  websocket_open: Wire.struct({
    url: Schema.String,
    attempts: Schema.Int,
    subprotocol: Schema.NullOr(Schema.String)
  }),
  websocket_text: Schema.Struct({ url: Schema.String, text: Schema.String }),
  websocket_binary: Schema.Struct({ url: Schema.String, bytes: Base64.Bytes }).pipe(
    Schema.encodeKeys({ bytes: "base64" })
  ),
  websocket_close: Wire.struct({
    url: Schema.String,
    code: Schema.Int,
    reason: Schema.String,
    clean: Schema.Boolean,
    unconfirmed: Schema.Int,
    willReconnect: Schema.Boolean
  }),
  websocket_error: Wire.struct({
    url: Schema.String,
    error: Wire.struct({
      tag: Schema.String,
      message: Schema.String,
      status: Schema.optionalKey(Schema.Int),
      retryAfterMs: Schema.optionalKey(Schema.Int),
      code: Schema.optionalKey(Schema.Union([Schema.Int, Schema.String])),
      phase: Schema.optionalKey(Schema.String),
      what: Schema.optionalKey(Schema.String)
    }),
    willReconnect: Schema.Boolean
  }),
  timer: Schema.Struct({ name: Schema.String, url: Schema.optionalKey(Schema.String) }),
  host_response: hostResponse,
  command_result: CommandOutcome
}

const wire = <Kind extends Schema.Codec<string>, Payload extends Schema.Top>(kind: Kind, payload: Payload) =>
  Wire.struct({
    kind,
    source: Schema.String,
    ingressName: Schema.String,
    payload,
    createdAt: Timestamp,
    attempt: Schema.Literal(1),
    correlationId: Schema.String,
    sourceId: Schema.NullOr(Schema.String),
    sequence: Schema.Int,
    epoch: Schema.Int,
    frame: Schema.Int,
    droppedBefore: Schema.Int
  })

/**
 * The schema of an event on the wire.
 *
 * @category schemas
 * @since 0.1.0
 */
export const IngressEventWire = Schema.Union([
  wire(Schema.Literal("websocket_open"), payloads.websocket_open),
  wire(Schema.Literal("websocket_text"), payloads.websocket_text),
  wire(Schema.Literal("websocket_binary"), payloads.websocket_binary),
  wire(Schema.Literal("websocket_close"), payloads.websocket_close),
  wire(Schema.Literal("websocket_error"), payloads.websocket_error),
  wire(Schema.Literal("timer"), payloads.timer),
  wire(Schema.Literal("host_response"), payloads.host_response),
  wire(Schema.Literal("command_result"), payloads.command_result),
  wire(DeliveredKind, Schema.Json)
]).annotate({ identifier: "IngressEvent" })

const encodeWire = Schema.encodeSync(IngressEventWire)

/**
 * The wire form of an event.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encode = (event: AnyEvent): typeof IngressEventWire.Encoded =>
  encodeWire({
    kind: event.kind,
    source: event.source,
    ingressName: event.ingressName,
    payload: event.payload,
    createdAt: event.createdAt,
    attempt: 1,
    correlationId: event.correlationId,
    sourceId: event.sourceId,
    sequence: event.sequence,
    epoch: event.epoch,
    frame: event.frame,
    droppedBefore: event.droppedBefore
    // The kind and its payload belong together, which the union of the classes says and this spread can't.
  } as typeof IngressEventWire.Type)
