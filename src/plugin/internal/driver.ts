/**
 * Does what `transition` says, in the turn of what happened: takes setups over,
 * runs services and ends them, waits for times, and tells whoever looks on.
 */
import type * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { Inputs, type Attempt, type Stepping } from "../../internal/inputs.ts"
import type { DiagnosticLog } from "../../diagnostics/DiagnosticLog.ts"
import type { GrantError } from "../../grants/GrantError.ts"
import type { HostBytes } from "../../ingress/Accounting.ts"
import { check as checkDelivery, type Delivery } from "../../ingress/Delivery.ts"
import { ServiceFailed, ServiceStopped, type IngressError } from "../../ingress/IngressError.ts"
import * as Parking from "../../internal/parking.ts"
import type { Values } from "../../limits/Limits.ts"
import type { Options as RequestOptions } from "../../requests/Requests.ts"
import type { HadTime } from "../../time/HadTime.ts"
import { PluginRecord, type PluginDiagnostic } from "../PluginRecord.ts"
import type { Start } from "../PluginRuntime.ts"
import { isSetup, type Setup, type SetupOrProblem } from "../Setup.ts"
import type { PluginWatch } from "../PluginWatch.ts"
import type { SourceSlot } from "../SourceSlot.ts"
import { unavailable } from "./availability.ts"
import { Ghosts } from "./ghosts.ts"
import * as Phases from "./phases.ts"
import { Service } from "./service.ts"
import { Sessions } from "./sessions.ts"
import { step } from "./transition.ts"

/** What an enabled plugin needs. */
export interface Options {
  readonly key: string
  readonly limits: Values
  readonly clock: Clock.Clock
  readonly log: DiagnosticLog<PluginDiagnostic>
  readonly hostBytes: HostBytes
  readonly time: HadTime
  readonly activity: Parking.Activity
  /** What its requests share with those of other plugins. */
  readonly requests: Pick<RequestOptions, "places" | "lookups">
  readonly changed: () => void
  /** Takes what it writes to its console, where somebody wants that. */
  readonly console?: (() => Start["console"]) | undefined
  /** Who looks on, if anybody may. */
  readonly watch?: PluginWatch | undefined
}

type Fork = (effect: Effect.Effect<void>) => Fiber.Fiber<void>

export class Driver implements Stepping<Phases.Input> {
  state = Phases.initial
  /** When it is started next by itself, in Unix milliseconds. Decided by the clock that is never set. */
  retryAt: number | null = null
  readonly record: PluginRecord
  readonly ghosts: Ghosts
  readonly #options: Options
  /** What runs, or ran last, and what is to run instead. */
  #setup: SetupOrProblem | undefined = undefined
  #next: SetupOrProblem | undefined
  readonly #sessions: Sessions
  #service: Service | undefined = undefined
  /** How often it was started or ended: what an earlier start began delivers nothing any more. */
  #starts = 0
  readonly #inputs = new Inputs<Phases.Input>(this)
  #isBusy = false
  /** Runs effects while it is supervised. */
  #fork: Fork | undefined = undefined
  #timer: { readonly at: number; readonly fiber: Fiber.Fiber<void> } | undefined = undefined
  readonly #parking = Parking.make(() => {})
  readonly #over = Deferred.makeUnsafe<void>()

  constructor(options: Options, setup: SetupOrProblem, predecessor: Ghosts | undefined) {
    const { activity, changed, clock, hostBytes, key, limits, log, requests, time, watch } = options
    this.#options = options
    this.#next = setup
    this.ghosts = new Ghosts(predecessor)
    this.record = new PluginRecord({
      key,
      limits,
      clock,
      log,
      hostBytes,
      changed,
      watch,
      requests: { ...requests, time, activity },
      woken: () => this.#service?.wake()
    })
    this.#sessions = new Sessions(this.record)
    this.ghosts.whenFree(() => this.tell({ kind: "due" }))
  }

