/**
 * An enabled plugin: its lifecycle and the instance that runs, for as long as
 * it stays enabled.
 *
 *     ready → starting → running → stopping → stopped
 *                 ↑          │ crash
 *                 └ restarting, failed
 *
 * One supervisor loop owns the instance that runs. There is never a second one
 * beside it: a new one starts only after the old one has ended, and an
 * instance that can't be ended leaves its service failed.
 *
 * @since 0.1.0
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import type { DiagnosticLog } from "../diagnostics/DiagnosticLog.ts"
import type { GrantError } from "../grants/GrantError.ts"
import type { HostBytes } from "../ingress/Accounting.ts"
import { check as checkDelivery, type Delivery } from "../ingress/Delivery.ts"
import { ServiceFailed, ServiceStopped, type IngressError } from "../ingress/IngressError.ts"
import * as Parking from "../internal/parking.ts"
import type { Values } from "../limits/Limits.ts"
import type { HadTime } from "../time/HadTime.ts"
import { Dispatcher } from "./Dispatcher.ts"
import { unavailable } from "./internal/availability.ts"
import { outlives } from "./internal/deadline.ts"
import { effectOf } from "./internal/effects.ts"
import { Ghosts } from "./internal/ghosts.ts"
import * as Lifetime from "./internal/lifetime.ts"
import { InstanceUnstoppable, type DispatchFailed, type DispatchTimeout } from "./PluginError.ts"
import { PluginRecord, type PluginDiagnostic } from "./PluginRecord.ts"
import type { Instance, StartReason } from "./PluginRuntime.ts"
import { isSetup, type Setup, type SetupOrProblem } from "./Setup.ts"
import type { SourceSlot } from "./SourceSlot.ts"
import * as Supervision from "./Supervision.ts"

/**
 * What an enabled plugin needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly key: string
  readonly limits: Values
  readonly clock: Clock.Clock
  readonly log: DiagnosticLog<PluginDiagnostic>
  readonly hostBytes: HostBytes
  readonly time: HadTime
  readonly activity: Parking.Activity
  readonly changed: () => void
  /** These sources are gone. */
  readonly dropped: (slots: ReadonlyArray<SourceSlot>) => void
}

/** An instance that runs, and what it acquired. */
interface Started {
  readonly instance: Instance
  readonly resources: Scope.Closeable
}

/**
 * An enabled plugin. Fields are for reading.
 *
 * @category models
 * @since 0.1.0
 */
export class PluginInstance {
  lifecycle: Supervision.Lifecycle = "ready"
  restarts = 0
  /** Whether its supervisor has ended: it was disabled, or the host was closed. */
  hasEnded = false
  readonly record: PluginRecord
  readonly #options: Options
  readonly #parking: Parking.Parking
  /** What runs now, and what is to run instead once that has ended; an error where nothing can. */
  #setup: SetupOrProblem
  #next: SetupOrProblem | undefined = undefined
  #dispatcher: Dispatcher | undefined = undefined
  #wish: "run" | "stop" | "end" = "run"
  /** The operator wants another instance in place of the one that runs. */
  #isRenewed = false
  readonly #ended: Array<() => void> = []
  /** What didn't end when it was told to. */
  readonly ghosts: Ghosts
  #hasRun = false
  /** How often it was started: what an earlier start began delivers nothing any more. */
  #starts = 0
  #reason: StartReason = "first"
  #history = Supervision.initial
  /** The revision of the grants under which a denial was last reported. */
  #denied: number | null = null
  /** Whether it is a denial, and nothing else, that it failed for. */
  #failedByDenial = false
  /** A denial since the service runs, even if the grant is back by now. */
  #withdrawn: GrantError | undefined = undefined
  #dueAt: number | null = null
  #retryAt: number | null = null

