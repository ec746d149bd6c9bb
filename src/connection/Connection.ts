/**
 * The connection of one source: a supervised loop around a scoped socket.
 *
 *     authorize → resolve → dial → open → read until it ends → release → decide
 *
 * Every open is an epoch with a number of its own. Listeners run synchronously
 * in the turn in which the socket speaks; the loop only sleeps, dials and
 * decides. Whoever wants something of it (a close, a new dial, a stop, a look at
 * changed grants) sets a wish and wakes it.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { GrantError, GrantRevoked } from "../grants/GrantError.ts"
import type { Authority, AuthorizedTarget } from "../grants/Grants.ts"
import * as Monotonic from "../internal/monotonic.ts"
import * as Parking from "../internal/parking.ts"
import type { Values } from "../limits/Limits.ts"
import {
  ConnectionClosed,
  DialFailed,
  HandshakeRejected,
  OpenTimeout,
  ReconnectExhausted,
  type ConnectionError,
  type DialError,
  type DialPhase
} from "./ConnectionError.ts"
import { reportedOf, type ConnectionSink, type ReportedError } from "./ConnectionSink.ts"
import type { PluginSlots } from "./DialLimiter.ts"
import { Redial } from "./internal/redial.ts"
import { Route, type Resolved } from "./internal/route.ts"
import { Session, type Totals } from "./internal/session.ts"
import type * as Reconnect from "./Reconnect.ts"
import type { Source } from "./Source.ts"
import type * as SourceUrl from "./SourceUrl.ts"
import type { ReadMode, Socket, WebSocketClient } from "./WebSocketClient.ts"

/**
 * @category models
 * @since 0.1.0
 */
export type State = "connecting" | "open" | "closing" | "closed" | "waiting" | "stopped"

/**
 * What a connection reports about itself: any error of the stages it touches.
 *
 * @category models
 * @since 0.1.0
 */
export type Reported = GrantError | DialError | ConnectionError

/**
 * Why a source isn't dialled at all.
 *
 * @category models
 * @since 0.1.0
 */
export interface Refusal {
  readonly error: GrantError | DialError
  readonly reason: "grant" | "limit"
}

/**
 * What a connection needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly pluginRef: string
  readonly enablement: SourceUrl.Enabled
  readonly source: Source
  readonly sourceUrl: typeof SourceUrl.SourceUrl.Service
  readonly authority: Authority
  readonly client: WebSocketClient["Service"]
  readonly sink: ConnectionSink
  readonly dials: PluginSlots
  readonly limits: Values
  /** Why this source isn't dialled at all, where it isn't. Asked before every dial. */
  readonly refused: () => Refusal | undefined
  readonly report: (tag: Reported["_tag"], make: () => Reported) => void
  readonly changed: (connection: Connection) => void
  /** The time at which this turn of the event loop began to receive, in Unix milliseconds. */
  readonly turnNow: () => number
  /** Told when the loop has something to do and when it hasn't any more. */
  readonly activity: Parking.Activity
}

type Wish =
  | { readonly kind: "run" }
  | { readonly kind: "plugin"; readonly code: number; readonly reason: string }
  /** To be closed and dialled anew: after the source's schedule, or at once. */
  | { readonly kind: "redial"; readonly code: number; readonly atOnce: boolean }
  /** The service ends. `isClosed`: the plugin's own close comes before that, and outlasts it. */
  | { readonly kind: "service"; readonly isClosed: boolean }

/**
 * Why a connection isn't dialled anew though its plugin asks for it.
 *
 * @category models
 * @since 0.1.0
 */
export type Denial = Extract<Reconnect.StopReason, "grant" | "address" | "http" | "limit" | "never" | "exhausted">

/** What a close by the plugin lies upon: it can't lift more than that by lifting its close. */
interface Beneath {
  readonly reason: Reconnect.StopReason | null
  /** By the clock that is never set. */
  readonly dueAt: number | null
  readonly revision: number
}

const RUN: Wish = { kind: "run" }

/** Nothing is dialled before a time, in Unix milliseconds; null: not at all. */
class Postponed extends Data.TaggedError("Postponed")<{ readonly until: number | null }> {}

const isGrantError = Schema.is(GrantError)

