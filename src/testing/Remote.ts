/**
 * The server's end of one connection of the fake network, played by the test.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { ConnectionError } from "../connection/ConnectionError.ts"
import type { ReadMode, Socket, SocketEvents } from "../connection/WebSocketClient.ts"
import type { AuthorizedTarget } from "../grants/Grants.ts"
import type { Bell } from "./internal/bell.ts"

type Frame =
  | { readonly kind: "texts"; readonly texts: ReadonlyArray<string> }
  | { readonly kind: "binary"; readonly bytes: number }
  | { readonly kind: "ping"; readonly data: Uint8Array }
  | { readonly kind: "pong" }
  | { readonly kind: "failure"; readonly cause: ConnectionError }
  | { readonly kind: "end"; readonly code: number; readonly reason: string; readonly clean: boolean }

const utf8 = new TextEncoder()
const NO_CODE = 1005

/** @internal The code of an end without a close frame (RFC 6455, section 7.1.5). */
export const NO_CLOSE_FRAME = 1006

/**
 * The server's end of one connection.
 *
 * @category models
 * @since 0.1.0
 */
export class Remote {
  /** The texts that the host sent. */
  readonly sent: Array<string> = []
  /** The pongs that the host sent. */
  readonly pongs: Array<Uint8Array> = []
  /** How many pings the host sent. */
  pings = 0
  /** The host's close frame, once it sent one. */
  closeFrame: { readonly code: number; readonly reason: string } | null = null
  /** How the host reads. What is sent while it doesn't waits in the network. */
  reading: ReadMode = "full"
  isOpen = true
  readonly #events: SocketEvents
  readonly #bell: Bell
  readonly #network: Array<Frame> = []
  readonly #unwritten: Array<() => void> = []
  #draining = true
  #buffered = 0
  #answersClose = true

  constructor(events: SocketEvents, bell: Bell) {
    this.#events = events
    this.#bell = bell
  }

  /** Sends one text frame. */
  sendText(text: string): void {
    this.#transmit({ kind: "texts", texts: [text] })
  }

  /** Sends texts that arrive in one read of the socket: all of them, even if the host pauses at the first. */
  sendBurst(texts: ReadonlyArray<string>): void {
    this.#transmit({ kind: "texts", texts })
  }

  /** Sends a binary frame of so many bytes. */
  sendBinary(bytes: number): void {
    this.#transmit({ kind: "binary", bytes })
  }

  ping(data: Uint8Array = new Uint8Array()): void {
    this.#transmit({ kind: "ping", data })
  }

  /** Sends a pong that nobody asked for. */
  pong(): void {
    this.#transmit({ kind: "pong" })
  }

  /** Closes with a close frame; without a code it has none. */
  close(code?: number, reason = ""): void {
    this.#transmit({ kind: "end", code: code ?? NO_CODE, reason, clean: true })
  }

  /** Breaks the connection off, without a close frame; `cause` is what the host found wrong, if it did. */
  breakOff(cause?: ConnectionError): void {
    if (cause !== undefined) this.#transmit({ kind: "failure", cause })
    this.#transmit({ kind: "end", code: NO_CLOSE_FRAME, reason: "", clean: false })
  }

  /** Takes nothing more: what the host sends stays in its buffer. */
  stopDraining(): void {
    this.#draining = false
  }

  /** Takes what the host's buffer holds, and all that comes. */
  drain(): void {
    this.#draining = true
    this.#buffered = 0
    this.#unwritten.length = 0
  }

  /** Doesn't answer the host's close frame. */
  ignoreClose(): void {
    this.#answersClose = false
  }

  /** Completes with what was sent when the host has sent at least so many texts. */
  received(count: number): Effect.Effect<ReadonlyArray<string>> {
    return Effect.as(
      this.#bell.until(() => this.sent.length >= count),
      this.sent
    )
  }

  /** Completes when the connection has ended. */
  get closed(): Effect.Effect<void> {
    return this.#bell.until(() => !this.isOpen)
  }

  /** @internal The host's end. */
  socket(target: AuthorizedTarget, subprotocol: string | null): Socket {
    return {
      subprotocol,
      remoteAddress: target.url.literal ? target.url.host : null,
      peerCertificateExpiresAt: null,
      bufferedAmount: () => this.#buffered,
      send: (text, failed) => this.#accept(text, failed),
      ping: () => {
        this.pings++
        this.#bell.ring()
      },
      pong: (data) => {
        this.pongs.push(data)
        this.#bell.ring()
      },
      read: (mode) => {
        this.reading = mode
        this.#deliver()
      },
      close: (code, reason) => {
        if (!this.isOpen || this.closeFrame !== null) return
        this.closeFrame = { code, reason }
        this.#bell.ring()
        if (this.#answersClose) this.close(code, reason)
      },
      terminate: () => this.end(NO_CLOSE_FRAME, "", false)
    }
  }

  /** @internal */
  end(code: number, reason: string, clean: boolean): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.#network.length = 0
    for (const failed of this.#unwritten.splice(0)) failed()
    this.#events.closing()
    this.#events.closed(code, reason, clean)
    this.#bell.ring()
  }

  #accept(text: string, failed: () => void): void {
    if (!this.isOpen) return
    this.sent.push(text)
    if (!this.#draining) {
      this.#buffered += utf8.encode(text).length
      this.#unwritten.push(failed)
    }
    this.#bell.ring()
  }

  #transmit(frame: Frame): void {
    if (!this.isOpen) return
    this.#network.push(frame)
    this.#deliver()
  }

  #deliver(): void {
    while (this.isOpen && this.reading !== "off") {
      const frame = this.#network.shift()
      if (frame === undefined) return
      this.#read(frame)
    }
  }

  #read(frame: Frame): void {
    switch (frame.kind) {
      case "texts":
        for (const text of frame.texts) this.#events.text(text, utf8.encode(text).length)
        return
      case "binary":
        return this.#events.binary(frame.bytes)
      case "ping":
        return this.#events.ping(frame.data)
      case "pong":
        return this.#events.pong()
      case "failure":
        return this.#events.failed(frame.cause)
      case "end":
        return this.end(frame.code, frame.reason, frame.clean)
    }
  }
}
