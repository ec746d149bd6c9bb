/**
 * What the code of a sandboxed plugin imports from `mooring/guest`: types, and
 * helpers that make commands. The module itself is the sandbox's; this is what
 * an editor and a type checker know of it.
 *
 * @since 0.3.0
 */
import "./globals.ts"

/** A JSON value. */
export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }

interface Common {
  readonly source: string
  readonly ingress_name: string
  /** RFC 3339, in UTC. */
  readonly created_at: string
  readonly attempt: 1
  /** Unique in this host's life and across restarts. */
  readonly correlation_id: string
  readonly source_id: string | null
  readonly sequence: number
  readonly epoch: number
  readonly frame: number
  /** How many of this source's earlier events were never handed over. */
  readonly dropped_before: number
}

/** What an error event says of the error. */
export interface EventError {
  readonly tag: string
  readonly message: string
  readonly status?: number
  readonly retry_after_ms?: number
  readonly code?: number | string
  readonly phase?: string
  readonly what?: string
}

/** What became of a command. */
export interface CommandOutcome {
  readonly command_id: string
  readonly correlation_id: string
  readonly source_event_id: string
  readonly kind: string | null
  readonly status: "executed" | "recorded" | "rejected" | "unsupported"
  readonly error?: { readonly tag: string; readonly message: string; readonly retry_after_ms?: number }
  readonly recorded_at: string
}

/** Why a request has no answer. `sent`: whether the server may have seen it. */
export interface RequestProblem {
  readonly tag: string
  readonly message: string
  readonly sent: boolean
  readonly phase?: string
  readonly code?: string
  readonly status?: number
  readonly headers?: { readonly [name: string]: string }
}

/**
 * The answer to a request: `status`, `headers` and `text`, or `base64` where the
 * body isn't UTF-8; or `error` alone.
 */
export type HostResponse = {
  readonly command_id: string
  readonly request_id: string
  readonly duration_ms: number
} & (
  | {
      readonly status: number
      readonly headers: { readonly [name: string]: string }
      readonly text?: string
      readonly base64?: string
      readonly error?: undefined
    }
  | {
      readonly error: RequestProblem
      readonly status?: undefined
      readonly headers?: undefined
      readonly text?: undefined
      readonly base64?: undefined
    }
)

interface Payloads {
  readonly websocket_open: { readonly url: string; readonly attempts: number; readonly subprotocol: string | null }
  readonly websocket_text: { readonly url: string; readonly text: string }
  /** Only for an ingress whose `event_kinds` names this kind; `fromBase64` makes bytes of it. */
  readonly websocket_binary: { readonly url: string; readonly base64: string }
  readonly websocket_close: {
    readonly url: string
    readonly code: number
    readonly reason: string
    readonly clean: boolean
    readonly unconfirmed: number
    readonly will_reconnect: boolean
  }
  readonly websocket_error: { readonly url: string; readonly error: EventError; readonly will_reconnect: boolean }
  readonly timer: { readonly name: string; readonly url?: string }
  readonly host_response: HostResponse
  readonly command_result: CommandOutcome
}

/**
 * An event of the host's own, by its `kind`. What an application delivers is
 * `Delivered`.
 */
export type IngressEvent = {
  readonly [Kind in keyof Payloads]: Common & { readonly kind: Kind; readonly payload: Payloads[Kind] }
}[keyof Payloads]

/** An event of a kind that the embedding application delivers. */
export interface Delivered extends Common {
  readonly kind: string
  readonly payload: Json
}

/** A command, as an output carries it. */
export interface OutputCommand {
  readonly kind: string
  readonly payload: { readonly [key: string]: Json }
  readonly command_id?: string
  readonly correlation_id?: string
  readonly source_event_id?: string
  readonly requested_at?: string
}

/** What `handleIngress` answers with. Each field is optional, and nothing at all is fine. */
export interface Output {
  readonly accepted?: boolean
  readonly status?: Json
  readonly state?: Json
  readonly output_commands?: ReadonlyArray<OutputCommand>
}

/** What `start` is handed beside the configuration. */
export interface StartContext {
  readonly reason: "first" | "crash" | "neighbour" | "reload"
  /** What the plugin last handed over, or null. */
  readonly state: Json
  /** A stand-in for each secret of the entry, new at every start: the host writes the value in its place. */
  readonly secrets: { readonly [name: string]: string }
}

/** The ids that a command may have of its own. */
export interface Ids {
  readonly command_id?: string
  readonly correlation_id?: string
  readonly source_event_id?: string
  readonly requested_at?: string
}

/** What says which connection is meant, beside its URL or id. */
export interface Destination extends Ids {
  readonly ingress_name?: string
  readonly epoch?: number | "any"
}

/** An event of the connection that is meant, or its URL, or its id. */
export type To = IngressEvent | Delivered | string

/** Sends a text, or bytes, over an open connection. */
export declare function websocketSend(to: To, data: string | Uint8Array, options?: Destination): OutputCommand

/** Closes a connection, which then stays closed. */
export declare function websocketClose(
  to: To,
  options?: Destination & { readonly code?: number; readonly reason?: string }
): OutputCommand

/** Closes a connection and dials anew. */
export declare function websocketReconnect(
  to: To,
  options?: Destination & { readonly code?: number; readonly dial_url?: string | null }
): OutputCommand

/** Sets a timer: an event after so many milliseconds, and then each so many. */
export declare function timerSet(
  name: string,
  options: Ids & { readonly after_ms: number; readonly every_ms?: number; readonly url?: string }
): OutputCommand

/** Clears a timer. */
export declare function timerClear(name: string): OutputCommand

/** Says something of the plugin in the host's status. */
export declare function statusUpdate(update: { readonly message?: string; readonly status?: Json }): OutputCommand

/**
 * Asks for an HTTP request, which a `host_response` answers. A body is a `text`,
 * or bytes in `base64`.
 */
export declare function request(
  method: string,
  url: string,
  options?: Ids & {
    readonly headers?: { readonly [name: string]: string }
    readonly text?: string
    readonly base64?: string
    readonly timeout_ms?: number
  }
): OutputCommand

/**
 * The HMAC of a text in UTF-8 with a secret that the operator lets this plugin
 * sign with. Made at once. Throws where the secret isn't granted, the text has
 * more than 65,536 bytes or half a surrogate pair in it, and from the 1,001st
 * signature of a second on.
 */
export declare function hmac(
  secret: string,
  text: string,
  algorithm: "sha256" | "sha512",
  encoding: "hex" | "base64"
): string

/**
 * The signature of a text by the private key in a secret that is a PEM: Ed25519,
 * or RSASSA-PKCS1-v1_5 with SHA-256. Throws where `hmac` does, and where the
 * secret is no such key.
 */
export declare function sign(secret: string, text: string, encoding: "base64"): string

/** Bytes as base64, with the standard alphabet and padding. */
export declare function toBase64(bytes: Uint8Array): string

/** The bytes that a base64 text stands for. Throws where it has another alphabet, no padding, or anything besides. */
export declare function fromBase64(base64: string): Uint8Array
