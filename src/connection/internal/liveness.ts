/**
 * Whether the peer of one epoch lives, and whether it sends data: pings it,
 * counts the time spent listening, and tells when a clock is over. `Keepalive`
 * says what follows from what.
 *
 * One entry among those that wait for time that is had, and no fiber.
 */
import type { Values } from "../../limits/Limits.ts"
import type { HadTime, Listener } from "../../time/HadTime.ts"
import * as Keepalive from "../Keepalive.ts"
import type { ReadMode } from "../WebSocketClient.ts"
import * as Listening from "./listening.ts"
import type { Outgoing } from "./outgoing.ts"

export type Time = Pick<HadTime, "now" | "after" | "listen" | "unlisten">

/** What it needs of the connection. */
export interface Options {
  readonly time: Time
  /** Uniform in [0, 1). */
  readonly clocks: { readonly random: () => number }
  readonly limits: Pick<Values, "pingIntervalMs" | "pongDeadlineMs">
  /** 0: data may stay away for ever. */
  readonly source: { readonly staleAfterMs: number }
}

/** What it asks and tells the epoch. */
export interface Epoch {
  bytesRead(): number
  timedOut(what: "silent" | "unanswered", afterMs: number): void
  /** No data came for too long; told once a silence. */
  wentStale(): void
}

export class Liveness implements Listener {
  readonly #options: Options
  readonly #epoch: Epoch
  readonly #outgoing: Pick<Outgoing, "ping" | "handed" | "handedBytes">
  /** Null where nothing is pinged. */
  #keepalive: Keepalive.State | null
  #listening: Listening.Listening
  /** When data came last: by the turn in which it came, and by the clock of what was heard. */
  #dataTurn: number | null = null
  #dataAt = 0
  #isStale = false
  #alarm: { readonly at: number; readonly cancel: () => void } | undefined = undefined
  #hasEnded = false

  constructor(options: Options, epoch: Epoch, outgoing: Pick<Outgoing, "ping" | "handed" | "handedBytes">) {
    const { clocks, limits, time } = options
    this.#options = options
    this.#epoch = epoch
    this.#outgoing = outgoing
    const now = time.now()
    this.#listening = Listening.begun(now)
    this.#keepalive = limits.pingIntervalMs === 0 ? null : Keepalive.opened(this.#settings, now, clocks.random())
    if (this.#keepalive !== null) time.listen(this)
    this.#arm()
  }

  /** How the socket is read from now on. */
  read(mode: ReadMode): void {
    this.#listening = Listening.turned(this.#listening, mode !== "off", this.#options.time.now())
    this.#arm()
  }

  /** Data came, in a turn of the event loop that began at this time. */
  data(turn: number): void {
    if (this.#options.source.staleAfterMs === 0 || turn === this.#dataTurn) return
    this.#dataTurn = turn
    this.#dataAt = Listening.heardMs(this.#listening, this.#options.time.now())
    if (!this.#isStale) return
    this.#isStale = false
    this.#arm()
  }

  /** What a pong tells; null where it answers nothing. */
  pong(data: Uint8Array): Keepalive.Answer | null {
    if (this.#keepalive === null) return null
    const [state, answer] = Keepalive.pong(this.#keepalive, Keepalive.numberOf(data), this.#options.time.now())
    this.#keepalive = state
    return answer
  }

  /** Pings nothing and judges nobody any more. What was pinged may still be answered. */
  end(): void {
    this.#hasEnded = true
    this.#alarm?.cancel()
    this.#options.time.unlisten(this)
  }

  get #settings(): Keepalive.Settings {
    const { pingIntervalMs: intervalMs, pongDeadlineMs: deadlineMs } = this.#options.limits
    return { intervalMs, deadlineMs }
  }

  get #facts(): Keepalive.Facts {
    const outgoing = this.#outgoing
    const now = this.#options.time.now()
    return {
      now,
      heardMs: Listening.heardMs(this.#listening, now),
      bytesRead: this.#epoch.bytesRead(),
      bytesWritten: outgoing.handedBytes,
      framesWritten: outgoing.handed
    }
  }

  /** Comes back when something is due; sooner is no harm. */
  #arm(): void {
    if (this.#hasEnded) return
    const { time } = this.#options
    const now = time.now()
    const restMs = this.#restMs(now)
    if (restMs === Infinity || (this.#alarm !== undefined && this.#alarm.at <= now + restMs)) return
    this.#alarm?.cancel()
    this.#alarm = { at: now + restMs, cancel: time.after(restMs, this.#look) }
  }

  #restMs(now: number): number {
    const heardMs = Listening.heardMs(this.#listening, now)
    const isRead = this.#listening.since !== null
    const pingMs =
      this.#keepalive === null ? Infinity : Keepalive.restMs(this.#keepalive, this.#settings, { now, heardMs }, isRead)
    return isRead ? Math.min(pingMs, this.#staleAt - heardMs) : pingMs
  }

  /** How much may be heard until no data came for too long. */
  get #staleAt(): number {
    const { staleAfterMs } = this.#options.source
    return staleAfterMs === 0 || this.#isStale ? Infinity : this.#dataAt + staleAfterMs
  }

  readonly #look = (): void => {
    this.#alarm = undefined
    const facts = this.#facts
    if (this.#keepalive !== null) this.#judge(this.#keepalive, facts)
    if (!this.#hasEnded && facts.heardMs >= this.#staleAt) {
      this.#isStale = true
      this.#epoch.wentStale()
    }
    this.#arm()
  }

  #judge(keepalive: Keepalive.State, facts: Keepalive.Facts): void {
    const [state, verdict] = Keepalive.due(keepalive, this.#settings, facts)
    this.#keepalive = state
    if (verdict.kind === "timedOut") {
      this.#epoch.timedOut(verdict.what, verdict.afterMs)
    } else if (verdict.kind === "ping") {
      const { number } = verdict
      this.#outgoing.ping(Keepalive.payload(number), () => this.#written(number))
    }
  }

  #written(number: number): void {
    if (this.#keepalive === null) return
    this.#keepalive = Keepalive.written(this.#keepalive, this.#settings, number, this.#facts)
    this.#arm()
  }

  /** The process stood still. */
  stood(): void {
    if (this.#keepalive === null) return
    const { clocks, time } = this.#options
    this.#keepalive = Keepalive.stoodStill(this.#keepalive, time.now(), clocks.random())
    this.#arm()
  }
}
