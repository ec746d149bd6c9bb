/**
 * Does what `transition` says, in the turn of what happened: dials, closes,
 * waits for times, tells the stage above and whoever looks on.
 *
 * A fiber lives while it dials, waits for a time, or releases what an epoch
 * held; an open, idle connection has none.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { Inputs, type Attempt, type Stepping } from "../../internal/inputs.ts"
import type { Authority, AuthorizedTarget } from "../../grants/Grants.ts"
import type { BinaryUnsupported, DataStale } from "../ConnectionError.ts"
import { reportedOf, type ReportedError } from "../ConnectionSink.ts"
import type { Unreached } from "../Reachability.ts"
import type { ReadMode, Socket } from "../WebSocketClient.ts"
import * as Dial from "./dial.ts"
import * as DueTimer from "./dueTimer.ts"
import { endedOf } from "./epochEnd.ts"
import type { Clocks, Options, Reported } from "./options.ts"
import * as Phases from "./phases.ts"
import { Route } from "./route.ts"
import { Session, type Owner, type Totals } from "./session.ts"
import { step } from "./transition.ts"

// A time that is past is no reason to ask again in the same turn.
const SHORTEST_WAIT_MS = 100

const NOTHING = (): void => {}

interface Told<Connection> extends Options {
  changed(connection: Connection): void
}

/** It owns its sessions itself, so that none of them has closures for what it asks. */
export class Driver<Connection> implements Owner, Stepping<Phases.Input> {
  options: Told<Connection>
  readonly clocks: Clocks
  readonly #connection: Connection
  state = Phases.initial
  route: Route
  session: Session
  since: number
  nextAttemptAt: number | null = null
  lastError: (ReportedError & { readonly at: number }) | null = null
  lastClose: { readonly code: number; readonly reason: string; readonly clean: boolean; readonly at: number } | null =
    null
  subprotocol: string | null = null
  remoteAddress: string | null = null
  peerCertificateExpiresAt: number | null = null
  readonly totals: Totals = {
    lastFrameAt: null,
    lastPongAt: null,
    roundTripMs: null,
    sentTextFrames: 0,
    sentBinaryFrames: 0,
    sendFailures: 0,
    unconfirmedFrames: 0,
    unconfirmedAtEnds: 0
  }
  readonly #inputs = new Inputs<Phases.Input>(this)
  /** In which its effects run while a service runs it: that of whoever began it, which all its connections share. */
  #context: Context.Context<never> | undefined = undefined
  /** To whose changes it listens. */
  #authority: Authority | undefined = undefined
  #dial: Fiber.Fiber<void> | undefined = undefined
  #timer: DueTimer.DueTimer | undefined = undefined
  /** Of what the server was shown last. */
  #shown: number
  /** For what it waits beside the time, once it has waited for anything. */
  #waits: ((why: Unreached | null) => void) | undefined = undefined
  /** What the last dial acquired, and what releases it. */
  #resources: Scope.Closeable | undefined = undefined
  #releasing: Fiber.Fiber<void> | undefined = undefined
  /** Fibers that dial or release. */
  #underway = 0
  #isBusy = false
  #rested: () => void = NOTHING

  constructor(options: Told<Connection>, clocks: Clocks, connection: Connection) {
    this.options = options
    this.clocks = clocks
    this.#connection = connection
    this.route = new Route(options)
    this.#shown = options.secrets.version()
    this.since = clocks.now()
    this.session = new Session(this)
  }

  /** Runs the connection from now on. */
  get begun(): Effect.Effect<void> {
    return Effect.contextWith((context: Context.Context<never>) =>
      Effect.sync(() => {
        this.#context = context
        this.#authority = this.options.authority
        this.#authority.listen(this)
        this.tell({ kind: "started" })
      })
    )
  }

  /** What may be sent to its server may be something else, and what it may know. */
  granted(): void {
    this.session.remask()
    this.tell({ kind: "grants" })
  }

  /** Runs it no more; completes when an open socket has been closed in order. */
  get ended(): Effect.Effect<void> {
    const atRest = Effect.callback<void>((resume) => {
      if (this.#context === undefined) {
        resume(Effect.void)
        return
      }
      this.#rested = () => {
        if (!Phases.isAtRest(this.state.phase) || this.#underway > 0) return
        this.#rested = NOTHING
        this.#authority?.unlisten(this)
        this.#authority = undefined
        this.#context = undefined
        resume(Effect.void)
      }
      this.tell({ kind: "ending" })
    })
    return Effect.uninterruptible(atRest)
  }

