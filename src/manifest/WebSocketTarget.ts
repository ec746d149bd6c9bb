/**
 * A pattern over WebSocket URLs: scheme, host, port and path prefixes. A
 * manifest declares targets, a grant allows them, and a URL needs one of each.
 *
 * Everything is matched exactly and whole: a prefix covers whole path
 * segments, a wildcard covers whole labels and never an address literal, a
 * missing port is the default one only, an empty list matches nothing.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as Wire from "../internal/wire.ts"
import * as Pattern from "./internal/pattern.ts"
import { Name } from "./Permission.ts"
import type * as SocketUrl from "./SocketUrl.ts"

const Subprotocol = Schema.String.check(
  // The token of RFC 9110, section 5.6.2
  Schema.isPattern(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/u, { expected: "a subprotocol token" })
)

const fields = {
  scheme: Schema.Literals(["ws", "wss", "*"]),
  ...Pattern.fields,
  subprotocols: Schema.optionalKey(Schema.Array(Subprotocol))
}

/**
 * A target that a manifest declares.
 *
 * @category schemas
 * @since 0.1.0
 */
export const WebSocketTarget = Wire.struct(fields).annotate({ identifier: "WebSocketTarget" })

/**
 * @category models
 * @since 0.1.0
 */
export type WebSocketTarget = typeof WebSocketTarget.Type

const PerMinute = Wire.wholeNumber(0, Number.MAX_SAFE_INTEGER)

/**
 * A target that an operator grants. `privateAddresses` says whether a granted
 * *name* may resolve to a loopback, private or unique-local address; a rate of
 * 0 is none; `secrets` are those of the entry that may go there.
 *
 * @category schemas
 * @since 0.1.0
 */
export const GrantedTarget = Wire.struct({
  ...fields,
  privateAddresses: Schema.optionalKey(Schema.Boolean),
  sendsPerMinute: Schema.optionalKey(PerMinute),
  sendBytesPerMinute: Schema.optionalKey(PerMinute),
  secrets: Schema.optionalKey(Schema.Array(Name))
}).annotate({ identifier: "GrantedTarget" })

/**
 * @category models
 * @since 0.1.0
 */
export type GrantedTarget = typeof GrantedTarget.Type

/**
 * Says of URLs whether a target covers them. The target is read once: whoever
 * asks about many URLs keeps the answer.
 *
 * @category predicates
 * @since 0.2.0
 */
export const matcher: (target: WebSocketTarget) => (url: SocketUrl.SocketUrl) => boolean = Pattern.matcher

/**
 * Whether a target covers a URL.
 *
 * @category predicates
 * @since 0.1.0
 */
export const matches = (target: WebSocketTarget, url: SocketUrl.SocketUrl): boolean => matcher(target)(url)

/**
 * Whether a target covers every host, which is reported where it is declared
 * or granted.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isBroad = (target: WebSocketTarget): boolean => target.host === "*"
