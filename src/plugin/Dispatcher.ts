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
import type { AnyEvent, Origin } from "../ingress/IngressEvent.ts"
import { notNow, type EventQueue, type Turns } from "../ingress/Turns.ts"
import { monotonic } from "../internal/monotonic.ts"
import * as Parking from "../internal/parking.ts"
import { abandonExit } from "../internal/promises.ts"
import type { Values } from "../limits/Limits.ts"
import type { HadTime } from "../time/HadTime.ts"
import { effectOf } from "./internal/effects.ts"
import { lossOf, provided } from "./internal/lifetime.ts"
import { Lending } from "./internal/lending.ts"
import type * as Output from "./internal/output.ts"
import { Settling } from "./internal/settling.ts"
import { TurnShare } from "./internal/turnShare.ts"
import { Watchdog } from "./internal/watchdog.ts"
import { DispatchTimeout, InstanceLost, type DispatchError, type RuntimeError } from "./PluginError.ts"
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

/** What most handlers answer with is told apart by what it is, which costs a tenth of looking for what it has. */
const isExit = (effect: Effect.Effect<unknown, unknown>): effect is Exit.Exit<unknown, unknown> =>
  effect === Exit.void || Exit.isExit(effect)

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
  /** When that began to run as an effect, in milliseconds had; undefined also where it may end within this turn. */
  #startedAt: number | undefined = undefined
  /** Whether what doesn't end within this turn is looked for at its end. */
  #isJudging = false
  /** When the plugin may be asked for its status again. */
  #askAt = 0
  readonly #watchdog: Watchdog
  /** The time when the runner last looked, and when it lets others have the thread. */
  #now = 0
  #yieldAt = 0
  /** How many events may pass between two looks at the clock. */
  #step = 1
  #untilLook = 0
  #end: End | undefined = undefined
  /** Whether the runner has nothing to do, nor is about to: then an event may be handed over as it comes. */
  #isResting = false
  /** What a handler answered an event with that was handed over as it came: the runner's fiber is to run it. */
  #pending: Effect.Effect<unknown, unknown> | undefined = undefined
  /** What runs, or ran last. */
  #answer: Effect.Effect<unknown, unknown> = Exit.void
  readonly #settling: Settling
  /** What the runtime is lent, where it takes several events at once. */
  readonly #lending: Lending | undefined
  readonly #monotonic: () => number

  constructor(options: Options) {
    this.#options = options
    this.#monotonic = monotonic(options.clock)
    this.#idle = Parking.make(options.activity)
    this.#settling = new Settling(options, (end) => this.#finish(end))
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
        this.#settling.event(event, exit, clock.currentTimeMillisUnsafe())
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

  #loop(restore: Restore): Effect.Effect<void> {
    const { clock, instance } = this.#options
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
      this.#now = clock.currentTimeMillisUnsafe()
      this.#yieldAt = this.#now + SLICE_MS
      this.#untilLook = 0
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
    const loop: Effect.Effect<void> = Effect.suspend(() => {
      const effect = this.#pending ?? (this.#now < this.#yieldAt ? this.#drain(instance) : "late")
      this.#pending = undefined
      if (this.#end !== undefined) return Effect.void
      if (effect === "late") return Effect.andThen(Effect.yieldNow, turn)
      if (effect === "none") {
        this.#idle.look()
        this.#isResting = true
        return Effect.andThen(idle, turn)
      }
      this.#answer = effect
      this.#judge()
      return answered
    })
    // Kept for all events: made for each, they took half as long as a handler's `Effect.sync`.
    const ended = (exit: Exit.Exit<unknown, unknown>) => {
      this.#lookAfter()
      this.#handled(exit)
    }
    const answered = Effect.matchCauseEffect(restore(Effect.suspend(() => this.#answer)), {
      onSuccess: (value) => {
        ended(value === undefined ? Exit.void : Exit.succeed(value))
        return loop
      },
      onFailure: (cause) => {
        ended(Exit.failCause(cause))
        // Where its own fiber was interrupted it ends here, before it takes another event.
        return Cause.hasInterrupts(cause) ? Effect.andThen(restore(Effect.void), loop) : loop
      }
    })
    return loop
  }

  /** Hands over what waits: until nothing does, or it is late, or an answer has to be run. */
  #drain(instance: Instance): Effect.Effect<unknown, unknown> | "none" | "late" {
    const { clock } = this.#options
    for (let taken = 0, lookAt = this.#step; this.#end === undefined; taken++) {
      if (taken === lookAt) {
        const now = clock.currentTimeMillisUnsafe()
        if (now >= this.#yieldAt || taken >= SLICE_EVENTS) {
          this.#step = 1
          return "late"
        }
        this.#step = now > this.#now ? 1 : Math.min(this.#step * 2, MOST_BETWEEN_LOOKS)
        lookAt = taken + this.#step
        this.#now = now
      }
      const event = this.#take()
      if (event === undefined) return "none"
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
    this.#now = since
    this.#yieldAt = since + Math.min(SLICE_MS, share.leftMs)
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
    this.#settling.status(exit)
  }

  #take(): AnyEvent | undefined {
    const { accounting, begun, turns } = this.#options
    let event: AnyEvent | undefined
    do {
      const queue = turns.next()
      if (queue === undefined) return undefined
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
      const answer = instance.handle(event)
      return answer === Exit.void ? answer : effectOf(answer)
    } catch (defect) {
      return Exit.die(defect)
    }
  }

  #handled(exit: Exit.Exit<unknown, unknown>): void {
    // It may have been taken out of the plugin's hands before it was answered.
    if (this.#decide() === undefined) return abandonExit(exit)
    this.#settling.event(this.#answered, exit, this.#now)
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
    this.#isResting = false
    this.#options.turns.arrived = notNow
    this.#options.accounting.discarded += this.#lending?.abandon() ?? 0
    this.#idle.wake()
    this.#watchdog.end()
    this.#fiber?.interruptUnsafe()
    this.#options.ended()
  }

  /**
   * The plugin's code begins to run as an effect. What ends within this turn can't be interrupted by anybody's clock: only
   * what doesn't is timed, from the end of the turn on. To read that clock for each took a tenth of an effect.
   */
  #judge(): void {
    if (this.#isJudging) return
    this.#isJudging = true
    this.#fiber?.currentDispatcher.scheduleTask(this.#turnEnded, 0)
  }

  readonly #turnEnded = (): void => {
    this.#isJudging = false
    if (this.#end === undefined && this.#current !== undefined && this.#startedAt === undefined) this.#start()
  }

  /** An effect has ended: sees what time it is, seldom where they are fast. */
  #lookAfter(): void {
    if (this.#startedAt === undefined && --this.#untilLook > 0) return
    const now = this.#options.clock.currentTimeMillisUnsafe()
    this.#step = now > this.#now ? 1 : Math.min(this.#step * 2, MOST_BETWEEN_LOOKS)
    this.#untilLook = this.#step
    this.#now = now
  }

  /** The plugin's code runs as an effect, and is timed from now on. */
  #start(): void {
    this.#startedAt = this.#options.time.now()
    this.#watch()
  }

  /** Somebody judges from now on what the plugin's code is busy with: its runtime, where that has a clock of its own. */
  #watch(): void {
    if (this.#options.instance.keepsDeadlines !== true) this.#watchdog.watch()
  }
}
