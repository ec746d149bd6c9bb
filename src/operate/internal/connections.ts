/**
 * The connections of a server, of which there are only so many: where one more
 * comes, the one that has been idle for longest makes room.
 */
import type * as Http from "node:http"
import * as Net from "node:net"
import type { Duplex } from "node:stream"
import * as Target from "./target.ts"

const MOST_CONNECTIONS = 512

/** How many requests are under way at once; each may have a document that its reader doesn't take. */
const MOST_REQUESTS = 128

/** How many of these one connection has: what stands behind an answer that goes on waits for as long. */
const MOST_PIPELINED = 8

export class Connections {
  /** In the order in which they became idle. */
  readonly #idle = new Set<Net.Socket>()
  readonly #busy = new Map<Net.Socket, number>()
  #requests = 0

  take(socket: Net.Socket): void {
    if (this.#idle.size + this.#busy.size >= MOST_CONNECTIONS) {
      const [longest = socket] = this.#idle
      longest.destroy()
      this.#idle.delete(longest)
      if (longest === socket) return
    }
    this.#idle.add(socket)
    socket.once("close", () => {
      this.#idle.delete(socket)
      this.#busy.delete(socket)
    })
  }

  /** Whether a request of it is under way. */
  isBusy(socket: Duplex): boolean {
    return socket instanceof Net.Socket && this.#busy.has(socket)
  }

  /** A request begins, if there is room for it. Whether the process lives is answered however many others are asked. */
  begin({ socket, url }: Http.IncomingMessage, response: Http.ServerResponse): boolean {
    const pipelined = this.#busy.get(socket) ?? 0
    if (pipelined >= MOST_PIPELINED) return false
    if (this.#requests >= MOST_REQUESTS && !Target.isProbe(url)) return false
    this.#requests++
    this.#idle.delete(socket)
    this.#busy.set(socket, pipelined + 1)
    response.once("close", () => {
      this.#requests--
      this.#ended(socket)
    })
    return true
  }

  #ended(socket: Net.Socket): void {
    const left = (this.#busy.get(socket) ?? 1) - 1
    if (left > 0) {
      this.#busy.set(socket, left)
      return
    }
    // One that has closed meanwhile is in neither.
    if (this.#busy.delete(socket) && !socket.destroyed) this.#idle.add(socket)
  }
}
