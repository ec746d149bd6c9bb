/**
 * What is filled in for a source at each dial: the secrets that its URL and its
 * headers name. Everybody else sees the templates.
 *
 * @since 0.3.0
 */
import * as Result from "effect/Result"
import type { Problem } from "../internal/wire.ts"
import * as SocketUrl from "../manifest/SocketUrl.ts"
import * as Template from "../secrets/Template.ts"
import { isKey } from "../secrets/Usable.ts"

/**
 * The templates of a source: of its URL, and of the headers that have one.
 *
 * @category models
 * @since 0.3.0
 */
export interface Filling {
  readonly url: Template.Template | undefined
  readonly headers: ReadonlyMap<string, Template.Template>
}

type Headers = { readonly [name: string]: string }

/**
 * Nothing is filled in.
 *
 * @category constructors
 * @since 0.3.0
 */
export const none: Filling = { url: undefined, headers: new Map() }

/**
 * The templates in a URL and in headers. `url` is null where it isn't the
 * operator's: what a package declares is no template.
 *
 * @category constructors
 * @since 0.3.0
 */
export const of = (url: string | null, headers: Headers, isSecret: (name: string) => boolean): Filling => {
  const ofUrl = url === null ? undefined : Template.parse(url, isSecret, "url")
  const ofHeaders = Object.entries(headers).flatMap(([name, value]) => {
    const template = Template.parse(value, isSecret, "header")
    return template === undefined ? [] : [[name, template] as const]
  })
  return ofUrl === undefined && ofHeaders.length === 0 ? none : { url: ofUrl, headers: new Map(ofHeaders) }
}

/**
 * The secrets that go with the headers, each once.
 *
 * @category getters
 * @since 0.3.0
 */
export const secretsOfHeaders = ({ headers }: Filling): ReadonlyArray<string> => [
  ...new Set([...headers.values()].flatMap(({ secrets }) => secrets))
]

/**
 * The secrets that go with the URL or the headers, each once.
 *
 * @category getters
 * @since 0.4.0
 */
export const secretsOf = (filling: Filling): ReadonlyArray<string> => [
  ...new Set([...(filling.url?.secrets ?? []), ...secretsOfHeaders(filling)])
]

/**
 * The credentials that a server was sent for these templates, or may be.
 * `valuesOf` are the values that a secret has had.
 *
 * @category getters
 * @since 0.5.0
 */
export const credentials = (
  { headers }: Filling,
  valuesOf: (secret: string) => ReadonlyArray<string>
): ReadonlyArray<string> => [...headers.values()].flatMap((template) => Template.credentials(template, valuesOf))

/**
 * The headers that are sent. Those with a secret are left out where they may
 * not go.
 *
 * @category filling
 * @since 0.3.0
 */
export const headersOf = (headers: Headers, filling: Filling, valueOf: Template.ValueOf, mayGo: boolean): Headers =>
  filling.headers.size === 0
    ? headers
    : Object.fromEntries(
        Object.entries(headers).flatMap(([name, value]) => {
          const template = filling.headers.get(name)
          if (template === undefined) return [[name, value]]
          return mayGo ? [[name, Template.inHeader(template, valueOf)]] : []
        })
      )

/**
 * Which values can't stand where they are to be filled in, under the keys of a
 * source's settings. A URL that is refused as it is written is none of them.
 *
 * @category checks
 * @since 0.3.0
 */
export const problems = (url: string, filling: Filling, valueOf: Template.ValueOf): ReadonlyArray<Misplaced> => [
  ...(filling.url === undefined ||
  (staysInPlace(url, Template.inUrl(filling.url, valueOf)) && !filling.url.secrets.some((name) => isKey(valueOf(name))))
    ? []
    : [{ path: "urls", message: NOT_IN_PATH, secrets: filling.url.secrets }]),
  ...[...filling.headers].flatMap(([name, template]) =>
    Template.isHeaderValue(Template.inHeader(template, valueOf))
      ? []
      : [{ path: `headers.${name}`, message: NOT_IN_HEADER, secrets: template.secrets }]
  )
]

/** A problem, and the secrets of whose values it is one. */
interface Misplaced extends Problem {
  readonly secrets: ReadonlyArray<string>
}

const NOT_IN_PATH = "Expected secrets that a path may hold: others belong into the query or a header"
const NOT_IN_HEADER = "Expected secrets of printable Latin-1"

/**
 * Whether a URL that is taken as it is written still is. Then it leads where it did: what is percent-encoded ends
 * neither host nor segment, and the template was parsed with its braces in it.
 */
const staysInPlace = (template: string, filled: string): boolean =>
  Result.isFailure(SocketUrl.parse(template)) || Result.isSuccess(SocketUrl.parse(filled))

/**
 * Whether two URLs lead to the same scheme, host and port.
 *
 * @category predicates
 * @since 0.3.0
 */
export const isSameServer = (one: SocketUrl.SocketUrl, other: SocketUrl.SocketUrl): boolean =>
  one.scheme === other.scheme && one.host === other.host && one.port === other.port
