/**
 * The connection of one source, and what other stages see of it.
 *
 *     authorize → resolve → dial → open → read until it ends → decide → release
 *
 * What follows from what is `internal/transition`'s to say: whatever happens (a
 * socket speaks, a grant changes, a plugin closes, a time is over) is an input
 * of it, and what it says is done here, in the same turn. Every open is an
 * epoch with a number of its own. A fiber lives while it dials, waits for a
 * time, or releases what an epoch held; an open, idle connection has none.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { AuthorizedTarget } from "../grants/Grants.ts"
import * as Monotonic from "../internal/monotonic.ts"
import * as Driver from "./internal/driver.ts"
import * as History from "./internal/history.ts"
import type * as Given from "./internal/options.ts"
import * as Phases from "./internal/phases.ts"
import type { Filled } from "./internal/outgoing.ts"
import { Route } from "./internal/route.ts"
import type { Totals } from "./internal/session.ts"
import type * as Reconnect from "./Reconnect.ts"
import type { Source } from "./Source.ts"

/**
 * @category models
 * @since 0.1.0
 */
export type State = "connecting" | "open" | "closing" | "closed" | "waiting" | "stopped"

export type { Filled } from "./internal/outgoing.ts"

/**
 * What a connection reports about itself: any error of the stages it touches.
 *
 * @category models
 * @since 0.1.0
 */
export type Reported = Given.Reported

/**
 * Why a source isn't dialled at all.
 *
 * @category models
 * @since 0.1.0
 */
export type Refusal = Phases.Refusal

/**
 * What a connection needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends Given.Options {
  changed(connection: Connection): void
}

/**
 * Why a connection isn't dialled anew though its plugin asks for it.
 *
 * @category models
 * @since 0.1.0
 */
export type Denial = Extract<Reconnect.StopReason, "grant" | "address" | "http" | "limit" | "never" | "exhausted">

const STATES = {
  closed: "closed",
  waiting: "waiting",
  stopped: "stopped",
  dialling: "connecting",
  open: "open",
  closing: "closing"
} as const

/**
 * The connection of one source. Its members are for reading; they change in the
 * turn in which something happens. It does nothing until it is begun.
 *
 * @category models
 * @since 0.1.0
 */
export class Connection {
  readonly #driver: Driver.Driver<Connection>

  constructor(options: Options, clocks: Given.Clocks) {
    this.#driver = new Driver.Driver<Connection>(options, clocks, this)
  }

  get source(): Source {
    return this.#driver.options.source
  }

