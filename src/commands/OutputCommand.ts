/**
 * Output commands: what a plugin asks the host to do, with constructors for
 * plugins written in TypeScript.
 *
 * A value made by a constructor is known to have the right form; anything else
 * is decoded, whoever made it.
 *
 * @since 0.1.0
 */
import type * as Schema from "effect/Schema"
import * as Base64 from "../internal/base64.ts"
import { envelope, isText, sending, type Ids, type OutputCommand } from "./internal/checkedCommand.ts"
import type { OutputCommandWire } from "./OutputCommandWire.ts"

export { content, isOutputCommand, OutputCommand, type Content, type Ids } from "./internal/checkedCommand.ts"
export { decode, encode, plainSend, salvage, type Salvaged } from "./internal/commandForm.ts"

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

const address = (to: To, options: Options | undefined) => {
  const named = typeof to === "string" ? { url: to } : to
  return {
    url: named.url,
    ...(named.ingressName === undefined ? {} : { ingress_name: named.ingressName }),
    ...(options?.epoch === undefined ? {} : { epoch: options.epoch })
  }
}

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
