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
import type { Answered } from "../commands/CommandExecutor.ts"
import type { Accounting } from "../ingress/Accounting.ts"
import type { AnyEvent } from "../ingress/IngressEvent.ts"
import { notNow, type EventQueue, type Turns } from "../ingress/Turns.ts"
import { monotonic } from "../internal/monotonic.ts"
import * as Parking from "../internal/parking.ts"
import { abandonExit } from "../internal/promises.ts"
import type { Values } from "../limits/Limits.ts"
import type { HadTime } from "../time/HadTime.ts"
import { EffectClock } from "./internal/effectClock.ts"
import { effectOf } from "./internal/effects.ts"
import { InHand } from "./internal/inHand.ts"
import * as KeptRun from "./internal/keptRun.ts"
import { lossOf, provided } from "./internal/lifetime.ts"
import { Lending } from "./internal/lending.ts"
import type * as Output from "./internal/output.ts"
import { Pace } from "./internal/pace.ts"
import { Settling } from "./internal/settling.ts"
import { Stopwatch } from "./internal/stopwatch.ts"
import { TurnShare } from "./internal/turnShare.ts"
import { DispatchTimeout, InstanceLost, type DispatchError, type RuntimeError } from "./PluginError.ts"
import type { BatchingInstance, Instance, Loss } from "./PluginRuntime.ts"
import type { PluginWatch } from "./PluginWatch.ts"

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
  /** Who wants some of the dispatches timed, if anybody may. */
  readonly watch?: PluginWatch
}

// How often a plugin is asked for its status, at the most.
const STATUS_EVERY_MS = 10_000

