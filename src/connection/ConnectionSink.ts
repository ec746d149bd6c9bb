/**
 * What the stage above a connection implements: it is handed everything that
 * the connection learns, synchronously and in order, and decides how fast the
 * socket is read.
 *
 * @since 0.1.0
 */
import type { ReadMode } from "./WebSocketClient.ts"

/**
 * An error as an event carries it.
 *
 * @category models
 * @since 0.1.0
 */
export interface ReportedError {
  readonly tag: string
  readonly message: string
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
  /** A text frame of the open epoch, with its length in bytes of UTF-8 and when it came, in Unix milliseconds. */
  readonly text: (text: string, bytes: number, at: number) => void
  /** A text frame that came while the connection was closing. */
  readonly rejected: () => void
  readonly ended: (end: EpochEnd, willReconnect: boolean, deliver: boolean) => void
  readonly dialFailed: (error: ReportedError, willReconnect: boolean, deliver: boolean) => void
  /** Discards what waits, because the grant for it is gone. */
  readonly revoked: () => void
  /** Whether a further epoch may begin: false while the state events of two wait. */
  readonly ready: () => boolean
}