  get state(): State {
    return STATES[this.#driver.state.phase.name]
  }

  get stopReason(): Reconnect.StopReason | null {
    return Phases.reasonOf(this.#driver.state.phase)
  }

  /** How often it was opened; the number of the epoch while it is. */
  get epoch(): number {
    return this.#driver.state.epoch
  }

  /** Dials begun since the last open. */
  get attempts(): number {
    return this.#driver.state.attempts
  }

  get limits(): Given.Options["limits"] {
    return this.#driver.options.limits
  }

  /** What was last dialled. */
  get target(): AuthorizedTarget | null {
    return this.#driver.route.target
  }

  /** Whether manifest and grant cover this source and what was dialled for it now, open or not. */
  get covered(): boolean {
    return this.#driver.route.covered
  }

  /** Bytes of frames that were sent and that the system hasn't taken yet. */
  get bufferedBytes(): number {
    return this.#driver.session.bufferedBytes
  }

  /** Whether they cover this source and a URL that might be dialled for it; null: its own. */
  mayDial(dialUrl: string | null | undefined): boolean {
    return this.#driver.route.mayDial(dialUrl)
  }

  /** A secret that would go with such a URL to a server that it isn't granted for; undefined where none would. */
  withheld(dialUrl: string | null | undefined): string | undefined {
    return this.#driver.route.withheld(dialUrl)
  }

  /** Why it isn't dialled anew though its plugin asks for it, with this URL; undefined where it may be. */
  denial(dialUrl: string | null | undefined): Denial | undefined {
    const { source } = this.#driver.options
    const refusal = this.#driver.options.refused()
    if (refusal !== undefined) return refusal.reason
    const now = this.#driver.clocks.monotonic()
    const reason = Phases.stoppedFor(this.#driver.state.phase, now, this.#driver.options.authority.revision())
    if (reason === "address" || reason === "http" || reason === "exhausted" || reason === "never") return reason
    if (reason === "grant" && this.#driver.route.isDeniedWith(dialUrl)) return reason
    if (source.reconnect.policy === "never") return "never"
    return History.isExhausted(this.#driver.state.history, now, source.reconnect) ? "exhausted" : undefined
  }

  /**
   * Hands a text or bytes to the socket. Does nothing unless the state is `open`. Where there is `filled`, what it says when
   * the turn of the text has come is written in its place, never compressed; all that is counted is the text.
   */
  send(data: string | Uint8Array, filled?: Filled): void {
    this.#driver.session.send(data, filled)
  }

  /** Closes the socket, if there is one, and dials no more. */
  close(code: number, reason: string): void {
    if (this.#driver.options.refused() === undefined) this.#driver.tell({ kind: "close", code, reason })
  }

  /**
   * Closes the socket, if there is one, and dials anew after the source's
   * schedule: lifts the plugin's own close, and shortens no wait. `dialUrl` is
   * dialled from now on, null: the source's own URL again.
   */
  reconnect(code: number, dialUrl: string | null | undefined): void {
    if (this.#driver.state.service === "runs")
      this.#driver.tell({ kind: "reconnect", code, isOther: this.#driver.route.ask(dialUrl) })
  }

  /** Closes the socket, if there is one, and dials anew at once, whatever it was stopped for: the operator says so. */
  redialNow(): void {
    this.#driver.tell({ kind: "redial" })
  }

  /** Delivers nothing more of this epoch, and begins no dial: what still arrives is counted as rejected. Its service has ended. */
  silence(): void {
    this.#driver.session.reject()
    this.#driver.tell({ kind: "silenced" })
  }

  /** Masks what secrets have become, too: the server may know it before it is sent it. */
  remask(): void {
    this.#driver.session.remask()
  }

  /** What it shows to its server may be something else: dials at once where that had refused it. Nothing else changes. */
  renew(): void {
    this.#driver.tell({ kind: "renewed" })
  }

  /** Looks again at what a dial waits for, for example because the sink has room. */
  wake(): void {
    this.#driver.tell({ kind: "due" })
  }

  /** Says that the service has ended and isn't about to begin again. */
  retire(): void {
    this.#driver.tell({ kind: "retired" })
  }

  /** Forgets why it was stopped and how often it failed: the operator starts anew. Only while no service runs it. */
  forget(): void {
    this.#driver.route = new Route(this.#driver.options, this.#driver.route)
    this.#driver.tell({ kind: "forgotten" })
  }

  /** The same source, enabled anew: other settings, another authority. Only while no service runs it. */
  reconfigure(options: Options): void {
    this.#driver.options = options
    this.forget()
  }

  get since(): number {
    return this.#driver.since
  }

  /** When it is dialled next by itself, in Unix milliseconds. */
  get nextAttemptAt(): number | null {
    return this.#driver.nextAttemptAt
  }

  get lastError(): Driver.Driver<Connection>["lastError"] {
    return this.#driver.lastError
  }

  get lastClose(): Driver.Driver<Connection>["lastClose"] {
    return this.#driver.lastClose
  }

  set lastClose(close: Driver.Driver<Connection>["lastClose"]) {
    this.#driver.lastClose = close
  }

  get subprotocol(): string | null {
    return this.#driver.subprotocol
  }

  get remoteAddress(): string | null {
    return this.#driver.remoteAddress
  }

  /** When the certificate expires that the server showed last, in Unix milliseconds. */
  get peerCertificateExpiresAt(): number | null {
    return this.#driver.peerCertificateExpiresAt
  }

  get totals(): Totals {
    return this.#driver.totals
  }

  /** Runs the connection from now on. What it runs has the context of this effect. */
  get begun(): Effect.Effect<void> {
    return this.#driver.begun
  }

  /** Runs it no more: closes an open socket in order, and completes when nothing of it is under way. */
  get ended(): Effect.Effect<void> {
    return this.#driver.ended
  }
}

/**
 * The clocks of a host, which its connections share.
 *
 * @category constructors
 * @since 0.4.0
 */
export const clocks: Effect.Effect<Given.Clocks> = Effect.gen(function* () {
  const clock = yield* Clock.clockWith(Effect.succeed)
  const random = yield* Random.Random
  return {
    now: () => clock.currentTimeMillisUnsafe(),
    monotonic: Monotonic.monotonic(clock),
    random: () => random.nextDoubleUnsafe()
  }
})
