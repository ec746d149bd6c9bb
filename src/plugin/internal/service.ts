/**
 * A service from the start of its first instance to the end of its last one:
 * one scoped effect, which goes round once more for each instance that was lost
 * for a neighbour's sake. It tells what happens, and is told what to do about it.
 *
 * What only plugin code can end (a start, a handler, a stop, a finalizer) runs
 * in fibers that no scope holds: one that doesn't end is a ghost, and neither
 * its service nor the host waits for it.
 */
import type * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type * as Parking from "../../internal/parking.ts"
import type { Values } from "../../limits/Limits.ts"
import type { HadTime } from "../../time/HadTime.ts"
import { Dispatcher } from "../Dispatcher.ts"
import type { DispatchFailed, DispatchTimeout } from "../PluginError.ts"
import type { PluginRecord } from "../PluginRecord.ts"
import type { BatchingInstance, Instance, Start } from "../PluginRuntime.ts"
import type { Setup } from "../Setup.ts"
import { outlives } from "./deadline.ts"
import { effectOf } from "./effects.ts"
import type { Ghosts } from "./ghosts.ts"
import * as Lifetime from "./lifetime.ts"
import type { Input, Phase } from "./phases.ts"
import type { Sessions } from "./sessions.ts"

/** What a service needs. */
export interface Options {
  readonly setup: Setup
  readonly record: PluginRecord
  readonly ghosts: Ghosts
  readonly limits: Values
  readonly clock: Clock.Clock
  readonly time: HadTime
  readonly activity: Parking.Activity
  /** Wakes what waits for a start that may not be wanted any more. */
  readonly parking: Parking.Parking
  readonly phase: () => Phase
  readonly tell: (input: Input) => void
  /** What the next start is handed. */
  readonly startOf: (config: Start["config"]) => Start
  readonly sessions: Pick<Sessions, "closed">
  /** Begins the sessions, where there are none. */
  readonly dial: Effect.Effect<void>
}

export class Service {
  readonly #options: Options
  #dispatcher: Dispatcher | undefined = undefined

  constructor(options: Options) {
    this.#options = options
  }

  /** Something waits for the instance. */
  wake(): void {
    this.#dispatcher?.wake()
  }

  /** Hands nothing more over. */
  halt(): void {
    this.#dispatcher?.stop()
  }

  /** Runs until no instance of it is there any more. */
  get run(): Effect.Effect<void> {
    return Effect.scoped(
      Effect.gen({ self: this }, function* () {
        yield* Effect.forkScoped(this.#options.record.ticker.run)
        do yield* this.#round
        while (this.#options.phase().name === "starting")
      })
    )
  }

  /** One instance, until it and all that it acquired has gone. */
  get #round(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const resources = yield* Scope.make()
      const started = yield* Scope.provide(this.#start, resources)
      const hasEnded = typeof started === "object" ? yield* this.#live(started) : started === "none"
      const hasReleased = this.#endedWell(yield* Lifetime.release(resources, this.#options.time))
      this.#options.tell({ kind: "vacant", isStuck: !hasEnded || !hasReleased })
    })
  }

  /** A started instance, or none, or a start that can't be ended. */
  get #start(): Effect.Effect<Instance | BatchingInstance | "none" | "stuck", never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const { ghosts, phase, setup, startOf, tell } = this.#options
      const starting = Effect.flatMap(Lifetime.configOf(setup.config), (config) =>
        effectOf(setup.runtime.start(startOf(config)))
      )
      // A runtime with a clock of its own doesn't count for how long a guest waits for its turn.
      const deadlineMs = setup.runtime.keepsStartDeadline === true ? Infinity : this.#patience.deadlineMs
      const outcome = yield* Lifetime.start(
        starting,
        { ...this.#patience, deadlineMs },
        () => phase().name === "starting"
      )
      if (Fiber.isFiber(outcome)) {
        ghosts.add(outcome)
        return "stuck"
      }
      if (outcome !== Lifetime.UNWANTED && "instance" in outcome) return outcome.instance
      tell({ kind: "unstarted", problem: outcome === Lifetime.UNWANTED ? null : outcome })
      return "none"
    })
  }

  get #patience(): Lifetime.Patience {
    const { limits, parking, time } = this.#options
    return { parking, time, deadlineMs: limits.startDeadlineMs }
  }

  /** Runs an instance until it has ended; false if it can't be. */
  #live(instance: Instance | BatchingInstance): Effect.Effect<boolean> {
    return Effect.gen({ self: this }, function* () {
      const over = Deferred.makeUnsafe<void>()
      const { record } = this.#options
      record.moved(instance)
      const dispatcher = this.#newDispatcher(instance, over)
      const runner = yield* this.#dispatch(dispatcher, Deferred.await(over))
      record.moved(undefined)
      // What is to end in order is told so once its sockets are closed.
      if (dispatcher.end === "stopped") yield* this.#options.sessions.closed
      if (yield* outlives(runner, Lifetime.UNSTOPPABLE_AFTER_MS, this.#options.time)) return this.#endedWell(runner)
      return dispatcher.end !== "stopped" || this.#endedWell(yield* Lifetime.stop(instance, this.#patience))
    })
  }

  /** Runs the handlers, until the instance has ended or is to end; what may still be busy with one. */
  #dispatch(dispatcher: Dispatcher, over: Effect.Effect<void>): Effect.Effect<Fiber.Fiber<void>> {
    return Effect.scoped(
      Effect.gen({ self: this }, function* () {
        const { dial, phase, tell } = this.#options
        this.#dispatcher = dispatcher
        tell({ kind: "started" })
        if (phase().name !== "running") dispatcher.stop()
        const runner = yield* Effect.forkDetach(dispatcher.run)
        const losing = yield* Effect.forkDetach(dispatcher.lossWatch)
        if (phase().name === "running") yield* dial
        yield* over
        // Whatever ended it is not to wait for what follows.
        yield* Effect.yieldNow
        // It is the runtime's code, and need not heed it.
        losing.interruptUnsafe()
        this.#dispatcher = undefined
        return runner
      })
    )
  }

  #newDispatcher(instance: Instance | BatchingInstance, over: Deferred.Deferred<void>): Dispatcher {
    const { activity, clock, limits, record, tell, time } = this.#options
    const dispatcher: Dispatcher = new Dispatcher({
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
      watch: record.watch,
      ended: () => {
        const { end } = dispatcher
        if (end !== undefined && end !== "stopped") tell({ kind: "lost", end })
        Deferred.doneUnsafe(over, Exit.void)
      }
    })
    return dispatcher
  }

  /** Reports what went wrong at an end; false where it is none. */
  #endedWell(problem: DispatchFailed | DispatchTimeout | Fiber.Fiber<unknown, unknown> | undefined): boolean {
    const { ghosts, record } = this.#options
    if (Fiber.isFiber(problem)) ghosts.add(problem)
    else if (problem !== undefined) record.fail(problem)
    return !Fiber.isFiber(problem)
  }
}
