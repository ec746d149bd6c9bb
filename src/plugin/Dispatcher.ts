/**
 * The one runner of a plugin instance: takes the events in turns, hands each
 * to the handler, and decides what became of it.
 *
 * Serial: at most one dispatch at a time, each event at most once. The runner
 * is uninterruptible but for the handler and the idle wait, so an interruption
 * never loses an event. One watchdog per instance looks after the deadline;
 * what it decided stays decided, whatever the handler returns later.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import type { Answered } from "../commands/CommandExecutor.ts"
import type { Accounting } from "../ingress/Accounting.ts"
import type { AnyEvent, Origin } from "../ingress/IngressEvent.ts"
import type { EventQueue, Turns } from "../ingress/Turns.ts"
import { monotonic } from "../internal/monotonic.ts"
import * as Parking from "../internal/parking.ts"
import { abandonExit } from "../internal/promises.ts"
import type { Values } from "../limits/Limits.ts"
import type { HadTime } from "../time/HadTime.ts"
import { effectOf } from "./internal/effects.ts"
import { lossOf, provided } from "./internal/lifetime.ts"
import { Lending } from "./internal/lending.ts"
import * as Output from "./internal/output.ts"
import { checked, diedOf, refused } from "./internal/verdict.ts"
import { Watchdog } from "./internal/watchdog.ts"
import { DispatchFailed, DispatchTimeout, InstanceLost, type DispatchError, type RuntimeError } from "./PluginError.ts"
import type { BatchingInstance, Instance, Loss } from "./PluginRuntime.ts"

/**
 * Why a runner ended.
 *
 * @category models
 * @since 0.1.0
 */
export type End = "stopped" | "neighbour" | InstanceLost | DispatchTimeout

/**
 * What a dispatcher needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly instance: Instance | BatchingInstance
  readonly turns: Turns<EventQueue>
  readonly accounting: Accounting
  readonly limits: Values
  readonly clock: Clock.Clock
  readonly time: HadTime
  readonly activity: Parking.Activity
  /** An event was answered: its commands, status and state, and about when, in Unix milliseconds. For reading now. */
  readonly answered: (event: Answered, output: Output.Checked, at: number) => void
  readonly failed: (error: DispatchError | RuntimeError) => void
  /** The plugin was asked for its status: JSON text. */
  readonly reported: (status: string) => void
  /** A dispatch begins, or those of a batch do. */
  readonly begun: () => void
  /** The runner has nothing more to do: it crashed or was stopped. */
  readonly ended: () => void
}

// How long the runner keeps the thread, how many events it takes at most in that time, and after how many it looks at
// the clock (which costs as much as a tenth of a frame) while handlers are fast. Fewer events than many connections bring
// in a turn would leave a backlog that falls out of the processor's cache: that cost a fifth of a frame at 16.
const SLICE_MS = 4
const SLICE_EVENTS = 32_768
const MOST_BETWEEN_LOOKS = 16
// How often a plugin is asked for its status, at the most.
const STATUS_EVERY_MS = 10_000

const NOWHERE: Origin = { key: "", source: "", id: null, url: null, ingressName: "" }

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/**
 * The runner of one instance. Made for one instance and used once.
 *
 * @category models
 * @since 0.1.0
 */
export class Dispatcher {
  readonly #options: Options
  readonly #idle: Parking.Parking
  #fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  /** What the plugin's code is busy with: an event, or its status. */
  #current: AnyEvent | "status" | undefined = undefined
  /** That event, as it was before the handler had it in its hands. */
  readonly #answered = { origin: NOWHERE, sequence: 0, epoch: 0 }
  /** When that began to run as an effect, in milliseconds had. */
  #startedAt: number | undefined = undefined
  /** When the plugin may be asked for its status again. */
  #askAt = 0
  readonly #watchdog: Watchdog
  /** The time when the runner last looked, and when it lets others have the thread. */
  #now = 0
  #yieldAt = 0
  #end: End | undefined = undefined
  /** What the runtime is lent, where it takes several events at once. */
  readonly #lending: Lending | undefined
  readonly #monotonic: () => number

