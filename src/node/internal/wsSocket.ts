/**
 * An open `ws` socket as the port has it, and the pace at which it is read.
 */
import type { WebSocket } from "ws"
import type { ReadMode, Socket } from "../../connection/WebSocketClient.ts"

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

export class WsSocket implements Socket {
  readonly subprotocol: string | null
  readonly remoteAddress: string | null
  readonly peerCertificateExpiresAt: number | null
  readonly #ws: WebSocket
  readonly #turn: Turn
  #mode: ReadMode = "full"
  #held = false
  #slow: NodeJS.Timeout | undefined = undefined
  #seen = -1
  #bytes = 0
  #failed: () => void = () => {}
  readonly #written = (error?: Error | null): void => {
    if (error !== undefined && error !== null) this.#failed()
  }

  constructor(ws: WebSocket, agreed: Agreed, turn: Turn) {
    this.#ws = ws
    this.#turn = turn
    this.subprotocol = agreed.subprotocol
    this.remoteAddress = agreed.remoteAddress
    this.peerCertificateExpiresAt = agreed.peerCertificateExpiresAt
  }

  readonly bufferedAmount = (): number => this.#ws.bufferedAmount

  readonly send = (text: string, failed: () => void): void => {
    this.#failed = failed
    this.#ws.send(text, this.#written)
  }

  readonly ping = (): void => this.#ws.ping()

  readonly pong = (data: Uint8Array): void => this.#ws.pong(data)

  readonly close = (code: number, reason: string): void => this.#ws.close(code, reason)

  readonly terminate = (): void => this.#ws.terminate()

  readonly read = (mode: ReadMode): void => {
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
  readonly received = (bytes: number): void => {
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
    this.#ws.pause()
    if (millis === 0) setImmediate(this.#release)
    else this.#slow = setTimeout(this.#release, millis)
  }

  readonly #release = (): void => {
    this.#slow = undefined
    this.#held = false
    if (this.#mode !== "off") this.#ws.resume()
  }
}
