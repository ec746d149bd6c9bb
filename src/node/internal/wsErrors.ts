/**
 * The one place where the failures of `ws` and of Node's sockets become tagged
 * errors. Texts of the server are not repeated.
 */
import type { IncomingMessage } from "node:http"
import * as RetryAfter from "../../connection/RetryAfter.ts"
import {
  DialFailed,
  HandshakeRejected,
  MessageTooLarge,
  ProtocolViolation,
  type ConnectionError,
  type DialError
} from "../../connection/ConnectionError.ts"
import { codeOf, isTls, UNKNOWN } from "./errorCode.ts"
import type { MessageLimits } from "./frameCollector.ts"

/** The server's answer to the upgrade was an HTTP response other than 101. */
export const handshakeRejected = (url: string, response: IncomingMessage): HandshakeRejected => {
  const status = response.statusCode ?? null
  const retryAfter = response.headers["retry-after"]
  return new HandshakeRejected({
    url,
    status,
    problem: `it answered with HTTP status ${status ?? "unknown"}`,
    retryAfterMs: retryAfter === undefined ? null : RetryAfter.parse(retryAfter, Date.now(), Number.MAX_SAFE_INTEGER)
  })
}

/** Why there was no valid answer to the upgrade, though the server had been reached. */
export const upgradeError = (url: string, error: Error, upgraded: boolean): DialError => {
  const code = codeOf(error)
  if (isTls(code)) return new DialFailed({ url, phase: "tls", code })
  return new HandshakeRejected({
    url,
    status: upgraded ? 101 : null,
    problem: problemOf(code, error),
    retryAfterMs: null
  })
}

const problemOf = (code: string, error: Error): string => {
  // Without a code it is `ws` that didn't like the answer: its texts are fixed.
  if (code === UNKNOWN) return error.message
  return code.startsWith("HPE_")
    ? `its answer is not HTTP (${code})`
    : `the connection ended before it had answered (${code})`
}

/** Why an open connection is about to end, where it is more than that it ends. */
export const connectionError = (url: string, error: Error, limits: MessageLimits): ConnectionError | undefined => {
  const code = codeOf(error)
  switch (code) {
    case "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH":
    // A length that no number holds.
    case "WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH":
      return new MessageTooLarge({ url, what: "bytes", limit: limits.bytes })
    case "WS_ERR_TOO_MANY_BUFFERED_PARTS":
      return new MessageTooLarge({ url, what: "fragments", limit: limits.fragments })
  }
  // What inflating found, by zlib's own names.
  if (code.startsWith("WS_ERR_") || code.startsWith("Z_")) return new ProtocolViolation({ url, problem: code })
  return undefined
}
