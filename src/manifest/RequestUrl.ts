/**
 * The URL of a request that passed the refusals on its raw text and the WHATWG
 * parser, in the canonical form that targets compare: by the same parser as
 * `SocketUrl`, for `http` and `https`.
 *
 * @since 0.5.0
 */
import type * as Result from "effect/Result"
import * as CanonicalUrl from "./internal/canonicalUrl.ts"

/**
 * A parsed URL; its fields are those of a `SocketUrl`.
 *
 * @category models
 * @since 0.5.0
 */
export interface RequestUrl extends CanonicalUrl.CanonicalUrl<"http" | "https"> {}

/**
 * Parses a URL, or says why it is refused. The reason never quotes the URL.
 *
 * @category parsing
 * @since 0.5.0
 */
export const parse: (raw: string) => Result.Result<RequestUrl, string> = CanonicalUrl.parser("http", "https")

/**
 * What may be shown of any URL: as it was written, without its query; see
 * `SocketUrl.display`.
 *
 * @category formatting
 * @since 0.5.0
 */
export const display: (raw: string) => string = CanonicalUrl.displayOf(parse)