const REVOKED_GRACE_MS = 500
// A time that is past is no reason to ask again in the same turn.
const SHORTEST_WAIT_MS = 100
// How long a socket that was broken off may take to say with which code.
const TERMINATED_WITHIN_MS = 1000

/**
 * The connection of one source. Its fields are for reading; they change in the
 * turn in which something happens.
 *
 * @category models
 * @since 0.1.0
 */
export class Connection {
  state: State = "closed"
  stopReason: Reconnect.StopReason | null = null
  /** How often it was opened; the number of the epoch while it is. */
  epoch = 0
  attempts = 0
  since: number
  lastError: (ReportedError & { readonly at: number }) | null = null
  lastClose: { readonly code: number; readonly reason: string; readonly clean: boolean; readonly at: number } | null =
    null
  subprotocol: string | null = null
  remoteAddress: string | null = null
  readonly totals: Totals = {
    lastFrameAt: null,
    lastPongAt: null,
    receivedBinaryFrames: 0,
    sentTextFrames: 0,
    sendFailures: 0,
    unconfirmedFrames: 0,
    unconfirmedAtEnds: 0
  }
  #options: Options
  readonly #now: () => number
  readonly #monotonic: () => number
  readonly #random: () => number
  #redial: Redial
  #route: Route
  readonly #parking: Parking.Parking
  #session: Session
  #wish: Wish = { kind: "service", isClosed: false }
  #beneath: Beneath | null = null
  /** The revision of the grants under which a denial was last reported. */
  #denied: number | null = null

  constructor(options: Options, now: () => number, monotonic: () => number, random: () => number) {
    this.#options = options
    this.#now = now
    this.#monotonic = monotonic
    this.#random = random
    this.#redial = this.#newRedial()
    this.#route = new Route(options)
    this.#parking = Parking.make(options.activity)
    this.since = now()
    this.#session = this.#newSession()
  }

  get source(): Source {
    return this.#options.source
  }

  /** What was last dialled. */
  get target(): AuthorizedTarget | null {
    return this.#route.target
  }

  /** The same source, enabled anew: other settings, another authority. Only while it isn't supervised. */
  reconfigure(options: Options): void {
    this.#options = options
    this.forget()
  }

  /** Whether manifest and grant cover this source and what was dialled for it now, open or not. */
  get covered(): boolean {
    return this.#route.covered
  }

  /** Whether they cover this source and a URL that might be dialled for it; null: its own. */
  mayDial(dialUrl: string | null | undefined): boolean {
    return this.#route.mayDial(dialUrl)
  }

