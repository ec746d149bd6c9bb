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
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Wire from "../internal/wire.ts"
import { HOST, PATH } from "./internal/forms.ts"
import { Name } from "./Permission.ts"
import * as SocketUrl from "./SocketUrl.ts"

// The constraints are what property tests draw from: hardly any text at random is a host, or a path.
const Host = Schema.String.check(
  Schema.makeFilter((host: string) => hostMatcher(host) !== undefined, {
    expected: "a host name, an address literal, '*.' with at least two labels behind it, or '*'",
    toJsonSchema: () => [{ pattern: HOST }, true],
    arbitraryConstraint: {
      patterns: [{ source: String.raw`^(\*|(\*\.)?[a-z]{1,9}\.[a-z]{2,4}|127\.0\.0\.[1-9])$`, flags: "" }]
    }
  })
)

const PathPrefix = Schema.String.check(
  Schema.makeFilter((prefix: string) => Result.isSuccess(SocketUrl.parsePath(prefix)), {
    expected: "a path that starts with '/', without query, dot segments, empty segments or escapes that hide either",
    toJsonSchema: () => [{ pattern: PATH }, true],
    arbitraryConstraint: { patterns: [{ source: "^(/|(/[a-z][a-z0-9;:.-]{0,9}){1,3}/?)$", flags: "" }] }
  })
)

const Subprotocol = Schema.String.check(
  // The token of RFC 9110, section 5.6.2
  Schema.isPattern(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/u, { expected: "a subprotocol token" })
)

const fields = {
  scheme: Schema.Literals(["ws", "wss", "*"]),
  host: Host,
  port: Schema.optionalKey(
    Schema.Union([
      Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 65_535 }, { expected: "a port from 1 to 65535" })),
      Schema.Literal("*")
    ])
  ),
  pathPrefixes: Schema.Array(PathPrefix),
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
export const matcher = (target: WebSocketTarget): ((url: SocketUrl.SocketUrl) => boolean) => {
  const { port, scheme } = target
  const isHost = hostMatcher(target.host) ?? nothing
  const arePaths = target.pathPrefixes.map(pathMatcher)
  return (url) =>
    (scheme === "*" || scheme === url.scheme) &&
    isHost(url) &&
    (port === "*" || url.port === (port ?? (url.scheme === "ws" ? 80 : 443))) &&
    arePaths.some((isPath) => isPath(url.path))
}

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

const nothing = () => false

type HostMatcher = (url: Pick<SocketUrl.SocketUrl, "host" | "literal">) => boolean

/** `undefined` where the text is no pattern. */
const hostMatcher = (pattern: string): HostMatcher | undefined => {
  if (pattern === "*") return ({ literal }) => !literal
  const isWildcard = pattern.startsWith("*.")
  const parsed = SocketUrl.parseHost(isWildcard ? pattern.slice(2) : pattern)
  if (Result.isFailure(parsed)) return undefined
  const { host: name, literal: isLiteral } = parsed.success
  if (!isWildcard) return ({ host }) => host === name
  if (isLiteral || !name.includes(".")) return undefined
  // Which no literal does: it would be one itself.
  return ({ host }) => host.endsWith(`.${name}`)
}

const pathMatcher = (prefix: string): ((path: string) => boolean) => {
  const parsed = SocketUrl.parsePath(prefix)
  if (Result.isFailure(parsed)) return nothing
  const whole = parsed.success.replace(/\/$/, "")
  return (path) => path === whole || path.startsWith(`${whole}/`)
}
