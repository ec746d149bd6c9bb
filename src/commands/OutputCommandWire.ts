/**
 * Output commands on the wire: a schema for each kind.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as Wire from "../internal/wire.ts"
import { RequestPayload } from "./RequestPayload.ts"
import { connection, SendPayload, Text } from "./SendPayload.ts"

/**
 * An id that a plugin gives: at most 128 of `[A-Za-z0-9._:-]`.
 *
 * @category schemas
 * @since 0.1.0
 */
export const CommandId = Schema.String.check(
  Schema.isPattern(/^[A-Za-z0-9._:-]{1,128}$/u, { expected: "at most 128 letters, digits, '.', '_', ':' and '-'" })
)

/** A time as a plugin may write it: RFC 3339, with any offset and fraction. */
const RequestedAt = Schema.String.check(
  Schema.isPattern(
    /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])[Tt](?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/u,
    { expected: "a time as RFC 3339 writes it" }
  )
)

const Millis = (minimum: number) =>
  Schema.Int.check(
    Schema.isBetween({ minimum, maximum: 2_147_483_647 }, { expected: `a whole number of at least ${minimum}` })
  )

// RFC 6455, section 5.5.1: a control frame has 125 bytes, two of which are the code.
const Reason = Text.check(
  Schema.makeFilter((reason: string) => new TextEncoder().encode(reason).length <= 123, {
    expected: "at most 123 bytes of UTF-8",
    toJsonSchema: () => [{ maxLength: 123 }, true]
  })
)

const CloseCode = Schema.Int.check(
  Schema.makeFilter((code: number) => code === 1000 || (code >= 3000 && code <= 4999), {
    expected: "1000 or 3000 to 4999",
    toJsonSchema: () => ({ anyOf: [{ const: 1000 }, { minimum: 3000, maximum: 4999 }] })
  })
)

const payloads = {
  websocket_send: SendPayload,
  websocket_close: Wire.struct({
    ...connection,
    code: Schema.optionalKey(CloseCode),
    reason: Schema.optionalKey(Reason)
  }),
  websocket_reconnect: Wire.struct({
    ...connection,
    code: Schema.optionalKey(CloseCode),
    dialUrl: Schema.optionalKey(Schema.NullOr(Text))
  }),
  timer_set: Wire.struct({
    name: CommandId,
    afterMs: Millis(100),
    everyMs: Schema.optionalKey(Millis(1000)),
    url: Schema.optionalKey(Text)
  }),
  timer_clear: Schema.Struct({ name: CommandId }),
  diagnostic_status_update: Schema.Struct({
    message: Schema.optionalKey(Text),
    status: Schema.optionalKey(Schema.Json)
  }),
  host_request_dispatch: RequestPayload
}

/**
 * The kinds of commands.
 *
 * @category models
 * @since 0.1.0
 */
export type Kind = keyof typeof payloads

/**
 * @category models
 * @since 0.1.0
 */
export type Payloads = { readonly [K in Kind]: (typeof payloads)[K]["Type"] }

const command = <K extends Kind>(kind: K) =>
  Wire.struct({
    kind: Schema.Literal(kind),
    payload: payloads[kind],
    commandId: Schema.optionalKey(CommandId),
    correlationId: Schema.optionalKey(CommandId),
    sourceEventId: Schema.optionalKey(CommandId),
    requestedAt: Schema.optionalKey(RequestedAt)
  })

/**
 * The schema of a command of each kind.
 *
 * @category schemas
 * @since 0.1.0
 */
export const byKind = {
  websocket_send: command("websocket_send"),
  websocket_close: command("websocket_close"),
  websocket_reconnect: command("websocket_reconnect"),
  timer_set: command("timer_set"),
  timer_clear: command("timer_clear"),
  diagnostic_status_update: command("diagnostic_status_update"),
  host_request_dispatch: command("host_request_dispatch")
}

/**
 * The schema of a command on the wire.
 *
 * @category schemas
 * @since 0.1.0
 */
export const OutputCommandWire = Schema.Union(Object.values(byKind)).annotate({ identifier: "OutputCommand" })

/**
 * Every name that the fields of commands have on the wire.
 *
 * @category constants
 * @since 0.1.0
 */
// prettier-ignore
export const FIELDS: ReadonlySet<string> = new Set([
  "kind", "payload", "command_id", "correlation_id", "source_event_id", "requested_at",
  "url", "text", "ingress_name", "epoch", "code", "reason", "dial_url",
  "name", "after_ms", "every_ms", "message", "status",
  "method", "headers", "base64", "timeout_ms"
])
