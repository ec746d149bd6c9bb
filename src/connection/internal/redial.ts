/**
 * When a source is dialled again: its failures in a row, the dials of its
 * window, and the next attempt, planned by the clock that is never set.
 */
import type { Source } from "../Source.ts"
import * as Reconnect from "../Reconnect.ts"

interface Options {
  readonly source: Source
  readonly stoppedRetryMs: number
  readonly now: () => number
  readonly monotonic: () => number
  readonly random: () => number
}

export class Redial {
  /** Unix milliseconds, for people to read; null where nothing is planned. */
  nextAttemptAt: number | null = null
  readonly #options: Options
  #dueAt: number | null = null
  #failures = 0
  #dials: ReadonlyArray<number> = []

  constructor(options: Options) {
    this.#options = options
  }

  /** When an attempt is planned, by the clock that is never set; null where none is. */
  get dueAt(): number | null {
    return this.#dueAt
  }

  /** Whether an attempt is planned, due or not. */
  get isPlanned(): boolean {
    return this.#dueAt !== null
  }

  /** Whether an attempt is planned and not due yet. */
  get isEarly(): boolean {
    return this.#dueAt !== null && this.#dueAt > this.#options.monotonic()
  }

  /** Milliseconds until the planned attempt, null where there is none. */
  get untilDue(): number | null {
    return this.#dueAt === null ? null : Math.max(1, Math.ceil(this.#dueAt - this.#options.monotonic()))
  }

  /** Whether the dials of the window are used up. */
  get isExhausted(): boolean {
    const { maxAttempts } = this.#options.source.reconnect
    return maxAttempts > 0 && this.#inWindow >= maxAttempts
  }

  get #inWindow(): number {
    const { monotonic, source } = this.#options
    const since = monotonic() - source.reconnect.windowMs
    return this.#dials.filter((at) => at > since).length
  }

  /** Plans the next attempt, in milliseconds of the clock that is never set; null: none. */
  plan(at: number | null): void {
    this.#dueAt = at
    this.nextAttemptAt = at === null ? null : this.#options.now() + Math.round(at - this.#options.monotonic())
  }

  /** A dial begins. */
  began(): void {
    this.plan(null)
    const { maxAttempts, windowMs } = this.#options.source.reconnect
    if (maxAttempts === 0) return
    const now = this.#options.monotonic()
    this.#dials = [...this.#dials.filter((at) => at > now - windowMs), now]
  }

  /** The dial that began last was none: it doesn't count. */
  undone(): void {
    this.#dials = this.#dials.slice(0, -1)
  }

  /** What follows an end. */
  decide(end: Reconnect.End): Reconnect.Decision {
    const { monotonic, random, source, stoppedRetryMs } = this.#options
    const now = monotonic()
    if (Reconnect.isStable(end, source.reconnect)) this.#failures = 0
    return Reconnect.decide(end, {
      settings: source.reconnect,
      stopCodes: source.stopCodes,
      stoppedRetryMs,
      dialsInWindow: this.#inWindow,
      failures: this.#failures++,
      now,
      random: random()
    })
  }
}
