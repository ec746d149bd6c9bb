/**
 * One dial and, if it opens, one epoch of a connection: what the socket tells
 * and what that is about. What it tells it by is methods of one object, for a
 * closure each would be half a kilobyte of every idle connection. Each dial has a session of its own, so
 * nothing that an old socket still says can reach a new epoch.
 */
import type { Values } from "../../limits/Limits.ts"
import {
  BinaryUnsupported,
  ControlFlood,
  DataStale,
  DialFailed,
  KeepaliveTimeout,
  PeerStalled,
  type AddressDenied,
  type ConnectionError
} from "../ConnectionError.ts"
import type { ConnectionSink } from "../ConnectionSink.ts"
import type { Source } from "../Source.ts"
import type { ReadMode, Socket, SocketEvents } from "../WebSocketClient.ts"
import { ControlBucket } from "./controlBucket.ts"
import { GuardedSocket } from "./guardedSocket.ts"
import { Liveness, type Epoch, type Time } from "./liveness.ts"
import type { Clocks } from "./options.ts"
import { Outgoing, type Filled } from "./outgoing.ts"
import * as Reason from "./reason.ts"
import { StallClock } from "./stallClock.ts"

/** What counts for as long as the source exists. */
export interface Totals {
  lastFrameAt: number | null
  lastPongAt: number | null
  /** Of the last ping that was answered, in milliseconds. */
  roundTripMs: number | null
  sentTextFrames: number
  sentBinaryFrames: number
  sendFailures: number
  /** Sent in the present epoch, and at the ends of those before it, and confirmed by no pong. */
  unconfirmedFrames: number
  unconfirmedAtEnds: number
}

/** What a session asks of the connection around it. */
export interface Owner {
  readonly clocks: Clocks
  /** Time that was had. */
  readonly time: Time
  /** The time at which this turn of the event loop began to receive. */
  turnNow(): number
  readonly source: Pick<Source, "display" | "staleAfterMs" | "staleReconnect">
  readonly limits: Values
  readonly sink: ConnectionSink
  readonly totals: Totals
  binary(make: () => BinaryUnsupported): void
  /** A pong came this long after its ping was written. */
  roundTrip(ms: number): void
  /** No data comes, and the connection stays. */
  stale(error: DataStale): void
  /** Asked in the turn in which the upgrade completes, before anything is delivered. */
  mayOpen(): boolean
  /** What replaces secrets in what the server says; null where it knows none. Asked when it opens, and when they change. */
  mask(): ((text: string) => string) | null
  sessionOpened(socket: Socket, read: (mode: ReadMode) => void): void
  /** It is closed by the peer, or broken off: nothing is sent any more. */
  sessionClosing(): void
  sessionEnded(session: Session): void
}

const NO_CLOSE_FRAME = 1006

const utf8 = new TextEncoder()

const NOBODY = { broke: (): void => {} }

export class Session implements SocketEvents, Epoch {
  wasOpen = false
  hasEnded = false
  code = NO_CLOSE_FRAME
  reason = ""
  clean = false
  /** How many of the frames that were sent in it no pong had confirmed at its end. */
  unconfirmed = 0
  error: ConnectionError | AddressDenied | DialFailed | null = null
  /** By the clock that is never set. */
  openedAt = 0
  readonly #owner: Owner
  #socket: Socket | null = null
  #delivering = false
  #mask: ReturnType<Owner["mask"]> = null
  /** Made for the first that comes, as if it had been there since the open. */
  #control: ControlBucket | null = null
  #outgoing: Outgoing | null = null
  #stall: StallClock | null = null
  #liveness: Liveness | null = null

  constructor(owner: Owner) {
    this.#owner = owner
  }

  /** Bytes of frames that were sent and aren't written yet. */
  get bufferedBytes(): number {
    return this.#outgoing?.bytes ?? 0
  }

