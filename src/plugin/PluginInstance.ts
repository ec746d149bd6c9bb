/**
 * An enabled plugin: its lifecycle, its connections and queues, its counters
 * and diagnostics, for as long as it stays enabled.
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
import type { CommandError } from "../commands/CommandError.ts"
import { CommandExecutor } from "../commands/CommandExecutor.ts"
import { Results } from "../commands/CommandResult.ts"
import type { Connection, Reported } from "../connection/Connection.ts"
import type { DiagnosticLog } from "../diagnostics/DiagnosticLog.ts"
import type { GrantError } from "../grants/GrantError.ts"
import type { Authority } from "../grants/Grants.ts"
import * as Accounting from "../ingress/Accounting.ts"
import type { IngressError } from "../ingress/IngressError.ts"
import type { IngressEvent } from "../ingress/IngressEvent.ts"
import type { IngressQueue } from "../ingress/IngressQueue.ts"
import { Turns } from "../ingress/Turns.ts"
import { monotonic } from "../internal/monotonic.ts"
import * as Parking from "../internal/parking.ts"
import type { Values } from "../limits/Limits.ts"
import type { ManifestError } from "../manifest/ManifestError.ts"
import { Dispatcher } from "./Dispatcher.ts"
import { outlives, withDeadline } from "./internal/deadline.ts"
import type { Checked } from "./internal/output.ts"
import { Pacer } from "./internal/pacer.ts"
import {
  DispatchFailed,
  DispatchTimeout,
  InstanceUnstoppable,
  StartFailed,
  StartTimeout,
  type DispatchError,
  type RuntimeError
} from "./PluginError.ts"
import type { Instance, PluginRuntime, StartReason } from "./PluginRuntime.ts"
import * as Supervision from "./Supervision.ts"

/**
 * @category models
 * @since 0.1.0
 */
export type Lifecycle = "ready" | "starting" | "running" | "restarting" | "stopping" | "stopped" | "failed"

/**
 * Everything that is reported about a plugin.
 *
 * @category models
 * @since 0.1.0
 */
export type PluginDiagnostic = ManifestError | Reported | IngressError | CommandError | DispatchError | RuntimeError

type OwnError = ManifestError | GrantError | DispatchError | RuntimeError

/**
 * One source of a plugin: its connection and its queue. `epochSince` is the
 * number of the dispatch during or after which its epoch began.
 *
 * @category models
 * @since 0.1.0
 */
export interface SourceSlot {
  readonly connection: Connection
  readonly queue: IngressQueue
  epochSince: number
}

/**
 * What an enabled plugin needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly runtime: PluginRuntime
  readonly config: Schema.Json
  readonly authority: Authority
  readonly limits: Values
  readonly clock: Clock.Clock
  readonly log: DiagnosticLog<PluginDiagnostic>
  readonly activity: Parking.Activity
  readonly changed: () => void
}

/**
 * How long an instance has to end after it was told to.
 *
 * @category constants
 * @since 0.1.0
 */
export const UNSTOPPABLE_AFTER_MS = 5000

/**
 * An enabled plugin. Fields are for reading.
 *
 * @category models
 * @since 0.1.0
 */
