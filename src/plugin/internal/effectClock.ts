/**
 * Times what a plugin's code is busy with while it runs as an effect.
 *
 * What ends within the turn of the event loop in which it began can't be
 * interrupted by anybody's clock: only what doesn't is timed, from the end of
 * that turn on. To read the clock for each took a tenth of an effect. Where the
 * runtime has a clock of its own, nobody here ends anything.
 */
import type { HadTime } from "../../time/HadTime.ts"
import { Watchdog } from "./watchdog.ts"

export interface Options {
  readonly time: HadTime
  readonly deadlineMs: number
  /** Whether the runtime judges itself what its code is busy with. */
  readonly keepsDeadlines: boolean
  /** Whether the plugin's code is busy, and wanted. */
  readonly isBusy: () => boolean
  /** When that of what is lent began with which it is busy, in milliseconds had. */
  readonly lentAt: () => number | undefined
  /** Calls back once this turn of the event loop is over. */
  readonly whenOver: (over: () => void) => void
  readonly late: () => void
}

export class EffectClock {
  readonly #options: Options
  readonly #watchdog: Watchdog
  /** When what is timed began, in milliseconds had; undefined also of what may end within this turn. */
  #startedAt: number | undefined = undefined
  /** Whether what doesn't end within this turn is looked for at its end. */
  #isJudging = false

  constructor(options: Options) {
    const { deadlineMs, late, lentAt, time } = options
    this.#options = options
    this.#watchdog = new Watchdog({ time, deadlineMs, since: () => this.#startedAt ?? lentAt(), late })
  }

  /** Whether something is timed. */
  get isTiming(): boolean {
    return this.#startedAt !== undefined
  }

  /** Something begins that is timed only where it outlasts this turn. */
  judge(): void {
    if (this.#isJudging) return
    this.#isJudging = true
    this.#options.whenOver(this.#over)
  }

  /** Something begins, and is timed from now on. */
  start(): void {
    this.#startedAt = this.#options.time.now()
    this.watch()
  }

  /** What began has ended. */
  stop(): void {
    this.#startedAt = undefined
  }

  /** Looks after the deadline of what is timed here, or lent. */
  watch(): void {
    if (!this.#options.keepsDeadlines) this.#watchdog.watch()
  }

  /** Judges nothing any more. */
  end(): void {
    this.#watchdog.end()
  }

  readonly #over = (): void => {
    this.#isJudging = false
    if (this.#startedAt === undefined && this.#options.isBusy()) this.start()
  }
}
