/**
 * What the stage above a connection implements: it is handed everything that
 * the connection learns, synchronously and in order, and decides how fast the
 * socket is read.
 *
 * @since 0.1.0
 */
import type { ConnectionError, DialError } from "./ConnectionError.ts"
import type { FrameKind, ReadMode } from "./WebSocketClient.ts"

/**
 * An error as an event carries it: beside tag and message what it has of an
 * HTTP `status`, how long a server is left alone (`retryAfterMs`), a `code` (a
 * number if it is a close code), a `phase` of the dial, and `what` it was. What
 * it doesn't have is absent.
 *
 * @category models
 * @since 0.1.0
 */
export interface ReportedError {
  readonly tag: string
  readonly message: string
  readonly status?: number
  readonly retryAfterMs?: number
  readonly code?: number | string
  readonly phase?: string
  readonly what?: string
}

/** What the errors of a dial and of a connection may have of it; null where they don't know. */
interface Facts {
  readonly _tag: string
  readonly message: string
  readonly status?: number | null
  readonly retryAfterMs?: number | null
  readonly code?: number | string
  readonly phase?: string
  readonly what?: string
}

/**
 * An error as events carry it.
 *
 * @category constructors
 * @since 0.2.0
 */
export const reportedOf = (error: DialError | ConnectionError): ReportedError => {
  const { _tag: tag, code, message, phase, retryAfterMs = null, status = null, what }: Facts = error
  return {
    tag,
    message,
    ...(status === null ? {} : { status }),
    ...(retryAfterMs === null ? {} : { retryAfterMs }),
    ...(code === undefined ? {} : { code }),
    ...(phase === undefined ? {} : { phase }),
    ...(what === undefined ? {} : { what })
  }
}

/**
 * How an epoch ended.
 *
 * @category models
 * @since 0.1.0
 */
export interface EpochEnd {
  readonly code: number
  readonly reason: string
  readonly clean: boolean
  /** How many frames were sent in it that no pong confirmed. */
  readonly unconfirmed: number
  /** The cause where the end wasn't a close frame. */
  readonly error: ReportedError | null
}

/**
 * The stage above a connection.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConnectionSink {
  /** A new epoch. `read` sets how fast its socket is read. */
  readonly opened: (epoch: number, attempts: number, subprotocol: string | null, read: (mode: ReadMode) => void) => void
  /**
   * A text frame of the open epoch, with its length in bytes of UTF-8 and when it came, in Unix milliseconds. Whether it
   * is data: not one that is ignored, or answered by the host.
   */
  readonly text: (text: string, bytes: number, at: number) => boolean
  /**
   * A binary frame of the open epoch, likewise; false where the ingress takes none, and it is only counted. Whoever keeps
   * the bytes copies them.
   */
  readonly binary: (bytes: Uint8Array, at: number) => boolean
  /** A frame that came while the connection was closing; false for a binary one where the ingress takes none. */
  readonly rejected: (kind: FrameKind) => boolean
  readonly ended: (end: EpochEnd, willReconnect: boolean, deliver: boolean) => void
  readonly dialFailed: (error: ReportedError, willReconnect: boolean, deliver: boolean) => void
  /** Discards what waits, because the grant for it is gone. */
  readonly revoked: () => void
  /** Whether a further epoch may begin: false while the state events of two wait. */
  readonly ready: () => boolean
}