  /** Everything that happens goes through here. */
  tell(input: Phases.Input): void {
    this.#inputs.tell(input)
  }

  stepped(): void {
    this.#wait()
    this.#waitFor(Phases.waitsFor(this.state))
    this.#look()
  }

  #waitFor(why: Unreached | null): void {
    if (why === null && this.#waits === undefined) return
    this.#waits ??= this.options.dials.reachability.waiter(() => this.tell({ kind: "reached" }))
    this.#waits(why)
  }

  step(input: Phases.Input, attempt: Attempt): void {
    const before = this.state
    const [after, actions] = step(before, input, this.#facts)
    this.state = after
    // Why it moves is told before that it has.
    for (const action of actions) attempt(() => this.#do(action))
    if (before.phase !== after.phase) attempt(() => this.#moved(before.phase, after.phase))
  }

  get #facts(): Phases.Facts {
    const { authority, limits, source, time } = this.options
    return {
      now: this.clocks.monotonic(),
      had: time.now(),
      random: this.clocks.random(),
      isRenewed: this.options.secrets.version() !== this.#shown,
      covered: this.route.covered,
      revision: authority.revision(),
      source,
      closeGraceMs: limits.closeGraceMs,
      stoppedRetryMs: limits.stoppedRetryMs
    }
  }

  /** What people see of a change of phase. */
  #moved(before: Phases.Phase, after: Phases.Phase): void {
    const at = Phases.isAtRest(after) ? after.dueAt : null
    if (at !== (Phases.isAtRest(before) ? before.dueAt : null)) {
      const { monotonic, now } = this.clocks
      this.nextAttemptAt = at === null ? null : now() + Math.round(at - monotonic())
    }
    if (before.name !== after.name) this.since = this.clocks.now()
    if (before.name !== after.name || Phases.reasonOf(before) !== Phases.reasonOf(after))
      this.options.changed(this.#connection)
  }

  #do(action: Phases.Action): void {
    switch (action.kind) {
      case "consider":
        return this.tell({ kind: "considered", prospects: this.#prospects })
      case "dial":
        return this.#begin(action.target)
      case "drop":
        return this.#dial?.interruptUnsafe()
      case "reached":
        return this.options.dials.reachability.reached(action.why)
      case "close":
        return this.session.close(action.code, action.reason)
      case "terminate":
        return this.session.terminate()
      case "abandon":
        return this.session.abandon()
      case "revoke":
        this.session.revoke()
        return this.options.sink.revoked()
      case "restartRoute":
        return this.route.restart()
      case "report":
        return this.#report(action.error)
      case "tellEnded":
        return this.options.sink.ended(action.told, action.willReconnect, action.deliver)
      case "tellFailed":
        return this.options.sink.dialFailed(reportedOf(action.error), action.willReconnect, action.deliver)
    }
  }

  get #prospects(): Phases.Prospects {
    const { authority, sink } = this.options
    return {
      refusal: this.options.refused(),
      declared: this.route.declare(),
      isReady: sink.ready(),
      isDenied: this.route.isDenied,
      isSame: this.route.target?.revision === authority.revision()
    }
  }

  /** Comes back when something is due. */
  #wait(): void {
    const at = Phases.dueAt(this.state)
    const kind = this.state.phase.name === "closing" ? "graceOver" : "due"
    if (at === (this.#timer?.at ?? null) && kind === (this.#timer?.kind ?? kind)) return
    this.#timer?.end()
    this.#timer = undefined
    if (at === null || this.#context === undefined) return
    const over = () => {
      this.#timer = undefined
      this.tell({ kind })
    }
    const { time } = this.options
    this.#timer = DueTimer.begin({
      at,
      kind,
      over,
      time,
      monotonic: this.clocks.monotonic,
      fork: (wait) => this.#fork(wait)
    })
  }

  #fork(effect: Effect.Effect<void>): Fiber.Fiber<void> | undefined {
    return this.#context === undefined ? undefined : Effect.runForkWith(this.#context)(effect)
  }

  /** Tells whoever waits for it whether something is under way. */
  #look(): void {
    const isBusy = this.#underway > 0 || !(Phases.isAtRest(this.state.phase) || this.state.phase.name === "open")
    if (isBusy !== this.#isBusy) {
      this.#isBusy = isBusy
      this.options.activity(isBusy ? 1 : -1)
    }
    this.#rested()
  }

