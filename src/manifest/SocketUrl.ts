/**
 * A WebSocket URL that passed the refusals on its raw text and the WHATWG
 * parser, in the canonical form that targets and commands compare.
 *
 * Nothing that a server could read differently from us gets through: no
 * escapes of dots, slashes, backslashes, percent signs or zero bytes, no dot
 * segments, no user info, no fragment.
 *
 * @since 0.1.0
 */
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"

/**
 * A parsed URL. `host` is canonical: lower case, punycode, without a trailing
 * dot, IPv6 without brackets. `canonical` includes port and query; `display`
 * is the URL as written without its query, and the only form that texts of the
 * host may carry.
 *
 * @category models
 * @since 0.1.0
 */
export interface SocketUrl {
  readonly raw: string
  readonly scheme: "ws" | "wss"
  readonly host: string
  readonly literal: boolean
  readonly port: number
  readonly path: string
  readonly canonical: string
  readonly display: string
}

const DEFAULT_PORT = { ws: 80, wss: 443 } as const
const FORBIDDEN_ESCAPE = /%(?:2e|2f|5c|25|00)/i

const refusal = (raw: string): string | undefined => {
  if (raw.length > 8192) return "it is longer than 8192 characters"
  if (!/^[\x21-\x7e]*$/.test(raw)) return "it has characters other than printable ASCII"
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(raw)?.[1]?.toLowerCase()
  if (scheme !== "ws" && scheme !== "wss") return "its scheme is neither ws nor wss"
  if (!raw.startsWith("//", scheme.length + 1)) return "it has no // after the scheme"
  if (raw.includes("\\")) return "it has a backslash"
  if (raw.includes("#")) return "it has a fragment"
  const rest = raw.slice(scheme.length + 3)
  const end = rest.search(/[/?]/)
  const authority = end === -1 ? rest : rest.slice(0, end)
  if (authority === "") return "it has no host"
  if (authority.includes("@")) return "it has user info"
  const tail = end === -1 ? "" : rest.slice(end)
  const query = tail.indexOf("?")
  return refusalOfPath(query === -1 ? tail : tail.slice(0, query))
}

/**
 * Why a path is refused, or `undefined` where it isn't. Also applied to the
 * path prefixes of targets.
 *
 * @category parsing
 * @since 0.1.0
 */
export const refusalOfPath = (path: string): string | undefined => {
  if (FORBIDDEN_ESCAPE.test(path)) return "its path has an escaped dot, slash, backslash, percent sign or zero byte"
  const segments = path.split("/").slice(1)
  for (const [index, segment] of segments.entries()) {
    if (segment === "" && index < segments.length - 1) return "its path has an empty segment"
    const name = segment.split(";", 1)[0]
    if (name === "." || name === "..") return "its path has a dot segment"
  }
  return undefined
}

/**
 * Parses a URL, or says why it is refused. The reason never quotes the URL.
 *
 * @category parsing
 * @since 0.1.0
 */
export const parse = (raw: string): Result.Result<SocketUrl, string> => {
  const problem = refusal(raw)
  if (problem !== undefined) return Result.fail(problem)
  let url: URL
  try {
    url = new URL(raw)
  } catch {
    return Result.fail("it is not a URL")
  }
  const scheme = url.protocol === "wss:" ? "wss" : "ws"
  const host = canonicalHost(url.hostname)
  if (host === "") return Result.fail("it has no host")
  const port = url.port === "" ? DEFAULT_PORT[scheme] : Number(url.port)
  if (port === 0) return Result.fail("its port is 0")
  const literal = isLiteral(host)
  const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`
  return Result.succeed({
    raw,
    scheme,
    host,
    literal,
    port,
    path: url.pathname,
    canonical: `${scheme}://${authority}${url.pathname}${url.search}`,
    display: raw.split("?", 1)[0] ?? ""
  })
}

/**
 * A host name or address as targets compare it.
 *
 * @category parsing
 * @since 0.1.0
 */
export const canonicalHost = (host: string): string =>
  host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/\.$/, "")

/**
 * Whether a canonical host is an IP address rather than a name.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isLiteral = (host: string): boolean => Result.isSuccess(NetAddress.ipFromString(host))

/**
 * What may be shown of any URL: as it was written, without its query. Of one
 * that is refused no more than 256 characters, and nothing where user info may
 * be in it.
 *
 * @category formatting
 * @since 0.1.0
 */
export const display = (raw: string): string => {
  const parsed = parse(raw)
  if (Result.isSuccess(parsed)) return parsed.success.display
  if (raw.includes("@")) return "a URL with user info"
  return raw
    .replace(/[?#][\s\S]*$/, "")
    .slice(0, 256)
    .replace(/[^\x20-\x7e]/g, "\u{fffd}")
}
