/**
 * The port behind which plugin code runs. In process that is Effect code
 * (`ServicePlugin`), which is trusted to be interruptible; a sandbox is another
 * implementation of the same.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Command } from "../commands/OutputCommand.ts"
import { OutputCommandWire } from "../commands/OutputCommandWire.ts"
import type { GrantError } from "../grants/GrantError.ts"
import type { Delivery } from "../ingress/Delivery.ts"
import type { IngressError } from "../ingress/IngressError.ts"
import type { AnyEvent } from "../ingress/IngressEvent.ts"
import type { Values } from "../limits/Limits.ts"
import type { Manifest } from "../manifest/Manifest.ts"

/**
 * Why an instance is started: for the first time, after a crash, because its
 * sandbox worker had to be killed for another plugin, or because its
 * enablement changed.
 *
 * @category models
 * @since 0.1.0
 */
export type StartReason = "first" | "crash" | "neighbour" | "reload"

/**
 * What `start` is handed. `state` is what the plugin last handed over, or
 * null; it lives in the host's memory only. `config` and `state` are this
 * start's own. `deliver` hands the plugin itself an event, for as long as the
 * instance runs: see `SelfDelivery`. `key` tells the enabled plugin from all
 * others of the host, through all its starts; `limits` are its own.
 *
 * @category models
 * @since 0.1.0
 */
export interface Start {
  readonly key: string
  readonly limits: Values
  readonly config: Schema.Json
  readonly reason: StartReason
  readonly state: Schema.Json
  readonly deliver: (delivery: Delivery) => Result.Result<string, IngressError | GrantError>
}

/**
 * What a handler answers an event with. Every field is optional. `accepted:
 * false` makes the dispatch failed and drops the rest; `status` and `state`
 * replace the last ones.
 *
 * @category models
 * @since 0.1.0
 */
export interface Output {
  readonly accepted?: boolean
  readonly status?: Schema.Json
  readonly state?: Schema.Json
  readonly commands?: ReadonlyArray<Command>
}

/**
 * The schema of an output on the wire.
 *
 * @category schemas
 * @since 0.1.0
 */
export const OutputWire = Schema.Struct({
  accepted: Schema.optionalKey(Schema.Boolean),
  status: Schema.optionalKey(Schema.Json),
  state: Schema.optionalKey(Schema.Json),
  output_commands: Schema.optionalKey(Schema.Array(OutputCommandWire))
}).annotate({ identifier: "Output" })

/**
 * How an instance was lost.
 *
 * @category models
 * @since 0.1.0
 */
export type Loss = "crash" | "neighbour"

/**
 * A started plugin. Its resources belong to the scope it was started in.
 *
 * **Details**
 *
 * The effect of `handle` may be an `Exit`, which costs no fiber. A failure is
 * a failed dispatch, a defect a crash. `status` is asked between two dispatches,
 * at most every 10 seconds; `stop` at an orderly end. `lost` completes when the
 * instance is gone though nobody told it to end: because it crashed, or because
 * its sandbox was ended for a neighbour's sake, which isn't charged to it.
 * `services` are provided to `handle`, `status` and `stop`: once for all events.
 *
 * A runtime with a clock of its own `keepsDeadlines`: then nobody else interrupts
 * `handle` and `status`, and what is past its deadline dies with
 * `DispatchTimeout`. `initial` is what `start` handed over, within the limits.
 * `sandbox` tells where the instance runs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Instance {
  readonly handle: (event: AnyEvent) => Effect.Effect<Output | void, unknown>
  readonly status?: Effect.Effect<Schema.Json, unknown> | undefined
  readonly stop: Effect.Effect<void, unknown>
  readonly lost?: Effect.Effect<Loss> | undefined
  readonly services?: Context.Context<never> | undefined
  readonly keepsDeadlines?: boolean | undefined
  readonly initial?: Pick<Output, "status" | "state"> | undefined
  readonly sandbox?: (() => Sandboxed) | undefined
}

/**
 * Where an instance runs that isn't in process: the number of its worker, and
 * how many lines its plugin has written to its console so far.
 *
 * @category models
 * @since 0.3.0
 */
export interface Sandboxed {
  readonly worker: number
  readonly consoleLines: number
}

/**
 * Runs plugin code. A start that fails with `ManifestInvalid` (the operator's
 * `config` is not what the plugin takes) is not tried again by itself.
 *
 * @category models
 * @since 0.1.0
 */
export interface PluginRuntime {
  /** Whether the code is the application's own and runs in its process: then the stack of a defect in it may be logged. */
  readonly isInProcess?: boolean
  readonly start: (start: Start) => Effect.Effect<Instance, unknown, Scope.Scope>
}

/**
 * A package that a host can be given: what it declares, what pins it, and how
 * its code is run.
 *
 * @category models
 * @since 0.1.0
 */
export interface PluginPackage {
  readonly manifest: Manifest
  readonly digest: string
  readonly runtime: PluginRuntime
}
