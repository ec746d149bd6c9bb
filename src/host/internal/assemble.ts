/**
 * Puts an enabled plugin together: its log, its authority, its sources. What
 * can't be put together is the reason why it fails.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Source from "../../connection/Source.ts"
import * as Diagnostic from "../../diagnostics/Diagnostic.ts"
import * as DiagnosticLog from "../../diagnostics/DiagnosticLog.ts"
import * as Redaction from "../../diagnostics/Redaction.ts"
import { PluginInstance } from "../../plugin/PluginInstance.ts"
import type { PluginDiagnostic } from "../../plugin/PluginRecord.ts"
import type { Setup, SetupOrProblem } from "../../plugin/Setup.ts"
import type { SourceSlot } from "../../plugin/SourceSlot.ts"
import * as HostError from "../HostError.ts"
import { configured } from "./configured.ts"
import { Reported } from "./reported.ts"
import type { Parts, Shared } from "./shared.ts"
import { leavePlaces, slots } from "./slots.ts"
import type { Wanted } from "./wanted.ts"

/** One enabled plugin, for as long as it stays enabled. */
export interface Row extends Parts {
  readonly instance: PluginInstance
  readonly reported: Reported
  wanted: Wanted
  redaction: Redaction.Redaction
}

/** A row of its own for an entry that wasn't there before; `key` is the head of its correlation ids. */
export const row = (
  wanted: Wanted,
  key: string,
  shared: Shared,
  predecessor: PluginInstance | undefined
): Effect.Effect<Row> =>
  Effect.gen(function* () {
    const { activity, changeLog, clock, hostBytes, limits, time } = shared
    const tell = changeLog.plugin(wanted.ref)
    const log = DiagnosticLog.make<PluginDiagnostic>({
      capacity: limits.diagnosticsKept,
      now: () => clock.currentTimeMillisUnsafe(),
      // What is masked depends on the configuration of the day.
      encode: (error) => HostError.encode(made.redaction)(error),
      recorded: (record) => {
        changeLog.diagnostic(wanted.ref, record, isInProcess(made.wanted))
        shared.recorded(wanted.ref, record)
      }
    })
    const parts = { ref: wanted.ref, key, log, dials: shared.dials.plugin() }
    const setup = yield* prepare(wanted, parts, shared)
    const dropped = (gone: ReadonlyArray<SourceSlot>) => leavePlaces(key, gone, shared)
    const changed = () => {
      tell(made.instance)
      shared.changed()
    }
    const options = { key, limits, clock, log, hostBytes, time, activity, changed, dropped }
    const instance = new PluginInstance(options, setup, predecessor)
    const made: Row = {
      ...parts,
      instance,
      reported: new Reported(),
      wanted,
      redaction: redactionOf(wanted)
    }
    return made
  })

/** The same plugin, enabled differently: it ends what it runs, and starts anew. */
export const change = (existing: Row, wanted: Wanted, shared: Shared): Effect.Effect<void> =>
  Effect.gen(function* () {
    const setup = yield* prepare(wanted, existing, shared)
    mask(existing)
    // What was enabled until now may still say something.
    existing.redaction = redactionOf(existing.wanted, wanted)
    existing.wanted = wanted
    yield* existing.instance.replace(setup)
  })

const isInProcess = ({ found }: Wanted): boolean => !("_tag" in found) && found.runtime.isInProcess === true

const redactionOf = (...wanted: ReadonlyArray<Wanted>) =>
  Redaction.make({
    secrets: [],
    config: wanted.map(({ enablement, found }) => configured(enablement, "_tag" in found ? undefined : found.manifest))
  })

/** Masks for good what is kept of foreign texts, before it is forgotten what is to be masked. */
const mask = ({ instance: { record }, redaction }: Row): void => {
  if (record.reportedStatus !== null) {
    record.reportedStatus = JSON.stringify(redaction.json(JSON.parse(record.reportedStatus) as Schema.Json))
  }
  const { lastError } = record
  if (lastError !== null) {
    const { message, tag } = lastError
    record.lastError = { ...lastError, message: Diagnostic.message({ _tag: tag, message }, redaction) }
  }
  record.results.mask(redaction.foreign)
  for (const { connection } of record.slots) {
    const { lastClose } = connection
    if (lastClose !== null) connection.lastClose = { ...lastClose, reason: redaction.foreign(lastClose.reason) }
  }
}

const prepare = (
  { enablement, found }: Wanted,
  { dials, key, log, ref }: Parts,
  shared: Shared
): Effect.Effect<SetupOrProblem> =>
  Effect.gen(function* () {
    if ("_tag" in found) return found
    const { digest, manifest, runtime } = found
    const scope = yield* Scope.make()
    const subject = {
      pluginRef: ref,
      id: enablement.id,
      version: manifest.version,
      digest,
      manifest,
      surfaces: enablement.surfaces
    }
    const authority = yield* Scope.provide(shared.grants.authority(subject), scope)
    const prepared: Omit<Setup, "slots"> = {
      runtime,
      config: enablement.config,
      manifest,
      authority,
      watch: (changed) => Scope.provide(authority.watch(changed), scope),
      release: Scope.close(scope, Exit.void)
    }
    const { config, id, instance = null } = enablement
    const asking = { id, instance, config }
    const sources = Source.all(manifest, enablement)
    return {
      ...prepared,
      slots: (former, record) => slots({ ref, key, log, dials, prepared, record, asking }, sources, former, shared)
    }
  })
