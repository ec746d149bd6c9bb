/**
 * An enabled plugin, for as long as it stays enabled, and what other stages see
 * of it.
 *
 *     ready → starting → running → stopping → stopped
 *                 ↑          │ crash
 *                 └ restarting, failed
 *
 * What follows from what is `internal/transition`'s to say: what the operator
 * wants and what happens are inputs of it, and what it says is done in the same
 * turn. There is never a second instance beside the one that runs: a new one
 * starts only after the old one has ended, and an instance that can't be ended
 * leaves its service failed.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { GrantError } from "../grants/GrantError.ts"
import type { Delivery } from "../ingress/Delivery.ts"
import type { IngressError } from "../ingress/IngressError.ts"
import * as Driver from "./internal/driver.ts"
import type { Ghosts } from "./internal/ghosts.ts"
import { lifecycleOf } from "./internal/phases.ts"
import type { PluginRecord } from "./PluginRecord.ts"
import type { SetupOrProblem } from "./Setup.ts"
import type { Lifecycle } from "./Supervision.ts"

/**
 * What an enabled plugin needs.
 *
 * @category models
 * @since 0.1.0
 */
export type Options = Driver.Options

/**
 * An enabled plugin. Its members are for reading; they change in the turn in
 * which something happens.
 *
 * @category models
 * @since 0.1.0
 */
export class PluginInstance {
  readonly #driver: Driver.Driver

  /** `predecessor`: what may still run of what was enabled under the same reference before. */
  constructor(options: Options, setup: SetupOrProblem, predecessor?: Ghosts) {
    this.#driver = new Driver.Driver(options, setup, predecessor)
  }

  get lifecycle(): Lifecycle {
    return lifecycleOf(this.#driver.state.phase)
  }

  /** All restarts after crashes. */
  get restarts(): number {
    return this.#driver.state.restarts
  }

  /** When it is started next by itself, in Unix milliseconds. */
  get retryAt(): number | null {
    return this.#driver.retryAt
  }

  get record(): PluginRecord {
    return this.#driver.record
  }

  /** What didn't end when it was told to. */
  get ghosts(): Ghosts {
    return this.#driver.ghosts
  }

  /** Starts the service, also one that failed or was stopped; its sources are dialled whatever they were stopped for. */
  start(): void {
    this.#driver.tell({ kind: "start" })
  }

  /** Stops the service until it is started again. */
  stop(): void {
    this.#driver.tell({ kind: "stop" })
  }

  /** Ends the instance that runs in order, if one does, and starts another. */
  restart(): void {
    this.#driver.tell({ kind: "restart" })
  }

  /** Runs something else from now on: ends the instance that runs in order, and starts another. */
  replace(setup: SetupOrProblem): Effect.Effect<void> {
    return this.#driver.replace(setup)
  }

  /** Hands the plugin an event of the application's own; its correlation id. */
  deliver(delivery: Delivery): Result.Result<string, IngressError | GrantError> {
    return this.#driver.deliver(delivery)
  }

  /** Runs the plugin until the scope closes, which ends it in order. */
  get supervised(): Effect.Effect<void, never, Scope.Scope> {
    return this.#driver.supervised
  }
}
