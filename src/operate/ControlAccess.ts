/**
 * Who may: judges a request by the place that it came in at, its `Host`, its
 * `Origin` and its token, before anything else looks at it.
 *
 * A name in `Host` that nobody gave this API is how a page that rebinds its own
 * name to the address of this API gives itself away, and an `Origin` that isn't
 * this API's is another page that acts by a browser's hand. The token is taken
 * from `Authorization` and from nowhere else.
 *
 * @since 0.5.0
 */
import * as Redacted from "effect/Redacted"
import { createHash, timingSafeEqual } from "node:crypto"
import * as Net from "node:net"
import { refuse, type Refusal } from "./ControlError.ts"

/**
 * Where requests come in: by a unix socket who may open its file may act; from
 * this machine alone reading is free; from a network nothing is.
 *
 * @category models
 * @since 0.5.0
 */
export type Entrance = "unix" | "loopback" | "network"

/**
 * What a request is for: whether the process lives, the page, what is read, the
 * metrics, what acts.
 *
 * @category models
 * @since 0.5.0
 */
export type Purpose = "probe" | "page" | "read" | "metrics" | "act"

/**
 * The rules of one API.
 *
 * @category models
 * @since 0.5.0
 */
export interface Rules {
  readonly entrance: Entrance
  /** Further names in `Host` and `Origin`, beside address literals and `localhost`. */
  readonly hosts: ReadonlyArray<string>
  /** Asked at each request; without one nobody acts but by a unix socket. */
  readonly token: () => Redacted.Redacted<string> | undefined
  /** Whether the metrics are read without the token. */
  readonly openMetrics: boolean
}

/**
 * What a request says of itself.
 *
 * @category models
 * @since 0.5.0
 */
export interface Claims {
  readonly host: string | undefined
  readonly origin: string | undefined
  readonly authorization: string | undefined
}

/**
 * Why a request is refused; undefined where it isn't.
 *
 * @category checks
 * @since 0.5.0
 */
export const judge = (rules: Rules, purpose: Purpose, claims: Claims): Refusal | undefined => {
  if (purpose !== "probe" && !isNamed(rules, claims.host)) {
    return refuse("ForbiddenOrigin", "Host is no address, not localhost and none of this API's names")
  }
  if (claims.origin !== undefined && !isOwn(rules, claims.origin, claims.host)) {
    return refuse("ForbiddenOrigin", "Origin is another one than this API's")
  }
  if (!needsToken(rules, purpose)) return undefined
  const token = rules.token()
  if (token === undefined) return refuse("Unauthorized", "this API has no token, without which nobody acts by it")
  return isSame(token, claims.authorization)
    ? undefined
    : refuse("Unauthorized", "expected Authorization: Bearer and the token of this API")
}

const needsToken = ({ entrance, openMetrics }: Rules, purpose: Purpose): boolean => {
  if (entrance === "unix") return false
  switch (purpose) {
    case "act":
      return true
    case "probe":
      return false
    // It is what asks for the token, and has nothing of the host's in it.
    case "page":
      return false
    case "metrics":
      return entrance === "network" && !openMetrics
    case "read":
      return entrance === "network"
  }
}

const NAME_AND_PORT = /^(?:\[(?<literal>[^\]]+)\]|(?<name>[^:[\]]+))(?::\d{1,5})?$/u

/** The name of a `host` or `host:port`, without the brackets of an IPv6 literal. */
const nameOf = (host: string): string | undefined => {
  const { literal, name } = NAME_AND_PORT.exec(host)?.groups ?? {}
  if (literal !== undefined) return Net.isIPv6(literal) ? literal : undefined
  return name?.toLowerCase()
}

const isNamed = ({ hosts }: Rules, host: string | undefined): boolean => {
  const name = host === undefined ? undefined : nameOf(host)
  return name !== undefined && (Net.isIP(name) !== 0 || name === "localhost" || isOneOf(hosts, name))
}

const isOneOf = (hosts: ReadonlyArray<string>, name: string): boolean =>
  hosts.some((known) => known.toLowerCase() === name)

/** `http://` or `https://`, followed by exactly what `Host` says or by one of this API's names, with or without a port. */
const isOwn = ({ hosts }: Rules, origin: string, host: string | undefined): boolean => {
  const [, authority] = /^https?:\/\/(.+)$/u.exec(origin) ?? []
  if (authority === undefined) return false
  if (authority === host) return true
  const name = nameOf(authority)
  return name !== undefined && isOneOf(hosts, name)
}

/** Hashes have one length, whatever is compared, and tell by how long it takes nothing of what they are of. */
const hashOf = (bytes: Buffer): Buffer => createHash("sha256").update(bytes).digest()

const isSame = (token: Redacted.Redacted<string>, authorization: string | undefined): boolean => {
  const given = /^bearer +(?<given>[^ ]+)$/iu.exec(authorization ?? "")?.groups?.["given"]
  // Header values are Latin-1 here, one character a byte.
  const isEqual = timingSafeEqual(
    hashOf(Buffer.from(given ?? "", "latin1")),
    hashOf(Buffer.from(Redacted.value(token), "utf8"))
  )
  return isEqual && given !== undefined
}
