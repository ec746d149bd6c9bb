/**
 * The timers of one plugin: it has no clock to wait on, so the host wakes it.
 *
 * A timer of a connection ends with the epoch that it was set in, all of them
 * end with the instance. Whatever ends a timer takes back its event if that
 * still waits, but for the end of an epoch: what had happened by then is
 * delivered before the close.
 *
 * Times are those of a clock that is never set. Firings that were missed,
 * because the process was stopped for example, are not made up for.
 *
 * @since 0.1.0
 */
import { TimerLimit } from "../commands/CommandError.ts"
import type { TimerOwner, TimerPort, TimerSpec } from "../commands/TimerPort.ts"
import type { HostQueue } from "../ingress/HostQueue.ts"
import type { IngressQueue } from "../ingress/IngressQueue.ts"
import type { Timer } from "../ingress/IngressEvent.ts"

/**
 * The source of a timer, as far as timers see it.
 *
 * @category models
 * @since 0.2.0
 */
export interface TimedSource {
  readonly connection: { readonly source: { readonly display: string } }
  readonly queue: Pick<IngressQueue, "timer" | "withdraw">
}

/**
 * What timers need.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How many there may be, waiting events included. */
  readonly limit: () => number
  readonly queue: Pick<HostQueue, "timer" | "withdraw">
  /** Milliseconds of a clock that is never set. */
  readonly monotonic: () => number
  /** Told when a timer was set, so that somebody calls `fireDue` in time. */
  readonly changed: () => void
}

/**
 * A timer for people to read. `inMs` is when it fires next, null while its
 * event waits.
 *
 * @category models
 * @since 0.1.0
 */
export interface Shown {
  readonly name: string
  readonly url: string | null
  readonly inMs: number | null
  readonly everyMs: number | null
}

interface Entry {
  readonly name: string
  readonly everyMs: number | null
  readonly slot: TimedSource | undefined
  readonly ingressName: string
  /** When it fires next; null: not again. */
  dueAt: number | null
  event: Timer | undefined
}

const isOver = ({ dueAt, event }: Entry): boolean => dueAt === null && event?.waits !== true

/**
 * The timers of one plugin.
 *
 * @category models
 * @since 0.1.0
 */
export class Timers implements TimerPort<TimedSource> {
  readonly #options: Options
  readonly #entries = new Map<string, Entry>()

  constructor(options: Options) {
    this.#options = options
  }

  /** Every timer, in the order in which they were set. */
  get all(): ReadonlyArray<Shown> {
    // Without a look at the clock, for most plugins have none and a status asks all of them.
    if (this.#entries.size === 0) return []
    const now = this.#options.monotonic()
    return [...this.#entries.values()]
      .filter((entry) => !isOver(entry))
      .map(({ dueAt, event, everyMs, name, slot }) => ({
        name,
        url: slot?.connection.source.display ?? null,
        inMs: dueAt === null || event?.waits === true ? null : Math.max(0, Math.round(dueAt - now)),
        everyMs
      }))
  }

  set({ afterMs, everyMs, name }: TimerSpec, owner: TimerOwner<TimedSource>): TimerLimit | undefined {
    const { changed, monotonic } = this.#options
    const limit = this.#options.limit()
    for (const entry of this.#entries.values()) if (isOver(entry)) this.#entries.delete(entry.name)
    if (!this.#entries.has(name) && this.#entries.size >= limit) return new TimerLimit({ limit })
    this.clear(name)
    this.#entries.set(name, {
      name,
      everyMs: everyMs ?? null,
      slot: owner.destination,
      ingressName: owner.ingressName,
      dueAt: monotonic() + afterMs,
      event: undefined
    })
    changed()
    return undefined
  }

  clear(name: string): void {
    const entry = this.#entries.get(name)
    if (entry === undefined) return
    this.#entries.delete(name)
    if (entry.event?.waits !== true) return
    if (entry.slot === undefined) this.#options.queue.withdraw(entry.event)
    else entry.slot.queue.withdraw(entry.event)
  }

  /** An epoch of a source begins or ends: no timer of the one before it fires any more. */
  epochOver(slot: TimedSource): void {
    for (const entry of this.#entries.values()) if (entry.slot === slot) entry.dueAt = null
  }

  /** Clears the timers of the ingresses for which this holds, or all. */
  clearAll(of: (ingressName: string) => boolean = () => true): void {
    for (const { ingressName, name } of this.#entries.values()) if (of(ingressName)) this.clear(name)
  }

  /** Fires what is due; milliseconds until the next one, null where there is none. */
  fireDue(): number | null {
    const now = this.#options.monotonic()
    let next: number | null = null
    for (const entry of this.#entries.values()) {
      if (entry.dueAt !== null && entry.dueAt <= now) this.#fire(entry, now)
      if (entry.dueAt !== null) next = Math.min(next ?? entry.dueAt, entry.dueAt)
    }
    return next === null ? null : Math.max(1, Math.ceil(next - now))
  }

  #fire(entry: Entry, now: number): void {
    const { everyMs, ingressName, name, slot } = entry
    const dueAt = entry.dueAt ?? now
    entry.dueAt = everyMs === null ? null : now + everyMs - ((now - dueAt) % everyMs)
    // At most one event of a name waits.
    if (entry.event?.waits === true) return
    entry.event = slot === undefined ? this.#options.queue.timer(name, ingressName) : slot.queue.timer(name)
  }
}