  constructor(options: Options) {
    this.#options = options
    this.#monotonic = monotonic(options.clock)
    this.#idle = Parking.make(options.activity)
    this.#lending = this.#newLending()
    this.#watchdog = new Watchdog({
      time: options.time,
      deadlineMs: options.limits.dispatchDeadlineMs,
      since: () => this.#startedAt ?? this.#lending?.begunAt,
      late: () => this.#timedOut()
    })
  }

  #newLending(): Lending | undefined {
    const { accounting, begun, clock, instance, time, turns } = this.#options
    if (instance.batches === undefined) return undefined
    return new Lending({
      batches: instance.batches,
      turns,
      accounting,
      lent: begun,
      had: time.now,
      monotonic: this.#monotonic,
      begun: () => this.#watch(),
      settled: (event, exit) => {
        this.#now = clock.currentTimeMillisUnsafe()
        this.#settle(event, exit)
      },
      returned: () => this.#idle.wake(),
      broke: (cause) => {
        if (this.#end === undefined) this.#finish(new InstanceLost({ cause }))
      }
    })
  }

  /** Tells the runner that something waits. */
  wake(): void {
    this.#idle.wake()
  }

  /** Ends the runner: the event in flight is discarded and its handler interrupted. */
  stop(): void {
    if (this.#end !== undefined) return
    const busyWith = this.#decide()
    if (typeof busyWith === "object") this.#options.accounting.discarded++
    this.#finish("stopped")
  }

  /** Runs beside the runner and ends it when the instance is lost. */
  get lossWatch(): Effect.Effect<void> {
    const { lost } = this.#options.instance
    return lost === undefined ? Effect.void : Effect.map(lossOf(lost), (how) => this.#lost(how))
  }

  /** Why the runner ends or ended; `undefined` while it goes on. */
  get end(): End | undefined {
    return this.#end
  }

  /** Runs until the instance is stopped or crashes; interrupts itself then. */
  get run(): Effect.Effect<void> {
    const running = this.#idle.around(
      Effect.withFiber((fiber) => {
        this.#fiber = fiber
        // Whatever ends the runner, its end is known: a handler may interrupt its own fiber, a report may be a defect.
        fiber.addObserver((exit) => this.#runnerEnded(exit))
        return Effect.uninterruptibleMask((restore) => this.#loop(restore))
      })
    )
    // Once for all events: for each it would cost as much as a short handler.
    return provided(this.#options.instance, running)
  }

  #loop(restore: Restore): Effect.Effect<void> {
    const { clock, instance } = this.#options
    const { status } = instance
    const idle =
      status === undefined
        ? restore(this.#idle.park(null))
        : Effect.suspend(() => restore(this.#idle.park(Math.max(1, Math.ceil(this.#askAt - this.#monotonic())))))
    const turn: Effect.Effect<void> = Effect.suspend(() => {
      if (this.#end !== undefined) return Effect.void
      if (status !== undefined && this.#askAt <= this.#monotonic()) {
        return Effect.andThen(this.#ask(status, restore), turn)
      }
      this.#now = clock.currentTimeMillisUnsafe()
      this.#yieldAt = this.#now + SLICE_MS
      return drained
    })
    const drained =
      instance.batches === undefined ? this.#handle(instance, restore, idle, turn) : this.#lend(idle, turn)
    return turn
  }

  /** Lends batches, one after the other. */
  #lend(idle: Effect.Effect<void>, turn: Effect.Effect<void>): Effect.Effect<void> {
    // Also one that isn't wanted any more is waited for: nothing else may run beside what the plugin's code is busy with.
    const awaited: Effect.Effect<void> = Effect.suspend(() => {
      this.#idle.look()
      return this.#lending?.isOut === true ? Effect.andThen(this.#idle.pend, awaited) : turn
    })
    return Effect.suspend(() => {
      this.#idle.look()
      return this.#lending?.lend() === true ? awaited : Effect.andThen(idle, turn)
    })
  }

  /** Handles what waits, event after event. */
  #handle(
    instance: Instance,
    restore: Restore,
    idle: Effect.Effect<void>,
    turn: Effect.Effect<void>
  ): Effect.Effect<void> {
    const { clock } = this.#options
    const loop: Effect.Effect<void> = Effect.suspend(() => {
      if (this.#now >= this.#yieldAt) return Effect.andThen(Effect.yieldNow, turn)
      for (let taken = 0, lookAt = 1, step = 1; this.#end === undefined; taken++) {
        if (taken === lookAt) {
          const now = clock.currentTimeMillisUnsafe()
          if (now >= this.#yieldAt || taken >= SLICE_EVENTS) return Effect.andThen(Effect.yieldNow, turn)
          step = now > this.#now ? 1 : Math.min(step * 2, MOST_BETWEEN_LOOKS)
          lookAt = taken + step
          this.#now = now
        }
        const event = this.#take()
        if (event === undefined) return Effect.andThen(idle, turn)
        const effect = this.#call(instance, event)
        if (Exit.isExit(effect)) {
          this.#handled(event, effect)
        } else {
          this.#start()
          return Effect.flatMap(Effect.exit(restore(effect)), (exit) => {
            this.#now = clock.currentTimeMillisUnsafe()
            this.#handled(event, exit)
            // Where its own fiber was interrupted it ends here, before it takes another event.
            return Exit.hasInterrupts(exit) ? Effect.andThen(restore(Effect.void), loop) : loop
          })
        }
      }
      return Effect.void
    })
    return loop
  }

  /** Asks the plugin for its status: plugin code like a handler, with the same deadline. */
  #ask(status: Effect.Effect<unknown, unknown>, restore: Restore): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#askAt = this.#monotonic() + STATUS_EVERY_MS
      this.#current = "status"
      this.#start()
      return Effect.map(Effect.exit(restore(status)), (exit) => this.#told(exit))
    })
  }

  #told(exit: Exit.Exit<unknown, unknown>): void {
    if (this.#decide() === undefined) return abandonExit(exit)
    const { failed, limits, reported } = this.#options
    if (Exit.isFailure(exit)) {
      abandonExit(exit)
      if (Cause.hasDies(exit.cause)) this.#finish(diedOf(exit.cause, "status"))
      else failed(new DispatchFailed({ during: "status", cause: Cause.squash(exit.cause) }))
      return
    }
    const text = Output.json("status", exit.value, limits.reportedStatusBytes)
    if (Result.isFailure(text)) failed(text.failure)
    else if (text.success !== undefined) reported(text.success)
  }

  #take(): AnyEvent | undefined {
    const { accounting, begun, turns } = this.#options
    let event: AnyEvent | undefined
    do {
      const queue = turns.next()
      if (queue === undefined) {
        this.#idle.look()
        return undefined
      }
      // A queue that was discarded may still have its turn.
      event = queue.take()
    } while (event === undefined)
    accounting.inFlight++
    this.#current = event
    this.#answered.origin = event.origin
    this.#answered.sequence = event.sequence
    this.#answered.epoch = event.epoch
    begun()
    return event
  }

  #call(instance: Instance, event: AnyEvent): Effect.Effect<unknown, unknown> {
    try {
      // A handler that isn't written in TypeScript may return anything.
      return effectOf(instance.handle(event))
    } catch (defect) {
      return Exit.die(defect)
    }
  }

  #handled(event: AnyEvent, exit: Exit.Exit<unknown, unknown>): void {
    if (this.#current !== event) return abandonExit(exit)
    this.#decide()
    this.#settle(this.#answered, exit)
  }

  #settle(event: Answered, exit: Exit.Exit<unknown, unknown>): void {
    const { accounting, answered, failed, limits } = this.#options
    if (Exit.isFailure(exit)) {
      abandonExit(exit)
      if (Cause.hasDies(exit.cause)) {
        const end = diedOf(exit.cause, "event")
        if (end._tag === "DispatchTimeout") accounting.timedOut++
        else accounting.failed++
        this.#finish(end)
      } else {
        accounting.failed++
        failed(refused(Cause.squash(exit.cause)))
      }
      return
    }
    const output = checked(exit.value, limits)
    if (output instanceof InstanceLost) {
      accounting.failed++
      this.#finish(output)
      return
    }
    if (Result.isFailure(output)) {
      accounting.failed++
      failed(output.failure)
      return
    }
    accounting.dispatched++
    answered(event, output.success, this.#now)
  }

  /** Takes what the plugin is busy with out of its hands; undefined if it is busy with nothing. */
  #decide(): AnyEvent | "status" | undefined {
    const busyWith = this.#current
    if (busyWith === undefined) return undefined
    this.#current = undefined
    this.#startedAt = undefined
    if (busyWith !== "status") this.#options.accounting.inFlight--
    return busyWith
  }

  #runnerEnded(exit: Exit.Exit<unknown, unknown>): void {
    if (this.#end !== undefined) return
    if (typeof this.#decide() === "object") this.#options.accounting.failed++
    const cause = Exit.isFailure(exit) ? Cause.squash(exit.cause) : new Error("the runner ended")
    this.#finish(new InstanceLost({ cause }))
  }

  #timedOut(): void {
    const busyWith = this.#decide()
    if (busyWith === undefined && this.#lending?.take() !== true) return
    if (busyWith !== "status") this.#options.accounting.timedOut++
    const { dispatchDeadlineMs: deadlineMs } = this.#options.limits
    this.#finish(new DispatchTimeout({ during: busyWith === "status" ? "status" : "event", deadlineMs }))
  }

  #lost(how: Loss): void {
    if (this.#end !== undefined) return
    const { accounting, failed } = this.#options
    const error = new InstanceLost({ cause: new Error(`its sandbox was lost: ${how}`) })
    const begun = (typeof this.#decide() === "object" ? 1 : 0) + (this.#lending?.abandon() ?? 0)
    this.#lending?.lost()
    accounting.failed += begun
    if (begun > 0 && how === "neighbour") failed(error)
    this.#finish(how === "neighbour" ? "neighbour" : error)
  }

  #finish(end: End): void {
    this.#end = end
    this.#options.accounting.discarded += this.#lending?.abandon() ?? 0
    this.#idle.wake()
    this.#watchdog.end()
    this.#fiber?.interruptUnsafe()
    this.#options.ended()
  }

  /** The plugin's code begins to run as an effect. */
  #start(): void {
    this.#startedAt = this.#options.time.now()
    this.#watch()
  }

  /** Somebody judges from now on what the plugin's code is busy with: its runtime, where that has a clock of its own. */
  #watch(): void {
    if (this.#options.instance.keepsDeadlines !== true) this.#watchdog.watch()
  }
}
