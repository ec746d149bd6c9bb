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
import * as Base64 from "../internal/base64.ts"
import * as Wire from "../internal/wire.ts"
import { CommandMalformed } from "./CommandError.ts"
import { written } from "./SendPayload.ts"
import { byKind, CommandId, FIELDS, type Kind, OutputCommandWire, type Payloads } from "./OutputCommandWire.ts"

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

/**
 * What a checked command says: a kind, its payload and ids, which belong to
 * the host alone.
 *
 * @category models
 * @since 0.2.0
 */
export type Content = {
  readonly [K in Kind]: { readonly kind: K; readonly payload: Payloads[K]; readonly ids: Ids }
}[Kind]

let make: (content: Content) => OutputCommand
let isChecked: (value: unknown) => value is OutputCommand
let contentOf: (command: OutputCommand) => Content

/**
 * A command whose form was checked. Nobody can change it any more: its getters
 * give copies.
 *
 * @category models
 * @since 0.1.0
 */
export class OutputCommand {
  readonly #content: Content

  private constructor(content: Content) {
    this.#content = content
  }

  static {
    make = (content) => new OutputCommand(content)
    isChecked = (value): value is OutputCommand => typeof value === "object" && value !== null && #content in value
    contentOf = (command) => command.#content
  }

  get kind(): Kind {
    return this.#content.kind
  }

