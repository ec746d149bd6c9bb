/**
 * The connections that wait for a next request, each for a few seconds. One that
 * says anything meanwhile, or ends, is closed.
 */
import type { HadTime } from "../../time/HadTime.ts"
import type { Belongs, Connected } from "./requestConnection.ts"

// As many as there are requests at once.
const MOST = 64
const ENDS = ["data", "end", "error", "close"] as const

/** One that is to be used, and what is asked at once before it is: whether it can be. */
export interface Taken extends Connected {
  readonly isUsable: () => boolean
}

interface Waiting extends Connected {
  readonly since: number
  /** Stops the watch over it. */
  readonly off: () => void
  readonly close: () => void
}

export class IdleConnections {
  readonly #time: HadTime
  readonly #monotonic: () => number
  /** The one that was used last stands last. */
  #waiting: ReadonlyArray<Waiting> = []

  constructor(time: HadTime, monotonic: () => number) {
    this.#time = time
    this.#monotonic = monotonic
  }

  keep(connected: Connected, forMs: number): void {
    const { connection, socket } = connected
    const close = () => {
      this.#waiting = this.#waiting.filter((waiting) => waiting.connection !== connection)
      off()
      connection.close()
    }
    const cancel = this.#time.after(forMs, close)
    const off = () => {
      cancel()
      for (const end of ENDS) socket.off(end, close)
      socket.pause()
    }
    for (const end of ENDS) socket.on(end, close)
    socket.resume()
    this.#waiting = [...this.#waiting, { ...connected, since: this.#monotonic(), off, close }]
    if (this.#waiting.length > MOST) this.#waiting[0]?.close()
  }

  /** One of theirs that hasn't waited for longer, if there is any; it is watched until it is used. */
  take(wanted: Belongs, mostMs: number): Taken | undefined {
    const now = this.#monotonic()
    const found = this.#waiting.findLast(({ connection, since }) => connection.isFor(wanted) && now - since <= mostMs)
    if (found === undefined) return undefined
    this.#waiting = this.#waiting.filter((waiting) => waiting !== found)
    const { connection, off, socket } = found
    const isUsable = () => {
      off()
      return !socket.destroyed && !socket.readableEnded
    }
    return { connection, socket, isUsable }
  }

  release(owner: string): void {
    for (const { close, connection } of this.#waiting) if (connection.belongs.owner === owner) close()
  }
}