  /** Runs what dials or releases. */
  #run(effect: Effect.Effect<void>): Fiber.Fiber<void> | undefined {
    if (this.#context === undefined) return undefined
    this.#underway++
    const over = Effect.sync(() => {
      this.#underway--
      if (!this.#inputs.isStepping) this.#look()
    })
    return this.#fork(Effect.ensuring(effect, over))
  }

  #begin(declared: AuthorizedTarget): void {
    const session = new Session(this)
    this.session = session
    this.route.target = declared
    this.#shown = this.options.secrets.version()
    const progress = new Dial.Progress(this.clocks.monotonic)
    const { client, dials, limits, source, time } = this.options
    const connecting = Dial.connect({
      client,
      dials,
      limits,
      source,
      time,
      route: this.route,
      session,
      declared,
      progress,
      mayOpen: () => this.mayOpen()
    })
    // In a turn of its own: this one is often a listener's in the middle of a chunk.
    const dial = Effect.uninterruptibleMask((restore) =>
      Effect.gen({ self: this }, function* () {
        yield* Effect.yieldNow
        if (this.#releasing !== undefined) yield* Fiber.await(this.#releasing)
        this.#releasing = undefined
        const resources = yield* Scope.make()
        this.#resources = resources
        const exit = yield* Effect.exit(restore(Scope.provide(connecting, resources)))
        // An open connection keeps no fiber, nor what one has captured.
        if (this.session === session) this.#dial = undefined
        if (session.wasOpen) return this.options.dialled?.(progress.tookMs, null)
        // What opens from here on comes too late.
        session.abandon()
        const { tookMs, waitedMs } = progress
        yield* this.#release
        const url = this.options.source.display
        const isDropped = Phases.isDropped(this.state.phase)
        const outcome = Dial.outcomeOf(exit, { url, isDropped, waitMs: (until) => this.#waitMs(until), waitedMs })
        const failure = Dial.tagOf(outcome)
        if (failure !== undefined) this.options.dialled?.(tookMs, failure)
        this.tell(outcome)
      })
    )
    this.#dial = this.#run(dial)
  }

  /** How long to wait for a time in Unix milliseconds; not for longer than any server is obeyed. */
  #waitMs(until: number): number {
    return Math.min(Math.max(until - this.clocks.now(), SHORTEST_WAIT_MS), this.options.limits.retryAfterMs)
  }

  /** Releases what the last dial acquired. */
  get #release(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const resources = this.#resources
      this.#resources = undefined
      // A finalizer of the client's that dies has ended as well.
      return resources === undefined ? Effect.void : Effect.asVoid(Effect.exit(Scope.close(resources, Exit.void)))
    })
  }

  get source(): Options["source"] {
    return this.options.source
  }

  get limits(): Options["limits"] {
    return this.options.limits
  }

  get sink(): Options["sink"] {
    return this.options.sink
  }

  get time(): Options["time"] {
    return this.options.time
  }

  turnNow(): number {
    return this.options.turnNow()
  }

  binary(make: () => BinaryUnsupported): void {
    this.options.report("BinaryUnsupported", make)
  }

  stale(error: DataStale): void {
    this.#report(error)
  }

  roundTrip(ms: number): void {
    this.options.roundTrip?.(ms)
  }

  mask(): ReturnType<Owner["mask"]> {
    return this.route.mask
  }

  mayOpen(): boolean {
    return Phases.mayOpen(this.state) && this.route.covered
  }

  sessionOpened(socket: Socket, read: (mode: ReadMode) => void): void {
    const { attempts } = this.state
    this.subprotocol = socket.subprotocol
    this.remoteAddress = socket.remoteAddress
    this.peerCertificateExpiresAt = socket.peerCertificateExpiresAt
    this.tell({ kind: "opened" })
    this.options.sink.opened(this.state.epoch, attempts, socket.subprotocol, read)
  }

  sessionClosing(): void {
    this.tell({ kind: "closing" })
  }

  sessionEnded(session: Session): void {
    const { clean, code } = session
    const reason = this.route.told(session.reason)
    const shown = this.route.shown(session.reason)
    this.lastClose = { code, reason: shown, clean, at: this.clocks.now() }
    const openForMs = this.clocks.monotonic() - session.openedAt
    const ended = endedOf(session, { url: this.options.source.display, reason, shown, openForMs })
    this.#releasing = this.#run(this.#release)
    this.tell({ kind: "ended", ...ended })
  }

  #report(error: Reported): void {
    this.lastError = { tag: error._tag, message: error.message, at: this.clocks.now() }
    this.options.report(error._tag, () => error)
  }
}
