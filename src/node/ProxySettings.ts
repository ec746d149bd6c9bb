/**
 * The proxy through which a host dials, if the operator names one: an HTTP proxy
 * that is asked by CONNECT for a way to each server.
 *
 * @since 0.3.0
 */
import * as Redacted from "effect/Redacted"
import type * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Wire from "../internal/wire.ts"
import { Outside } from "../manifest/Outside.ts"

/** What may be another one at each dial, or none that could be used, or is always the same. */
type Authorization = Redacted.Redacted<string> | (() => Redacted.Redacted<string> | undefined)

/**
 * Where the proxy is, `http://proxy.example:3128` or `https://…`, and the whole
 * value of `Proxy-Authorization` where it wants one; a function is asked at each
 * dial, which fails where it has none.
 *
 * @category models
 * @since 0.3.0
 */
export interface ProxySettings {
  readonly connect: string
  readonly authorization?: Authorization
}

/** What is dialled of a proxy. */
interface Parsed {
  readonly host: string
  readonly port: number
  readonly isSecure: boolean
  readonly authorization: Authorization | undefined
}

/**
 * The value now; undefined where there is none that could be used.
 *
 * @category getters
 * @since 0.4.0
 */
export const valueOf = (authorization: Authorization): string | undefined => {
  const found = typeof authorization === "function" ? authorization() : authorization
  return found === undefined ? undefined : Redacted.value(found)
}

const DEFAULT_PORTS = new Map([
  ["http:", 80],
  ["https:", 443]
])

// What an HTTP field value may have (RFC 9110, section 5.5), without the spaces at its ends.
const FIELD_VALUE = /^[\x21-\x7e\xa0-\xff](?:[\t\x20-\x7e\xa0-\xff]*[\x21-\x7e\xa0-\xff])?$/u

/**
 * Reads settings; undefined where they are of no use.
 *
 * @category parsing
 * @since 0.3.0
 */
export const parse = ({ authorization, connect }: ProxySettings): Parsed | undefined => {
  const at = endpointOf(connect)
  const value = authorization === undefined ? undefined : valueOf(authorization)
  if (at === undefined || (value !== undefined && !FIELD_VALUE.test(value))) return undefined
  return { ...at, authorization }
}

/** An origin and nothing else: a password in a URL would be shown. */
const endpointOf = (connect: string): Omit<Parsed, "authorization"> | undefined => {
  if (!URL.canParse(connect)) return undefined
  const { hash, hostname, password, pathname, port, protocol, search, username } = new URL(connect)
  const standard = DEFAULT_PORTS.get(protocol)
  const beside = [hash, password, search, username, pathname === "/" ? "" : pathname]
  if (standard === undefined || port === "0" || beside.some((part) => part !== "")) return undefined
  const host = hostname.replace(/^\[|\]$/gu, "")
  return { host, port: port === "" ? standard : Number(port), isSecure: protocol === "https:" }
}

/**
 * The `[proxy]` table of a host file.
 *
 * @category schemas
 * @since 0.3.0
 */
export const Table = Wire.struct({
  connect: Schema.String.check(
    Schema.isPattern(/^https?:\/\/[^\s/?#@\\]+\/?$/u, { expected: "http:// or https://, a host and maybe a port" }),
    Schema.makeFilter((connect: string) => endpointOf(connect) !== undefined, {
      expected: "http:// or https://, a host and maybe a port",
      toJsonSchema: () => ({}),
      // Hardly any text at random is an origin.
      arbitraryConstraint: { patterns: [{ source: "^https?://[a-z]{1,9}(:[1-9][0-9]{0,3})?/?$", flags: "" }] }
    })
  ),
  authorization: Schema.optionalKey(Outside)
}).annotate({ identifier: "Proxy" })

/**
 * @category models
 * @since 0.3.0
 */
export type Table = typeof Table.Type

/**
 * Decodes the table, with all problems at once. A host whose table can't be
 * used goes around no proxy: its client is to be told `"unusable"`.
 *
 * @category decoding
 * @since 0.3.0
 */
export const decode: (input: unknown) => Result.Result<Table, ReadonlyArray<Wire.Problem>> = Wire.decoder(Table)
