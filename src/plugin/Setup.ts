/**
 * What an enabled plugin runs: one exact package, as the operator enabled it.
 * A plugin that is enabled differently gets another setup; what it leaves
 * behind stays in its record.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type { Authority } from "../grants/Grants.ts"
import type { RequestCredentials } from "../requests/RequestCredentials.ts"
import type { Values } from "../limits/Limits.ts"
import type { HostFileError } from "../manifest/HostFileError.ts"
import type { Manifest } from "../manifest/Manifest.ts"
import type { ManifestError } from "../manifest/ManifestError.ts"
import type { EntrySecrets } from "../secrets/EntrySecrets.ts"
import type { SigningKeys } from "../secrets/Signer.ts"
import type { PluginRecord } from "./PluginRecord.ts"
import type { PluginRuntime } from "./PluginRuntime.ts"
import type { SourceSlot } from "./SourceSlot.ts"

/**
 * What runs. `slots` makes the sources, out of those that the plugin had before
 * where they stay (`keeps`); `release` gives back what the setup holds.
 *
 * @category models
 * @since 0.1.0
 */
export interface Setup {
  readonly runtime: PluginRuntime
  readonly config: Schema.Json
  readonly secrets: EntrySecrets
  /** What the host adds to its requests. */
  readonly credentials: RequestCredentials
  /** The plugin's own, where it has some, in place of the host's. */
  readonly limits: Values
  readonly manifest: Manifest
  readonly authority: Authority
  /** What it may sign with. */
  readonly keys: SigningKeys
  readonly keeps: (slot: SourceSlot) => boolean
  readonly slots: (former: ReadonlyArray<SourceSlot>, record: PluginRecord) => Effect.Effect<ReadonlyArray<SourceSlot>>
  /** Calls back after each change of the grants, until it is released. */
  readonly watch: (changed: () => void) => Effect.Effect<void>
  readonly release: Effect.Effect<void>
}

/**
 * What runs, or why nothing can.
 *
 * @category models
 * @since 0.1.0
 */
export type SetupOrProblem = Setup | ManifestError | HostFileError

/**
 * Whether something can run.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isSetup = (setup: SetupOrProblem): setup is Setup => !("_tag" in setup)