  constructor(options: Options, setup: SetupOrProblem, predecessor?: PluginInstance) {
    const { changed, clock, hostBytes, key, limits, log } = options
    this.#options = options
    this.#setup = setup
    this.ghosts = new Ghosts(predecessor)
    this.#parking = Parking.make(options.activity)
    this.record = new PluginRecord({
      key,
      limits,
      clock,
      log,
      hostBytes,
      changed,
      woken: () => this.#dispatcher?.wake()
    })
    // Whoever waits for this one waits for the one before it, too.
    if (predecessor !== undefined && this.ghosts.isWaiting) {
      predecessor.#ended.push(() => {
        this.#parking.wake()
        this.#tellEnded()
      })
    }
  }

  /** When it is started next by itself, in Unix milliseconds. Decided by the clock that is never set. */
  get retryAt(): number | null {
    return this.#denied === null ? this.#retryAt : null
  }

  /** Starts the service, also one that failed or was stopped; its sources are dialled whatever they were stopped for. */
  start(): void {
    if (this.#wish === "end") return
    this.#wish = "run"
    this.#history = Supervision.initial
    this.#denied = null
    if (this.lifecycle === "failed" || this.lifecycle === "stopped") this.#begin()
    this.#parking.wake()
  }

  /** Stops the service until it is started again. */
  stop(): void {
    if (this.#wish === "end") return
    this.#wish = "stop"
    this.#parking.wake()
  }

  /** Ends the instance that runs in order, if one does, and starts another. */
  restart(): void {
    if (this.#wish === "end") return
    this.#isRenewed = true
    this.start()
  }

  /** Runs something else from now on: ends the instance that runs in order, and starts another. */
  replace(setup: SetupOrProblem): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.#wish === "end") return releaseOf(setup)
      const unused = this.#next
      this.#next = setup
      this.#parking.wake()
      return unused === undefined ? Effect.void : releaseOf(unused)
    })
  }

  /** Hands the plugin an event of the application's own, or of what one start began; its correlation id. */
  deliver(delivery: Delivery, start?: number): Result.Result<string, IngressError | GrantError> {
    if (start !== undefined && start !== this.#starts) return Result.fail(new ServiceStopped({ lifecycle: "stopped" }))
    const setup = this.#setup
    if (!isSetup(setup)) return Result.fail(new ServiceFailed({ tag: setup._tag }))
    const reason = unavailable(this.lifecycle, this.record.lastError?.tag ?? null)
    if (reason !== undefined) return Result.fail(reason)
    const { authority, manifest } = setup
    return Result.map(checkDelivery(delivery, manifest, authority, this.#options.limits), (checked) => {
      const { bytes, ingressName, json, kind } = checked
      return this.record.hostQueue.deliver(ingressName, kind, json, bytes).correlationId
    })
  }

  #tellEnded(): void {
    for (const ended of this.#ended) ended()
  }

  /** Runs the service until the scope closes. */
  get supervised(): Effect.Effect<void, never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      yield* this.#adopt(this.#setup)
      yield* Effect.acquireRelease(Effect.forkDetach(this.#parking.around(this.#run)), (fiber) =>
        Effect.suspend(() => {
          this.#wish = "end"
          this.#parking.wake()
          return Fiber.await(fiber)
        })
      )
    })
  }

  /** Whether the instance that runs, or is being started, may go on. */
  get #isWanted(): boolean {
    return this.#wish === "run" && this.#next === undefined && !this.#isRenewed && this.#withdrawn === undefined
  }

  #grantsChanged(setup: Setup): void {
    if (setup !== this.#setup) return
    const allowed = setup.authority.service()
    if (Result.isFailure(allowed)) this.#withdrawn ??= allowed.failure
    this.record.revoke(setup.authority)
    this.#parking.wake()
  }

  get #run(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      while (this.#wish !== "end") {
        this.#parking.look()
        if (this.#next !== undefined) yield* this.#adopt(this.#next)
        if (this.#isRenewed) this.#begin()
        const setup = this.#startable()
        if (setup !== undefined) yield* this.#live(setup)
        else yield* this.#parking.park(this.#untilNext)
      }
      if (this.#next !== undefined) yield* releaseOf(this.#next)
      yield* releaseOf(this.#setup)
      if (this.lifecycle !== "failed") this.#rest("stopped", null)
      this.#options.dropped(this.record.slots)
      this.hasEnded = true
      this.#tellEnded()
    })
  }

  /** Takes a setup over, while nothing of the one before it runs. */
  #adopt(setup: SetupOrProblem): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const isFirst = setup === this.#setup
      this.#next = undefined
      if (!isFirst) yield* releaseOf(this.#setup)
      this.#setup = setup
      this.#history = Supervision.initial
      this.#denied = null
      if (!isSetup(setup)) {
        this.#options.dropped(this.record.slots)
        this.record.adopt([], undefined)
        this.record.fail(setup)
        this.#rest("failed", null)
        return
      }
      this.record.manifest = setup.manifest
      this.record.adopt(yield* setup.slots(this.record.slots, this.record), setup.authority)
      yield* setup.watch(() => this.#grantsChanged(setup))
      if (!isFirst) this.#begin()
      if (this.lifecycle === "failed") for (const { connection } of this.record.slots) connection.retire()
    })
  }

  /** The service begins anew: nothing counts that it was stopped or failed for. */
  #begin(): void {
    this.#isRenewed = false
    if (!isSetup(this.#setup)) return
    if (this.ghosts.areAbout && !this.ghosts.isWaiting) return this.#giveUp()
    if (this.#hasRun) this.#reason = "reload"
    for (const { connection } of this.record.slots) connection.forget()
    this.#set("ready", null)
  }

  get #untilNext(): number | null {
    if (this.#dueAt === null || this.#denied !== null || this.ghosts.areAbout) return null
    return Math.max(1, Math.ceil(this.#dueAt - this.record.monotonic()))
  }

  /** What is to be started now, if anything is. */
  #startable(): Setup | undefined {
    const setup = this.#setup
    if (!isSetup(setup)) return undefined
    if (this.#wish === "stop") {
      if (this.lifecycle !== "stopped") this.#rest("stopped", null)
      return undefined
    }
    if (this.ghosts.areAbout) {
      if (this.lifecycle === "ready" && !this.ghosts.isWaiting) this.#giveUp()
      return undefined
    }
    const allowed = setup.authority.service()
    if (Result.isFailure(allowed)) return this.#deny(allowed.failure, setup.authority.revision())
    this.#denied = null
    if (this.lifecycle === "ready" || this.#failedByDenial) return setup
    return this.#dueAt !== null && this.#dueAt <= this.record.monotonic() ? setup : undefined
  }

  #deny(error: GrantError, revision: number): undefined {
    if (this.#denied !== revision) this.record.fail(error)
    this.#denied = revision
    // What failed for another reason has that one, and what waits for its time has that.
    if (this.lifecycle === "failed") return
    this.#failedByDenial = this.#dueAt === null
    this.#rest("failed", this.#dueAt)
  }

  /** The service from its start to its end, and the decision what follows. */
  #live(setup: Setup): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      this.#failedByDenial = false
      this.#withdrawn = undefined
      const started = yield* this.#started(setup)
      if (started === undefined) return
      this.#hasRun = true
      const startedAt = this.record.monotonic()
      const end = yield* Effect.scoped(this.#serve(setup, started))
      this.#history = Supervision.ran(this.#history, startedAt, this.record.monotonic(), this.#options.limits)
      if (end !== undefined) this.#decide(end)
    })
  }

  /** A started instance; `undefined` if there is none and it is decided what follows. */
  #started(setup: Setup): Effect.Effect<Started | undefined> {
    return Effect.gen({ self: this }, function* () {
      this.#set("starting", null)
      const resources = yield* Scope.make()
      const instance = yield* Scope.provide(this.#start(setup), resources)
      if (instance !== undefined) return { instance, resources }
      yield* this.#released(resources)
      return undefined
    })
  }

  #start({ config, runtime }: Setup): Effect.Effect<Instance | undefined, never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const state = this.record.state === null ? null : (JSON.parse(this.record.state) as Schema.Json)
      const number = ++this.#starts
      const deliver = (delivery: Delivery) => this.deliver(delivery, number)
      const starting = Effect.flatMap(Lifetime.configOf(config), (copy) =>
        effectOf(runtime.start({ config: copy, reason: this.#reason, state, deliver }))
      )
      const started = yield* Lifetime.start(starting, this.#patience, () => this.#isWanted)
      if (started === Lifetime.UNWANTED) return this.#backToReady()
      if (Fiber.isFiber(started)) return this.#unstoppable(started)
      return "instance" in started ? started.instance : this.#notStarted(started)
    })
  }

  get #patience(): Lifetime.Patience {
    const { limits, time } = this.#options
    return { parking: this.#parking, time, deadlineMs: limits.startDeadlineMs }
  }

  #notStarted(error: Lifetime.StartProblem): undefined {
    this.record.fail(error)
    // What its neighbours left it is gone.
    if (this.#reason === "neighbour") this.#reason = "crash"
    // Only the operator can help.
    if (error._tag === "ManifestInvalid") return this.#rest("failed", null)
    const isFirst = this.#reason === "first" || this.#reason === "reload"
    const after = isFirst ? Supervision.failed : Supervision.crashed
    this.#follow(...after(this.#history, this.record.monotonic(), this.#options.limits))
  }

  /** Releases what an instance acquired; false if that doesn't end, and the service is given up. */
  #released(resources: Scope.Closeable): Effect.Effect<boolean> {
    return Effect.map(Lifetime.release(resources, this.#options.time), (problem) => this.#endedWell(problem))
  }

  /** Reports what went wrong at an end; false where it is none. */
  #endedWell(problem: DispatchFailed | DispatchTimeout | Fiber.Fiber<unknown, unknown> | undefined): boolean {
    if (Fiber.isFiber(problem)) this.#unstoppable(problem)
    else if (problem !== undefined) this.record.fail(problem)
    return !Fiber.isFiber(problem)
  }

  /**
   * Runs the handlers and connections until the service ends or is to end; why
   * its last instance ended, or `undefined` where it is decided what follows.
   */
  #serve(setup: Setup, first: Started): Effect.Effect<Dispatcher["end"], never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      yield* Effect.forkScoped(this.record.ticker.run)
      const sockets = yield* Scope.make("parallel")
      let round = yield* this.#round(setup, first, sockets, true)
      while (round.next !== undefined) round = yield* this.#round(setup, round.next, sockets, false)
      return round.end
    })
  }

  /** One instance of a service: the next one, where only its sandbox was lost, or why it ended. */
  #round(
    setup: Setup,
    { instance, resources }: Started,
    sockets: Scope.Closeable,
    isFirst: boolean
  ): Effect.Effect<{ readonly next: Started | undefined; readonly end: Dispatcher["end"] }> {
    return Effect.gen({ self: this }, function* () {
      const dispatcher = this.#newDispatcher(instance)
      const runner = yield* this.#dispatching(dispatcher, isFirst ? sockets : undefined)
      // Its connections, waiting events and timers go on.
      const goesOn = dispatcher.end === "neighbour" && this.#isWanted
      if (!goesOn) yield* this.#close(sockets)
      const hasStopped = yield* this.#endInstance(dispatcher, runner, instance)
      const hasEnded = (yield* this.#released(resources)) && hasStopped
      if (!goesOn) return { next: undefined, end: hasEnded ? dispatcher.end : undefined }
      const next = hasEnded ? yield* this.#startedAgain(setup) : undefined
      if (next === undefined) yield* this.#close(sockets)
      return { next, end: undefined }
    })
  }

  /** The next instance where a sandbox was lost: the operator may have decided otherwise while the old one ended. */
  #startedAgain(setup: Setup): Effect.Effect<Started | undefined> {
    return Effect.suspend(() => {
      if (!this.#isWanted) return Effect.succeed(this.#backToReady())
      this.#reason = "neighbour"
      return this.#started(setup)
    })
  }

  /** Runs an instance's handlers until it ends or is to end; its connections are dialled with the first one. */
  #dispatching(dispatcher: Dispatcher, sockets: Scope.Scope | undefined): Effect.Effect<Fiber.Fiber<void>> {
    return Effect.scoped(
      Effect.gen({ self: this }, function* () {
        this.#set("running", null)
        this.#dispatcher = dispatcher
        const runner = yield* Effect.forkDetach(dispatcher.run)
        const losing = yield* Effect.forkDetach(dispatcher.lossWatch)
        if (sockets !== undefined) {
          yield* Effect.forEach(this.record.slots, ({ connection }) => Scope.provide(connection.supervised, sockets))
        }
        while (dispatcher.end === undefined && this.#isWanted) {
          this.#parking.look()
          if (this.#isWanted) yield* this.#parking.park(null)
        }
        dispatcher.stop()
        // It is the runtime's code, and need not heed it.
        losing.interruptUnsafe()
        this.#dispatcher = undefined
        this.#starts++
        // Told at once: what it takes to end it may take a while.
        if (typeof dispatcher.end === "object") this.record.fail(dispatcher.end)
        this.#set(dispatcher.end === "stopped" ? "stopping" : "restarting", null)
        return runner
      })
    )
  }

  /** Ends the sessions: nothing more is delivered, what waits is discarded, the sockets are closed in order. */
  #close(sockets: Scope.Closeable): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      for (const { connection } of this.record.slots) connection.silence()
      this.record.discardWaiting()
      yield* Scope.close(sockets, Exit.void)
      this.record.discardWaiting()
      if (this.lifecycle === "failed") for (const { connection } of this.record.slots) connection.retire()
    })
  }

  /** Waits until the runner has ended, and stops an instance that is to end in order; false if it can't be ended. */
  #endInstance(
    dispatcher: Dispatcher,
    runner: Fiber.Fiber<unknown, unknown>,
    instance: Instance
  ): Effect.Effect<boolean> {
    return Effect.gen({ self: this }, function* () {
      if (yield* outlives(runner, Lifetime.UNSTOPPABLE_AFTER_MS, this.#options.time)) {
        this.#unstoppable(runner)
        return false
      }
      return dispatcher.end !== "stopped" || this.#endedWell(yield* Lifetime.stop(instance, this.#patience))
    })
  }

  #newDispatcher(instance: Instance): Dispatcher {
    const { activity, clock, limits, time } = this.#options
    const { record } = this
    return new Dispatcher({
      instance,
      turns: record.turns,
      accounting: record.accounting,
      limits,
      clock,
      time,
      activity,
      begun: () => record.begun(),
      answered: (event, output, at) => record.answered(event, output, at),
      failed: (error) => record.fail(error),
      reported: (status) => record.report(status),
      ended: () => this.#parking.wake()
    })
  }

  #decide(end: NonNullable<Dispatcher["end"]>): void {
    if (end === "stopped" || end === "neighbour") {
      this.#backToReady()
      return
    }
    this.#reason = "crash"
    this.#follow(...Supervision.crashed(this.#history, this.record.monotonic(), this.#options.limits))
  }

  /** The loop looks at the wish and the grants, and they decide what follows. */
  #backToReady(): undefined {
    const isBack = isSetup(this.#setup) && Result.isSuccess(this.#setup.authority.service())
    if (this.#withdrawn !== undefined && isBack) this.record.fail(this.#withdrawn)
    if (this.#hasRun) this.#reason = "reload"
    this.#set("ready", null)
  }

  #follow(decision: Supervision.Decision, history: Supervision.History): void {
    this.#history = history
    if (decision.lifecycle === "failed") {
      this.#rest("failed", decision.at)
      return
    }
    this.restarts++
    this.#set("restarting", decision.at)
  }

  #unstoppable(ghost: Fiber.Fiber<unknown, unknown>): undefined {
    this.ghosts.add(ghost)
    this.#giveUp()
  }

  #giveUp(): void {
    this.record.fail(new InstanceUnstoppable({ afterMs: Lifetime.UNSTOPPABLE_AFTER_MS }))
    this.#rest("failed", null)
  }

  /** The service has ended and doesn't begin again by itself soon. */
  #rest(lifecycle: "stopped" | "failed", dueAt: number | null): undefined {
    for (const { connection } of this.record.slots) connection.retire()
    this.#set(lifecycle, dueAt)
  }

  #set(lifecycle: Supervision.Lifecycle, dueAt: number | null): void {
    const same = this.lifecycle === lifecycle && this.#dueAt === dueAt
    this.lifecycle = lifecycle
    this.record.isRunning = lifecycle === "running"
    this.#dueAt = dueAt
    this.#retryAt = dueAt === null ? null : this.record.now() + Math.round(dueAt - this.record.monotonic())
    if (!same) this.#options.changed()
  }
}

const releaseOf = (setup: SetupOrProblem): Effect.Effect<void> => (isSetup(setup) ? setup.release : Effect.void)