  /** Why it isn't dialled anew though its plugin asks for it, with this URL; undefined where it may be. */
  denial(dialUrl: string | null | undefined): Denial | undefined {
    const { refused, source } = this.#options
    const refusal = refused()
    if (refusal !== undefined) return refusal.reason
    const reason = this.#stoppedFor
    if (reason === "address" || reason === "http" || reason === "exhausted" || reason === "never") return reason
    if (reason === "grant" && this.#route.isDeniedWith(dialUrl)) return reason
    if (source.reconnect.policy === "never") return "never"
    return this.#redial.isExhausted ? "exhausted" : undefined
  }

  /** What it is stopped for, but for a close by the plugin itself. */
  get #stoppedFor(): Reconnect.StopReason | null {
    if (this.stopReason !== "plugin" || this.#beneath === null) return this.stopReason
    const { dueAt, reason, revision } = this.#beneath
    if (dueAt !== null && dueAt <= this.#monotonic()) return null
    return reason === "address" && revision !== this.#options.authority.revision() ? null : reason
  }

  /** When it is dialled next by itself, in Unix milliseconds. */
  get nextAttemptAt(): number | null {
    return this.#redial.nextAttemptAt
  }

  /** Bytes that were sent and that the system hasn't taken yet. */
  get bufferedBytes(): number {
    return this.#session.bufferedAmount
  }

  /** Hands a text to the socket. Does nothing unless the state is `open`. */
  send(text: string): void {
    this.#session.send(text)
  }

  /** Closes the socket, if there is one, and dials no more. */
  close(code: number, reason: string): void {
    if (this.#wish.kind === "service" || this.#options.refused() !== undefined) return
    this.#wish = { kind: "plugin", code, reason }
    // Nothing is sent from here on, though the loop hasn't seen the wish yet.
    if (this.state === "open") this.#set("closing")
    else if (this.state !== "connecting" && this.state !== "closing") {
      const revision = this.#options.authority.revision()
      // A second close lies upon what the first one lies upon.
      this.#beneath ??= { reason: this.stopReason, dueAt: this.#redial.dueAt, revision }
      this.#stopped("plugin", null)
    }
    this.#parking.wake()
  }

  /**
   * Closes the socket, if there is one, and dials anew after the source's
   * schedule: lifts the plugin's own close, and shortens no wait. `dialUrl` is
   * dialled from now on, null: the source's own URL again.
   */
  reconnect(code: number, dialUrl: string | null | undefined): void {
    if (this.#wish.kind === "service") return
    const isOther = this.#route.ask(dialUrl)
    const waits = this.state === "waiting" || this.state === "closed" || (this.state === "connecting" && !isOther)
    if (!waits || this.#wish.kind === "plugin") this.#wishRedial(code, false)
  }

  /** Closes the socket, if there is one, and dials anew at once, whatever it was stopped for: the operator says so. */
  redialNow(): void {
    this.#redial = this.#newRedial()
    this.#denied = null
    this.#beneath = null
    if (this.#wish.kind === "service") {
      // It is dialled as soon as the service runs again.
      if (this.state === "stopped" && this.stopReason !== "service") this.forget()
      return
    }
    this.#wishRedial(this.source.closeCode, true)
  }

  #wishRedial(code: number, atOnce: boolean): void {
    this.#wish = { kind: "redial", code, atOnce }
    if (this.state === "open") this.#set("closing")
    if (this.state === "stopped" || this.state === "waiting") {
      this.#route.restart()
      this.stopReason = null
      this.#set("waiting")
    }
    this.#parking.wake()
  }

  /** Delivers nothing more of this epoch: what still arrives is counted as rejected. */
  silence(): void {
    this.#session.reject()
  }

  /** Makes the loop look again, for example because the sink has room. */
  wake(): void {
    this.#parking.wake()
  }

  /** Says that the service has ended and isn't about to begin again. */
  retire(): void {
    if (this.state !== "stopped") this.#stopped("service", null)
  }

  /** Forgets why it was stopped and how often it failed: the operator starts anew. */
  forget(): void {
    this.#redial = this.#newRedial()
    this.#route = new Route(this.#options)
    this.#denied = null
    this.#beneath = null
    this.stopReason = null
    this.#set("closed")
  }

  /** Runs the connection until the scope closes, which closes an open socket in order. */
  get supervised(): Effect.Effect<void, never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      this.#wish = RUN
      if (this.stopReason === "service") {
        this.stopReason = null
        this.#set("closed")
      }
      yield* this.#options.authority.watch(() => this.#grantsChanged())
      yield* Effect.acquireRelease(Effect.forkDetach(this.#run), (fiber) =>
        Effect.suspend(() => {
          this.#wish = { kind: "service", isClosed: this.#wish.kind === "plugin" }
          if (this.state === "open") this.#set("closing")
          this.wake()
          return Fiber.await(fiber)
        })
      )
    })
  }

  /** In the turn of the change: from here on nothing is delivered or sent that isn't covered. */
  #grantsChanged(): void {
    if (!this.covered) {
      this.#session.revoke()
      this.#options.sink.revoked()
    }
    this.wake()
  }

  get #run(): Effect.Effect<void> {
    return this.#parking.around(
      Effect.gen({ self: this }, function* () {
        while (this.#wish.kind !== "service") {
          this.#parking.look()
          const target = this.#next()
          if (target === undefined) yield* this.#parking.park(this.#redial.untilDue)
          else yield* this.#dial(target)
        }
        if (this.state === "stopped") return
        if (this.#wish.isClosed) this.#stopped("plugin", null)
        else this.#set("closed")
      })
    )
  }

