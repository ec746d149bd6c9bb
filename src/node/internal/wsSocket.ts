/**
 * An open `ws` socket as the port has it, and the pace at which it is read.
 */
import type * as Net from "node:net"
import type { WebSocket } from "ws"
import type { FrameKind, ReadMode, Socket } from "../../connection/WebSocketClient.ts"
import * as ReadStop from "./readStop.ts"
import { writeQueueSize } from "./writeQueue.ts"

// One read of a socket brings at most 64 KiB. Half of that means that it was a large one and that more is waiting.
const CHUNK_BYTES = 32_768
const SLOW_PAUSE_MS = 10

/** Counts turns of the event loop for all sockets of a client, only while something arrives. */
export class Turn {
  current = 0
  #counting = false

  count(): number {
    if (!this.#counting) {
      this.#counting = true
      setImmediate(() => {
        this.#counting = false
        this.current++
      })
    }
    return this.current
  }
}

/** What is known of a socket when it opens, and stays so. */
type Agreed = Pick<Socket, "subprotocol" | "remoteAddress" | "peerCertificateExpiresAt">

type Written = (error?: Error | null) => void

const NOTHING = (): void => {}

const TEXT = { binary: false }
const BINARY = { binary: true }
// Where compression was agreed upon, it takes more than it gives for a short frame.
const PLAIN_TEXT = { binary: false, compress: false }
const PLAIN_BINARY = { binary: true, compress: false }
const COMPRESSED_FROM = 1024
// What a client sends is masked (RFC 6455, section 5.3), which is the default.
const MASKED = undefined

const isFailure = (error: unknown): boolean => error !== undefined && error !== null

export class WsSocket implements Socket {
  readonly subprotocol: string | null
  readonly remoteAddress: string | null
  readonly peerCertificateExpiresAt: number | null
  readonly #ws: WebSocket
  readonly #connected: Pick<Net.Socket, "bytesRead">
  readonly #turn: Turn
  #mode: ReadMode = "full"
  #held = false
  /** Whether it is held beneath its stream. */
  #stopped = false
  #slow: NodeJS.Timeout | undefined = undefined
  #seen = -1
  #bytes = 0
  /** Whom the last send is to tell; kept, so that a send costs no closure where it is the same one every time. */
  #told: (failed: boolean) => void = NOTHING
  #written: Written = NOTHING

  constructor(ws: WebSocket, connected: Pick<Net.Socket, "bytesRead">, agreed: Agreed, turn: Turn) {
    this.#ws = ws
    this.#connected = connected
    this.#turn = turn
    this.subprotocol = agreed.subprotocol
    this.remoteAddress = agreed.remoteAddress
    this.peerCertificateExpiresAt = agreed.peerCertificateExpiresAt
  }

  writeQueueSize(): number {
    return writeQueueSize(this.#connected)
  }

  bytesRead(): number {
    return this.#connected.bytesRead
  }

  send(payload: Uint8Array, kind: FrameKind, written: (failed: boolean) => void, isSecret?: boolean): void {
    if (this.#told !== written) {
      this.#told = written
      this.#written = (error) => written(isFailure(error))
    }
    const isPlain = isSecret === true || payload.length < COMPRESSED_FROM
    const options = kind === "text" ? (isPlain ? PLAIN_TEXT : TEXT) : isPlain ? PLAIN_BINARY : BINARY
    this.#ws.send(payload, options, this.#written)
  }

  ping(payload: Uint8Array, written: () => void): void {
    this.#ws.ping(payload, MASKED, (error: unknown) => {
      if (!isFailure(error)) written()
    })
  }

  pong(payload: Uint8Array, written: () => void): void {
    this.#ws.pong(payload, MASKED, (error: unknown) => {
      if (!isFailure(error)) written()
    })
  }

  close(code: number, reason: string): void {
    this.#ws.close(code, reason)
  }

  terminate(): void {
    this.#ws.terminate()
  }

  read(mode: ReadMode): void {
    this.#mode = mode
    clearTimeout(this.#slow)
    if (mode === "off") {
      this.#ws.pause()
      return
    }
    if (this.#slow !== undefined) {
      this.#slow = undefined
      this.#held = false
    }
    if (!this.#held) this.#ws.resume()
  }

  /** So many bytes were read. Stops reading for the rest of the turn when they were about a chunk. */
  received(bytes: number): void {
    const turn = this.#turn.count()
    if (this.#seen !== turn) {
      this.#seen = turn
      this.#bytes = 0
    }
    this.#bytes += bytes
    if (this.#held) return
    if (this.#mode === "slow") this.#hold(SLOW_PAUSE_MS)
    else if (this.#bytes >= CHUNK_BYTES) this.#hold(0)
  }

  /** The connection ended: nothing of it may keep the process alive. */
  ended(): void {
    this.#mode = "off"
    clearTimeout(this.#slow)
  }

  #hold(millis: number): void {
    this.#held = true
    // What inflates is stopped with the stream only.
    this.#stopped = millis === 0 && this.#ws.extensions === "" && ReadStop.stop(this.#connected)
    if (!this.#stopped) this.#ws.pause()
    if (millis === 0) setImmediate(release, this)
    else this.#slow = setTimeout(release, millis, this)
  }

  /** Reads again, if it isn't told otherwise. */
  release(): void {
    this.#slow = undefined
    this.#held = false
    // Whatever it was told meanwhile, nobody else would.
    if (this.#stopped) ReadStop.start(this.#connected)
    if (this.#mode !== "off") this.#ws.resume()
  }
}

const release = (socket: WsSocket): void => socket.release()
