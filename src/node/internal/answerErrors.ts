/**
 * The one place where what `undici` fails with becomes a code. Codes of its
 * parser (`HPE_…`) are Node's own, too.
 */
import { codeOf } from "./errorCode.ts"
import { Broken, DEFECT, ENDED } from "./wire.ts"

const CODES: ReadonlyMap<string, string> = new Map([
  // The connection ended, or more came over it than was asked for.
  ["UND_ERR_SOCKET", ENDED],
  ["UND_ERR_HEADERS_OVERFLOW", "HEADERS_TOO_LARGE"],
  ["UND_ERR_RES_CONTENT_LENGTH_MISMATCH", "LENGTH_MISMATCH"],
  // What can't be written as it is.
  ["UND_ERR_INVALID_ARG", "EINVAL"],
  ["UND_ERR_NOT_SUPPORTED", "EINVAL"]
])

export const answerCode = (error: Error): string => {
  if (error instanceof Broken) return error.why
  const code = codeOf(error)
  return CODES.get(code) ?? (code.startsWith("HPE_") ? code : DEFECT)
}