/** What most handlers answer with is told apart by what it is, which costs a tenth of looking for what it has. */
const isExit = (effect: Effect.Effect<unknown, unknown>): effect is Exit.Exit<unknown, unknown> =>
  effect === Exit.void || Exit.isExit(effect)

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
  readonly #hand: InHand
  /** When the plugin may be asked for its status again. */
  #askAt = 0
  readonly #effects: EffectClock
  readonly #pace: Pace
  #end: End | undefined = undefined
  /** Whether the runner has nothing to do, nor is about to: then an event may be handed over as it comes. */
  #isResting = false
  /** What a handler answered an event with that was handed over as it came: the runner's fiber is to run it. */
  #pending: Effect.Effect<unknown, unknown> | undefined = undefined
  /** What runs, or ran last. */
  #answer: Effect.Effect<unknown, unknown> = Exit.void
  readonly #settling: Settling
  readonly #stopwatch: Stopwatch
  /** What the runtime is lent, where it takes several events at once. */
  readonly #lending: Lending | undefined
  readonly #monotonic: () => number

  constructor(options: Options) {
    this.#options = options
    this.#monotonic = monotonic(options.clock)
    this.#idle = Parking.make(options.activity)
    this.#hand = new InHand(options.accounting)
    this.#pace = new Pace(options.clock)
    this.#settling = new Settling(options, (end) => this.#finish(end))
    this.#stopwatch = new Stopwatch(options)
    this.#lending = this.#newLending()
    this.#effects = new EffectClock({
      time: options.time,
      deadlineMs: options.limits.dispatchDeadlineMs,
      keepsDeadlines: options.instance.keepsDeadlines === true,
      isBusy: () => this.#end === undefined && this.#hand.isBusy,
      lentAt: () => this.#lending?.begunAt,
      whenOver: (over) => this.#fiber?.currentDispatcher.scheduleTask(over, 0),
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
      begun: () => this.#effects.watch(),
      settled: (event, exit) => this.#settling.event(event, exit, clock.currentTimeMillisUnsafe()),
      stopwatch: this.#stopwatch,
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
        this.#takeArrivals(fiber)
        // Whatever ends the runner, its end is known: a handler may interrupt its own fiber, a report may be a defect.
        fiber.addObserver((exit) => this.#runnerEnded(exit))
        return Effect.uninterruptibleMask((restore) => this.#loop(restore))
      })
    )
    // Once for all events: for each it would cost as much as a short handler.
    return provided(this.#options.instance, running)
  }

  #takeArrivals({ currentDispatcher }: Fiber.Fiber<unknown, unknown>): void {
    const { clock, instance, turns } = this.#options
    if (instance.batches !== undefined) return
    const share = new TurnShare({
      now: () => clock.currentTimeMillisUnsafe(),
      whenOver: (over) => currentDispatcher.scheduleTask(over, 0),
      over: () => turns.forget()
    })
    turns.arrived = () => this.#arrived(instance, share)
  }

  #loop(restore: KeptRun.Restore): Effect.Effect<void> {
    const { instance } = this.#options
    const { status } = instance
    const idle =
      status === undefined
        ? restore(this.#idle.park(null))
        : Effect.suspend(() => restore(this.#idle.park(Math.max(1, Math.ceil(this.#askAt - this.#monotonic())))))
    const turn: Effect.Effect<void> = Effect.suspend(() => {
      this.#isResting = false
      if (this.#end !== undefined) return Effect.void
      if (this.#pending === undefined && status !== undefined && this.#askAt <= this.#monotonic()) {
        return Effect.andThen(this.#ask(status, restore), turn)
      }
      this.#pace.begin()
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
    restore: KeptRun.Restore,
    idle: Effect.Effect<void>,
    turn: Effect.Effect<void>
  ): Effect.Effect<void> {
    const loop: Effect.Effect<void> = Effect.suspend(() => {
      const effect = this.#pending ?? (this.#pace.isOver ? "late" : this.#drain(instance))
      this.#pending = undefined
      if (this.#end !== undefined) return Effect.void
      if (effect === "late") return Effect.andThen(Effect.yieldNow, turn)
      if (effect === "none") {
        this.#idle.look()
        this.#isResting = true
        return Effect.andThen(idle, turn)
      }
      this.#answer = effect
      this.#effects.judge()
      return answered
    })
    const answered = KeptRun.make({
      restore,
      effect: () => this.#answer,
      ended: (exit) => {
        this.#pace.lookAfter(this.#effects.isTiming)
        this.#handled(exit)
      },
      next: loop
    })
    return loop
  }

  /** Hands over what waits: until nothing does, or it is late, or an answer has to be run. */
  #drain(instance: Instance): Effect.Effect<unknown, unknown> | "none" | "late" {
    const { begun, turns } = this.#options
    for (let taken = 0, lookAt = this.#pace.step; this.#end === undefined; taken++) {
      if (taken === lookAt) {
        if (!this.#pace.goesOn(taken)) return "late"
        lookAt = taken + this.#pace.step
      }
      const event = this.#hand.take(turns)
      if (event === undefined) return "none"
      this.#stopwatch.begin(event)
      begun()
      const effect = this.#call(instance, event)
      if (!isExit(effect)) return effect
      this.#handled(effect)
    }
    return "none"
  }

  /**
   * A text came: hands over what waits in this very call where the runner rests and its share of the turn allows that;
   * whether it did. The socket may be in the middle of a chunk.
   */
  #arrived(instance: Instance, share: TurnShare): boolean {
    if (!this.#isResting) return false
    const since = share.allows(this.#options.accounting.queueDepth)
    if (since === undefined) return false
    // What the handlers' commands cause comes back here.
    this.#isResting = false
    this.#pace.take(since, share.leftMs)
    const effect = this.#drainInCall(instance)
    if (typeof effect !== "string") {
      this.#pending = effect
      this.#idle.rouse()
    } else {
      // Once the turn is over its fiber goes on, should it be late. Until then its share of the turn says what it may do.
      if (effect === "late") this.#idle.wake()
      this.#isResting = this.#end === undefined
    }
    share.used(this.#options.clock.currentTimeMillisUnsafe() - since)
    return true
  }

  /** Whatever is thrown here would be thrown at the socket: it ends the runner, as it does in its own fiber. */
  #drainInCall(instance: Instance): Effect.Effect<unknown, unknown> | "none" | "late" {
    try {
      return this.#drain(instance)
    } catch (defect) {
      this.#runnerEnded(Exit.die(defect))
      return "none"
    }
  }

  /** Asks the plugin for its status: plugin code like a handler, with the same deadline. */
  #ask(status: Effect.Effect<unknown, unknown>, restore: KeptRun.Restore): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#askAt = this.#monotonic() + STATUS_EVERY_MS
      this.#hand.ask()
      this.#effects.start()
      return Effect.map(Effect.exit(restore(status)), (exit) => this.#told(exit))
    })
  }

  #told(exit: Exit.Exit<unknown, unknown>): void {
    if (this.#decide() === undefined) return abandonExit(exit)
    this.#settling.status(exit)
  }

  #call(instance: Instance, event: AnyEvent): Effect.Effect<unknown, unknown> {
    try {
      // A handler that isn't written in TypeScript may return anything.
      const answer = instance.handle(event)
      return answer === Exit.void ? answer : effectOf(answer)
    } catch (defect) {
      return Exit.die(defect)
    }
  }

  #handled(exit: Exit.Exit<unknown, unknown>): void {
    // It may have been taken out of the plugin's hands before it was answered.
    if (this.#decide() === undefined) return abandonExit(exit)
    const tell = this.#stopwatch.end()
    const failure = this.#settling.event(this.#hand.answered, exit, this.#pace.now)
    tell?.(failure)
  }

  /** Takes what the plugin is busy with out of its hands; undefined if it is busy with nothing. */
  #decide(): AnyEvent | "status" | undefined {
    this.#effects.stop()
    return this.#hand.release()
  }

  #runnerEnded(exit: Exit.Exit<unknown, unknown>): void {
    if (this.#end !== undefined) return
    if (typeof this.#decide() === "object") this.#options.accounting.failed++
    this.#stopwatch.end()?.("InstanceLost")
    const cause = Exit.isFailure(exit) ? Cause.squash(exit.cause) : new Error("the runner ended")
    this.#finish(new InstanceLost({ cause }))
  }

  #timedOut(): void {
    const busyWith = this.#decide()
    if (busyWith === undefined && this.#lending?.take() !== true) return
    if (busyWith !== "status") this.#options.accounting.timedOut++
    this.#stopwatch.end()?.("DispatchTimeout")
    const { dispatchDeadlineMs: deadlineMs } = this.#options.limits
    this.#finish(new DispatchTimeout({ during: busyWith === "status" ? "status" : "event", deadlineMs }))
  }

  #lost(how: Loss): void {
    if (this.#end !== undefined) return
    const { accounting, failed } = this.#options
    const error = new InstanceLost({ cause: new Error(`its sandbox was lost: ${how}`) })
    const begun = (typeof this.#decide() === "object" ? 1 : 0) + (this.#lending?.abandon() ?? 0)
    this.#stopwatch.end()?.(error._tag)
    this.#lending?.lost()
    accounting.failed += begun
    if (begun > 0 && how === "neighbour") failed(error)
    this.#finish(how === "neighbour" ? "neighbour" : error)
  }

  #finish(end: End): void {
    this.#end = end
    this.#isResting = false
    this.#options.turns.arrived = notNow
    this.#options.accounting.discarded += this.#lending?.abandon() ?? 0
    this.#idle.wake()
    this.#effects.end()
    this.#fiber?.interruptUnsafe()
    this.#options.ended()
  }
}