  /** Runs the plugin until the scope closes, which ends it in order. */
  get supervised(): Effect.Effect<void, never, Scope.Scope> {
    return Effect.asVoid(
      Effect.acquireRelease(this.#begin, (fibers) =>
        Effect.suspend(() => {
          this.tell({ kind: "end" })
          this.#leavePlaces(() => false)
          return Effect.andThen(Deferred.await(this.#over), Scope.close(fibers, Exit.void))
        })
      )
    )
  }

  get #begin(): Effect.Effect<Scope.Closeable> {
    return Effect.gen({ self: this }, function* () {
      const fibers = yield* Scope.make()
      this.#fork = yield* Scope.provide(FiberSet.makeRuntime<never, void, never>(), fibers)
      yield* Scope.addFinalizer(fibers, this.#leave)
      this.tell({ kind: "supervised" })
      return fibers
    })
  }

  /** What is left when it is over. */
  get #leave(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      yield* releaseOf(this.#next)
      yield* releaseOf(this.#setup)
      this.#fork = undefined
      this.ghosts.end()
    })
  }

  /** Something else is to run. */
  replace(setup: SetupOrProblem): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.state.desired.power === "end") return releaseOf(setup)
      const unused = this.#next
      this.#next = setup
      this.#leavePlaces((slot) => isSetup(setup) && setup.keeps(slot))
      this.tell({ kind: "replace" })
      return releaseOf(unused)
    })
  }

  /** For what is enabled instead, though the sockets may still have to be closed. */
  #leavePlaces(keeps: (slot: SourceSlot) => boolean): void {
    for (const slot of this.record.slots) if (!keeps(slot)) slot.place?.leave()
  }

  /** Hands the plugin an event of the application's own, or of what one start began; its correlation id. */
  deliver(delivery: Delivery, start?: number): Result.Result<string, IngressError | GrantError> {
    if (start !== undefined && start !== this.#starts) return Result.fail(new ServiceStopped({ lifecycle: "stopped" }))
    const setup = this.#setup
    if (setup !== undefined && !isSetup(setup)) return Result.fail(new ServiceFailed({ tag: setup._tag }))
    const reason = unavailable(Phases.lifecycleOf(this.state.phase), this.record.lastError?.tag ?? null)
    if (reason !== undefined || setup === undefined) {
      return Result.fail(reason ?? new ServiceStopped({ lifecycle: "stopped" }))
    }
    const { authority, manifest } = setup
    return Result.map(checkDelivery(delivery, manifest, authority, this.#options.limits), (checked) => {
      const { bytes, ingressName, json, kind } = checked
      return this.record.hostQueue.deliver(ingressName, kind, json, bytes).correlationId
    })
  }

  /** Everything that happens goes through here. */
  tell(input: Phases.Input): void {
    this.#inputs.tell(input)
  }

  stepped(): void {
    this.#wait()
    this.#look()
  }

  step(input: Phases.Input, attempt: Attempt): void {
    const before = this.state.phase
    const [after, actions] = step(this.state, input, this.#facts)
    this.state = after
    // Why it moves is told before that it has.
    for (const action of actions) attempt(() => this.#do(action))
    if (before !== after.phase) attempt(() => this.#moved(before, after.phase))
  }

  get #facts(): Phases.Facts {
    const setup = this.#setup !== undefined && isSetup(this.#setup) ? this.#setup : undefined
    const allowed = setup?.authority.service() ?? Result.void
    const { areAbout, isWaiting } = this.ghosts
    return {
      now: this.record.monotonic(),
      at: this.record.now(),
      limits: this.#options.limits,
      isUsable: setup !== undefined,
      denial: Result.isFailure(allowed) ? allowed.failure : null,
      revision: setup?.authority.revision() ?? 0,
      isClosing: this.#sessions.areClosing,
      ghosts: isWaiting ? "ending" : areAbout ? "stuck" : "none"
    }
  }

  /** What people see of a change of phase. */
  #moved(before: Phases.Phase, after: Phases.Phase): void {
    this.record.isRunning = after.name === "running"
    if (before.name === "running") this.#starts++
    const at = Phases.dueAt(after)
    const isSameTime = at === Phases.dueAt(before)
    if (!isSameTime) this.retryAt = at === null ? null : this.record.now() + Math.round(at - this.record.monotonic())
    if (!isSameTime || Phases.lifecycleOf(before) !== Phases.lifecycleOf(after)) this.#options.changed()
  }

  #do(action: Phases.Action): void {
    const { record } = this
    switch (action.kind) {
      case "adopt":
        this.#fork?.(this.#adopt)
        return
      case "forget":
        for (const { connection } of record.slots) connection.forget()
        return
      case "launch":
        return this.#launch()
      case "interrupt":
        return this.#parking.wake()
      case "halt":
        return this.#service?.halt()
      case "hangUp":
        return this.#fork === undefined ? undefined : this.#sessions.close(this.#fork)
      case "await":
        this.#fork?.(Effect.andThen(this.#sessions.closed, this.#gone))
        return
      case "retire":
        for (const { connection } of record.slots) connection.retire()
        return this.#leavePlaces(() => false)
      case "report":
        return record.fail(action.error)
      case "recall":
        return record.recall(action.failure.error, action.failure.at)
    }
  }

  /** Takes over what is to run, while nothing of what ran does. */
  get #adopt(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const setup = this.#next
      this.#next = undefined
      if (setup === undefined) return
      yield* releaseOf(this.#setup)
      this.#setup = setup
      const problem = isSetup(setup) ? null : setup
      if (isSetup(setup)) {
        this.record.manifest = setup.manifest
        this.record.adopt(yield* setup.slots(this.record.slots, this.record), setup)
        yield* setup.watch(() => this.#grantsChanged(setup))
      } else {
        this.record.adopt([], undefined)
      }
      this.tell({ kind: "adopted", problem })
    })
  }

  #grantsChanged(setup: Setup): void {
    if (setup !== this.#setup) return
    this.record.revoke(setup.authority)
    this.tell({ kind: "grants" })
  }

  get #gone(): Effect.Effect<void> {
    return Effect.sync(() => this.tell({ kind: "gone" }))
  }

  #launch(): void {
    const { activity, clock, time } = this.#options
    const setup = this.#setup
    const fork = this.#fork
    if (fork === undefined || setup === undefined || !isSetup(setup)) return
    for (const { place } of this.record.slots) place?.take()
    const service = new Service({
      setup,
      record: this.record,
      ghosts: this.ghosts,
      limits: setup.limits,
      clock,
      time,
      activity,
      parking: this.#parking,
      phase: () => this.state.phase,
      tell: (input) => this.tell(input),
      startOf: (config) => this.#startOf(config, setup),
      sessions: this.#sessions,
      dial: this.#sessions.open(fork)
    })
    this.#service = service
    // The plugin's code begins in a turn of its own: this one may be a listener's in the middle of a chunk.
    fork(Effect.andThen(service.run, this.#gone))
  }

  #startOf(config: Schema.Json, { keys, secrets }: Setup): Start {
    const state = this.record.state === null ? null : (JSON.parse(this.record.state) as Schema.Json)
    const number = ++this.#starts
    const { console, key } = this.#options
    return {
      key,
      limits: this.record.limits,
      config,
      reason: this.state.reason,
      state,
      secrets: this.record.renewStandIns(secrets.names),
      deliver: (delivery) => this.deliver(delivery, number),
      keys,
      console: console?.()
    }
  }

  /** Comes back when something is due. */
  #wait(): void {
    const at = Phases.dueAt(this.state.phase)
    if (at === (this.#timer?.at ?? null)) return
    this.#timer?.fiber.interruptUnsafe()
    this.#timer = undefined
    if (at === null || this.#fork === undefined) return
    // A timer may be early; and what is due is told once, whatever comes of it.
    const sleep: Effect.Effect<void> = Effect.suspend(() => {
      const left = Math.ceil(at - this.record.monotonic())
      return left <= 0 ? Effect.void : Effect.andThen(Effect.sleep(left), sleep)
    })
    this.#timer = {
      at,
      fiber: this.#fork(
        Effect.andThen(
          sleep,
          Effect.sync(() => this.tell({ kind: "due" }))
        )
      )
    }
  }

  /** Tells whoever waits for it whether something is under way. */
  #look(): void {
    const isBusy = Phases.isBusy(this.state.phase)
    if (isBusy !== this.#isBusy) {
      this.#isBusy = isBusy
      this.#options.activity(isBusy ? 1 : -1)
    }
    if (this.state.phase.name === "over") Deferred.doneUnsafe(this.#over, Exit.void)
  }
}

const releaseOf = (setup: SetupOrProblem | undefined): Effect.Effect<void> =>
  setup !== undefined && isSetup(setup) ? setup.release : Effect.void
