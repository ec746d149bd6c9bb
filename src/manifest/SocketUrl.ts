/**
 * A WebSocket URL that passed the refusals on its raw text and the WHATWG
 * parser, in the canonical form that targets, sources and commands compare.
 *
 * The parser is the only one there is: URLs of requests go through it too, see
 * `RequestUrl`. The canonical form parses to itself.
 *
 * @since 0.1.0
 */
import type * as Result from "effect/Result"
import * as CanonicalUrl from "./internal/canonicalUrl.ts"

/**
 * A parsed URL. `host` is canonical: lower case, punycode, without a trailing
 * dot, IPv6 without brackets; `literal` says that it is an address. `canonical`
 * includes port and query; `display` is the URL as written without its query,
 * and the only form that texts of the host may carry.
 *
 * @category models
 * @since 0.1.0
 */
export interface SocketUrl extends CanonicalUrl.CanonicalUrl<"ws" | "wss"> {}

/**
 * Parses a URL, or says why it is refused. The reason never quotes the URL.
 *
 * @category parsing
 * @since 0.1.0
 */
export const parse: (raw: string) => Result.Result<SocketUrl, string> = CanonicalUrl.parser("ws", "wss")

/**
 * Parses a host that stands alone, as in a target: a name, which may be written
 * in its own alphabet, or an address, IPv6 with brackets or without.
 *
 * @category parsing
 * @since 0.2.0
 */
export const parseHost: (text: string) => Result.Result<Pick<SocketUrl, "host" | "literal">, string> =
  CanonicalUrl.parseHost

/**
 * Parses a path that stands alone, as a target's prefix: as it goes over the
 * wire.
 *
 * @category parsing
 * @since 0.2.0
 */
export const parsePath: (text: string) => Result.Result<string, string> = CanonicalUrl.parsePath

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
export const display: (raw: string) => string = CanonicalUrl.displayOf(parse)