  get payload(): Payloads[Kind] {
    return structuredClone(this.#content.payload)
  }

  get ids(): Ids {
    return { ...this.#content.ids }
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
 * What a checked command says, as the host holds it: for reading.
 *
 * @category getters
 * @since 0.2.0
 */
export const content = (command: OutputCommand): Content => contentOf(command)

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

// A name of an ingress that isn't one is found nowhere, like any that doesn't exist.
const isText = (value: unknown): value is string => typeof value === "string" && value.isWellFormed()

/**
 * Sends a text, or bytes as a binary frame, over a connection: `executed` once
 * it was handed to the open socket. The bytes are copied.
 *
 * @category constructors
 * @since 0.1.0
 */
export const send = (to: To, data: string | Uint8Array, options?: Options): Command => {
  const isBytes = data instanceof Uint8Array
  // The common case needs no schema: the host looks for the URL among the sources, whatever it says.
  if (options === undefined && typeof to === "object" && (isBytes || isText(data))) {
    const { ingressName, url } = to
    if (isText(url) && isText(ingressName)) return sending({ url, ingressName }, isBytes ? new Uint8Array(data) : data)
  }
  const sent = isBytes ? { base64: Base64.encode(data) } : { text: data }
  return { kind: "websocket_send", payload: { ...address(to, options), ...sent }, ...envelope(options) }
}

const sending = (named: { readonly url: string; readonly ingressName?: string }, data: string | Uint8Array) =>
  make({
    kind: "websocket_send",
    payload: typeof data === "string" ? { ...named, text: data } : { ...named, bytes: data },
    ids: NO_IDS
  })

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

/**
 * What a request may have beside its method and URL. `body` is sent as it is,
 * with whichever `content-type` the headers say; `timeoutMs` counts from the
 * command on and is at most the host's `request_deadline_ms`.
 *
 * @category models
 * @since 0.5.0
 */
export interface RequestOptions extends Ids {
  readonly headers?: { readonly [name: string]: string }
  readonly body?: string | Uint8Array
  readonly timeoutMs?: number
}

/**
 * Sends an HTTP request. `executed` once it was accepted: then exactly one event
 * of the kind `host_response` follows, unless the instance ends first. Manifest
 * and grant must both cover method and URL.
 *
 * @category constructors
 * @since 0.5.0
 */
export const request = (method: string, url: string, options: RequestOptions = {}): Command => {
  const { body, headers, timeoutMs } = options
  return {
    kind: "host_request_dispatch",
    payload: {
      method,
      url,
      ...(headers === undefined ? {} : { headers }),
      ...(body === undefined ? {} : typeof body === "string" ? { text: body } : { base64: Base64.encode(body) }),
      ...(timeoutMs === undefined ? {} : { timeout_ms: timeoutMs })
    },
    ...envelope(options)
  }
}

/**
 * A checked command in its wire form.
 *
 * @category encoding
 * @since 0.2.0
 */
export const encode = (command: OutputCommand): typeof OutputCommandWire.Encoded => {
  const { ids, kind, payload } = contentOf(command)
  if (kind !== "websocket_send") return encodeWire({ kind, payload, ...ids } as typeof OutputCommandWire.Type)
  // What the constructor made needs no schema here, either.
  return { kind, payload: written(payload), ...envelope(ids) }
}

const encodeWire = Schema.encodeSync(OutputCommandWire)

const AnyKind = Schema.Literals(Object.keys(byKind) as ReadonlyArray<Kind>)
const Kinds = Schema.Struct({ kind: AnyKind })

/**
 * A send as nearly all are, with a URL and a text or base64 and nothing else, from its
 * wire form: what its schema says costs more than everything else that is done
 * with it. Undefined for any other value, which the schema judges.
 *
 * @category decoding
 * @since 0.4.0
 */
export const plainSend = (value: unknown): OutputCommand | undefined => {
  if (!hasExactly(value, "kind", "payload") || value.kind !== "websocket_send") return undefined
  const { payload } = value
  if (hasExactly(payload, "url", "text")) {
    const { text, url } = payload
    return isText(url) && isText(text) ? sending({ url }, text) : undefined
  }
  if (!hasExactly(payload, "url", "base64")) return undefined
  const { base64, url } = payload
  const bytes = typeof base64 === "string" ? Base64.decode(base64) : undefined
  return isText(url) && bytes !== undefined ? sending({ url }, bytes) : undefined
}

/** Whether a value is an object with these two properties of its own and no other. */
const hasExactly = <One extends string, Other extends string>(
  value: unknown,
  one: One,
  other: Other
): value is Readonly<Record<One | Other, unknown>> =>
  typeof value === "object" &&
  value !== null &&
  Object.hasOwn(value, one) &&
  Object.hasOwn(value, other) &&
  Reflect.ownKeys(value).length === 2

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
    const plain = plainSend(value)
    return plain === undefined ? decodeWire(value) : Result.succeed(plain)
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
      // The kind and its payload belong together, which the union of the schemas says and this spread can't.
      make({
        kind: rest.kind,
        payload,
        ids: {
          ...(commandId === undefined ? {} : { commandId }),
          ...(correlationId === undefined ? {} : { correlationId }),
          ...(sourceEventId === undefined ? {} : { sourceEventId })
        }
      } as Content)
  })
}

const malformed = (error: Schema.SchemaError): CommandMalformed =>
  new CommandMalformed({
    problems: Wire.problemsOf(error.issue, Wire.allKnown)
      .slice(0, 8)
      .map(({ message, path }) => ({ message, path: ownPath(path) }))
  })

/** A path up to the first key that the plugin made up: that is its text, not ours. */
const ownPath = (path: string): string => {
  const keys = path.split(".")
  const foreign = keys.findIndex((key) => key !== "" && !FIELDS.has(key))
  return foreign < 0 ? path : [...keys.slice(0, foreign), "\u{2026}"].join(".")
}

const KnownId = Schema.is(CommandId)
const KnownKind = Schema.is(AnyKind)

/**
 * What a result says of its command: an unusable kind is null, unusable ids are
 * absent.
 *
 * @category models
 * @since 0.2.0
 */
export interface Salvaged {
  readonly kind: Kind | null
  readonly ids: Ids
}

/**
 * What can be used of a command whose form is wrong: its ids and its kind, each
 * on its own.
 *
 * @category decoding
 * @since 0.1.0
 */
export const salvage = (value: unknown): Salvaged => {
  if (isChecked(value)) return contentOf(value)
  const own = (key: string): unknown => {
    try {
      return Object.getOwnPropertyDescriptor(value, key)?.value
    } catch {
      // It has no properties, or can't be looked at.
      return undefined
    }
  }
  const kind = own("kind")
  const commandId = own("command_id")
  const correlationId = own("correlation_id")
  return {
    kind: KnownKind(kind) ? kind : null,
    ids: {
      ...(KnownId(commandId) ? { commandId } : {}),
      ...(KnownId(correlationId) ? { correlationId } : {})
    }
  }
}
