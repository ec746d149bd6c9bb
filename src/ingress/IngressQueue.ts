/**
 * The bounded queue of one source. It implements the sink of its connection:
 * everything here runs synchronously in the turn in which the socket speaks.
 *
 * Text events wait in order, at most `ingress_queue_capacity` of them and
 * `ingress_queue_bytes`; of a full queue the oldest goes first, in hand, so that
 * it is counted. State events and the source's timers wait beside them, outside
 * the capacity, and are never evicted; whichever head has the lower sequence is
 * next. What the ingress calls urgent overtakes the texts behind the last state
 * event before it, and is evicted last.
 *
 * A burst is not overload: at half full the socket is paused, at a quarter it
 * is read again, and only a pause that outlasts the patience lets the queue
 * slide. While paused it takes what the last read of the socket had already
 * brought, and no more.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { ConnectionSink, EpochEnd, ReportedError } from "../connection/ConnectionSink.ts"
import type { ReadMode } from "../connection/WebSocketClient.ts"
import { memoryOf, type Accounting, type HostBytes } from "./Accounting.ts"
import { QueueOverflow } from "./IngressError.ts"
import {
  Timer,
  WebSocketClose,
  WebSocketError,
  WebSocketOpen,
  WebSocketText,
  type IngressEvent,
  type SourceOrigin,
  type Stamp
} from "./IngressEvent.ts"
import { Backpressure, type Limits } from "./internal/backpressure.ts"
import { Loans } from "./internal/loans.ts"
import { Losses } from "./internal/losses.ts"
import { States } from "./internal/states.ts"
import { Texts } from "./internal/texts.ts"
import * as TextRules from "./TextRules.ts"
import type { EventQueue, Turns } from "./Turns.ts"

/**
 * What a queue needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly origin: SourceOrigin
  /** The source's URL without its query, for diagnostics. */
  readonly display: string
  /** Whether the ingress takes events of a kind. Asked again after `reconfigure`. */
  takes(kind: IngressEvent["kind"]): boolean
  /** What the ingress says of its texts. Asked again after `reconfigure`. */
  rules(): TextRules.TextRules | null
  /** Sends an answer of the host's own; false where there is no room for it, or nobody who may send. */
  reply(text: string): boolean
  readonly limits: Limits
  readonly accounting: Accounting
  readonly hostBytes: HostBytes
  readonly turns: Turns<EventQueue>
  readonly now: () => number
  /** Milliseconds of a clock that is never set. */
  readonly monotonic: () => number
  overflowed(make: () => QueueOverflow): void
  /** Told when the socket is paused, so that somebody calls `slide` in time. */
  paused(): void
  /** Told when a further epoch may begin again. */
  readied(): void
  epochBegan(): void
  epochEnded(): void
}

/**
 * The queue of one source. Fields are for reading.
 *
 * @category models
 * @since 0.1.0
 */
export class IngressQueue implements ConnectionSink, EventQueue {
  inTurn = false
  nextInTurn: EventQueue | undefined = undefined
  receivedText = 0
  enqueuedText = 0
  rejectedText = 0
  ignoredText = 0
  /** Texts that the host answered itself. */
  autoReplied = 0
  /** Evicted text events. */
  drops = 0
  /** How fast the socket is read. */
  readonly backpressure: Backpressure
  readonly #options: Options
  readonly #texts = new Texts()
  readonly #states = new States()
  readonly #losses = new Losses()
  readonly #loans: Loans
  #limits: Limits
  #takesText: boolean
  #rules: TextRules.TextRules | null
  #sequence = 0
  #epoch = 0
  #frame = 0
  #stamp: Stamp

