/**
 * What an open connection sends, between the commands and the socket.
 *
 * Texts and binary frames are accepted in one order and go out in it. At most one
 * frame or 64 KiB are with the socket at a time and the rest waits here, so that what is written is
 * told as it goes, a ping or pong waits behind little, and what waits when a
 * grant is lost is never written. A close frame goes out behind what was
 * accepted before it. Pings and pongs go straight to the socket and count as
 * nothing.
 *
 * Each epoch has its own, so what an old socket still tells changes nothing of
 * a new one. No clock: `progress` is for whoever looks whether anything moves.
 */
import type { FrameKind, Socket } from "../WebSocketClient.ts"
import { WaitingFrames, type WaitingFrame } from "./waitingFrames.ts"

const AT_ONCE_BYTES = 65_536
// A frame in the hands of the system takes some hundred bytes beside its own.
const AT_ONCE_FRAMES = 1024
const PONG_MEMORY_BYTES = 256

const utf8 = new TextEncoder()

interface CloseFrame {
  readonly code: number
  readonly reason: string
}

/**
 * What is written in place of a text, asked for in the moment in which it is handed to the socket; undefined where it may
 * not be any more, which is a write that failed.
 */
export type Filled = () => string | undefined

/** Told of accepted frames that can't be written any more. */
export interface Sender {
  sendsFailed(frames: number): void
}

type Written = (failed: boolean) => void

export class Outgoing {
  /** How many frames were accepted, ever. */
  accepted = 0
  /** How many of those were handed to the socket: all that a ping which is handed to it now comes after. */
  handed = 0
  /** The bytes of those. */
  handedBytes = 0
  /** Those of the frames that were accepted and not written yet; an empty one counts as one. */
  bytes = 0
  readonly #socket: Pick<Socket, "writeQueueSize" | "send" | "ping" | "pong" | "close">
  readonly #sender: Sender
  readonly #mostPongs: number
  /** Made for the first that has to wait. */
  #waiting: WaitingFrames | undefined = undefined
  /** What is written in place of some of those, by how many were taken out of the waiting before them. */
  #filled: Map<number, Filled> | undefined = undefined
  #taken = 0
  /** What counts of each frame that is with the socket. */
  readonly #sizes: Array<number> = []
  #bytesWithSocket = 0
  #steps = 0
  #isHandingOver = false
  #pongs = 0
  /** The ping that is to be answered as soon as pongs have room again. */
  #unanswered: Uint8Array | null = null
  #state: "open" | "ended" | CloseFrame = "open"
  /** What the socket is given to tell by, made for the first frame and for the first pong. */
  #written: Written | undefined = undefined
  #ponged: (() => void) | undefined = undefined

  constructor(
    socket: Pick<Socket, "writeQueueSize" | "send" | "ping" | "pong" | "close">,
    sendBufferBytes: number,
    sender: Sender
  ) {
    this.#socket = socket
    this.#sender = sender
    this.#mostPongs = Math.ceil(sendBufferBytes / PONG_MEMORY_BYTES)
  }

  /** Takes nothing more once a close was asked for, or came. */
  get isOpen(): boolean {
    return this.#state === "open"
  }

  /** Accepts a text or bytes. Whether there is room for them is for the caller to look at. */
  send(data: string | Uint8Array, filled?: Filled): void {
    if (typeof data === "string") this.#accept(utf8.encode(data), "text", filled)
    else this.#accept(data, "binary", filled)
  }

  #accept(payload: Uint8Array, kind: FrameKind, filled: Filled | undefined): void {
    if (this.#state !== "open") return
    this.accepted++
    this.bytes += sizeOf(payload.length)
    if (this.#waits === 0 && this.#hasRoom(sizeOf(payload.length))) this.#hand(payload, kind, filled)
    else this.#wait(payload, kind, filled)
  }

  #wait(payload: Uint8Array, kind: FrameKind, filled: Filled | undefined): void {
    this.#waiting ??= new WaitingFrames()
    this.#waiting.push(payload, kind)
    if (filled !== undefined) (this.#filled ??= new Map()).set(this.#taken + this.#waits - 1, filled)
  }

  /** The oldest one that waits, and what is written in its place. */
  #take(): readonly [WaitingFrame, Filled | undefined] | undefined {
    const frame = this.#waiting?.shift()
    if (frame === undefined) return undefined
    const number = this.#taken++
    const filled = this.#filled?.get(number)
    this.#filled?.delete(number)
    return [frame, filled]
  }

