/**
 * The one parser of URLs that manifest and grant are compared with, whichever
 * their schemes: the refusals on the raw text, then the WHATWG parser, then the
 * canonical form. The hosts and path prefixes of targets go through it as parts
 * of a URL, so that what an operator wrote and what is dialled or requested are
 * read alike. The canonical form parses to itself.
 */
import * as Result from "effect/Result"
import { READ_TEXT } from "../../diagnostics/Redaction.ts"
import * as Refusal from "./refusal.ts"

/** The port of a URL, or of a target, that names none. */
export const DEFAULT_PORT = { ws: 80, wss: 443, http: 80, https: 443 } as const

export type Scheme = keyof typeof DEFAULT_PORT

export interface CanonicalUrl<S extends Scheme> {
  readonly raw: string
  readonly scheme: S
  readonly host: string
  readonly literal: boolean
  readonly port: number
  readonly path: string
  readonly canonical: string
  readonly display: string
}

/** What a target's host is compared with. */
export type Host = Pick<CanonicalUrl<Scheme>, "host" | "literal">

/** Parses URLs of two schemes, or says why one is refused. The reason never quotes the URL. */
export const parser =
  <S extends Scheme>(clear: S, secure: S) =>
  (raw: string): Result.Result<CanonicalUrl<S>, string> => {
    const refusal = Refusal.ofUrl(raw, clear, secure)
    if (refusal !== undefined) return Result.fail(refusal)
    const url = URL.parse(raw)
    if (url === null) return Result.fail("it is not a URL")
    const scheme = url.protocol === `${secure}:` ? secure : clear
    const port = url.port === "" ? DEFAULT_PORT[scheme] : Number(url.port)
    if (port === 0) return Result.fail("its port is 0")
    const authority = url.hostname.replace(/\.$/, "")
    const host = authority.replace(/^\[|\]$/g, "")
    const canonical = `${scheme}://${authority}:${port}${url.pathname}${url.search}`
    return Result.succeed({
      raw,
      scheme,
      host,
      // The parser has brought an address to the one form that each has.
      literal: host !== authority || /^\d+(?:\.\d+){3}$/.test(host),
      port,
      path: url.pathname,
      // One that is put together is kept in pieces, which take ten times as much memory as the same one again.
      canonical: canonical === raw ? raw : canonical,
      display: raw.split("?", 1)[0] ?? ""
    })
  }

// Which of the schemes is written before a part is all the same: none of them is read in another way.
const parseWhole = parser("ws", "wss")

/** A host that stands alone: a name, which may be written in its own alphabet, or an address, with brackets or without. */
export const parseHost = (text: string): Result.Result<Host, string> => {
  if (/[/?]/.test(text)) return Result.fail("it is more than a host")
  const isAscii = /^[\0-\x7f]*$/.test(text)
  const parsed = Result.flatMap(isAscii ? Result.succeed(text) : toAscii(text), (host) =>
    parseWhole(`ws://${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}/`)
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

/** A path that stands alone, as it goes over the wire. */
export const parsePath = (text: string): Result.Result<string, string> => {
  if (!text.startsWith("/")) return Result.fail("it doesn't begin with a slash")
  if (text.includes("?")) return Result.fail("it has a query")
  return Result.map(parseWhole(`ws://host${text}`), ({ path }) => path)
}

/**
 * What may be shown of any URL: as it was written, without its query. Of one that is refused no more than is looked at
 * to mask it, in ASCII with the rest as percent-escapes, in which masking finds it, and nothing where user info may be
 * in it.
 */
export const displayOf =
  (parse: (raw: string) => Result.Result<CanonicalUrl<Scheme>, string>) =>
  (raw: string): string => {
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