export class PluginInstance {
  lifecycle: Lifecycle = "ready"
  /** JSON texts. */
  reportedStatus: string | null = null
  state: string | null = null
  reportedAt: number | null = null
  lastDispatchAt: number | null = null
  lastError: { readonly tag: string; readonly message: string; readonly at: number } | null = null
  /** When it is started next by itself, in Unix milliseconds. Decided by the clock that is never set. */
  retryAt: number | null = null
  restarts = 0
  readonly accounting = Accounting.make()
  readonly results: Results
  readonly turns = new Turns<IngressQueue>(() => this.#dispatcher?.wake())
  readonly slots: Array<SourceSlot> = []
  readonly pacer: Pacer
  readonly #options: Options
  readonly #executor: CommandExecutor
  readonly #parking: Parking.Parking
  #dispatcher: Dispatcher | undefined = undefined
  #dispatches = 0
  #wish: "run" | "stop" | "end" = "run"
  /** What didn't end when it was told to. */
  #ghosts: ReadonlyArray<Fiber.Fiber<unknown, unknown>> = []
  #reason: StartReason = "first"
  #history = Supervision.initial
  /** The revision of the grants under which a denial was last reported. */
  #denied: number | null = null
  /** Whether it is a denial, and nothing else, that it failed for. */
  #failedByDenial = false
  /** A denial since the service runs, even if the grant is back by now. */
  #withdrawn: GrantError | undefined = undefined
  #dueAt: number | null = null
  readonly #monotonic: () => number

  constructor(options: Options) {
    this.#options = options
    this.#monotonic = monotonic(options.clock)
    this.#parking = Parking.make(options.activity)
    this.pacer = new Pacer(() => this.slots.map(({ queue }) => queue), options.limits.burstPatienceMs, this.#monotonic)
    this.results = new Results(options.limits.commandResultsKept)
    this.#executor = new CommandExecutor({
      destinations: this.slots,
      authority: options.authority,
      limits: options.limits,
      now: this.#now,
      record: (result) => this.results.add(result),
      reported: (status) => this.#report(status),
      rejected: (error, url) => options.log.add(error, url)
    })
  }

  /** Notes that an epoch of one of the sources begins. */
  epochBegan(slot: SourceSlot): void {
    slot.epochSince = this.#dispatches
  }

  /** Starts the service, also one that failed or was stopped; its sources are dialled whatever they were stopped for. */
  start(): void {
    if (this.#wish === "end") return
    this.#wish = "run"
    this.#history = Supervision.initial
    this.#denied = null
    if ((this.lifecycle === "failed" || this.lifecycle === "stopped") && !this.#isHaunted) {
      for (const { connection } of this.slots) connection.forget()
      this.#set("ready", null)
    }
    this.#parking.wake()
  }

  /** Whether something of an instance that was given up still runs: no other may be started beside it. */
  get #isHaunted(): boolean {
    return this.#ghosts.some((fiber) => fiber.pollUnsafe() === undefined)
  }

