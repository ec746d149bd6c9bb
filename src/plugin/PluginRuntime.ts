/**
 * The port behind which plugin code runs. In process that is Effect code
 * (`ServicePlugin`), which is trusted to be interruptible; a sandbox is another
 * implementation of the same.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
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
import type { Texts } from "../secrets/StandIns.ts"
import type { SigningKeys } from "../secrets/Signer.ts"
import type { ConsoleLevel } from "./PluginConsole.ts"

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
 * null; it lives in the host's memory only. `config`, `state` and `secrets` are
 * this start's own; `secrets` has a stand-in for each secret of the entry, and
 * `keys` are those that it may sign with: its code never sees one. `deliver`
 * hands the plugin itself an event, for as long as the instance runs: see
 * `SelfDelivery`. `key` tells the enabled plugin from all others of the host,
 * through all its starts; `limits` are its own. `console` takes what the plugin
 * writes to its console, as it is; absent, nobody wants it.
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
  readonly secrets: Texts
  readonly deliver: (delivery: Delivery) => Result.Result<string, IngressError | GrantError>
  readonly keys: SigningKeys
  readonly console?: ((level: ConsoleLevel, text: string) => void) | undefined
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
 * What a runtime is lent events by, in batches of at most so many events, and of
 * about so many bytes (a larger event comes alone).
 *
 * **Details**
 *
 * One batch is out at a time, and none while `status` is asked or `stop` runs.
 * It has one event while the plugin keeps up, and at most as many as a turn of
 * 10 ms has shown to fit. A timer's event is the first of its batch, so that
 * every earlier answer has been executed by then.
 *
 * The events are handled one after the other, in their order, and the runtime
 * tells of each when it begins and how it ended. Until one begins it is the
 * host's: it may be evicted, revoked or withdrawn, for which the host recalls
 * the batch. So a runtime must be able to say at any moment which have begun.
 * What comes back waits again, and may be lent again, in a later batch.
 *
 * @category models
 * @since 0.3.0
 */
export interface Batches {
  readonly mostEvents: number
  readonly mostBytes: number
  readonly dispatch: (events: ReadonlyArray<AnyEvent>, told: Told) => Batch
}

/**
 * A batch that a runtime was lent. Neither call waits for anything.
 *
 * @category models
 * @since 0.3.0
 */
export interface Batch {
  /**
   * Nothing more of it begins. Those that have begun without the host having been told are told of (by `begun`, and by
   * nothing else) before this returns. `ended` follows once what has begun has ended.
   */
  readonly recall: () => void
  /** After `recall`: what has begun isn't wanted any more, however it ends. The sooner `ended` follows the better. */
  readonly interrupt: () => void
}

/**
 * What a runtime tells of a batch; nothing before `dispatch` has returned.
 *
 * **Details**
 *
 * A runtime that hands back what hasn't begun, because another plugin's turn has
 * come, tells `ended` early. One whose instance is lost tells what it still
 * knows, completes `lost`, and owes no `ended`: what hadn't begun waits for the
 * next instance, unless this one crashed; what had is failed.
 *
 * @category models
 * @since 0.3.0
 */
export interface Told {
  /** The next event is with the plugin: it doesn't wait any more, and its deadline runs. */
  begun(): void
  /** The oldest that has begun and not ended has ended, as the effect of a `handle` ends. */
  done(exit: Exit.Exit<Output | void, unknown>): void
  /**
   * Nothing of it is with the plugin, and nothing more begins. `ms` is how long the plugin worked on what was done, by the
   * runtime's own clock; without it the host measures from the first `begun`.
   */
  ended(ms?: number): void
}

/**
 * What every instance has, however it takes its events.
 *
 * **Details**
 *
 * `status` is asked between two dispatches, at most every 10 seconds; `stop` at
 * an orderly end. `lost` completes when the instance is gone though nobody told
 * it to end: because it crashed, or because its sandbox was ended for a
 * neighbour's sake, which isn't charged to it. `services` are provided to
 * `handle`, `status` and `stop`: once for all events.
 *
 * A runtime with a clock of its own `keepsDeadlines`: then nobody else interrupts
 * `handle`, a batch and `status`, and what is past its deadline dies with
 * `DispatchTimeout`. `initial` is what `start` handed over, within the limits.
 * `sandbox` tells where the instance runs.
 *
 * @category models
 * @since 0.3.0
 */
export interface Lifecycle {
  readonly status?: Effect.Effect<Schema.Json, unknown> | undefined
  readonly stop: Effect.Effect<void, unknown>
  readonly lost?: Effect.Effect<Loss> | undefined
  readonly services?: Context.Context<never> | undefined
  readonly keepsDeadlines?: boolean | undefined
  readonly initial?: Pick<Output, "status" | "state"> | undefined
  readonly sandbox?: (() => Sandboxed) | undefined
}

/**
 * A started plugin that takes one event at a time. Its resources belong to the
 * scope it was started in. The effect of `handle` may be an `Exit`, which costs
 * no fiber. A failure is a failed dispatch, a defect a crash.
 *
 * @category models
 * @since 0.1.0
 */
export interface Instance extends Lifecycle {
  readonly handle: (event: AnyEvent) => Effect.Effect<Output | void, unknown>
  readonly batches?: undefined
}

/**
 * A started plugin that takes several events at once, for a runtime to which
 * handing one over costs more than handling it.
 *
 * @category models
 * @since 0.3.0
 */
export interface BatchingInstance extends Lifecycle {
  readonly batches: Batches
  readonly handle?: undefined
}

/**
 * Where an instance runs that isn't in process: the number of its worker, null
 * where it has none, and how many lines its plugin has written to its console
 * so far.
 *
 * @category models
 * @since 0.3.0
 */
export interface Sandboxed {
  readonly worker: number | null
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
  /** Whether it judges by a clock of its own what is too late to have started: then nobody else interrupts `start`. */
  readonly keepsStartDeadline?: boolean
  readonly start: (start: Start) => Effect.Effect<Instance | BatchingInstance, unknown, Scope.Scope>
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
  /** Files of it that may be why its digest isn't the one that was enabled. */
  readonly suspects?: ReadonlyArray<string>
}
