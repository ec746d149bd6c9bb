/**
 * The port behind which one HTTP request is made: to a checked address of one
 * server, written once and never again, with one answer or one error.
 *
 * What goes before it (whether it may be asked, whose turn it is, what is filled
 * in) and after it (what a plugin is told) is the stage's. `mooring/node`
 * implements it with `undici`, `mooring/testing` with answers that a test
 * scripts.
 *
 * @since 0.5.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { AddressDenied } from "../connection/ConnectionError.ts"
import type { LookupSlots } from "../connection/ResolveAddresses.ts"
import type { TlsSettings } from "../connection/WebSocketClient.ts"
import type { GrantRevoked } from "../grants/GrantError.ts"
import type { AuthorizedRequest } from "../grants/Grants.ts"
import { RequestFailed, type Headers, type RequestError } from "./RequestError.ts"

/**
 * A request as it is to be written. `url` and `headers` have everything filled
 * in; the client adds `host`, `content-length`, `accept-encoding`, and a
 * `user-agent` where there is none. `owner` is whom a connection belongs to
 * that is kept for a next request: none is ever used for another.
 *
 * @category models
 * @since 0.5.0
 */
export interface Outgoing {
  readonly request: AuthorizedRequest
  readonly url: string
  readonly headers: Headers
  readonly body: Uint8Array | null
  readonly tls: TlsSettings | undefined
  readonly owner: string
  /** Where names are looked up. */
  readonly lookups: LookupSlots
  /** Over everything, in milliseconds of time that was had. */
  readonly deadlineMs: number
  /** How many bytes the body of the answer may have, decoded. */
  readonly maxBytes: number
  /** Told once, in the turn in which the first byte is handed to a socket. */
  readonly onSent: () => void
}

/**
 * An answer. Names of headers are in lower case; a body that was decoded has no
 * `content-encoding` and no `content-length`.
 *
 * @category models
 * @since 0.5.0
 */
export interface Response {
  readonly status: number
  readonly headers: Headers
  readonly body: Uint8Array
}

/**
 * What a request ends with that has no answer.
 *
 * @category errors
 * @since 0.5.0
 */
export type Failure = RequestError | AddressDenied | GrantRevoked

/**
 * The port. Without a layer every request fails, with the phase `request` and
 * the code `NO_CLIENT`.
 *
 * **Details**
 *
 * Whoever interrupts `send` gives the request up: its connection is destroyed.
 * `release` is told when the grants of an owner have changed: its connections
 * that wait for a next request are closed at once, and requests that are under
 * way and aren't to be kept end as `GrantRevoked`; a connection whose request is
 * kept isn't used again after it.
 *
 * **Gotchas**
 *
 * `send` must be interruptible, and has ended when the interruption has. It must
 * refuse what `AuthorizedRequest.is` refuses.
 *
 * @category references
 * @since 0.5.0
 */
export const RequestClient = Context.Reference<{
  readonly send: (outgoing: Outgoing) => Effect.Effect<Response, Failure>
  readonly release: (owner: string, keep: (request: AuthorizedRequest) => boolean) => Effect.Effect<void>
}>("mooring/requests/RequestClient", {
  defaultValue: () => ({
    send: ({ request }) =>
      Effect.fail(new RequestFailed({ url: request.display, phase: "request", code: "NO_CLIENT", sent: false })),
    release: () => Effect.void
  })
})

/**
 * @category references
 * @since 0.5.0
 */
export type RequestClient = typeof RequestClient.Service