  /** Stops the service until it is started again. */
  stop(): void {
    if (this.#wish === "end") return
    this.#wish = "stop"
    this.#parking.wake()
  }

  /** Runs the service until the scope closes. */
  get supervised(): Effect.Effect<void, never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      yield* this.#options.authority.watch(() => this.#grantsChanged())
      yield* Effect.acquireRelease(Effect.forkDetach(this.#parking.around(this.#run)), (fiber) =>
        Effect.suspend(() => {
          this.#wish = "end"
          this.#parking.wake()
          return Fiber.await(fiber)
        })
      )
    })
  }

  #grantsChanged(): void {
    const allowed = this.#options.authority.service()
    if (Result.isFailure(allowed)) this.#withdrawn ??= allowed.failure
    this.#parking.wake()
  }

  get #run(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      while (this.#wish !== "end") {
        this.#parking.look()
        if (this.#mayStart()) yield* this.#live
        else yield* this.#parking.park(this.#untilNext)
      }
      if (this.lifecycle !== "failed") this.#rest("stopped", null)
    })
  }

  get #untilNext(): number | null {
    if (this.#dueAt === null || this.#denied !== null || this.#isHaunted) return null
    return Math.max(1, Math.ceil(this.#dueAt - this.#monotonic()))
  }

  #mayStart(): boolean {
    if (this.#wish === "stop") {
      if (this.lifecycle !== "stopped") this.#rest("stopped", null)
      return false
    }
    if (this.#isHaunted) return false
    const allowed = this.#options.authority.service()
    if (Result.isFailure(allowed)) {
      const revision = this.#options.authority.revision()
      if (this.#denied !== revision) this.#fail(allowed.failure)
      this.#denied = revision
      // What failed for another reason has that one, and its own time.
      if (this.lifecycle !== "failed") {
        this.#failedByDenial = true
        this.#rest("failed", null)
      }
      return false
    }
    this.#denied = null
    if (this.lifecycle === "ready" || this.#failedByDenial) return true
    return this.#dueAt !== null && this.#dueAt <= this.#monotonic()
  }

  /** One instance from its start to its end, and the decision what follows. */
  get #live(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      this.#failedByDenial = false
      this.#withdrawn = undefined
      this.#set("starting", null)
      const resources = yield* Scope.make()
      const instance = yield* Scope.provide(this.#started, resources)
      const startedAt = this.#monotonic()
      let ended: Dispatcher | undefined
      if (instance !== undefined) {
        this.#set("running", null)
        ended = yield* Effect.scoped(this.#serve(instance))
        this.#history = Supervision.ran(this.#history, startedAt, this.#monotonic(), this.#options.limits)
      }
      // What the plugin acquired is released by its code, which may not end.
      const release = yield* Effect.forkDetach(Scope.close(resources, Exit.void))
      if (yield* outlives(release, UNSTOPPABLE_AFTER_MS)) this.#unstoppable(release)
      else if (ended !== undefined) this.#decide(ended)
    })
  }

  /** The started instance; `undefined` if there is none and it is decided what follows. */
  get #started(): Effect.Effect<Instance | undefined, never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const { config, limits, runtime } = this.#options
      const state = this.state === null ? null : (JSON.parse(this.state) as Schema.Json)
      const start = Effect.suspend(() => runtime.start({ config, reason: this.#reason, state }))
      const exit = yield* withDeadline(start, {
        parking: this.#parking,
        monotonic: this.#monotonic,
        deadlineMs: limits.startDeadlineMs,
        unstoppableMs: UNSTOPPABLE_AFTER_MS,
        wanted: () => this.#wish === "run"
      })
      if (exit === "unwanted") return this.#backToReady()
      if (Fiber.isFiber(exit)) return this.#unstoppable(exit)
      if (exit === "late") return this.#notStarted(new StartTimeout({ deadlineMs: limits.startDeadlineMs }))
      if (Exit.isFailure(exit)) return this.#notStarted(new StartFailed({ cause: squash(exit) }))
      return exit.value
    })
  }

  #notStarted(error: StartFailed | StartTimeout): undefined {
    this.#fail(error)
    const after = this.#reason === "crash" ? Supervision.crashed : Supervision.failed
    this.#follow(...after(this.#history, this.#monotonic(), this.#options.limits))
  }

  /** Runs the handlers and connections until the instance ends or is to end. */
  #serve(instance: Instance): Effect.Effect<Dispatcher, never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const dispatcher = this.#newDispatcher(instance)
      this.#dispatcher = dispatcher
      const runner = yield* Effect.forkDetach(dispatcher.run)
      yield* Effect.forkScoped(dispatcher.watchdog)
      yield* Effect.forkScoped(this.pacer.run)
      const sockets = yield* Scope.make("parallel")
      yield* Effect.forEach(this.slots, ({ connection }) => Scope.provide(connection.supervised, sockets))
      while (dispatcher.end === undefined && this.#wish === "run") {
        this.#parking.look()
        if (this.#withdrawn !== undefined) break
        yield* this.#parking.park(null)
      }
      this.#set(dispatcher.end === undefined ? "stopping" : "restarting", null)
      dispatcher.stop()
      this.#dispatcher = undefined
      for (const { connection } of this.slots) connection.silence()
      this.#discardWaiting()
      yield* Scope.close(sockets, Exit.void)
      this.#discardWaiting()
      if (yield* outlives(runner, UNSTOPPABLE_AFTER_MS)) this.#unstoppable(runner)
      else if (dispatcher.end === "stopped") yield* this.#stopInstance(instance)
      return dispatcher
    })
  }

  #stopInstance(instance: Instance): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const exit = yield* withDeadline(instance.stop, {
        parking: this.#parking,
        monotonic: this.#monotonic,
        deadlineMs: this.#options.limits.startDeadlineMs,
        unstoppableMs: UNSTOPPABLE_AFTER_MS,
        wanted: () => true
      })
      const deadlineMs = this.#options.limits.startDeadlineMs
      if (Fiber.isFiber(exit)) this.#unstoppable(exit)
      else if (exit === "late") this.#fail(new DispatchTimeout({ during: "stop", deadlineMs }))
      else if (exit !== "unwanted" && Exit.isFailure(exit)) {
        this.#fail(new DispatchFailed({ during: "stop", cause: squash(exit) }))
      }
    })
  }

  #newDispatcher(instance: Instance): Dispatcher {
    const { activity, clock, limits } = this.#options
    return new Dispatcher({
      instance,
      turns: this.turns,
      accounting: this.accounting,
      limits,
      clock,
      activity,
      begun: () => {
        this.#dispatches++
      },
      answered: (event, output, at) => this.#answered(event, output, at),
      failed: (error) => this.#fail(error),
      ended: () => this.#parking.wake()
    })
  }

  #answered(event: IngressEvent, output: Checked, at: number): void {
    this.lastDispatchAt = at
    if (output.state !== undefined) this.state = output.state
    if (output.status !== undefined) this.#report(output.status)
    if (output.commands.length > 0) this.#executor.execute(event, this.#dispatches, output.commands)
  }

  #decide(dispatcher: Dispatcher): void {
    if (this.lifecycle === "failed") return
    const { end } = dispatcher
    if (end === undefined || end === "stopped") {
      this.#backToReady()
      return
    }
    this.#fail(end)
    this.#reason = "crash"
    this.#follow(...Supervision.crashed(this.#history, this.#monotonic(), this.#options.limits))
  }

  /** The loop looks at the wish and the grants, and they decide what follows. */
  #backToReady(): undefined {
    if (this.#withdrawn !== undefined && Result.isSuccess(this.#options.authority.service()))
      this.#fail(this.#withdrawn)
    this.#reason = "first"
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
    this.#ghosts = [...this.#ghosts.filter((fiber) => fiber.pollUnsafe() === undefined), ghost]
    this.#fail(new InstanceUnstoppable({ afterMs: UNSTOPPABLE_AFTER_MS }))
    this.#rest("failed", null)
  }

  #discardWaiting(): void {
    for (const { queue } of this.slots) queue.discard()
  }

  #report(status: string): void {
    this.reportedStatus = status
    this.reportedAt = this.#now()
    this.#options.changed()
  }

  #fail(error: OwnError): void {
    this.lastError = { tag: error._tag, message: error.message, at: this.#now() }
    this.#options.log.add(error)
  }

  /** The service has ended and doesn't begin again by itself soon. */
  #rest(lifecycle: "stopped" | "failed", dueAt: number | null): void {
    for (const { connection } of this.slots) connection.retire()
    this.#set(lifecycle, dueAt)
  }

  #set(lifecycle: Lifecycle, dueAt: number | null): void {
    const same = this.lifecycle === lifecycle && this.#dueAt === dueAt
    this.lifecycle = lifecycle
    this.#dueAt = dueAt
    this.retryAt = dueAt === null ? null : this.#now() + Math.round(dueAt - this.#monotonic())
    if (!same) this.#options.changed()
  }

  readonly #now = (): number => this.#options.clock.currentTimeMillisUnsafe()
}

const squash = (exit: Exit.Failure<unknown, unknown>): unknown => {
  const reason = exit.cause.reasons[0]
  if (reason === undefined) return new Error("no cause")
  return reason._tag === "Fail" ? reason.error : reason._tag === "Die" ? reason.defect : new Error("interrupted")
}
