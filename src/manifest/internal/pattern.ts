/**
 * What targets of both kinds have in common: a pattern over URLs by scheme,
 * host, port and path prefixes.
 *
 * Everything is matched exactly and whole: a prefix covers whole path segments,
 * a wildcard covers whole labels and never an address literal, a missing port is
 * the default one only, an empty list matches nothing.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as CanonicalUrl from "./canonicalUrl.ts"
import { HOST, PATH } from "./forms.ts"

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
  Schema.makeFilter((prefix: string) => Result.isSuccess(CanonicalUrl.parsePath(prefix)), {
    expected: "a path that starts with '/', without query, dot segments, empty segments or escapes that hide either",
    toJsonSchema: () => [{ pattern: PATH }, true],
    arbitraryConstraint: { patterns: [{ source: "^(/|(/[a-z][a-z0-9;:.-]{0,9}){1,3}/?)$", flags: "" }] }
  })
)

/** The fields of a target beside its scheme. */
export const fields = {
  host: Host,
  port: Schema.optionalKey(
    Schema.Union([
      Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 65_535 }, { expected: "a port from 1 to 65535" })),
      Schema.Literal("*")
    ])
  ),
  pathPrefixes: Schema.Array(PathPrefix)
}

interface Pattern {
  readonly scheme: CanonicalUrl.Scheme | "*"
  readonly host: string
  readonly port?: number | "*"
  readonly pathPrefixes: ReadonlyArray<string>
}

type Place = Pick<CanonicalUrl.CanonicalUrl<CanonicalUrl.Scheme>, "scheme" | "host" | "literal" | "port" | "path">

/** Says of URLs whether a pattern covers them. */
export const matcher = (pattern: Pattern): ((url: Place) => boolean) => {
  const { port, scheme } = pattern
  const isHost = hostMatcher(pattern.host) ?? nothing
  const arePaths = pattern.pathPrefixes.map(pathMatcher)
  return (url) =>
    (scheme === "*" || scheme === url.scheme) &&
    isHost(url) &&
    (port === "*" || url.port === (port ?? CanonicalUrl.DEFAULT_PORT[url.scheme])) &&
    arePaths.some((isPath) => isPath(url.path))
}

/**
 * Whether there is a URL that both of two patterns cover. Where there is any,
 * there is one that is made of what they say themselves.
 */
export const meet = (one: Pattern, other: Pattern): boolean => {
  const both = [one, other]
  const matchers = both.map(matcher)
  const hosts = both.flatMap(({ host }) => hostIn(host) ?? [])
  const ports = both.flatMap(({ port }) => (typeof port === "number" ? [port] : []))
  const paths = both.flatMap(({ pathPrefixes }) => pathPrefixes.flatMap((prefix) => wholePath(prefix) ?? []))
  return SCHEMES.some((scheme) =>
    hosts.some((host) =>
      [...ports, CanonicalUrl.DEFAULT_PORT[scheme]].some((port) =>
        paths.some((path) => matchers.every((covers) => covers({ ...host, scheme, port, path })))
      )
    )
  )
}

const SCHEMES = ["ws", "wss", "http", "https"] as const

/** A host that a pattern covers. */
const hostIn = (pattern: string): CanonicalUrl.Host | undefined =>
  Result.getOrUndefined(CanonicalUrl.parseHost(pattern === "*" ? "any.example" : pattern.replace(/^\*/, "any")))

const nothing = () => false

/** `undefined` where the text is no pattern. */
const hostMatcher = (pattern: string): ((url: CanonicalUrl.Host) => boolean) | undefined => {
  if (pattern === "*") return ({ literal }) => !literal
  const isWildcard = pattern.startsWith("*.")
  const parsed = CanonicalUrl.parseHost(isWildcard ? pattern.slice(2) : pattern)
  if (Result.isFailure(parsed)) return undefined
  const { host: name, literal: isLiteral } = parsed.success
  if (!isWildcard) return ({ host }) => host === name
  if (isLiteral || !name.includes(".")) return undefined
  // Which no literal does: it would be one itself.
  return ({ host }) => host.endsWith(`.${name}`)
}

const pathMatcher = (prefix: string): ((path: string) => boolean) => {
  const whole = wholePath(prefix)
  return whole === undefined ? nothing : (path) => path === whole || path.startsWith(`${whole}/`)
}

/** Without a slash at the end; `undefined` where the text is no path. */
const wholePath = (prefix: string): string | undefined =>
  Result.getOrUndefined(Result.map(CanonicalUrl.parsePath(prefix), (path) => path.replace(/\/$/, "")))
