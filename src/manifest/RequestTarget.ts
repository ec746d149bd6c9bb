/**
 * A pattern over HTTP requests: methods, and scheme, host, port and path
 * prefixes of the URL, matched as those of a `WebSocketTarget`. A manifest
 * declares targets, a grant allows them, and a request needs one of each.
 *
 * Methods are compared as they are written, as servers do: `get` isn't `GET`.
 * CONNECT and TRACE are none that anybody could declare or grant.
 *
 * @since 0.5.0
 */
import * as Schema from "effect/Schema"
import * as Wire from "../internal/wire.ts"
import * as Headers from "./internal/headers.ts"
import * as Pattern from "./internal/pattern.ts"
import { tlsOf } from "./internal/tls.ts"
import { Outside, OutsideOrValue } from "./Outside.ts"
import { Name } from "./Permission.ts"
import type * as RequestUrl from "./RequestUrl.ts"

/**
 * A method. CONNECT would open a tunnel to wherever, TRACE would send the
 * host's own headers back; in any case, for some servers read it in any.
 *
 * @category schemas
 * @since 0.5.0
 */
export const Method = Schema.String.check(
  Schema.isPattern(new RegExp(`^(?!${Headers.inAnyCase("(?:connect|trace)")}$)${Headers.TOKEN}{1,64}$`, "u"), {
    expected: "a method other than CONNECT and TRACE"
  })
)

// What the message itself consists of (RFC 9110, section 7, and RFC 9112, section 6), what the host answers for, and
// what says of a request that a browser made it.
const RESERVED = [
  "host|connection|keep-alive|content-length|transfer-encoding|upgrade|te|trailer|expect|accept-encoding",
  "http2-settings|proxy-.*|sec-.*"
].join("|")

const EXPECTED = "the host's own"

/**
 * The name of a header that somebody other than the host may add to a request.
 *
 * @category schemas
 * @since 0.5.0
 */
export const HeaderName = Headers.nameOf(RESERVED, EXPECTED)

const fields = {
  scheme: Schema.Literals(["https", "http", "*"]),
  ...Pattern.fields,
  methods: Schema.Array(Method)
}

/**
 * A target that a manifest declares.
 *
 * @category schemas
 * @since 0.5.0
 */
export const RequestTarget = Wire.struct(fields).annotate({ identifier: "RequestTarget" })

/**
 * @category models
 * @since 0.5.0
 */
export type RequestTarget = typeof RequestTarget.Type

const allowed = {
  ...fields,
  secrets: Schema.optionalKey(Schema.Array(Name)),
  privateAddresses: Schema.optionalKey(Schema.Boolean),
  requestsPerMinute: Schema.optionalKey(Wire.wholeNumber(0, Number.MAX_SAFE_INTEGER))
}

/**
 * What a granted target allows, and all of it that may be shown: without what
 * the host adds to each request, headers and certificates.
 *
 * @category schemas
 * @since 0.5.0
 */
export const AllowedRequestTarget = Wire.struct(allowed).annotate({ identifier: "AllowedRequestTarget" })

/** One schema for what is written and one for what a program makes: they differ in where a PEM may come from. */
const grantedOf = <Text extends Schema.Constraint>(text: Text) =>
  Wire.struct({
    ...allowed,
    headers: Schema.optionalKey(Headers.recordOf(RESERVED, EXPECTED)),
    tls: Schema.optionalKey(tlsOf(text))
  }).annotate({ identifier: "GrantedRequestTarget" })

/**
 * A target that an operator grants: `headers` are added by the host, `{name}`
 * in them standing for a secret of the entry; `secrets` are those of the entry
 * that the plugin may place itself; `tls` is used for what is requested there;
 * `privateAddresses` says whether a granted *name* may resolve to a loopback,
 * private or unique-local address; a rate of 0 is none.
 *
 * @category schemas
 * @since 0.5.0
 */
export const GrantedRequestTarget = grantedOf(Outside)

/**
 * The same as a program makes it, with PEM texts in place of variables and
 * files where it has them.
 *
 * @category schemas
 * @since 0.5.0
 */
export const GrantedRequestTargetMade = grantedOf(OutsideOrValue)

/**
 * @category models
 * @since 0.5.0
 */
export type GrantedRequestTarget = typeof GrantedRequestTargetMade.Type

/**
 * Says of requests whether a target covers them. The target is read once:
 * whoever asks about many requests keeps the answer.
 *
 * @category predicates
 * @since 0.5.0
 */
export const matcher = (target: RequestTarget): ((method: string, url: RequestUrl.RequestUrl) => boolean) => {
  const methods = new Set(target.methods)
  const isUrl = Pattern.matcher(target)
  return (method, url) => methods.has(method) && isUrl(url)
}

/**
 * Whether a target covers a request.
 *
 * @category predicates
 * @since 0.5.0
 */
export const matches = (target: RequestTarget, method: string, url: RequestUrl.RequestUrl): boolean =>
  matcher(target)(method, url)

/**
 * Whether there is a request that both of two targets cover.
 *
 * @category predicates
 * @since 0.5.0
 */
export const meet = (one: RequestTarget, other: RequestTarget): boolean =>
  one.methods.some((method) => other.methods.includes(method)) && Pattern.meet(one, other)

/**
 * Whether a target covers every host, which is reported where it is declared
 * or granted.
 *
 * @category predicates
 * @since 0.5.0
 */
export const isBroad = (target: RequestTarget): boolean => target.host === "*"
