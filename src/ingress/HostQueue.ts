/**
 * The queue of what doesn't come from a connection: timers without a URL,
 * results of commands, and what the embedding application delivers. One for
 * each plugin, and it takes its turn like any source's.
 *
 * Timers are few (the plugin's limit of timers) and never evicted. Results and
 * deliveries are bounded like the texts of a source; the oldest goes first, in
 * hand, so that it is counted. Each of the three is a source of its own, with
 * its own numbering.
 *
 * @since 0.1.0
 */
import * as MutableList from "effect/MutableList"
import type { Values } from "../limits/Limits.ts"
import type { Accounting, HostBytes } from "./Accounting.ts"
import type { CommandOutcome } from "./CommandOutcome.ts"
import { QueueOverflow } from "./IngressError.ts"
import { CommandResult, Delivered, Timer, type AnyEvent } from "./IngressEvent.ts"
import { Numbering } from "./internal/numbering.ts"
import type { EventQueue, Turns } from "./Turns.ts"

/**
 * What a queue needs. `key` is the head of its correlation ids.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly key: string
  readonly limits: Pick<Values, "ingressQueueCapacity" | "ingressQueueBytes">
  readonly accounting: Accounting
  readonly hostBytes: HostBytes
  readonly turns: Turns<EventQueue>
  readonly now: () => number
  readonly overflowed: (make: () => QueueOverflow) => void
}

/**
 * The source of the results of commands.
 *
 * @category constants
 * @since 0.2.0
 */
export const RESULTS_SOURCE = "host:command_result"

// What a result takes at most, nearly: three ids of at most 128 characters, and a message.
const RESULT_BYTES = 1024

const bytesOf = (event: CommandResult | Delivered): number => (event instanceof Delivered ? event.memory : RESULT_BYTES)

/**
 * The queue of one plugin. Fields are for reading.
 *
 * @category models
 * @since 0.1.0
 */
export class HostQueue implements EventQueue {
  inTurn = false
  nextInTurn: EventQueue | undefined = undefined
  /** Results and deliveries that wait, and their bytes. */
  depth = 0
  bytes = 0
  readonly #options: Options
  readonly #timers: Array<Timer> = []
  readonly #sliding = MutableList.make<CommandResult | Delivered>()
  /** In the order in which they were lent; timers among them stand in the list of timers, too. */
  readonly #lent: Array<Timer | CommandResult | Delivered> = []
  #recall: () => void = () => {}
  readonly #numberings: { readonly timer: Numbering; readonly result: Numbering; readonly deliver: Numbering }

