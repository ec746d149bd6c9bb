/**
 * The bounded queue of one source. It implements the sink of its connection:
 * everything here runs synchronously in the turn in which the socket speaks.
 *
 * Texts and binary frames wait in one order, at most `ingress_queue_capacity` of
 * them and `ingress_queue_bytes`; of a full queue the oldest goes first, in hand,
 * so that it is counted. State events and the source's timers wait beside them,
 * outside the capacity, and are never evicted; whichever head has the lower
 * sequence is next. What the ingress calls urgent overtakes the frames behind the
 * last state event before it, and is evicted last.
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
import type { FrameKind, ReadMode } from "../connection/WebSocketClient.ts"
import { QueueOverflow } from "./IngressError.ts"
import {
  isFrame,
  Timer,
  WebSocketBinary,
  WebSocketClose,
  WebSocketError,
  WebSocketOpen,
  WebSocketText,
  type Frame,
  type IngressEvent,
  type Stamp
} from "./IngressEvent.ts"
import { Backpressure } from "./internal/backpressure.ts"
import { Frames } from "./internal/frames.ts"
import { Loans } from "./internal/loans.ts"
import { Losses } from "./internal/losses.ts"
import type * as Given from "./internal/queueOptions.ts"
import { Room } from "./internal/room.ts"
import { States } from "./internal/states.ts"
import * as TextRules from "./TextRules.ts"
import type { EventQueue } from "./Turns.ts"

/**
 * What a queue needs.
 *
 * @category models
 * @since 0.1.0
 */
export type Options = Given.Options

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
  receivedBinary = 0
  enqueuedBinary = 0
  rejectedBinary = 0
  /** Binary frames of an ingress that doesn't take them. */
  unsupportedBinary = 0
  /** Evicted texts and binary frames. */
  drops = 0
  /** How fast the socket is read. */
  readonly backpressure: Backpressure
  readonly #options: Options
  readonly #frames = new Frames()
  readonly #states = new States()
  readonly #losses = new Losses()
  readonly #loans: Loans
  readonly #room: Room
  #limits: Options["limits"]
  #takesText: boolean
  #takesBinary: boolean
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
    this.#loans = new Loans(this.#frames, this.#states, this.#losses)
    this.#takesText = options.takes("websocket_text")
    this.#takesBinary = options.takes("websocket_binary")
    this.#rules = options.rules()
    this.backpressure = new Backpressure(options, this.#frames)
    this.#room = new Room(options, this.#frames)
  }

  /** From now on there are other limits, and the ingress may take other kinds and say otherwise of its texts. */
  reconfigure(limits: Options["limits"]): void {
    this.#limits = limits
    this.backpressure.reconfigure(limits)
    this.#room.reconfigure(limits)
    this.#takesText = this.#options.takes("websocket_text")
    this.#takesBinary = this.#options.takes("websocket_binary")
    this.#rules = this.#options.rules()
  }

  /** How many texts and binary frames it holds. */
  get capacity(): number {
    return this.#limits.ingressQueueCapacity
  }

  /** Texts and binary frames that wait. */
  get depth(): number {
    return this.#frames.depth
  }

  /** The memory that they take. */
  get bytes(): number {
    return this.#frames.bytes
  }

  /** Events that wait, of all kinds. */
  get waiting(): number {
    return this.#frames.depth + this.#states.depth
  }

  /** When the oldest waiting event happened, in Unix milliseconds. */
  get oldestAt(): number | undefined {
    const text = this.#frames.oldestAt
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
    this.enqueuedText++
    this.#enqueue(event, bytes, rules !== null && TextRules.isUrgent(rules, text))
    return true
  }

  binary(bytes: Uint8Array, at: number): boolean {
    this.receivedBinary++
    if (!this.#takesBinary) {
      this.unsupportedBinary++
      return false
    }
    const { epoch, origin } = this.#stamped(at)
    const event = new WebSocketBinary(origin, ++this.#sequence, epoch, at, ++this.#frame, bytes, this.#stamp)
    this.enqueuedBinary++
    this.#enqueue(event, bytes.length, false)
    return true
  }

  rejected(kind: FrameKind): boolean {
    if (kind === "text") {
      this.receivedText++
      this.rejectedText++
      return true
    }
    this.receivedBinary++
    if (this.#takesBinary) this.rejectedBinary++
    else this.unsupportedBinary++
    return this.#takesBinary
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
    // From now on an urgent text behind it may go before what is lent, or an ordinary frame before the ninth urgent text.
    const mayReorder = this.#frames.hasUrgent || this.#frames.overtakesLent(false)
    if (this.#states.isLent(event) || mayReorder) this.#loans.recall()
    if (!this.#states.withdraw(event)) return
    this.#losses.lose(event.sequence)
    this.#options.accounting.queueDepth--
    this.#options.accounting.discarded++
  }

  /** Takes the next event, and says in it how many before it were lost and not yet told. */
  take(): IngressEvent | undefined {
    const event = this.#states.depth === 0 ? this.#takeFrame(Infinity) : this.#takeFirst()
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
    if (!isFrame(event)) return this.#stateBegins()
    this.#removed(this.#frames.begin())
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
    while (this.#removed(this.#frames.evict()) !== undefined);
    this.backpressure.removed()
    const states = this.#states.clear()
    accounting.queueDepth -= states
    accounting.discarded += waiting
    if (states > 0) this.#options.readied()
  }

  /** What the frames of this turn share. */
  #stamped(at: number): Stamp {
    if (this.#stamp.at !== at || this.#stamp.epoch !== this.#epoch) {
      this.#stamp = { origin: this.#options.origin, epoch: this.#epoch, at }
    }
    return this.#stamp
  }

  #enqueue(event: Frame, bytes: number, isUrgent: boolean): void {
    const { accounting, hostBytes, turns } = this.#options
    const { memory } = event
    accounting.enqueued++
    if (this.#loans.size > 0 && this.#frames.overtakesLent(isUrgent)) this.#loans.recall()
    if (this.#room.isLackingFor(memory) && !this.#makeRoom(memory, isUrgent)) {
      this.#evicted(event)
      return
    }
    this.#frames.add(event, isUrgent)
    accounting.queueDepth++
    accounting.queueBytes += memory
    hostBytes.used += memory
    this.backpressure.added(bytes)
    turns.arrive(this)
  }

  /** Evicts frames until there is room; false, and none evicted, where all that may go leave none. */
  #makeRoom(memory: number, isUrgent: boolean): boolean {
    if (this.backpressure.mayExceed && this.#room.isThereBeyond(memory)) return true
    this.#loans.recall()
    if (!this.#room.canBeMade(memory, isUrgent)) return false
    while (this.#room.isLackingFor(memory)) {
      const event = this.#removed(this.#frames.evict())
      if (event === undefined) return false
      this.#evicted(event)
    }
    return true
  }

  #evicted(event: Frame): void {
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
    const frame = this.#takeFrame(state.sequence)
    if (frame !== undefined) return frame
    this.#frames.interrupted()
    this.#stateBegins()
    return state
  }

  #stateBegins(): void {
    this.#options.accounting.queueDepth--
    if (this.#states.remove()) this.#options.readied()
  }

  /** Takes the frame whose turn it is among those with a lower sequence. */
  #takeFrame(before: number): Frame | undefined {
    const event = this.#removed(this.#frames.takeBefore(before))
    if (event !== undefined) this.backpressure.removed()
    return event
  }

  /** A frame doesn't wait any more. */
  #removed(event: Frame | undefined): Frame | undefined {
    if (event === undefined) return undefined
    const { accounting, hostBytes } = this.#options
    const { memory } = event
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
