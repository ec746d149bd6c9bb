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
import { Outbox } from "./internal/outbox.ts"

type Frame =
  | { readonly kind: "data"; readonly frames: ReadonlyArray<string | Uint8Array> }
  | { readonly kind: "ping"; readonly data: Uint8Array }
  | { readonly kind: "pong"; readonly data: Uint8Array }
  | { readonly kind: "bytes"; readonly bytes: number }
  | { readonly kind: "failure"; readonly cause: ConnectionError }
  | { readonly kind: "end"; readonly code: number; readonly reason: string; readonly clean: boolean }

const utf8 = new TextEncoder()
const decoder = new TextDecoder("utf-8", { ignoreBOM: true })
const NO_CODE = 1005
// The head of a short frame (RFC 6455, section 5.2).
const HEAD_BYTES = 2

/** @internal The code of an end without a close frame (RFC 6455, section 7.1.5). */
export const NO_CLOSE_FRAME = 1006

/**
 * The server's end of one connection.
 *
 * @category models
 * @since 0.1.0
 */
export class Remote {
  /** The texts that the host handed to its socket. */
  readonly sent: Array<string> = []
  /** Those, and the binary frames among them, in their order. */
  readonly sentFrames: Array<string | Uint8Array> = []
  /** The payloads of the pongs that the host handed to its socket. */
  readonly pongs: Array<Uint8Array> = []
  /** The payloads of the pings that arrived here. */
  readonly pings: Array<Uint8Array> = []
  /** The host's close frame, once it sent one. */
  closeFrame: { readonly code: number; readonly reason: string } | null = null
  /** How the host reads. What is sent while it doesn't waits in the network. */
  reading: ReadMode = "full"
  isOpen = true
  /** Gone after the end: a test that keeps its remotes keeps nothing of the host. */
  #events: SocketEvents | undefined
  readonly #bell: Bell
  readonly #network: Array<Frame> = []
  readonly #outbox = new Outbox()
  #bytesRead = 0
  #answersPings = true
  #answersClose = true

  constructor(events: SocketEvents, bell: Bell) {
    this.#events = events
    this.#bell = bell
  }

  /** Sends one text frame. */
  sendText(text: string): void {
    this.#transmit({ kind: "data", frames: [text] })
  }

  /**
   * Sends texts, and binary frames, that arrive in one read of the socket: all of them, even if the host pauses at the
   * first.
   */
  sendBurst(frames: ReadonlyArray<string | Uint8Array>): void {
    this.#transmit({ kind: "data", frames })
  }

  /** Sends a binary frame: these bytes, or so many of them that are zero. */
  sendBinary(bytes: Uint8Array | number): void {
    this.#transmit({ kind: "data", frames: [typeof bytes === "number" ? new Uint8Array(bytes) : bytes] })
  }

  ping(data: Uint8Array = new Uint8Array()): void {
    this.#transmit({ kind: "ping", data })
  }

  /** Sends a pong, asked for or not. */
  pong(data: Uint8Array = new Uint8Array()): void {
    this.#transmit({ kind: "pong", data })
  }

  /** Sends so many bytes of a frame that isn't whole yet. */
  sendBytes(bytes: number): void {
    this.#transmit({ kind: "bytes", bytes })
  }

  /** Answers no ping from now on; `pong` can do so later, and with another payload. */
  ignorePings(): void {
    this.#answersPings = false
  }

  /** Answers pings as they arrive, which it does from the start. */
  answerPings(): void {
    this.#answersPings = true
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

  /** Takes nothing more: what the host sends stays in its buffer, a close frame behind it. */
  stopDraining(): void {
    this.#outbox.stop()
  }

  /** Takes so many bytes of the payloads that wait, while it takes nothing by itself. */
  takeBytes(bytes: number): void {
    this.#outbox.takeBytes(bytes)
  }

  /** Takes so many of the texts and binary frames that wait, and what lies between them, while it takes nothing by itself. */
  takeTexts(texts: number): void {
    this.#outbox.takeTexts(texts)
  }

  /** What waits in the host's buffer, and what it sends from now on, can't be written; it learns nothing else. */
  failWrites(): void {
    this.#outbox.fail()
  }

  /** Takes what the host's buffer holds, and all that comes. */
  drain(): void {
    this.#outbox.goOn()
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

  /** Completes with what was sent when the host has sent at least so many texts and binary frames. */
  receivedFrames(count: number): Effect.Effect<ReadonlyArray<string | Uint8Array>> {
    return Effect.as(
      this.#bell.until(() => this.sentFrames.length >= count),
      this.sentFrames
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
      writeQueueSize: () => this.#outbox.bytes,
      bytesRead: () => this.#bytesRead,
      send: (payload, kind, written) => {
        if (!this.isOpen) return written(true)
        // Whose bytes they are may write into them again.
        const data = kind === "text" ? decoder.decode(payload) : new Uint8Array(payload)
        if (typeof data === "string") this.sent.push(data)
        this.sentFrames.push(data)
        this.#outbox.add(payload.length, true, written)
        this.#bell.ring()
      },
      ping: (payload, written) =>
        this.#control(payload, () => {
          written()
          this.pings.push(payload)
          this.#bell.ring()
          if (this.#answersPings) this.pong(payload)
        }),
      pong: (payload, written) => {
        if (this.isOpen) this.pongs.push(payload)
        this.#control(payload, written)
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
        this.#outbox.add(2 + utf8.encode(reason).length, false, (failed) => {
          if (!failed && this.#answersClose) this.close(code, reason)
        })
      },
      terminate: () => this.end(NO_CLOSE_FRAME, "", false)
    }
  }

  /** @internal */
  end(code: number, reason: string, clean: boolean): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.#network.length = 0
    this.#outbox.fail()
    const events = this.#events
    this.#events = undefined
    events?.closing()
    events?.closed(code, reason, clean)
    this.#bell.ring()
  }

  #control(payload: Uint8Array, arrived: () => void): void {
    if (!this.isOpen) return
    this.#outbox.add(payload.length, false, (failed) => {
      if (!failed) arrived()
    })
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
      case "data": {
        // They are all there before the first one is told.
        const frames = frame.frames.map((data) => ({
          data,
          bytes: typeof data === "string" ? utf8.encode(data) : data
        }))
        this.#bytesRead += frames.reduce((sum, { bytes }) => sum + HEAD_BYTES + bytes.length, 0)
        for (const { bytes, data } of frames) {
          if (typeof data === "string") this.#events?.text(data, bytes.length)
          else this.#events?.binary(bytes)
        }
        return
      }
      case "ping":
        this.#bytesRead += HEAD_BYTES + frame.data.length
        return this.#events?.ping(frame.data)
      case "pong":
        this.#bytesRead += HEAD_BYTES + frame.data.length
        return this.#events?.pong(frame.data)
      case "bytes":
        this.#bytesRead += frame.bytes
        return
      case "failure":
        return this.#events?.failed(frame.cause)
      case "end":
        return this.end(frame.code, frame.reason, frame.clean)
    }
  }
}