  /** The target to dial now, or `undefined` with the state set that says why there is none. */
  #next(): AuthorizedTarget | undefined {
    const { authority, refused, sink } = this.#options
    if (this.#wish.kind === "plugin") return this.#stopped("plugin", null)
    if (this.#wish.kind === "redial" && !this.#replans()) return undefined
    const refusal = refused()
    if (refusal !== undefined) {
      if (this.stopReason !== refusal.reason) this.#report(refusal.error)
      return this.#stopped(refusal.reason, null)
    }
    const authorized = this.#route.declare()
    if (Result.isFailure(authorized)) {
      if (this.#denied !== authority.revision()) this.#report(authorized.failure)
      this.#denied = authority.revision()
      return this.#stopped("grant", null)
    }
    this.#denied = null
    if (this.#stays(authorized.success.revision)) {
      if (this.stopReason === null) this.#set("waiting")
      return undefined
    }
    if (!sink.ready()) {
      this.#redial.plan(null)
      this.stopReason = null
      this.#set("waiting")
      return undefined
    }
    return authorized.success
  }

  /** Plans what the wish for another dial asks for; false where there is none to be made. */
  #replans(): boolean {
    const beneath = this.#beneath
    const waitsUntil = beneath?.reason === null && this.#isPluginsWish ? beneath.dueAt : null
    const decision = this.#decide({ kind: "requested", openForMs: null }, false)
    this.stopReason = null
    this.#beneath = null
    // Whether it is granted is asked anew, and said.
    if (decision.state === "stopped" && decision.reason === "grant") return true
    // What waited before the plugin closed it goes on waiting.
    const isSooner = decision.state === "waiting" && waitsUntil !== null && waitsUntil > decision.at
    this.#apply(isSooner ? { state: "waiting", at: waitsUntil } : decision)
    return decision.state === "waiting"
  }

  get #isPluginsWish(): boolean {
    return this.#wish.kind === "redial" && !this.#wish.atOnce
  }

