/**
 * A socket of a client that need not keep its word: what it throws in place of
 * what it should do is told, and goes no further. A promise that it returns is
 * nobody's, so its rejection is taken care of.
 */
import { abandon } from "../../internal/promises.ts"
import type { FrameKind, ReadMode, Socket } from "../WebSocketClient.ts"

/** Told what a socket threw. */
interface Owner {
  broke(thrown: unknown): void
}

export class GuardedSocket implements Socket {
  readonly subprotocol: string | null
  readonly remoteAddress: string | null
  readonly peerCertificateExpiresAt: number | null
  readonly #socket: Socket
  readonly #owner: Owner

  constructor(socket: Socket, owner: Owner) {
    this.subprotocol = textOrNull(socket.subprotocol)
    this.remoteAddress = textOrNull(socket.remoteAddress)
    this.peerCertificateExpiresAt = timeOrNull(socket.peerCertificateExpiresAt)
    this.#socket = socket
    this.#owner = owner
  }

  writeQueueSize(): number {
    return this.#said(() => this.#socket.writeQueueSize())
  }

  bytesRead(): number {
    return this.#said(() => this.#socket.bytesRead())
  }

  send(payload: Uint8Array, kind: FrameKind, written: (failed: boolean) => void, isSecret?: boolean): void {
    try {
      ignored(this.#socket.send(payload, kind, written, isSecret))
    } catch (thrown) {
      written(true)
      this.#thrown(thrown)
    }
  }

  ping(payload: Uint8Array, written: () => void): void {
    try {
      ignored(this.#socket.ping(payload, written))
    } catch (thrown) {
      this.#thrown(thrown)
    }
  }

  pong(payload: Uint8Array, written: () => void): void {
    try {
      ignored(this.#socket.pong(payload, written))
    } catch (thrown) {
      this.#thrown(thrown)
    }
  }

  read(mode: ReadMode): void {
    try {
      ignored(this.#socket.read(mode))
    } catch (thrown) {
      this.#thrown(thrown)
    }
  }

  close(code: number, reason: string): void {
    try {
      ignored(this.#socket.close(code, reason))
    } catch (thrown) {
      this.#thrown(thrown)
    }
  }

  terminate(): void {
    try {
      ignored(this.#socket.terminate())
    } catch (thrown) {
      this.#thrown(thrown)
    }
  }

  /** A number that it says, 0 of one that can't. */
  #said(ask: () => number): number {
    try {
      const said = ask()
      if (Number.isSafeInteger(said)) return said
      this.#thrown(said)
    } catch (thrown) {
      this.#thrown(thrown)
    }
    return 0
  }

  #thrown(thrown: unknown): void {
    abandon(thrown)
    this.#owner.broke(thrown)
  }
}

const textOrNull = (said: unknown): string | null => (typeof said === "string" ? said : null)

const timeOrNull = (said: unknown): number | null =>
  typeof said === "number" && Number.isSafeInteger(said) && said >= 0 ? said : null

const ignored = (answer: unknown): void => {
  if (answer !== undefined) abandon(answer)
}
