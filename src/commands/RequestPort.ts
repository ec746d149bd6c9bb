/**
 * What makes a plugin's requests, as the executor of its commands sees it.
 * `requests/Requests` implements it.
 *
 * @since 0.5.0
 */
import type { AuthorizedRequest } from "../grants/Grants.ts"
import type { SecretUngranted } from "./CommandError.ts"
import type { RequestRefusal } from "./RequestRefusal.ts"

/**
 * A request as a plugin asks for it, with stand-ins where it wants secrets. What
 * was allowed says method and URL.
 *
 * @category models
 * @since 0.5.0
 */
export interface RequestSpec {
  readonly request: AuthorizedRequest
  readonly headers: { readonly [name: string]: string }
  readonly body: string | Uint8Array | null
  readonly timeoutMs: number
}

/**
 * Whom its answer is for: the ingress of the event that the command answers,
 * and the command.
 *
 * @category models
 * @since 0.5.0
 */
export interface Asker {
  readonly ingressName: string
  readonly commandId: string
  /** Of the event that asks. */
  readonly correlationId?: string
}

/**
 * The port. It acts at once: what it accepts is answered by one event later.
 *
 * @category models
 * @since 0.5.0
 */
export interface RequestPort {
  /** Accepts a request, or says why not. */
  readonly dispatch: (spec: RequestSpec, asker: Asker) => SecretUngranted | RequestRefusal | undefined
}
