/**
 * Output commands: what a plugin asks the host to do, with constructors for
 * plugins written in TypeScript.
 *
 * A value made by a constructor is known to have the right form; anything else
 * is decoded, whoever made it.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Wire from "../internal/wire.ts"
import { CommandMalformed } from "./CommandError.ts"
import { byKind, CommandId, FIELDS, type Kind, type OutputCommandWire, type Payloads } from "./OutputCommandWire.ts"

/**
 * Ids that a plugin may give a command. The host fills in what is missing.
 *
 * @category models
 * @since 0.1.0
 */
export interface Ids {
  readonly commandId?: string
  readonly correlationId?: string
  readonly sourceEventId?: string
}

const NO_IDS: Ids = {}

let make: <K extends Kind>(kind: K, payload: Payloads[K], ids: Ids) => OutputCommand<K>
let isChecked: (value: unknown) => value is OutputCommand

/**
 * A command whose form was checked.
 *
 * @category models
 * @since 0.1.0
 */
export class OutputCommand<out K extends Kind = Kind> {
  readonly kind: K
  readonly payload: Payloads[K]
  readonly ids: Ids
  readonly #checked = true

  private constructor(kind: K, payload: Payloads[K], ids: Ids) {
    this.kind = kind
    this.payload = payload
    this.ids = ids
  }

  static {
    make = (kind, payload, ids) => new OutputCommand(kind, payload, ids)
    isChecked = (value): value is OutputCommand => typeof value === "object" && value !== null && #checked in value
  }
}

/**
 * Whether a value is a command whose form was checked.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isOutputCommand = (value: unknown): value is OutputCommand => isChecked(value)

/**
 * Whether a command is of a kind.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isOfKind = <K extends Kind>(value: OutputCommand, kind: K): value is OutputCommand<K> =>
  value.kind === kind

/**
 * What a constructor makes: a checked command, or one in its wire form that
 * the host checks when it is asked to execute it.
 *
 * @category models
 * @since 0.1.0
 */
export type Command = OutputCommand | typeof OutputCommandWire.Encoded

/**
 * A connection as a command names it: an event of it, or a URL with an
 * optional ingress name.
 *
 * @category models
 * @since 0.1.0
 */
export type To = string | { readonly url: string; readonly ingressName?: string }

/**
 * Options of commands for a connection. Without `epoch` the command is for the
 * epoch of the event that it answers; `"any"` asks for whichever is there.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends Ids {
  readonly epoch?: number | "any"
}

const envelope = (ids: Ids | undefined) => ({
  ...(ids?.commandId === undefined ? {} : { command_id: ids.commandId }),
  ...(ids?.correlationId === undefined ? {} : { correlation_id: ids.correlationId }),
  ...(ids?.sourceEventId === undefined ? {} : { source_event_id: ids.sourceEventId })
})

const address = (to: To, options: Options | undefined) => {
  const named = typeof to === "string" ? { url: to } : to
  return {
    url: named.url,
    ...(named.ingressName === undefined ? {} : { ingress_name: named.ingressName }),
    ...(options?.epoch === undefined ? {} : { epoch: options.epoch })
  }
}

/**
 * Sends a text over a connection: `executed` once it was handed to the open
 * socket.
 *
 * @category constructors
 * @since 0.1.0
 */
export const send = (to: To, text: string, options?: Options): Command => {
  // The common case needs no schema: any string will do, and the host looks for the URL among the sources.
  if (options === undefined && typeof to === "object" && typeof text === "string") {
    const { ingressName, url } = to
    if (typeof url === "string" && typeof ingressName === "string") {
      return make("websocket_send", { url, ingressName, text }, NO_IDS)
    }
  }
  return { kind: "websocket_send", payload: { ...address(to, options), text }, ...envelope(options) }
}

/**
 * Closes a connection, which stays closed until the plugin asks for
 * {@link reconnect} or the operator for another start. `code` is 1000 (the default) or 3000 to 4999; `reason` has
 * at most 123 bytes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const close = (to: To, options?: Options & { readonly code?: number; readonly reason?: string }): Command => ({
  kind: "websocket_close",
  payload: {
    ...address(to, options),
    ...(options?.code === undefined ? {} : { code: options.code }),
    ...(options?.reason === undefined ? {} : { reason: options.reason })
  },
  ...envelope(options)
})

/**
 * Closes a connection and dials it anew, after the backoff and within the
 * budget of its source. It lifts the plugin's own {@link close}. `code` is 1000
 * or 3000 to 4999, the source's close code unless given. `dialUrl` is dialled
 * for this source from now on, null: its own URL again.
 *
 * @category constructors
 * @since 0.1.0
 */
