/**
 * The bounded sliding queue of one source, with exact accounting.
 *
 * Text events are bounded in number and bytes; the oldest goes first, in hand,
 * so that it is charged to its source. State events (open, close, error) and
 * the source's timers wait beside them, outside the capacity, and are never
 * evicted; whichever head has the lower sequence is next.
 *
 * A burst is not overload: at half full the socket is paused, at a quarter it
 * is read again, and only a pause that outlasts the patience lets the queue
 * slide. While paused it takes what the last read of the socket had already
 * brought, and no more.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import type { ConnectionSink, EpochEnd, ReportedError } from "../connection/ConnectionSink.ts"
import type { ReadMode } from "../connection/WebSocketClient.ts"
import type { Values } from "../limits/Limits.ts"
import type { Accounting, HostBytes } from "./Accounting.ts"
import { QueueOverflow } from "./IngressError.ts"
import {
  Timer,
  WebSocketClose,
  WebSocketError,
  WebSocketOpen,
  WebSocketText,
  type IngressEvent,
  type SourceOrigin
} from "./IngressEvent.ts"
import type { EventQueue, Turns } from "./Turns.ts"

/**
 * How the socket is read: as it comes, not at all, or slowly while the queue
 * slides.
 *
 * @category models
 * @since 0.1.0
 */
export type Flow = "flowing" | "paused" | "sliding"

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
  readonly takes: (kind: IngressEvent["kind"]) => boolean
  readonly limits: Pick<Values, "ingressQueueCapacity" | "ingressQueueBytes" | "burstPatienceMs">
  readonly accounting: Accounting
  readonly hostBytes: HostBytes
  readonly turns: Turns<EventQueue>
  readonly now: () => number
  /** Milliseconds of a clock that is never set. */
  readonly monotonic: () => number
  readonly overflowed: (make: () => QueueOverflow) => void
  /** Told when the socket is paused, so that somebody calls `slide` in time. */
  readonly paused: () => void
  /** Told when a further epoch may begin again. */
  readonly readied: () => void
  readonly epochBegan: () => void
  readonly epochEnded: () => void
}

// What one read of a socket can bring, in bytes, and the fewest that a text frame has on the wire (RFC 6455, 5.2).
const READ_BYTES = 65_536
const FRAME_HEADER_BYTES = 2

/**
 * The queue of one source. Fields are for reading.
 *
 * @category models
 * @since 0.1.0
 */
export class IngressQueue implements ConnectionSink, EventQueue {
  inTurn = false
  nextInTurn: EventQueue | undefined = undefined
  flow: Flow = "flowing"
  /** When the socket was paused, by the clock that is never set. */
  pausedAt = 0
  receivedText = 0
  enqueuedText = 0
  rejectedText = 0
  ignoredText = 0
  /** Evicted text events. */
  drops = 0
  /** Text events that wait, and their bytes of UTF-8. */
  depth = 0
  bytes = 0
  readonly #options: Options
  readonly #texts: Queue.Queue<WebSocketText>
  readonly #states: Array<IngressEvent> = []
  #takesText: boolean
  readonly #halfDepth: number
  readonly #halfBytes: number
  #head: WebSocketText | undefined = undefined
  #dialError: WebSocketError | undefined = undefined
  #read: (mode: ReadMode) => void = () => {}
  #sequence = 0
  #handedOver = 0
  #epoch = 0
  #frame = 0
  #sincePause = 0

  constructor(options: Options, texts: Queue.Queue<WebSocketText>) {
    this.#options = options
    this.#texts = texts
    this.#takesText = options.takes("websocket_text")
    this.#halfDepth = options.limits.ingressQueueCapacity / 2
    this.#halfBytes = options.limits.ingressQueueBytes / 2
  }

  /** The ingress may take other kinds from now on. */
  reconfigure(): void {
    this.#takesText = this.#options.takes("websocket_text")
  }

  /** Events that wait, of all kinds. */
  get waiting(): number {
    return this.depth + this.#states.length
  }

  /** When the oldest waiting event happened, in Unix milliseconds. */
  get oldestAt(): number | undefined {
    const text = this.#peekText()
    const state = this.#states[0]
    if (text === undefined || state === undefined) return (text ?? state)?.at
    return Math.min(text.at, state.at)
  }

