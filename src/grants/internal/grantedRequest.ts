/**
 * A granted target of requests as those who carry a request out know it.
 */
import { sha256 } from "@noble/hashes/sha2.js"
import { bytesToHex } from "@noble/hashes/utils.js"
import { freeze } from "../../internal/bounded.ts"
import { canonical } from "../../internal/canonical.ts"
import type { GrantedRequestTarget } from "../../manifest/RequestTarget.ts"

/**
 * A granted target: `id` is the same for all that are equal, values of PEMs
 * included, and for no others. The headers are the templates as written.
 *
 * @category models
 * @since 0.5.0
 */
export interface GrantedRequest {
  readonly id: string
  readonly target: GrantedRequestTarget
}

const utf8 = new TextEncoder()

export const granted = (target: GrantedRequestTarget): GrantedRequest =>
  freeze({ id: bytesToHex(sha256(utf8.encode(canonical(target)))), target })
