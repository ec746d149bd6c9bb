/**
 * The code of what Node's own modules throw or hand to callbacks.
 */
import * as Predicate from "effect/Predicate"

export const UNKNOWN = "EUNKNOWN"

export const codeOf = (error: unknown): string =>
  Predicate.hasProperty(error, "code") && Predicate.isString(error.code) ? error.code : UNKNOWN

const TLS = /^(?:ERR_TLS_|ERR_SSL_|EPROTO$)/

/** Whether a code is one of TLS: a server may look at the client's certificate after its own handshake is over (TLS 1.3). */
export const isTls = (code: string): boolean => TLS.test(code)
