/**
 * Which texts can be used as what they are configured for. None of them is ever
 * quoted.
 *
 * @since 0.3.0
 */
import * as Result from "effect/Result"

/**
 * What a value is for: a secret, a PEM for TLS, or a text of a configuration.
 *
 * @category models
 * @since 0.3.0
 */
export type Purpose = "secret" | "pem" | "text"

const LEAST_SECRET_BYTES = 6
const MOST_SECRET_BYTES = 8192

/**
 * The most that is read of a file, in bytes: a bundle of authorities is some
 * hundreds of kilobytes.
 *
 * @category constants
 * @since 0.3.0
 */
export const MOST_BYTES = 1_048_576

const utf8 = new TextEncoder()

// RFC 7468, section 3, and nothing around it.
const KEY =
  /^-----BEGIN ((?:[A-Z0-9]+ )*PRIVATE KEY)-----(?:\r?\n[A-Za-z0-9+/=]{1,76})+\r?\n-----END \1-----(?:\r?\n)*$/

const EXPECTED = {
  secret: `${LEAST_SECRET_BYTES} to ${MOST_SECRET_BYTES} bytes of UTF-8 without control characters, but for the line ends of a PEM`,
  pem: `a PEM text of at most ${MOST_BYTES} bytes`,
  text: `a text of at most ${MOST_BYTES} bytes of UTF-8`
} as const satisfies Record<Purpose, string>

const isUsable = (value: string, purpose: Purpose): boolean => {
  // The first look bounds what the others walk through.
  if (value.length > MOST_BYTES || !value.isWellFormed()) return false
  const bytes = utf8.encode(value).length
  switch (purpose) {
    case "secret":
      return bytes >= LEAST_SECRET_BYTES && bytes <= MOST_SECRET_BYTES && (!/\p{Cc}/u.test(value) || KEY.test(value))
    case "pem":
      return bytes <= MOST_BYTES && /^-----BEGIN [A-Z0-9 ]+-----\s*$/m.test(value)
    case "text":
      return bytes <= MOST_BYTES
  }
}

/**
 * The value that was found, without the one line end of its file, or what was
 * expected. A PEM keeps its lines, also one of a private key that is a secret.
 *
 * @category checks
 * @since 0.3.0
 */
export const check = (found: string, purpose: Purpose, isFile: boolean): Result.Result<string, string> => {
  const value = isFile && purpose !== "pem" ? found.replace(/\r?\n$/, "") : found
  return isUsable(value, purpose) ? Result.succeed(value) : Result.fail(`Expected ${EXPECTED[purpose]}`)
}

/**
 * Whether a secret that can be used is a private key's PEM: it signs, and is
 * sent to nobody.
 *
 * @category predicates
 * @since 0.5.0
 */
export const isKey = (value: string): boolean => value.includes("\n")