  ping(payload: Uint8Array, written: () => void): void {
    if (this.#state !== "ended") this.#socket.ping(payload, written)
  }

  /**
   * Answers a ping. Where the peer takes in nothing, only the last of those that
   * have no room is answered, as RFC 6455 (section 5.5.3) allows.
   */
  pong(payload: Uint8Array): void {
    if (this.#state === "ended") return
    if (this.#pongs >= this.#mostPongs) {
      this.#unanswered = payload
      return
    }
    this.#pongs++
    this.#socket.pong(payload, (this.#ponged ??= () => this.#isPonged()))
  }

  /** Sends a close frame behind what was accepted. */
  close(code: number, reason: string): void {
    if (this.#state !== "open") return
    this.#state = { code, reason }
    this.#handOver()
  }

  /** Throws away what waits. */
  discard(): void {
    const frames = this.#waits
    for (let taken = this.#take(); taken !== undefined; taken = this.#take()) {
      const [{ payload }] = taken
      this.bytes -= sizeOf(payload.length)
    }
    this.#sender.sendsFailed(frames)
    this.#handOver()
  }

  /** Nothing can be sent any more. */
  end(): void {
    this.#state = "ended"
    this.#unanswered = null
    this.discard()
  }

  /**
   * The peer has answered one of our pings, so what went out before that has
   * arrived: on a slow line the system may take nothing for longer than a stall,
   * since it takes more only once a third of what it holds is sent.
   */
  answered(): void {
    this.#steps++
  }

  /** Something that differs from what it was whenever anything went out meanwhile. */
  get progress(): string {
    return `${this.#steps} ${this.#socket.writeQueueSize()}`
  }

  /** How many frames wait. */
  get #waits(): number {
    return this.#waiting?.count ?? 0
  }

  #hasRoom(size: number): boolean {
    const frames = this.#sizes.length
    if (frames === 0) return true
    return frames < AT_ONCE_FRAMES && this.#bytesWithSocket + size <= AT_ONCE_BYTES
  }

  #hand(payload: Uint8Array, kind: FrameKind, filled: Filled | undefined): void {
    const size = sizeOf(payload.length)
    this.handed++
    const text = filled === undefined ? payload : filled()
    if (text === undefined) {
      this.bytes -= size
      this.#sender.sendsFailed(1)
      return
    }
    const written = typeof text === "string" ? utf8.encode(text) : text
    this.handedBytes += written.length
    this.#sizes.push(size)
    this.#bytesWithSocket += size
    this.#written ??= (failed) => this.#isWritten(failed)
    this.#socket.send(written, kind, this.#written, filled !== undefined)
  }

  /** The oldest frame that was with the socket isn't any more. */
  #isWritten(failed: boolean): void {
    const size = this.#sizes.shift()
    if (size === undefined) return
    this.#bytesWithSocket -= size
    this.bytes -= size
    this.#steps++
    if (failed) this.#sender.sendsFailed(1)
    this.#handOver()
  }

  #isPonged(): void {
    this.#pongs--
    const payload = this.#unanswered
    if (payload === null) return
    this.#unanswered = null
    this.pong(payload)
  }

  /** Hands over what there is room for, and behind all of it the close frame. A socket may tell of a write in the same turn. */
  #handOver(): void {
    if (this.#isHandingOver) return
    this.#isHandingOver = true
    while (this.#waiting !== undefined && this.#waits > 0 && this.#hasRoom(sizeOf(this.#waiting.nextLength))) {
      const taken = this.#take()
      if (taken === undefined) break
      const [{ kind, payload }, filled] = taken
      this.#hand(payload, kind, filled)
    }
    this.#isHandingOver = false
    if (this.#waits > 0 || typeof this.#state === "string") return
    const { code, reason } = this.#state
    this.#state = "ended"
    this.#socket.close(code, reason)
  }
}

/** What a frame counts in the buffer. */
export const sizeOf = (bytes: number): number => Math.max(1, bytes)
