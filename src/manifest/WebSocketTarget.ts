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
import * as SocketUrl from "./SocketUrl.ts"

const Host = Schema.String.check(
  Schema.makeFilter((host: string) => host === "*" || hostPattern(host) !== undefined, {
    expected: "a host name, an address literal, '*.' with at least two labels behind it, or '*'"
  })
)

const PathPrefix = Schema.String.check(
  Schema.makeFilter(
    (prefix: string) =>
      /^\/[\x21-\x7e]*$/.test(prefix) && !/[?#\\]/.test(prefix) && SocketUrl.refusalOfPath(prefix) === undefined,
    {
      expected: "a path that starts with '/', without query, escapes of dots or slashes, or dot segments",
      toJsonSchema: () => [{ pattern: "^/" }, true]
    }
  )
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

const PositiveInt = Schema.Int.check(Schema.isGreaterThan(0, { expected: "a whole number above 0" }))

/**
 * A target that an operator grants. `privateAddresses` says whether a granted
 * *name* may resolve to a loopback, private or unique-local address.
 *
 * @category schemas
 * @since 0.1.0
 */
export const GrantedTarget = Wire.struct({
  ...fields,
  privateAddresses: Schema.optionalKey(Schema.Boolean),
  sendsPerMinute: Schema.optionalKey(PositiveInt),
  sendBytesPerMinute: Schema.optionalKey(PositiveInt)
}).annotate({ identifier: "GrantedTarget" })

/**
 * @category models
 * @since 0.1.0
 */
export type GrantedTarget = typeof GrantedTarget.Type

/**
 * Whether a target covers a URL.
 *
 * @category predicates
 * @since 0.1.0
 */
export const matches = (target: WebSocketTarget, url: SocketUrl.SocketUrl): boolean =>
  (target.scheme === "*" || target.scheme === url.scheme) &&
  matchesHost(target.host, url) &&
  matchesPort(target.port, url) &&
  target.pathPrefixes.some((prefix) => matchesPath(prefix, url.path))

/**
 * Whether a target covers every host, which is reported where it is declared
 * or granted.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isBroad = (target: WebSocketTarget): boolean => target.host === "*"

const matchesHost = (host: string, url: SocketUrl.SocketUrl): boolean => {
  if (host === "*") return !url.literal
  const pattern = hostPattern(host)
  if (pattern === undefined) return false
  return pattern.wildcard ? !url.literal && url.host.endsWith(`.${pattern.host}`) : url.host === pattern.host
}

const matchesPort = (port: number | "*" | undefined, url: SocketUrl.SocketUrl): boolean =>
  port === "*" || url.port === (port ?? (url.scheme === "ws" ? 80 : 443))

const matchesPath = (prefix: string, path: string): boolean => {
  const whole = prefix.endsWith("/") ? prefix.slice(0, -1) : prefix
  return path === whole || path.startsWith(`${whole}/`)
}

const hostPattern = (host: string): { readonly wildcard: boolean; readonly host: string } | undefined => {
  const wildcard = host.startsWith("*.")
  const name = canonicalName(wildcard ? host.slice(2) : host)
  if (name === undefined) return undefined
  if (wildcard && (SocketUrl.isLiteral(name) || !/^[^.]+(?:\.[^.]+)+$/.test(name))) return undefined
  return { wildcard, host: name }
}

/** The canonical form that the WHATWG parser gives a host that stands alone. */
const canonicalName = (host: string): string | undefined => {
  if (!/^[^\s/?#@\\*]+$/u.test(host)) return undefined
  const bare = host.replace(/^\[(.*)\]$/, "$1")
  const candidate = `ws://${bare.includes(":") ? `[${bare}]` : bare}/`
  if (!URL.canParse(candidate)) return undefined
  return SocketUrl.canonicalHost(new URL(candidate).hostname)
}