  constructor(options: Options) {
    const { limits } = options
    this.#options = options
    this.#limits = limits
    this.#stamp = { origin: options.origin, epoch: 0, at: 0 }
    this.#loans = new Loans(this.#texts, this.#states, this.#losses)
    this.#takesText = options.takes("websocket_text")
    this.#rules = options.rules()
    this.backpressure = new Backpressure(options, this.#texts)
  }

  /** From now on there are other limits, and the ingress may take other kinds and say otherwise of its texts. */
  reconfigure(limits: Limits): void {
    this.#limits = limits
    this.backpressure.reconfigure(limits)
    this.#takesText = this.#options.takes("websocket_text")
    this.#rules = this.#options.rules()
  }

  /** How many texts it holds. */
  get capacity(): number {
    return this.#limits.ingressQueueCapacity
  }

  /** Text events that wait. */
  get depth(): number {
    return this.#texts.depth
  }

  /** The memory that they take. */
  get bytes(): number {
    return this.#texts.bytes
  }

  /** Events that wait, of all kinds. */
  get waiting(): number {
    return this.#texts.depth + this.#states.depth
  }

  /** When the oldest waiting event happened, in Unix milliseconds. */
  get oldestAt(): number | undefined {
    const text = this.#texts.oldestAt
    const state = this.#states.oldestAt
    return text === undefined || state === undefined ? (text ?? state) : Math.min(text, state)
  }

  opened(epoch: number, attempts: number, subprotocol: string | null, read: (mode: ReadMode) => void): void {
    this.#epoch = epoch
    this.#frame = 0
    this.#options.epochBegan()
    this.backpressure.opened(read)
    if (!this.#options.takes("websocket_open")) return
    const { now, origin } = this.#options
    this.#enqueueState(new WebSocketOpen(origin, ++this.#sequence, epoch, now(), attempts, subprotocol), true)
  }

  text(text: string, bytes: number, at: number): boolean {
    const rules = this.#rules
    const reply = rules === null ? undefined : TextRules.replyTo(rules, text)
    // Where there is no room for an answer, it is a text like any.
    const isAnswered = reply !== undefined && this.#options.reply(reply)
    // Only now: the plugin may be handed what comes while that is sent, and sees the counts.
    this.receivedText++
    if (isAnswered) {
      this.autoReplied++
      return false
    }
    this.#frame++
    if (!this.#takesText) {
      this.ignoredText++
      return false
    }
    const { epoch, origin } = this.#stamped(at)
    const event = new WebSocketText(origin, ++this.#sequence, epoch, at, this.#frame, text, bytes, this.#stamp)
    this.#enqueueText(event, rules !== null && TextRules.isUrgent(rules, text))
    return true
  }

  rejected(): void {
    this.receivedText++
    this.rejectedText++
  }

  ended(end: EpochEnd, willReconnect: boolean, deliver: boolean): void {
    const { now, origin } = this.#options
    this.#options.epochEnded()
    this.backpressure.ended()
    if (end.error !== null && this.#options.takes("websocket_error")) {
      const event = new WebSocketError(origin, ++this.#sequence, this.#epoch, now(), end.error, willReconnect)
      this.#enqueueState(event, deliver)
    }
    if (this.#options.takes("websocket_close")) {
      const event = new WebSocketClose(origin, ++this.#sequence, this.#epoch, now(), end, willReconnect)
      this.#enqueueState(event, deliver)
    }
  }

  dialFailed(error: ReportedError, willReconnect: boolean, deliver: boolean): void {
    const { now, origin } = this.#options
    if (!this.#options.takes("websocket_error") || this.#states.hasDialError) return
    const event = new WebSocketError(origin, ++this.#sequence, this.#epoch, now(), error, willReconnect)
    this.#enqueueState(event, deliver, true)
  }

  revoked(): void {
    // Its timers end with it, too.
    this.#options.epochEnded()
    this.discard()
  }

  ready(): boolean {
    return this.#states.isReady
  }

  /** A timer of the epoch fired. */
  timer(name: string): Timer {
    const { now, origin } = this.#options
    const event = new Timer(origin, ++this.#sequence, this.#epoch, now(), name)
    this.#enqueueState(event, true)
    return event
  }

  /** Discards a timer's event that still waits. */
  withdraw(event: Timer): void {
    // An urgent text behind it may overtake from now on what is lent.
    if (this.#states.isLent(event) || this.#texts.hasUrgent) this.#loans.recall()
    if (!this.#states.withdraw(event)) return
    this.#losses.lose(event.sequence)
    this.#options.accounting.queueDepth--
    this.#options.accounting.discarded++
  }

  /** Takes the next event, and says in it how many before it were lost and not yet told. */
  take(): IngressEvent | undefined {
    const event = this.#states.depth === 0 ? this.#takeText(Infinity) : this.#takeFirst()
    if (event === undefined) return undefined
    if (this.waiting > 0) this.#options.turns.join(this)
    event.droppedBefore = this.#losses.tell(event.sequence)
    return event
  }

  lend(recall: () => void): IngressEvent | undefined {
    const event = this.#loans.lend(recall)
    if (event !== undefined && this.waiting > this.#loans.size) this.#options.turns.join(this)
    return event
  }

  begin(): void {
    const event = this.#loans.begin()
    if (event === undefined) return
    if (event.kind !== "websocket_text") return this.#stateBegins()
    this.#removed(this.#texts.begin())
    this.backpressure.removed()
  }

  giveBack(): void {
    if (this.#loans.giveBack()) this.#options.turns.rejoin(this)
  }

  /** Discards everything that waits. */
  discard(): void {
    this.#loans.recall()
    const { accounting } = this.#options
    const waiting = this.waiting
    this.#losses.loseAll(waiting, this.#sequence)
    while (this.#removed(this.#texts.evict()) !== undefined);
    this.backpressure.removed()
    const states = this.#states.clear()
    accounting.queueDepth -= states
    accounting.discarded += waiting
    if (states > 0) this.#options.readied()
  }

  /** What the texts of this turn share. */
  #stamped(at: number): Stamp {
    if (this.#stamp.at !== at || this.#stamp.epoch !== this.#epoch) {
      this.#stamp = { origin: this.#options.origin, epoch: this.#epoch, at }
    }
    return this.#stamp
  }

  #enqueueText(event: WebSocketText, isUrgent: boolean): void {
    const { accounting, hostBytes, turns } = this.#options
    const memory = memoryOf(event.text, event.bytes)
    this.enqueuedText++
    accounting.enqueued++
    if (this.#loans.size > 0 && this.#texts.overtakesLent(isUrgent)) this.#loans.recall()
    if (this.#isTooFullFor(memory) && !this.#makeRoom(memory, isUrgent)) {
      this.#evicted(event)
      return
    }
    this.#texts.add(event, isUrgent)
    accounting.queueDepth++
    accounting.queueBytes += memory
    hostBytes.used += memory
    this.backpressure.added(event.bytes)
    turns.arrive(this)
  }

  #isTooFullFor(bytes: number): boolean {
    const limits = this.#limits
    const { hostBytes } = this.#options
    return (
      this.#texts.depth >= limits.ingressQueueCapacity ||
      this.#texts.bytes + bytes > limits.ingressQueueBytes ||
      hostBytes.used + bytes > hostBytes.limit
    )
  }

  /** Evicts texts until there is room; false, and none evicted, where all that may go leave none. */
  #makeRoom(bytes: number, isUrgent: boolean): boolean {
    const { hostBytes } = this.#options
    const { ingressQueueBytes, ingressQueueCapacity } = this.#limits
    if (bytes > ingressQueueBytes) return false
    if (this.backpressure.mayExceed && hostBytes.used + bytes <= hostBytes.limit) return true
    this.#loans.recall()
    const dispensable = this.#texts.dispensable(isUrgent)
    if (
      this.#texts.depth - dispensable.depth >= ingressQueueCapacity ||
      this.#texts.bytes - dispensable.bytes + bytes > ingressQueueBytes ||
      hostBytes.used - dispensable.bytes + bytes > hostBytes.limit
    ) {
      return false
    }
    while (this.#isTooFullFor(bytes)) {
      const event = this.#removed(this.#texts.evict())
      if (event === undefined) return false
      this.#evicted(event)
    }
    return true
  }

  #evicted(event: WebSocketText): void {
    const { accounting, display } = this.#options
    const { ingressQueueBytes: capacityBytes, ingressQueueCapacity: capacity } = this.#limits
    this.drops++
    accounting.evicted++
    this.#losses.lose(event.sequence)
    this.#options.overflowed(() => new QueueOverflow({ url: display, capacity, capacityBytes }))
  }

  #enqueueState(event: IngressEvent, deliver: boolean, isDialError = false): void {
    const { accounting, turns } = this.#options
    accounting.enqueued++
    if (!deliver) {
      accounting.discarded++
      this.#losses.lose(event.sequence)
      return
    }
    if (isDialError) this.#states.addDialError(event)
    else this.#states.add(event)
    accounting.queueDepth++
    turns.join(this)
  }

  #takeFirst(): IngressEvent | undefined {
    const state = this.#states.next
    if (state === undefined) return undefined
    const text = this.#takeText(state.sequence)
    if (text !== undefined) return text
    this.#texts.interrupted()
    this.#stateBegins()
    return state
  }

  #stateBegins(): void {
    this.#options.accounting.queueDepth--
    if (this.#states.remove()) this.#options.readied()
  }

  /** Takes the text whose turn it is among those with a lower sequence. */
  #takeText(before: number): WebSocketText | undefined {
    const event = this.#removed(this.#texts.takeBefore(before))
    if (event !== undefined) this.backpressure.removed()
    return event
  }

  /** A text doesn't wait any more. */
  #removed(event: WebSocketText | undefined): WebSocketText | undefined {
    if (event === undefined) return undefined
    const { accounting, hostBytes } = this.#options
    const memory = memoryOf(event.text, event.bytes)
    accounting.queueDepth--
    accounting.queueBytes -= memory
    hostBytes.used -= memory
    return event
  }
}

/**
 * Makes the queue of a source.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Effect.Effect<IngressQueue> => Effect.sync(() => new IngressQueue(options))
