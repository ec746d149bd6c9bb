/**
 * The port behind which a WebSocket is opened. Everything that comes from the
 * socket is told synchronously, through listeners that are there before the
 * dial begins, so that frames which arrive in the same burst as the 101 are
 * not lost and no frame costs a fiber or a promise.
 *
 * `mooring/node` implements it with `ws`, `mooring/testing` with a scripted
 * remote.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { AuthorizedTarget } from "../grants/Grants.ts"
import type { AddressDenied, ConnectionError, DialError, DialPhase } from "./ConnectionError.ts"
import type { LookupSlots } from "./ResolveAddresses.ts"

/**
 * How fast a socket is read: `full` is at most one chunk of 64 KiB per turn of
 * the event loop, `slow` one chunk every few milliseconds, `off` not at all.
 *
 * @category models
 * @since 0.1.0
 */
export type ReadMode = "full" | "slow" | "off"

/**
 * What a frame with data is (RFC 6455, section 5.6).
 *
 * @category models
 * @since 0.5.0
 */
export type FrameKind = "text" | "binary"

/**
 * An open socket. All members act at once and never throw; after the end they
 * do nothing.
 *
 * @category models
 * @since 0.1.0
 */
export interface Socket {
  /** The server's choice, null if it made none. */
  readonly subprotocol: string | null
  /** The address that was dialled, where the implementation knows it. */
  readonly remoteAddress: string | null
  /** When the certificate expires that the server has shown, in Unix milliseconds; null where it has shown none. */
  readonly peerCertificateExpiresAt: number | null
  /**
   * How many bytes of what it was handed the system hasn't taken yet. What counts
   * is that it changes, so that a text which goes out slowly isn't taken for one
   * that doesn't; always 0 where that can't be told.
   */
  readonly writeQueueSize: () => number
  /** All bytes that were read from the network so far, whether or not they made a frame. */
  readonly bytesRead: () => number
  /**
   * Sends one frame; of a text it is given the UTF-8. `written` is called exactly once, in the order of the
   * sends: when the system has all of its bytes, or as failed when they can't be
   * written any more, maybe only after the end. One that `isSecret` must not be compressed, or its length would tell of it.
   */
  readonly send: (payload: Uint8Array, kind: FrameKind, written: (failed: boolean) => void, isSecret?: boolean) => void
  /** Sends a ping of at most 125 bytes. `written` is called when the system has it, and never if it can't be written. */
  readonly ping: (payload: Uint8Array, written: () => void) => void
  /** Answers a ping, and tells likewise. */
  readonly pong: (payload: Uint8Array, written: () => void) => void
  readonly read: (mode: ReadMode) => void
  /** Starts the closing handshake. */
  readonly close: (code: number, reason: string) => void
  /** Ends the connection without one. `closed` follows soon, with the code of the peer's close frame if one came. */
  readonly terminate: () => void
}

/**
 * What a socket tells. `open` comes first and once, in the turn in which the
 * upgrade completes; `closed` comes last and once, if `open` came. They are
 * methods, to be called as such: taken apart from the object they are of no use.
 *
 * @category models
 * @since 0.1.0
 */
export interface SocketEvents {
  open(socket: Socket): void
  /** `bytes` is the length of the text in UTF-8. */
  text(text: string, bytes: number): void
  /** `bytes` may be a part of something larger, and something else once this returns: whoever keeps them copies them. */
  binary(bytes: Uint8Array): void
  ping(data: Uint8Array): void
  pong(data: Uint8Array): void
  /** A close frame was sent or came: nothing can be sent any more, and the end is to follow. */
  closing(): void
  /** Why the connection is about to end, where that is known. */
  failed(error: ConnectionError | AddressDenied): void
  /** 1005 if the peer's close frame had no code, 1006 and not clean if none came. */
  closed(code: number, reason: string, clean: boolean): void
}

/**
 * What TLS needs to know of a source, as the contents of PEM files:
 * authorities in place of those that the client has, and the certificate with
 * its key that is shown to a server which asks for one. `serverName` is the name
 * that the server is asked for and must prove, in place of the URL's host.
 *
 * @category models
 * @since 0.3.0
 */
export interface TlsSettings {
  readonly ca?: string
  readonly cert?: string
  readonly key?: Redacted.Redacted<string>
  readonly serverName?: string
}

/**
 * What a dial needs beside its target.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConnectOptions {
  readonly headers: { readonly [name: string]: string }
  readonly tls: TlsSettings | undefined
  /** Whether to offer permessage-deflate (RFC 7692). */
  readonly compression: boolean
  /** Whether frames may go by the parser of the library that the implementation is made with, if it has a faster way. */
  readonly fastPath: boolean
  readonly maxMessageBytes: number
  readonly maxMessageFragments: number
  /** Where names are looked up. */
  readonly lookups: LookupSlots
  /** Told what the dial waits for next; it begins with `dns`. */
  readonly entered: (phase: DialPhase) => void
}

/**
 * The port. The effect of `connect` succeeds when the socket is open; closing
 * its scope terminates a socket that hasn't ended. It must refuse what
 * `AuthorizedTarget.is` refuses, and it doesn't have a deadline of its own.
 *
 * **Gotchas**
 *
 * `connect` must be interruptible: a dial that is given up, at its deadline or
 * for the host's close, waits until it has ended. So does a connection that has
 * ended for the finalizers of its scope: one that never ends holds its source
 * and the host's close.
 *
 * A socket that throws ends its connection as a `DialFailed` with the code
 * `EDEFECT`; a second `open` in one dial is terminated.
 *
 * @category services
 * @since 0.1.0
 */
export class WebSocketClient extends Context.Service<
  WebSocketClient,
  {
    /** Whether every dial goes through a proxy. */
    readonly proxied: boolean
    readonly connect: (
      target: AuthorizedTarget,
      options: ConnectOptions,
      events: SocketEvents
    ) => Effect.Effect<void, DialError, Scope.Scope>
  }
>()("mooring/connection/WebSocketClient") {}