  constructor(options: Options) {
    this.#options = options
    this.#numberings = {
      timer: new Numbering(`${options.key}-t`, "host:timer"),
      result: new Numbering(`${options.key}-r`, RESULTS_SOURCE),
      deliver: new Numbering(`${options.key}-d`, "host:deliver")
    }
  }

  /** Events that wait, of all kinds. */
  get waiting(): number {
    return this.depth + this.#timers.length
  }

  /** When the oldest waiting event happened, in Unix milliseconds. */
  get oldestAt(): number | undefined {
    // As most queues are whenever a status asks.
    if (this.#timers.length === 0 && this.#sliding.length === 0 && this.#lent.length === 0) return undefined
    const times = [this.#timers[0], MutableList.toArrayN(this.#sliding, 1)[0], ...this.#lent]
      .map((event) => event?.at)
      .filter((at) => at !== undefined)
    return times.length === 0 ? undefined : Math.min(...times)
  }

  /** A timer fired. */
  timer(name: string, ingressName: string): Timer {
    const { accounting, now } = this.#options
    const { timer } = this.#numberings
    const event = new Timer(timer.originOf(ingressName), ++timer.sequence, 0, now(), name)
    // It goes before what else waits.
    if (this.#lent.some((lent) => !(lent instanceof Timer))) this.#recall()
    this.#timers.push(event)
    accounting.enqueued++
    accounting.queueDepth++
    this.#options.turns.join(this)
    return event
  }

  /** A command of an event of this ingress has a result. */
  result(ingressName: string, outcome: () => CommandOutcome): void {
    const { result } = this.#numberings
    this.#slide(new CommandResult(result.originOf(ingressName), ++result.sequence, this.#options.now(), outcome))
  }

  /** The application delivers an event: its payload as JSON, and the bytes of that. */
  deliver(ingressName: string, kind: string, json: string, bytes: number): Delivered {
    const { deliver } = this.#numberings
    const origin = deliver.originOf(ingressName)
    const event = new Delivered(origin, ++deliver.sequence, this.#options.now(), kind, json, bytes)
    this.#slide(event)
    return event
  }

  /** Takes the next event, and says in it how many of its source before it were never handed over. */
  take(): AnyEvent | undefined {
    const event = this.#takeTimer() ?? this.#takeSliding()
    if (event === undefined) return undefined
    if (this.waiting > 0) this.#options.turns.join(this)
    this.#numberingOf(event).tell(event)
    return event
  }

  lend(recall: () => void): AnyEvent | undefined {
    const timers = this.#lent.filter((lent) => lent instanceof Timer).length
    const event = this.#timers[timers] ?? MutableList.take(this.#sliding)
    if (event === MutableList.Empty) return undefined
    this.#recall = recall
    this.#lent.push(event)
    this.#numberingOf(event).tell(event)
    if (this.waiting > this.#lent.length) this.#options.turns.join(this)
    return event
  }

  begin(): void {
    const event = this.#lent.shift()
    if (event instanceof Timer) {
      this.#takeTimer()
    } else if (event !== undefined) {
      this.#removed(event)
      this.#options.accounting.queueDepth--
    }
  }

  giveBack(): void {
    const event = this.#lent.pop()
    if (event === undefined) return
    if (!(event instanceof Timer)) MutableList.prepend(this.#sliding, event)
    this.#numberingOf(event).untell(event)
    this.#options.turns.rejoin(this)
  }

  /** Discards a timer's event that still waits. */
  withdraw(event: Timer): void {
    if (this.#lent.includes(event)) this.#recall()
    const index = this.#timers.indexOf(event)
    if (index < 0) return
    this.#timers.splice(index, 1)
    this.#discarded(event)
  }

  /** Discards everything that waits, or what is of an ingress for which this holds. */
  discard(of: (ingressName: string) => boolean = () => true): void {
    this.#recallLent()
    const isKept = (event: AnyEvent) => !of(event.ingressName)
    for (const timer of this.#timers.splice(0)) {
      if (isKept(timer)) this.#timers.push(timer)
      else this.#discarded(timer)
    }
    for (let left = this.depth; left > 0; left--) {
      const event = MutableList.take(this.#sliding)
      if (event === MutableList.Empty) return
      if (isKept(event)) {
        MutableList.append(this.#sliding, event)
      } else {
        this.#removed(event)
        this.#discarded(event)
      }
    }
  }

  /** Nothing is lent any more. */
  #recallLent(): void {
    if (this.#lent.length > 0) this.#recall()
  }

  #numberingOf(event: AnyEvent): Numbering {
    if (event instanceof Timer) return this.#numberings.timer
    return event instanceof CommandResult ? this.#numberings.result : this.#numberings.deliver
  }

  #slide(event: CommandResult | Delivered): void {
    const { accounting, hostBytes, turns } = this.#options
    const bytes = bytesOf(event)
    accounting.enqueued++
    if (!this.#makeRoom(bytes)) {
      this.#evicted(event)
      return
    }
    MutableList.append(this.#sliding, event)
    this.depth++
    this.bytes += bytes
    accounting.queueDepth++
    accounting.queueBytes += bytes
    hostBytes.used += bytes
    turns.join(this)
  }

  /** Evicts the oldest until there is room; false if even an empty queue has none. */
  #makeRoom(bytes: number): boolean {
    const { hostBytes, limits } = this.#options
    if (bytes > limits.ingressQueueBytes || hostBytes.used - this.bytes + bytes > hostBytes.limit) return false
    const isTooFull = () =>
      this.depth >= limits.ingressQueueCapacity ||
      this.bytes + bytes > limits.ingressQueueBytes ||
      hostBytes.used + bytes > hostBytes.limit
    if (isTooFull()) this.#recallLent()
    while (isTooFull()) {
      const oldest = this.#takeSliding()
      if (oldest === undefined) return false
      this.#evicted(oldest)
    }
    return true
  }

  #evicted(event: CommandResult | Delivered): void {
    const { accounting, limits, overflowed } = this.#options
    accounting.evicted++
    overflowed(
      () =>
        new QueueOverflow({
          url: event.source,
          capacity: limits.ingressQueueCapacity,
          capacityBytes: limits.ingressQueueBytes
        })
    )
  }

  #takeTimer(): Timer | undefined {
    const timer = this.#timers.shift()
    if (timer === undefined) return undefined
    timer.waits = false
    this.#options.accounting.queueDepth--
    return timer
  }

  #takeSliding(): CommandResult | Delivered | undefined {
    const event = MutableList.take(this.#sliding)
    if (event === MutableList.Empty) return undefined
    this.#removed(event)
    this.#options.accounting.queueDepth--
    return event
  }

  #removed(event: CommandResult | Delivered): void {
    const { accounting, hostBytes } = this.#options
    const bytes = bytesOf(event)
    this.depth--
    this.bytes -= bytes
    accounting.queueBytes -= bytes
    hostBytes.used -= bytes
  }

  #discarded(event: AnyEvent): void {
    const { accounting } = this.#options
    if (event instanceof Timer) event.waits = false
    accounting.queueDepth--
    accounting.discarded++
  }
}
