/**
 * What `undici` sees of a connection: for one request and its answer it writes
 * and reads here, and what stands behind it stays ours. So it can neither dial
 * anew nor keep a connection, an assertion of its parser ends one request, and
 * the first byte that is handed to the socket is known.
 */
import type { Socket } from "node:net"
import { Duplex } from "node:stream"
import { codeOf } from "./errorCode.ts"
import { InterimResponses } from "./interimResponses.ts"

/** The code of a connection that ended before the answer was whole. */
export const ENDED = "ECONNRESET"
/** The code of what should never be: what the library threw. */
export const DEFECT = "EDEFECT"

/** Why a connection is broken. Its own `code` is none that `undici` takes for the end of an answer. */
export class Broken extends Error {
  readonly code = "MOORING_BROKEN"
  readonly why: string

  constructor(why: string) {
    super(why)
    this.why = why
  }
}

export interface Told {
  /** A byte is handed to the socket. */
  readonly handed: () => void
  /** The system has everything that was handed over. */
  readonly written: () => void
  /** Somebody who listens here has thrown. */
  readonly thrown: (defect: unknown) => void
}

type Done = (error?: Error | null) => void

export class Wire extends Duplex {
  readonly #socket: Socket
  readonly #told: Told
  readonly #interim = new InterimResponses()
  #isWritten = true

  constructor(socket: Socket, told: Told) {
    super()
    this.#socket = socket
    this.#told = told
    this.#interim.begin()
    // Whoever has the socket is told by its own listeners, or comes too late.
    this.on("error", () => {})
    socket.on("data", this.#onData).on("end", this.#onEnd).on("error", this.#onError).on("close", this.#onClose)
    // Of a socket that has ended Node tells nothing any more.
    if (socket.destroyed) this.#onClose()
  }

  /** Gives the socket back. Whether the next one may have it: nothing is left of this request, and nothing came after it. */
  detach(): boolean {
    const isClean = this.#isWritten && !this.destroyed && !this.readableEnded && this.readableLength === 0
    this.#off()
    this.destroy()
    return isClean && !this.#socket.destroyed && !this.#socket.readableEnded
  }

  override emit(event: string | symbol, ...args: Array<unknown>): boolean {
    try {
      return super.emit(event, ...args)
    } catch (defect) {
      this.#told.thrown(defect)
      this.destroy()
      return true
    }
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#hand([chunk], done)
  }

  override _writev(chunks: ReadonlyArray<{ readonly chunk: Buffer }>, done: Done): void {
    this.#hand(
      chunks.map(({ chunk }) => chunk),
      done
    )
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#off()
    done(error)
  }

  #hand(chunks: ReadonlyArray<Buffer>, done: Done): void {
    this.#isWritten = false
    this.#told.handed()
    this.#socket.write(Buffer.concat(chunks), (error) => {
      this.#isWritten = true
      if (error !== undefined && error !== null) return done(new Broken(codeOf(error)))
      this.#told.written()
      done()
    })
  }

  readonly #onData = (chunk: Buffer): void => {
    const passed = this.#interim.take(chunk)
    if (passed.kind === "refused") this.destroy(new Broken(passed.code))
    else if (passed.bytes.length > 0 && !this.push(passed.bytes)) this.#socket.pause()
  }

  readonly #onEnd = (): void => void this.push(null)

  readonly #onError = (error: Error): void => void this.destroy(new Broken(codeOf(error)))

  readonly #onClose = (): void => {
    if (!this.readableEnded) this.destroy(new Broken(ENDED))
  }

  #off(): void {
    const socket = this.#socket
    socket.off("data", this.#onData).off("end", this.#onEnd).off("error", this.#onError).off("close", this.#onClose)
  }
}