  opened(epoch: number, attempts: number, subprotocol: string | null, read: (mode: ReadMode) => void): void {
    this.#epoch = epoch
    this.#frame = 0
    this.#read = read
    this.#options.epochBegan()
    // The last epoch's texts may still wait; its pause has nothing to do with the new socket.
    this.flow = "flowing"
    if (this.#isHalfFull) this.#pause()
    if (!this.#options.takes("websocket_open")) return
    const { now, origin } = this.#options
    this.#enqueueState(new WebSocketOpen(origin, ++this.#sequence, epoch, now(), attempts, subprotocol), true)
  }

  text(text: string, bytes: number, at: number): void {
    this.receivedText++
    this.#frame++
    if (!this.#takesText) {
      this.ignoredText++
      return
    }
    const { accounting, hostBytes, origin } = this.#options
    this.enqueuedText++
    accounting.enqueued++
    const event = new WebSocketText(origin, ++this.#sequence, this.#epoch, at, this.#frame, text, bytes)
    if (this.#isTooFullFor(bytes) && !this.#makeRoom(bytes)) {
      this.#countEviction()
      return
    }
    Queue.offerUnsafe(this.#texts, event)
    this.depth++
    this.bytes += bytes
    accounting.queueDepth++
    accounting.queueBytes += bytes
    hostBytes.used += bytes
    if (!this.inTurn) this.#options.turns.join(this)
    if (this.flow === "flowing") {
      if (this.#isHalfFull) this.#pause()
    } else {
      this.#sincePause += bytes + FRAME_HEADER_BYTES
    }
  }

  rejected(): void {
    this.receivedText++
    this.rejectedText++
  }

  ended(end: EpochEnd, willReconnect: boolean, deliver: boolean): void {
    const { epochEnded, now, origin, takes } = this.#options
    epochEnded()
    this.#read = () => {}
    this.flow = "flowing"
    if (end.error !== null && takes("websocket_error")) {
      const event = new WebSocketError(origin, ++this.#sequence, this.#epoch, now(), end.error, willReconnect)
      this.#enqueueState(event, deliver)
    }
    if (takes("websocket_close")) {
      const event = new WebSocketClose(origin, ++this.#sequence, this.#epoch, now(), end, willReconnect)
      this.#enqueueState(event, deliver)
    }
  }

  dialFailed(error: ReportedError, willReconnect: boolean, deliver: boolean): void {
    const { now, origin, takes } = this.#options
    if (!takes("websocket_error") || this.#dialError !== undefined) return
    const event = new WebSocketError(origin, ++this.#sequence, this.#epoch, now(), error, willReconnect)
    if (deliver) this.#dialError = event
    this.#enqueueState(event, deliver)
  }

  revoked(): void {
    // Its timers end with it, too.
    this.#options.epochEnded()
    this.discard()
  }

  ready(): boolean {
    let first = 0
    for (const { epoch, kind } of this.#states) {
      if (kind === "timer" || epoch === 0) continue
      if (first !== 0 && epoch > first) return false
      first ||= epoch
    }
    return true
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
    const index = this.#states.indexOf(event)
    if (index < 0) return
    this.#states.splice(index, 1)
    event.waits = false
    this.#options.accounting.queueDepth--
    this.#options.accounting.discarded++
  }

  /** Takes the next event, and says in it how many before it were never handed over. */
  take(): IngressEvent | undefined {
    const event = this.#states.length === 0 ? this.#takeText() : this.#takeFirst()
    if (event === undefined) return undefined
    if (this.waiting > 0) this.#options.turns.join(this)
    event.droppedBefore = event.sequence - this.#handedOver - 1
    this.#handedOver = event.sequence
    return event
  }

  /** Discards everything that waits. */
  discard(): void {
    const { accounting } = this.#options
    const states = this.#states.length
    let discarded = states
    while (this.#takeText() !== undefined) discarded++
    for (const state of this.#states) if (state.kind === "timer") state.waits = false
    this.#states.length = 0
    this.#dialError = undefined
    accounting.queueDepth -= states
    accounting.discarded += discarded
    if (states > 0) this.#options.readied()
  }

  /** Lets the queue slide: the pause has lasted too long. */
  slide(): void {
    if (this.flow !== "paused") return
    this.flow = "sliding"
    this.#read("slow")
  }

  get #isHalfFull(): boolean {
    return this.depth >= this.#halfDepth || this.bytes >= this.#halfBytes
  }

  #isTooFullFor(bytes: number): boolean {
    const { hostBytes, limits } = this.#options
    return (
      this.depth >= limits.ingressQueueCapacity ||
      this.bytes + bytes > limits.ingressQueueBytes ||
      hostBytes.used + bytes > hostBytes.limit
    )
  }

  /** Evicts the oldest texts until there is room; false if even an empty queue has none. */
  #makeRoom(bytes: number): boolean {
    const { hostBytes, limits } = this.#options
    // What would not fit if nothing waited costs nothing of what waits.
    if (bytes > limits.ingressQueueBytes || hostBytes.used - this.bytes + bytes > hostBytes.limit) return false
    const alreadyRead = this.flow === "paused" && this.#sincePause <= READ_BYTES
    if (alreadyRead && hostBytes.used + bytes <= hostBytes.limit) return true
    while (this.#isTooFullFor(bytes)) {
      if (this.#removeText() === undefined) return false
      this.#countEviction()
    }
    return true
  }

  #countEviction(): void {
    const { accounting, display, limits, overflowed } = this.#options
    this.drops++
    accounting.evicted++
    overflowed(
      () =>
        new QueueOverflow({
          url: display,
          capacity: limits.ingressQueueCapacity,
          capacityBytes: limits.ingressQueueBytes
        })
    )
  }

  #pause(): void {
    this.flow = "paused"
    // What is over the capacity came with an earlier read: a new epoch brings no further allowance.
    const { ingressQueueBytes, ingressQueueCapacity } = this.#options.limits
    if (this.depth <= ingressQueueCapacity && this.bytes <= ingressQueueBytes) this.#sincePause = 0
    this.pausedAt = this.#options.monotonic()
    this.#read("off")
    if (this.#options.limits.burstPatienceMs === 0) this.slide()
    else this.#options.paused()
  }

  #enqueueState(event: IngressEvent, deliver: boolean): void {
    const { accounting, turns } = this.#options
    accounting.enqueued++
    if (!deliver) {
      accounting.discarded++
      return
    }
    this.#states.push(event)
    accounting.queueDepth++
    turns.join(this)
  }

  #takeFirst(): IngressEvent | undefined {
    const state = this.#states[0]
    const text = this.#peekText()
    if (state === undefined || (text !== undefined && text.sequence < state.sequence)) return this.#takeText()
    const wasReady = this.ready()
    this.#states.shift()
    this.#options.accounting.queueDepth--
    if (state === this.#dialError) this.#dialError = undefined
    if (state.kind === "timer") state.waits = false
    if (!wasReady && this.ready()) this.#options.readied()
    return state
  }

  #peekText(): WebSocketText | undefined {
    this.#head ??= this.#poll()
    return this.#head
  }

  #removeText(): WebSocketText | undefined {
    const event = this.#head ?? this.#poll()
    if (event === undefined) return undefined
    this.#head = undefined
    const { accounting, hostBytes } = this.#options
    this.depth--
    this.bytes -= event.bytes
    accounting.queueDepth--
    accounting.queueBytes -= event.bytes
    hostBytes.used -= event.bytes
    return event
  }

  /** Removes the oldest text and reads the socket again where that leaves the queue a quarter full. */
  #takeText(): WebSocketText | undefined {
    const event = this.#removeText()
    const { limits } = this.#options
    if (
      this.flow !== "flowing" &&
      this.depth <= limits.ingressQueueCapacity / 4 &&
      this.bytes <= limits.ingressQueueBytes / 4
    ) {
      this.flow = "flowing"
      this.#read("full")
    }
    return event
  }

  #poll(): WebSocketText | undefined {
    if (this.depth === 0) return undefined
    const taken = Queue.takeUnsafe(this.#texts)
    return taken !== undefined && Exit.isSuccess(taken) ? taken.value : undefined
  }
}

/**
 * Makes the queue of a source.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Effect.Effect<IngressQueue> =>
  Effect.map(
    // The producer makes room itself, so the queue never drops what it can't hand over.
    Queue.sliding<WebSocketText>(options.limits.ingressQueueCapacity + READ_BYTES / FRAME_HEADER_BYTES + 1),
    (texts) => new IngressQueue(options, texts)
  )
