/**
 * A WebSocket URL that passed the refusals on its raw text and the WHATWG
 * parser, in the canonical form that targets, sources and commands compare.
 *
 * This is the only parser there is: the hosts and path prefixes of targets go
 * through it as parts of a URL, so that what an operator wrote and what is
 * dialled are read alike. The canonical form parses to itself.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import { READ_TEXT } from "../diagnostics/Redaction.ts"
import * as Refusal from "./internal/refusal.ts"

/**
 * A parsed URL. `host` is canonical: lower case, punycode, without a trailing
 * dot, IPv6 without brackets; `literal` says that it is an address. `canonical`
 * includes port and query; `display` is the URL as written without its query,
 * and the only form that texts of the host may carry.
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

/**
 * Parses a URL, or says why it is refused. The reason never quotes the URL.
 *
 * @category parsing
 * @since 0.1.0
 */
export const parse = (raw: string): Result.Result<SocketUrl, string> => {
  const refusal = Refusal.ofUrl(raw)
  if (refusal !== undefined) return Result.fail(refusal)
  if (!URL.canParse(raw)) return Result.fail("it is not a URL")
  const url = new URL(raw)
  const scheme = url.protocol === "wss:" ? "wss" : "ws"
  const port = url.port === "" ? DEFAULT_PORT[scheme] : Number(url.port)
  if (port === 0) return Result.fail("its port is 0")
  const authority = url.hostname.replace(/\.$/, "")
  const host = authority.replace(/^\[|\]$/g, "")
  return Result.succeed({
    raw,
    scheme,
    host,
    // The parser has brought an address to the one form that each has.
    literal: host !== authority || /^\d+(?:\.\d+){3}$/.test(host),
    port,
    path: url.pathname,
    canonical: `${scheme}://${authority}:${port}${url.pathname}${url.search}`,
    display: raw.split("?", 1)[0] ?? ""
  })
}

/**
 * Parses a host that stands alone, as in a target: a name, which may be written
 * in its own alphabet, or an address, IPv6 with brackets or without.
 *
 * @category parsing
 * @since 0.2.0
 */
export const parseHost = (text: string): Result.Result<Pick<SocketUrl, "host" | "literal">, string> => {
  if (/[/?]/.test(text)) return Result.fail("it is more than a host")
  const isAscii = /^[\0-\x7f]*$/.test(text)
  const parsed = Result.flatMap(isAscii ? Result.succeed(text) : toAscii(text), (host) =>
    parse(`ws://${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}/`)
  )
  // Digits of another alphabet are no way to write an address.
  return Result.filterOrFail(
    parsed,
    ({ literal }) => isAscii || !literal,
    () => "it is not a name"
  )
}

/** The punycode of a name, which is then parsed like any. */
const toAscii = (name: string): Result.Result<string, string> => {
  const isWhole = !/[\0-\x20%:@#[\]\\]/.test(name) && URL.canParse(`ws://${name}/`)
  return isWhole ? Result.succeed(new URL(`ws://${name}/`).hostname) : Result.fail("it is not a name")
}

/**
 * Parses a path that stands alone, as a target's prefix: as it goes over the
 * wire.
 *
 * @category parsing
 * @since 0.2.0
 */
export const parsePath = (text: string): Result.Result<string, string> => {
  if (!text.startsWith("/")) return Result.fail("it doesn't begin with a slash")
  if (text.includes("?")) return Result.fail("it has a query")
  return Result.map(parse(`ws://host${text}`), ({ path }) => path)
}

/**
 * The URL of a source as it is written, without the prefix that it may have.
 *
 * @category getters
 * @since 0.2.0
 */
export const withoutPrefix = (source: string): string => source.replace(/^websocket:/, "")

/**
 * What may be shown of any URL: as it was written, without its query. Of one
 * that is refused no more than is looked at to mask it, in ASCII with the rest
 * as percent-escapes, in which masking finds it, and nothing where user info may
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
    .slice(0, READ_TEXT)
    .toWellFormed()
    .replace(/[^\x20-\x7e]+/g, encodeURIComponent)
    .slice(0, READ_TEXT)
}
