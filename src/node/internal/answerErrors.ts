/**
 * The one place where what `undici` fails with becomes a code. Texts of the
 * server are not repeated.
 */
import { codeOf } from "./errorCode.ts"
import { Broken, DEFECT, ENDED } from "./wire.ts"

/** The code of what isn't an HTTP response, or isn't any more. */
export const NOT_HTTP = "NOT_HTTP"

const CODES: ReadonlyMap<string, string> = new Map([
  // The connection ended, or more came over it than was asked for.
  ["UND_ERR_SOCKET", ENDED],
  ["UND_ERR_HEADERS_OVERFLOW", "HEADERS_TOO_LARGE"],
  ["UND_ERR_RES_CONTENT_LENGTH_MISMATCH", "LENGTH_MISMATCH"],
  // What can't be written as it is.
  ["UND_ERR_INVALID_ARG", "EINVAL"],
  ["UND_ERR_NOT_SUPPORTED", "EINVAL"]
])

/** Why there is no answer. Of headers that it can't read `undici` may say that they don't fit the body. */
export const answerCode = (error: Error, hasHeaders: boolean): string => {
  if (error instanceof Broken) return error.why
  if (error.name === "HTTPParserError") return NOT_HTTP
  const code = CODES.get(codeOf(error)) ?? DEFECT
  return code === "LENGTH_MISMATCH" && !hasHeaders ? NOT_HTTP : code
}
