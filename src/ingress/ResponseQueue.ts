/**
 * The queue of the answers to a plugin's requests. It takes its turn like any
 * source's, and nothing in it is ever evicted: how many may wait is bounded where
 * requests are accepted, their bytes where an answer comes.
 *
 * @since 0.5.0
 */
import type { Values } from "../limits/Limits.ts"
import type { Accounting, HostBytes } from "./Accounting.ts"
import { HostResponse, type Answered, type Outcome } from "./HostResponse.ts"
import type { AnyEvent } from "./IngressEvent.ts"
import { Numbering } from "./internal/numbering.ts"
import type { EventQueue, Turns } from "./Turns.ts"

/**
 * What a queue needs. `key` is the head of its correlation ids.
 *
 * @category models
 * @since 0.5.0
 */
export interface Options {
  readonly key: string
  readonly limits: Pick<Values, "ingressQueueBytes">
  readonly accounting: Accounting
  readonly hostBytes: HostBytes
  readonly turns: Turns<EventQueue>
  readonly now: () => number
}

/**
 * The queue of one plugin. Fields are for reading.
 *
 * @category models
 * @since 0.5.0
 */
export class ResponseQueue implements EventQueue {
  inTurn = false
  nextInTurn: EventQueue | undefined = undefined
  /** The memory of what waits. */
  bytes = 0
  readonly #options: Options
  readonly #numbering: Numbering
  /** In their order; those that are lent stand at the head. */
  #waiting: Array<HostResponse> = []
  #lent = 0
  #recall: () => void = () => {}

  constructor(options: Options) {
    this.#options = options
    this.#numbering = new Numbering(`${options.key}-q`, "host:response")
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.length
  }

  /** When the oldest waiting event happened, in Unix milliseconds. */
  get oldestAt(): number | undefined {
    return this.#waiting[0]?.at
  }

  /** The memory that there is room for. */
  get room(): number {
    const { hostBytes, limits } = this.#options
    return Math.min(limits.ingressQueueBytes - this.bytes, hostBytes.limit - hostBytes.used)
  }

  /** A request of an event of this ingress is answered. */
  answer(ingressName: string, request: Answered, outcome: Outcome): void {
    const { accounting, hostBytes, now, turns } = this.#options
    const origin = this.#numbering.originOf(ingressName)
    const event = new HostResponse(origin, ++this.#numbering.sequence, now(), request, outcome)
    this.#waiting.push(event)
    this.bytes += event.memory
    accounting.enqueued++
    accounting.queueDepth++
    accounting.queueBytes += event.memory
    hostBytes.used += event.memory
    turns.join(this)
  }

  take(): AnyEvent | undefined {
    const event = this.#waiting.shift()
    if (event === undefined) return undefined
    this.#removed(event)
    if (this.#waiting.length > 0) this.#options.turns.join(this)
    this.#numbering.tell(event)
    return event
  }

  lend(recall: () => void): AnyEvent | undefined {
    const event = this.#waiting[this.#lent]
    if (event === undefined) return undefined
    this.#recall = recall
    this.#lent++
    this.#numbering.tell(event)
    if (this.#waiting.length > this.#lent) this.#options.turns.join(this)
    return event
  }

  begin(): void {
    if (this.#lent === 0) return
    const event = this.#waiting.shift()
    if (event === undefined) return
    this.#lent--
    this.#removed(event)
  }

  giveBack(): void {
    const event = this.#waiting[this.#lent - 1]
    if (event === undefined) return
    this.#lent--
    this.#numbering.untell(event)
    this.#options.turns.rejoin(this)
  }

  /** Discards everything that waits, or what is of an ingress for which this holds. */
  discard(of: (ingressName: string) => boolean = () => true): void {
    if (this.#lent > 0) this.#recall()
    const waiting = this.#waiting
    this.#waiting = waiting.filter(({ ingressName }) => !of(ingressName))
    for (const event of waiting) {
      if (!of(event.ingressName)) continue
      this.#removed(event)
      this.#options.accounting.discarded++
    }
  }

  #removed({ memory }: HostResponse): void {
    const { accounting, hostBytes } = this.#options
    this.bytes -= memory
    accounting.queueDepth--
    accounting.queueBytes -= memory
    hostBytes.used -= memory
  }
}
