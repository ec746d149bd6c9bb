/**
 * The one place where the failures of `ws` and of Node's sockets become tagged
 * errors. Texts of the server are not repeated.
 */
import type { IncomingMessage } from "node:http"
import {
  DialFailed,
  HandshakeRejected,
  MessageTooLarge,
  ProtocolViolation,
  type ConnectionError,
  type DialError
} from "../../connection/ConnectionError.ts"

const TLS =
  /^(?:ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH|EPROTO)/
const LONGEST_RETRY_AFTER_MS = 86_400_000

const codeOf = (error: Error): string => {
  if ("code" in error && typeof error.code === "string") return error.code
  // Several addresses were tried: the first failure stands for all.
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return codeOf(error.errors[0])
  return ""
}

/** The server's answer to the upgrade was an HTTP response other than 101. */
export const handshakeRejected = (url: string, response: IncomingMessage): HandshakeRejected => {
  const status = response.statusCode ?? null
  return new HandshakeRejected({
    url,
    status,
    problem: `it answered with HTTP status ${status ?? "unknown"}`,
    retryAfterMs: retryAfter(response.headers["retry-after"])
  })
}

/** Seconds or a date (RFC 9110, section 10.2.3), at most a day. */
const retryAfter = (value: string | undefined): number | null => {
  if (value === undefined) return null
  const millis = /^\d{1,9}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now()
  return Number.isNaN(millis) ? null : Math.min(LONGEST_RETRY_AFTER_MS, Math.max(0, Math.round(millis)))
}

/** Why a socket could not be opened. */
export const dialError = (url: string, error: Error, upgraded: boolean): DialError => {
  const code = codeOf(error)
  if (TLS.test(code)) return new DialFailed({ url, phase: "tls", code })
  // Without a system code it is `ws` that didn't like the answer: its texts are fixed.
  if (code === "" || code.startsWith("HPE_") || code.startsWith("WS_ERR_")) {
    const problem = code.startsWith("HPE_") ? `its answer is not HTTP (${code})` : error.message
    return new HandshakeRejected({ url, status: upgraded ? 101 : null, problem, retryAfterMs: null })
  }
  return new DialFailed({ url, phase: "tcp", code })
}

/** Why an open connection is about to end, where it is more than that it ends. */
export const connectionError = (url: string, error: Error, limit: number): ConnectionError | undefined => {
  const code = codeOf(error)
  if (code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") return new MessageTooLarge({ url, limit })
  if (code.startsWith("WS_ERR_")) return new ProtocolViolation({ url, problem: code })
  return undefined
}
