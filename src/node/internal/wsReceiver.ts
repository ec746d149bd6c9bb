/**
 * Where the bytes of an open `ws` socket are caught before they are parsed, and
 * counted. It is inside of `ws`, so another runtime's version of it may not
 * have it: there the library reads by itself, and its frames are counted.
 *
 * With compression 64 KiB that were read may be 64 MiB of texts, and `ws`
 * inflates one after the other whatever its socket does. So the receiver is
 * stopped with the socket, behind the message that it is busy with, and what
 * messages have after inflating counts as read, too.
 */
import type { Socket } from "node:net"
import { Writable } from "node:stream"
import type { WebSocket } from "ws"
import { FrameCollector, type MessageLimits } from "./frameCollector.ts"
import { TextLane, type Rest, type TextEvents } from "./textLane.ts"

// Others have their own `ws`, whatever it is called there.
const isNode = () => !("bun" in process.versions) && !("deno" in process.versions)

/** How the frames of an open socket are read. */
export interface Reading {
  readonly limits: MessageLimits
  /** Told how many bytes each read brings. */
  readonly pace: { received(bytes: number): void }
  /** Told of texts that the receiver need not see; undefined where it has to see all. */
  readonly texts?: TextEvents | undefined
  /** The socket under it, where compression was offered. */
  readonly offering?: Socket | undefined
}

/** Lets the receiver of an open socket see whole messages only, and of whole texts none, if it may be. */
export const collectFrames = (ws: WebSocket, { limits, offering, pace, texts }: Reading): void => {
  const receiver: unknown = Reflect.get(ws, "_receiver")
  if (!(receiver instanceof Writable)) {
    for (const kind of ["message", "ping", "pong"]) ws.on(kind, (data: Buffer) => pace.received(data.length))
    return
  }
  const isAgreed = offering !== undefined && ws.extensions !== ""
  if (isAgreed) {
    stopWithSocket(ws, offering, receiver)
    ws.on("message", (data: Buffer) => pace.received(data.length))
  }
  const compression = offering === undefined ? "off" : isAgreed ? "agreed" : "declined"
  const rest = new Receiver(receiver)
  const hasLane = texts !== undefined && offering === undefined && isNode()
  const next = hasLane ? new TextLane(limits.bytes, texts, rest) : rest
  const collector = new FrameCollector(limits, next, compression)
  Reflect.set(receiver, "write", (read: Buffer) => {
    pace.received(read.length)
    return collector.take(read)
  })
}

const writeTo: (this: Writable, bytes: Buffer) => boolean = Writable.prototype.write

/** The receiver of an open socket, by the `write` that it had. */
class Receiver implements Rest {
  readonly #receiver: Writable

  constructor(receiver: Writable) {
    this.#receiver = receiver
  }

  take(bytes: Buffer): boolean {
    return writeTo.call(this.#receiver, bytes)
  }

  hasRefused(): boolean {
    return this.#receiver.errored !== null
  }
}

const stopWithSocket = (ws: WebSocket, socket: Socket, receiver: Writable): void => {
  const write = receiver._write.bind(receiver)
  let isOver = false
  let waiting: (() => void) | undefined = undefined
  const goOn = () => {
    const next = waiting
    waiting = undefined
    next?.()
  }
  receiver._write = (bytes, encoding, done) => {
    if (!ws.isPaused || isOver) write(bytes, encoding, done)
    else waiting = () => write(bytes, encoding, done)
  }
  const resume = ws.resume.bind(ws)
  ws.resume = () => {
    resume()
    goOn()
  }
  // What was read is told before the end is, and nobody has to go on for that.
  socket.once("close", () => {
    isOver = true
    goOn()
  })
}
