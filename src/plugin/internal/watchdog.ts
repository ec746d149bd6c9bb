/**
 * Looks after the deadline of what an instance is busy with, by time that was
 * had. One watch serves many events: it looks when the first of them would be
 * late.
 */
import type { HadTime } from "../../time/HadTime.ts"

export interface Options {
  readonly time: HadTime
  readonly deadlineMs: number
  /** When that began, in milliseconds had; undefined where it is busy with nothing. */
  readonly since: () => number | undefined
  readonly late: () => void
}

export class Watchdog {
  readonly #options: Options
  #cancel: (() => void) | undefined = undefined

  constructor(options: Options) {
    this.#options = options
  }

  /** Something begins. */
  watch(): void {
    const { deadlineMs, time } = this.#options
    this.#cancel ??= time.after(deadlineMs, this.#look)
  }

  end(): void {
    this.#cancel?.()
  }

  readonly #look = (): void => {
    const { deadlineMs, late, since, time } = this.#options
    this.#cancel = undefined
    const begunAt = since()
    if (begunAt === undefined) return
    const left = begunAt + deadlineMs - time.now()
    if (left > 0) this.#cancel = time.after(left, this.#look)
    else late()
  }
}
