/**
 * What the host adds to requests to a granted target: headers with secrets in
 * them, and TLS of that target's own. Who sends a request asks for it at the
 * moment of sending, so a value that was changed is used from the next one on.
 *
 * @since 0.5.0
 */
import * as Effect from "effect/Effect"
import type { TlsSettings } from "../connection/WebSocketClient.ts"
import type { AuthorizedRequest } from "../grants/Grants.ts"
import type { Sent } from "../secrets/EntrySecrets.ts"
import type { Headers, RequestFailed } from "./RequestError.ts"

/**
 * What is added. `sent` is all that the server may have been sent, and could say
 * back.
 *
 * @category models
 * @since 0.5.0
 */
export interface Added {
  readonly headers: Headers
  readonly tls: TlsSettings | undefined
  readonly sent: Sent
}

/**
 * Of one plugin. It fails where a value isn't there or can't be used: nothing is
 * sent without what the grant says.
 *
 * @category models
 * @since 0.5.0
 */
export interface RequestCredentials {
  readonly of: (request: AuthorizedRequest) => Effect.Effect<Added, RequestFailed>
}

/**
 * Nothing is added, whatever the grant says: for a plugin without an entry.
 *
 * @category constructors
 * @since 0.5.0
 */
export const none: RequestCredentials = {
  of: () => Effect.succeed({ headers: [], tls: undefined, sent: { secrets: [], credentials: [] } })
}