export const reconnect = (
  to: To,
  options?: Options & { readonly code?: number; readonly dialUrl?: string | null }
): Command => ({
  kind: "websocket_reconnect",
  payload: {
    ...address(to, options),
    ...(options?.code === undefined ? {} : { code: options.code }),
    ...(options?.dialUrl === undefined ? {} : { dial_url: options.dialUrl })
  },
  ...envelope(options)
})

/**
 * When a timer fires, in milliseconds: first after `afterMs` (at least 100),
 * then every `everyMs` (at least 1000), if given. With `url` it belongs to that
 * connection and ends with its epoch.
 *
 * @category models
 * @since 0.1.0
 */
export interface Timing {
  readonly afterMs: number
  readonly everyMs?: number
  readonly url?: string
}

/**
 * Sets a timer, in place of one of the same name: an event of the kind `timer`
 * follows.
 *
 * @category constructors
 * @since 0.1.0
 */
export const setTimer = (name: string, { afterMs, everyMs, url }: Timing, ids?: Ids): Command => ({
  kind: "timer_set",
  payload: {
    name,
    after_ms: afterMs,
    ...(everyMs === undefined ? {} : { every_ms: everyMs }),
    ...(url === undefined ? {} : { url })
  },
  ...envelope(ids)
})

/**
 * Clears a timer, also one whose event still waits. One that doesn't exist is
 * cleared, too.
 *
 * @category constructors
 * @since 0.1.0
 */
export const clearTimer = (name: string, ids?: Ids): Command => ({
  kind: "timer_clear",
  payload: { name },
  ...envelope(ids)
})

/**
 * Reports a status, a message or both, shown as the plugin's
 * `reported_status`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const reportStatus = (
  report: { readonly message?: string; readonly status?: Schema.Json },
  ids?: Ids
): Command => ({ kind: "diagnostic_status_update", payload: report, ...envelope(ids) })

const Kinds = Schema.Struct({ kind: Schema.Literals(Object.keys(byKind) as ReadonlyArray<Kind>) })

/**
 * Checks a command that came from a plugin: one made by a constructor as it
 * is, anything else by its schema.
 *
 * @category decoding
 * @since 0.1.0
 */
export const decode = (value: unknown): Result.Result<OutputCommand, CommandMalformed> => {
  if (isChecked(value)) return Result.succeed(value)
  try {
    return decodeWire(value)
  } catch {
    // A getter or a proxy: looking at it is running the plugin's code.
    return Result.fail(new CommandMalformed({ problems: [{ path: "", message: "Expected a value that can be read" }] }))
  }
}

const decodeWire = (value: unknown): Result.Result<OutputCommand, CommandMalformed> => {
  const kind = Schema.decodeUnknownResult(Kinds)(value)
  if (Result.isFailure(kind)) return Result.fail(malformed(kind.failure))
  return Result.mapBoth(Schema.decodeUnknownResult(byKind[kind.success.kind], Wire.strict)(value), {
    onFailure: malformed,
    onSuccess: ({ commandId, correlationId, payload, sourceEventId, ...rest }) =>
      make(rest.kind, payload, {
        ...(commandId === undefined ? {} : { commandId }),
        ...(correlationId === undefined ? {} : { correlationId }),
        ...(sourceEventId === undefined ? {} : { sourceEventId })
      })
  })
}

const malformed = (error: Schema.SchemaError): CommandMalformed =>
  new CommandMalformed({
    problems: Wire.problemsOf(error.issue)
      .slice(0, 8)
      // A key that the plugin made up is its text, not ours.
      .map(({ message, path }) => ({
        message,
        path: path.split(".").every((key) => key === "" || FIELDS.has(key)) ? path : "\u{2026}"
      }))
  })

const KnownId = Schema.is(CommandId)

/**
 * What can be used of a command whose form is wrong: its ids and its kind, each
 * on its own.
 *
 * @category decoding
 * @since 0.1.0
 */
export const salvage = (value: unknown): { readonly kind: string | null; readonly ids: Ids } => {
  if (isChecked(value)) return { kind: value.kind, ids: value.ids }
  const own = (key: string): unknown => {
    try {
      return typeof value === "object" && value !== null
        ? Object.getOwnPropertyDescriptor(value, key)?.value
        : undefined
    } catch {
      return undefined
    }
  }
  const kind = own("kind")
  const commandId = own("command_id")
  const correlationId = own("correlation_id")
  return {
    kind: typeof kind === "string" && Object.hasOwn(byKind, kind) ? kind : null,
    ids: {
      ...(KnownId(commandId) ? { commandId } : {}),
      ...(KnownId(correlationId) ? { correlationId } : {})
    }
  }
}
