/**
 * Looks whether anything of a buffer goes out while something is in it, and
 * tells when nothing did for too long. It begins when something is put in and
 * ends at the first look that finds nothing there, so a send costs no timer and
 * an idle connection has none.
 */
import type { HadTime } from "../../time/HadTime.ts"

export type Time = Pick<HadTime, "now" | "after">

export interface Watched {
  readonly bytes: number
  /** Differs from what it was if anything went out meanwhile. */
  readonly progress: string
}

// What goes out is noticed so much later at most.
const LOOK_MS = 1000

export class StallClock {
  readonly #time: Time
  readonly #stallMs: number
  readonly #watched: Watched
  readonly #stalled: () => void
  #cancel: (() => void) | undefined = undefined
  #since = 0
  #progress = ""
  #hasEnded = false

  constructor(time: Time, stallMs: number, watched: Watched, stalled: () => void) {
    this.#time = time
    this.#stallMs = stallMs
    this.#watched = watched
    this.#stalled = stalled
  }

  /** Something was put in. */
  start(): void {
    if (this.#cancel !== undefined || this.#hasEnded) return
    this.#since = this.#time.now()
    this.#progress = this.#watched.progress
    this.#wait(this.#stallMs)
  }

  /** Nothing is told any more. */
  end(): void {
    this.#hasEnded = true
    this.#cancel?.()
  }

  #wait(leftMs: number): void {
    // A socket that can't even be looked at has ended meanwhile.
    if (this.#hasEnded) return
    this.#cancel = this.#time.after(Math.min(LOOK_MS, leftMs), this.#look)
  }

  readonly #look = (): void => {
    this.#cancel = undefined
    if (this.#watched.bytes === 0 || this.#hasEnded) return
    const { progress } = this.#watched
    const now = this.#time.now()
    if (progress !== this.#progress) {
      this.#progress = progress
      this.#since = now
    }
    const leftMs = this.#since + this.#stallMs - now
    if (leftMs > 0) this.#wait(leftMs)
    else this.#stalled()
  }
}