  /** Hands a text or bytes to the open socket, behind those that wait. */
  send(data: string | Uint8Array, filled?: Filled): void {
    if (this.#outgoing?.isOpen !== true) return
    if (typeof data === "string") this.#owner.totals.sentTextFrames++
    else this.#owner.totals.sentBinaryFrames++
    this.#owner.totals.unconfirmedFrames++
    this.#stall ??= this.#stallClock(this.#outgoing)
    this.#outgoing.send(data, filled)
    // A socket that throws has ended it meanwhile.
    this.#stall?.start()
  }

  /** One that never sends has none. */
  #stallClock(outgoing: Outgoing): StallClock {
    const { limits, time } = this.#owner
    return new StallClock(time, limits.sendStallMs, outgoing, () => this.#stalled())
  }

  /** Delivers nothing more: what still arrives is counted as rejected. */
  reject(): void {
    this.#delivering = false
    this.#liveness?.end()
  }

  /** The grant is gone: delivers nothing more, and what waits to be written never is. */
  revoke(): void {
    this.reject()
    this.#outgoing?.discard()
  }

  /** Starts the closing handshake, behind what was sent. */
  close(code: number, reason: string): void {
    this.reject()
    // The grace is the clock of what still goes out.
    this.#stall?.end()
    // A paused socket never sees the peer's close frame.
    this.#socket?.read("full")
    this.#outgoing?.close(code, reason)
  }

  /** Breaks the connection off. Its end is told like any. */
  terminate(): void {
    this.reject()
    this.#endSending()
    this.#socket?.terminate()
  }

  /** Ends the session; what its socket says later is ignored. */
  abandon(): void {
    const socket = this.#socket
    this.#finish()
    socket?.terminate()
  }

  open(socket: Socket): void {
    if (this.wasOpen || this.hasEnded || !this.#owner.mayOpen()) return this.#refuse(socket)
    const guarded = new GuardedSocket(socket, this)
    this.wasOpen = true
    this.#socket = guarded
    this.#delivering = true
    this.#mask = this.#owner.mask()
    this.openedAt = this.#owner.clocks.monotonic()
    const { sendBufferBytes } = this.#owner.limits
    this.#outgoing = new Outgoing(guarded, sendBufferBytes, this)
    this.#liveness = new Liveness(this.#owner, this, this.#outgoing)
    this.#owner.sessionOpened(guarded, this.#read)
  }

  remask(): void {
    this.#mask = this.#owner.mask()
  }

  text(text: string, bytes: number): void {
    if (this.#socket === null) return
    const at = this.#owner.turnNow()
    this.#owner.totals.lastFrameAt = at
    if (!this.#delivering) this.#owner.sink.rejected("text")
    else if (this.#hand(text, bytes, at)) this.#liveness?.data(at)
  }

  #hand(text: string, bytes: number, at: number): boolean {
    if (this.#mask === null) return this.#owner.sink.text(text, bytes, at)
    const masked = this.#mask(text)
    return this.#owner.sink.text(masked, masked === text ? bytes : utf8.encode(masked).length, at)
  }

  binary(bytes: Uint8Array): void {
    if (this.#socket === null) return
    const { sink, source, totals } = this.#owner
    const at = this.#owner.turnNow()
    totals.lastFrameAt = at
    const isTaken = this.#delivering ? sink.binary(bytes, at) : sink.rejected("binary")
    if (!isTaken) this.#owner.binary(() => new BinaryUnsupported({ url: source.display, bytes: bytes.length }))
    else if (this.#delivering) this.#liveness?.data(at)
  }

  ping(data: Uint8Array): void {
    if (this.#takesControl()) this.#outgoing?.pong(data)
  }

  pong(data: Uint8Array): void {
    if (this.#socket === null || this.error !== null) return
    const { clocks, totals } = this.#owner
    const answer = this.#liveness?.pong(data) ?? null
    // One that was asked for is no flood, however short the interval of the pings is.
    if (answer === null && !this.#takesControl()) return
    totals.lastFrameAt = clocks.now()
    totals.lastPongAt = totals.lastFrameAt
    if (answer === null || this.#outgoing === null) return
    this.#outgoing.answered()
    totals.unconfirmedFrames = this.#outgoing.accepted - answer.frames
    if (answer.roundTripMs !== null) {
      totals.roundTripMs = Math.round(answer.roundTripMs * 100) / 100
      this.#owner.roundTrip(answer.roundTripMs)
    }
  }

  closing(): void {
    if (this.#socket === null) return
    this.#endSending()
    this.#liveness?.end()
    this.#owner.sessionClosing()
  }

  failed(error: ConnectionError | AddressDenied | DialFailed): void {
    this.error ??= error
  }

  closed(code: number, reason: string, clean: boolean): void {
    if (this.#socket === null) return
    this.code = code
    this.reason = this.#mask === null ? reason : this.#mask(reason)
    this.clean = clean
    this.#finish()
  }

  sendsFailed(frames: number): void {
    this.#owner.totals.sendFailures += frames
  }

  bytesRead(): number {
    return this.#socket?.bytesRead() ?? 0
  }

  timedOut(what: "silent" | "unanswered", afterMs: number): void {
    this.#fail(new KeepaliveTimeout({ url: this.#owner.source.display, what, afterMs }))
  }

  wentStale(): void {
    const { display: url, staleAfterMs: afterMs, staleReconnect } = this.#owner.source
    const error = new DataStale({ url, afterMs })
    if (staleReconnect) this.#fail(error)
    else this.#owner.stale(error)
  }

  #stalled(): void {
    const { limits, source } = this.#owner
    const url = source.display
    this.#fail(new PeerStalled({ url, stalledMs: limits.sendStallMs, bufferedBytes: this.bufferedBytes }))
  }

  #fail(error: ConnectionError): void {
    if (this.#socket === null) return
    this.failed(error)
    this.reject()
    // Its socket may take a while to say that it is gone, or never say so.
    this.#owner.sessionClosing()
    this.terminate()
  }

  #endSending(): void {
    this.#stall?.end()
    this.#outgoing?.end()
  }

  readonly #read = (mode: ReadMode): void => {
    if (!this.#delivering) return
    this.#socket?.read(mode)
    this.#liveness?.read(mode)
  }

  /** A socket that throws is of no use any more. */
  broke(thrown: unknown): void {
    if (this.#socket === null) return
    const reason = Reason.of(thrown)
    this.failed(new DialFailed({ url: this.#owner.source.display, phase: "client", code: "EDEFECT", reason }))
    this.abandon()
  }

  /** Breaks off a socket that opens too late, or beside another one. */
  #refuse(socket: Socket): void {
    if (!this.wasOpen) this.hasEnded = true
    const live = this.#socket
    // What it says of its end is not about the one that lives.
    this.#socket = null
    new GuardedSocket(socket, NOBODY).terminate()
    this.#socket = live
  }

  #finish(): void {
    if (this.hasEnded) return
    this.hasEnded = true
    this.#socket = null
    this.#endSending()
    this.#outgoing = null
    this.#stall = null
    this.#liveness?.end()
    this.#liveness = null
    if (!this.wasOpen) return
    const { totals } = this.#owner
    this.unconfirmed = totals.unconfirmedFrames
    totals.unconfirmedAtEnds += totals.unconfirmedFrames
    totals.unconfirmedFrames = 0
    this.#owner.sessionEnded(this)
  }

  /** Counts a control frame; false once there are too many. */
  #takesControl(): boolean {
    if (this.#socket === null || this.error !== null) return false
    const { clocks, limits, source, totals } = this.#owner
    totals.lastFrameAt = clocks.now()
    this.#control ??= new ControlBucket(limits.controlFramesPerSecond, this.openedAt)
    if (this.#control.take(clocks.monotonic())) return true
    this.#fail(new ControlFlood({ url: source.display, limit: limits.controlFramesPerSecond }))
    return false
  }
}