  /** Whether what was decided at the last end still holds. */
  #stays(revision: number): boolean {
    if (this.stopReason === "grant") return this.#route.isDenied
    if (this.stopReason === "address" && this.target?.revision !== revision) return false
    return this.#redial.isPlanned ? this.#redial.isEarly : this.stopReason !== null
  }

  #dial(declared: AuthorizedTarget): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const { dials, limits, source } = this.#options
      this.#route.target = declared
      this.stopReason = null
      this.#beneath = null
      this.#redial.began()
      this.attempts++
      const session = this.#newSession()
      this.#session = session
      this.#set("connecting")
      let phase: DialPhase = "url"
      const entered = (next: DialPhase) => {
        phase = next
      }
      const { openDeadlineMs: deadlineMs } = limits
      const connect = this.#wanted(() => this.#route.resolve(declared)).pipe(
        Effect.flatMap((resolved) => this.#connect(resolved, session, entered)),
        Effect.timeoutOrElse({
          duration: deadlineMs,
          orElse: () => Effect.fail(new OpenTimeout({ url: source.display, phase, deadlineMs }))
        })
      )
      const exit = yield* Effect.raceFirst(this.#unwanted(session), dials.withSlot(connect)).pipe(
        Effect.andThen(this.#untilEnd(session)),
        Effect.scoped,
        // Its message may have the URL in it, query and all.
        Effect.tapDefect((defect) =>
          Effect.logError("the WebSocket client died", defect instanceof Error ? defect.name : "")
        ),
        Effect.exit
      )
      this.#parking.look()
      session.abandon()
      if (session.wasOpen) this.#ended(session)
      else if (Exit.isFailure(exit)) this.#dialFailed(exit)
      else this.#set("closed")
    })
  }

  #connect(
    resolved: Resolved,
    session: Session,
    entered: (phase: DialPhase) => void
  ): Effect.Effect<void, DialError | Postponed, Scope.Scope> {
    if (resolved.kind === "never") return Effect.fail(new Postponed({ until: null }))
    if (resolved.kind === "not_before") return Effect.fail(new Postponed({ until: resolved.at }))
    const { headers, target } = resolved
    const { client, dials, limits } = this.#options
    const { closeGraceMs, maxMessageBytes, maxMessageFragments } = limits
    const { lookups } = dials
    this.#route.target = target
    return this.#wanted(() => {
      entered("dns")
      return client.connect(
        target,
        { headers, maxMessageBytes, maxMessageFragments, closeGraceMs, lookups, entered },
        session
      )
    })
  }

  /** What waited for its turn may have become unwanted; whoever finds that out ends it. */
  #wanted<A, E, R>(effect: () => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.suspend(() => (this.#mayOpen() ? effect() : Effect.never))
  }

  #newRedial(): Redial {
    return new Redial({
      source: this.#options.source,
      stoppedRetryMs: this.#options.limits.stoppedRetryMs,
      now: this.#now,
      monotonic: this.#monotonic,
      random: this.#random
    })
  }

  #newSession(): Session {
    return new Session({
      now: this.#now,
      monotonic: this.#monotonic,
      turnNow: this.#options.turnNow,
      display: this.source.display,
      limits: this.#options.limits,
      sink: this.#options.sink,
      totals: this.totals,
      binary: (make) => this.#options.report("BinaryUnsupported", make),
      mayOpen: () => this.#mayOpen(),
      opened: (socket, read) => this.#opened(socket, read),
      closing: () => {
        if (this.state === "open") this.#set("closing")
      },
      ended: () => {
        this.#set("closed")
        this.#parking.wake()
      }
    })
  }

  #mayOpen(): boolean {
    return this.#wish.kind === "run" && this.covered
  }

  #opened(socket: Socket, read: (mode: ReadMode) => void): void {
    const attempts = this.attempts
    this.epoch++
    this.attempts = 0
    this.subprotocol = socket.subprotocol
    this.remoteAddress = socket.remoteAddress
    this.#set("open")
    this.#options.sink.opened(this.epoch, attempts, socket.subprotocol, read)
    this.#parking.wake()
  }

  /** Completes when the dial under way isn't wanted any more. */
  #unwanted(session: Session): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      while (this.#mayOpen()) {
        if (session.wasOpen) return yield* Effect.never
        this.#parking.look()
        yield* this.#parking.pend(null)
      }
    })
  }

  #untilEnd(session: Session): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const { authority, limits, source } = this.#options
      while (session.wasOpen && !session.hasEnded) {
        this.#parking.look()
        if (!this.covered || session.isRevoked) {
          this.#denied = this.covered ? null : authority.revision()
          return yield* this.#close(session, source.closeCode, "", Math.min(REVOKED_GRACE_MS, limits.closeGraceMs))
        }
        if (this.#wish.kind === "plugin") {
          return yield* this.#close(session, this.#wish.code, this.#wish.reason, limits.closeGraceMs)
        }
        if (this.#wish.kind !== "run") {
          const code = this.#wish.kind === "redial" ? this.#wish.code : source.closeCode
          return yield* this.#close(session, code, "", limits.closeGraceMs)
        }
        yield* this.#parking.park(null)
      }
    })
  }

  /** The orderly close: close frame, wait for the peer's, terminate after the grace period. */
  #close(session: Session, code: number, reason: string, graceMs: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      this.#set("closing")
      session.close(code, reason)
      yield* this.#untilEnded(session, graceMs)
      session.terminate()
      yield* this.#untilEnded(session, TERMINATED_WITHIN_MS)
    })
  }

  #untilEnded(session: Session, millis: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const deadline = this.#monotonic() + millis
      while (!session.hasEnded && this.#monotonic() < deadline) {
        this.#parking.look()
        yield* this.#parking.pend(Math.ceil(deadline - this.#monotonic()))
      }
    })
  }

  #ended(session: Session): void {
    const { sink, source } = this.#options
    const { clean, code, reason } = session
    const now = this.#now()
    this.lastClose = { code, reason, clean, at: now }
    const cause = session.error ?? new ConnectionClosed({ url: source.display, code, reason, clean })
    // An address that turned out to be denied after the open ends it as it ends a dial.
    const end: Reconnect.End =
      session.error?._tag === "AddressDenied"
        ? { kind: "dial", error: session.error }
        : { kind: "epoch", code, openForMs: this.#monotonic() - session.openedAt }
    const decision = this.#decide(end, session.isRevoked)
    this.#report(cause)
    if (decision.state === "stopped" && decision.reason === "grant") {
      this.#report(new GrantRevoked({ url: source.display }))
    }
    const error = clean && session.error === null ? null : reportedOf(cause)
    const deliver = this.#wish.kind !== "service" && this.covered && !session.isRevoked
    sink.ended({ code, reason, clean, unconfirmed: session.unconfirmed, error }, decision.state === "waiting", deliver)
    this.#apply(decision)
  }

  #dialFailed(exit: Exit.Failure<unknown, DialError | GrantError | Postponed>): void {
    const { display: url } = this.source
    // A client that dies is as good as a network that is down: reported, and tried again after a while.
    const error = Exit.hasDies(exit)
      ? new DialFailed({ url, phase: "client", code: "EDEFECT" })
      : Option.getOrUndefined(Exit.findErrorOption(exit))
    if (error === undefined) return this.#set("closed")
    if (error instanceof Postponed) return this.#postponed(error)
    if (isGrantError(error)) return this.#urlDenied(error)
    return this.#failed(this.#obeyed(error))
  }

  /** What a server asks for is obeyed up to a limit. */
  #obeyed(error: DialError): DialError {
    if (error._tag !== "HandshakeRejected" || error.retryAfterMs === null) return error
    const { problem, retryAfterMs, status, url } = error
    const obeyed = Math.min(retryAfterMs, this.#options.limits.retryAfterMs)
    return new HandshakeRejected({ url, status, problem, retryAfterMs: obeyed })
  }

  #failed(error: DialError): void {
    const decision = this.#decide({ kind: "dial", error }, false)
    this.#report(error)
    const deliver = this.#wish.kind !== "service" && this.covered
    this.#options.sink.dialFailed(reportedOf(error), decision.state === "waiting", deliver)
    this.#apply(decision)
  }

  /** The application doesn't want a dial now, and there was none. */
  #postponed({ until }: Postponed): void {
    this.attempts--
    this.#redial.undone()
    if (this.#wish.kind !== "run") return this.#set("closed")
    if (until === null) return this.#stopped("never", null)
    const wait = Math.min(Math.max(until - this.#now(), SHORTEST_WAIT_MS), this.#options.limits.retryAfterMs)
    this.#apply({ state: "waiting", at: this.#monotonic() + wait })
  }

  /** What was resolved is not granted. */
  #urlDenied(error: GrantError): void {
    this.#report(error)
    if (this.#wish.kind === "run") this.#stopped("grant", null)
    else this.#set("closed")
  }

  #decide(end: Reconnect.End, isRevoked: boolean): Reconnect.Decision {
    const { source } = this.#options
    const wish = this.#wish
    if (wish.kind === "plugin" || wish.kind === "service") {
      const isClosed = wish.kind === "plugin" || wish.isClosed
      return { state: "stopped", reason: isClosed ? "plugin" : "service", at: null }
    }
    this.#wish = RUN
    if (!this.covered || isRevoked) return { state: "stopped", reason: "grant", at: null }
    if (wish.kind === "redial" && wish.atOnce) return { state: "waiting", at: this.#monotonic() }
    const openForMs = end.kind === "epoch" ? end.openForMs : null
    const decision = this.#redial.decide(wish.kind === "redial" ? { kind: "requested", openForMs } : end)
    if (decision.state === "stopped" && decision.reason === "exhausted") {
      const { maxAttempts, windowMs } = source.reconnect
      this.#report(new ReconnectExhausted({ url: source.display, attempts: maxAttempts, windowMs }))
    }
    return decision
  }

  #apply(decision: Reconnect.Decision): void {
    if (decision.state === "waiting") {
      this.#redial.plan(decision.at)
      this.#set("waiting")
    } else if (decision.reason !== "service") {
      this.#stopped(decision.reason, decision.at)
    }
  }

  #stopped(reason: Reconnect.StopReason, at: number | null): undefined {
    this.stopReason = reason
    this.#redial.plan(at)
    this.#set("stopped")
  }

  #set(state: State): void {
    if (this.state === state) return
    this.since = this.#now()
    this.state = state
    this.#options.changed(this)
  }

  #report(error: Reported): void {
    this.lastError = { tag: error._tag, message: error.message, at: this.#now() }
    this.#options.report(error._tag, () => error)
  }
}

/**
 * Makes the connection of a source. It does nothing until it is supervised.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Effect.Effect<Connection> =>
  Effect.gen(function* () {
    const clock = yield* Clock.clockWith(Effect.succeed)
    const random = yield* Random.Random
    return new Connection(
      options,
      () => clock.currentTimeMillisUnsafe(),
      Monotonic.monotonic(clock),
      () => random.nextDoubleUnsafe()
    )
  })
