/**
 * Times the dispatches of an instance that somebody who looks on wants timed;
 * what isn't wanted costs one question. In process one runs at a time; what a
 * runtime is lent has a timing of its own for each event.
 */
import type * as Clock from "effect/Clock"
import type { Answered } from "../../commands/CommandExecutor.ts"
import type { AnyEvent } from "../../ingress/IngressEvent.ts"
import { monotonic } from "../../internal/monotonic.ts"
import { UNWATCHED, type PluginWatch } from "../PluginWatch.ts"

/** A dispatch that is timed: since when, and how long its event had waited by then. */
export interface Timing {
  readonly event: Answered
  readonly since: number
  readonly queuedMs: number
}

export interface Options {
  readonly watch?: PluginWatch
  readonly clock: Clock.Clock
}

export class Stopwatch {
  readonly #watch: PluginWatch
  readonly #clock: Clock.Clock
  readonly #monotonic: () => number
  #running: Timing | undefined = undefined

  constructor({ clock, watch = UNWATCHED }: Options) {
    this.#watch = watch
    this.#clock = clock
    this.#monotonic = monotonic(clock)
  }

  /** The timing of a dispatch that begins; undefined where nobody wants it. */
  timing(event: AnyEvent): Timing | undefined {
    if (!this.#watch.wants()) return undefined
    const { at, epoch, origin, sequence } = event
    // The wall clock may have been set meanwhile.
    const queuedMs = Math.max(0, this.#clock.currentTimeMillisUnsafe() - at)
    return { event: { origin, sequence, epoch }, since: this.#monotonic(), queuedMs }
  }

  /** The one dispatch that runs begins. */
  begin(event: AnyEvent): void {
    this.#running = this.timing(event)
  }

  /** It has ended: what of it is to be told, once it is known how; undefined where it isn't timed. */
  end(): ((failure: string | null) => void) | undefined {
    const timing = this.#running
    if (timing === undefined) return undefined
    this.#running = undefined
    const ms = this.#monotonic() - timing.since
    return (failure) => this.tell(timing, ms, failure)
  }

  tell({ event, queuedMs }: Timing, ms: number, failure: string | null): void {
    this.#watch.dispatched({ event, queuedMs, ms, failure })
  }
}
