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
import type { Accounting } from "../ingress/Accounting.ts"
import type { IngressEvent } from "../ingress/IngressEvent.ts"
import type { IngressQueue } from "../ingress/IngressQueue.ts"
import type { Turns } from "../ingress/Turns.ts"
import { monotonic } from "../internal/monotonic.ts"
import * as Parking from "../internal/parking.ts"
import type { Values } from "../limits/Limits.ts"
import * as Output from "./internal/output.ts"
import { DispatchFailed, DispatchTimeout, InstanceLost, type DispatchError, type RuntimeError } from "./PluginError.ts"
import type { Instance } from "./PluginRuntime.ts"

/**
 * Why a runner ended.
 *
 * @category models
 * @since 0.1.0
 */
export type End = "stopped" | InstanceLost | DispatchTimeout

/**
 * What a dispatcher needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly instance: Instance
  readonly turns: Turns<IngressQueue>
  readonly accounting: Accounting
  readonly limits: Values
  readonly clock: Clock.Clock
  readonly activity: Parking.Activity
  /** An event was answered: its commands, status and state, and about when, in Unix milliseconds. */
  readonly answered: (event: IngressEvent, output: Output.Checked, at: number) => void
  readonly failed: (error: DispatchError | RuntimeError) => void
  /** A dispatch begins. */
  readonly begun: () => void
  /** The runner has nothing more to do: it crashed or was stopped. */
  readonly ended: () => void
}

// How long the runner keeps the thread, how many events it takes at most in that time, and after how many it looks at
// the clock (which costs as much as a tenth of a frame) while handlers are fast.
const SLICE_MS = 4
const SLICE_EVENTS = 4096
const MOST_BETWEEN_LOOKS = 16

/**
 * The runner of one instance. Made for one instance and used once.
 *
 * @category models
 * @since 0.1.0
 */
export class Dispatcher {
  readonly #options: Options
  readonly #idle: Parking.Parking
  readonly #watch: Parking.Parking
  #fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  #current: IngressEvent | undefined = undefined
  /** When the handler began to run as an effect, in milliseconds of a clock that is never set. */
  #startedAt: number | undefined = undefined
  #watched = false
  /** The time when the runner last looked, and when it lets others have the thread. */
  #now = 0
  #yieldAt = 0
  #end: End | undefined = undefined

  readonly #monotonic: () => number

  constructor(options: Options) {
    this.#options = options
    this.#monotonic = monotonic(options.clock)
    this.#idle = Parking.make(options.activity)
    this.#watch = Parking.make(() => {})
  }

  /** Tells the runner that something waits. */
  wake(): void {
    this.#idle.wake()
  }

  /** Ends the runner: the event in flight is discarded and its handler interrupted. */
  stop(): void {
    if (this.#end !== undefined) return
    if (this.#decide()) this.#options.accounting.discarded++
    this.#finish("stopped")
  }

  /** Why the runner ends or ended; `undefined` while it goes on. */
  get end(): End | undefined {
    return this.#end
  }

  /** Runs until the instance is stopped or crashes; interrupts itself then. */
  get run(): Effect.Effect<void> {
    return this.#idle.around(
      Effect.withFiber((fiber) => {
        this.#fiber = fiber
        // Whatever ends the runner, its end is known: a handler may interrupt its own fiber, a report may be a defect.
        fiber.addObserver((exit) => this.#runnerEnded(exit))
        return Effect.uninterruptibleMask((restore) => this.#loop(restore))
      })
    )
  }

  /** Runs beside the runner and ends a handler that is past its deadline. */
  get watchdog(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const { dispatchDeadlineMs } = this.#options.limits
      while (this.#end === undefined) {
        this.#watch.look()
        if (this.#startedAt === undefined) {
          this.#watched = false
          yield* this.#watch.park(null)
          continue
        }
        const left = Math.ceil(this.#startedAt + dispatchDeadlineMs - this.#monotonic())
        if (left > 0) yield* this.#watch.park(left)
        else this.#timedOut(new DispatchTimeout({ during: "event", deadlineMs: dispatchDeadlineMs }))
      }
    })
  }

  #loop(restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>): Effect.Effect<void> {
    const idle = restore(this.#idle.park(null))
    const { clock, instance } = this.#options
    const turn: Effect.Effect<void> = Effect.suspend(() => {
      this.#now = clock.currentTimeMillisUnsafe()
      this.#yieldAt = this.#now + SLICE_MS
      return loop
    })
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
          this.#settle(event, effect)
        } else if (!Effect.isEffect(effect)) {
          // A handler that isn't written in TypeScript may return anything.
          this.#settle(event, Exit.die(new TypeError("the handler returned no effect")))
        } else {
          this.#watchFrom(this.#monotonic())
          return Effect.flatMap(Effect.exit(restore(effect)), (exit) => {
            this.#now = clock.currentTimeMillisUnsafe()
            this.#settle(event, exit)
            return loop
          })
        }
      }
      return Effect.void
    })
    return turn
  }

  #take(): IngressEvent | undefined {
    const { accounting, begun, turns } = this.#options
    let event: IngressEvent | undefined
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
    begun()
    return event
  }

  #call(instance: Instance, event: IngressEvent): Effect.Effect<unknown, unknown> {
    try {
      return instance.handle(event)
    } catch (defect) {
      return Exit.die(defect)
    }
  }

  #settle(event: IngressEvent, exit: Exit.Exit<unknown, unknown>): void {
    if (this.#current !== event || !this.#decide()) return
    const { accounting, answered, failed, limits } = this.#options
    if (Exit.isFailure(exit)) {
      accounting.failed++
      if (Cause.hasDies(exit.cause)) this.#finish(new InstanceLost({ cause: Cause.squash(exit.cause) }))
      else failed(new DispatchFailed({ during: "event", cause: Cause.squash(exit.cause) }))
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

  /** Takes the event in flight out of it; false if somebody else has decided about it. */
  #decide(): boolean {
    if (this.#current === undefined) return false
    this.#current = undefined
    this.#startedAt = undefined
    this.#options.accounting.inFlight--
    return true
  }

  #runnerEnded(exit: Exit.Exit<unknown, unknown>): void {
    if (this.#end !== undefined) return
    if (this.#decide()) this.#options.accounting.failed++
    const cause = Exit.isFailure(exit) ? Cause.squash(exit.cause) : new Error("the runner ended")
    this.#finish(new InstanceLost({ cause }))
  }

  #timedOut(error: DispatchTimeout): void {
    if (!this.#decide()) return
    this.#options.accounting.timedOut++
    this.#finish(error)
  }

  #finish(end: End): void {
    this.#end = end
    this.#idle.wake()
    this.#watch.wake()
    this.#fiber?.interruptUnsafe()
    this.#options.ended()
  }

  #watchFrom(startedAt: number): void {
    this.#startedAt = startedAt
    if (this.#watched) return
    this.#watched = true
    this.#watch.wake()
  }
}

/** An output may have getters, or be a proxy: looking at it is running the plugin's code. */
const checked = (output: unknown, limits: Values) => {
  try {
    return Output.check(output, limits)
  } catch (cause) {
    return new InstanceLost({ cause })
  }
}
