/**
 * Puts an enabled plugin together: its log, its authority, its sources. What
 * can't be put together is the reason why it fails.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Diagnostic from "../../diagnostics/Diagnostic.ts"
import * as DiagnosticLog from "../../diagnostics/DiagnosticLog.ts"
import * as Redaction from "../../diagnostics/Redaction.ts"
import { granted } from "../../grants/internal/grantedRequest.ts"
import type { Enablement } from "../../manifest/Enablement.ts"
import { HostFileInvalid } from "../../manifest/HostFileError.ts"
import { PluginInstance } from "../../plugin/PluginInstance.ts"
import type { PluginDiagnostic } from "../../plugin/PluginRecord.ts"
import type { Start } from "../../plugin/PluginRuntime.ts"
import type { PluginPackage } from "../../plugin/PluginRuntime.ts"
import type { Setup, SetupOrProblem } from "../../plugin/Setup.ts"
import * as HostError from "../HostError.ts"
import { configured } from "./configured.ts"
import { Held, hold } from "./held.ts"
import { HeldKeys } from "./heldKeys.ts"
import { Reported } from "./reported.ts"
import type { Parts, Shared } from "./shared.ts"
import { isOf, slots } from "./slots.ts"
import { Times } from "./times.ts"
import * as Wanted from "./wanted.ts"

/** One enabled plugin, for as long as it stays enabled. */
export interface Row extends Parts {
  readonly instance: PluginInstance
  readonly reported: Reported
  readonly times: Times
  wanted: Wanted.Wanted
  /** What it was set up with, or why it couldn't be. */
  held: Held | HostFileInvalid | undefined
  redaction: Redaction.Redaction
}

/** A row of its own for an entry that wasn't there before; `key` is the head of its correlation ids. */
export const row = (
  wanted: Wanted.Wanted,
  key: string,
  shared: Shared,
  predecessor: PluginInstance["ghosts"] | undefined
): Effect.Effect<Row> =>
  Effect.gen(function* () {
    const { activity, changeLog, clock, hostBytes, limits, observers, time } = shared
    const tell = changeLog.plugin(wanted.ref)
    const watch = observers.watch(wanted.ref, () => made)
    const log = DiagnosticLog.make<PluginDiagnostic>({
      capacity: limits.diagnosticsKept,
      now: () => clock.currentTimeMillisUnsafe(),
      // What is masked depends on the configuration of the day.
      encode: (error) => HostError.encode(made.redaction)(error),
      recorded: (record) => {
        changeLog.diagnostic(wanted.ref, record, isInProcess(made.wanted))
        watch.diagnosed(record.diagnostic.tag)
        shared.recorded(wanted.ref, record.diagnostic)
      }
    })
    const parts = { ref: wanted.ref, key, log, dials: shared.dials.plugin() }
    const { held, setup } = yield* prepare(wanted, parts, shared)
    const changed = () => {
      tell(made.instance)
      shared.changed()
    }
    const console = () => consoleOf(shared, wanted.ref, () => made.redaction)
    const requests = { places: shared.requests.plugin(), lookups: parts.dials.lookups }
    const options = { key, limits, clock, log, hostBytes, time, activity, requests, changed, console, watch }
    const instance = new PluginInstance(options, setup, predecessor)
    const made: Row = {
      ...parts,
      instance,
      reported: new Reported(),
      times: new Times(),
      wanted,
      held,
      redaction: redactionOf(shared, { wanted, held })
    }
    return made
  })

/** Takes what a plugin writes to its console and shows it masked, by what is configured then. */
const consoleOf = ({ console }: Shared, pluginRef: string, redaction: () => Redaction.Redaction): Start["console"] =>
  console.listens(pluginRef)
    ? (level, written) => {
        for (const text of redaction().lines(written)) console.line({ pluginRef, level, text })
      }
    : undefined

/** The same plugin, enabled differently: it ends what it runs, and starts anew. */
export const change = (existing: Row, wanted: Wanted.Wanted, shared: Shared): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { held, setup } = yield* prepare(wanted, existing, shared)
    mask(existing)
    // What was enabled until now may still say something.
    existing.redaction = redactionOf(shared, existing, { wanted, held })
    existing.wanted = wanted
    existing.held = held
    yield* existing.instance.replace(setup)
  })

/** Asks for its secrets again: a new one is used from the next dial on, a new configuration from a new start on. */
export const refresh = (existing: Row, shared: Shared): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { held, instance, wanted } = existing
    if (held === undefined) return
    if (!(held instanceof Held)) return yield* retry(existing, held, shared)
    const before = JSON.stringify(held.problems)
    const { hasNewSecrets, isReconfigured } = yield* held.refreshed
    if (hasNewSecrets) for (const { connection } of instance.record.slots) connection.remask()
    for (const { connection } of instance.record.slots) connection.renew()
    const { problems } = held
    if (problems.length > 0 && JSON.stringify(problems) !== before) {
      instance.record.fail(new HostFileInvalid({ problems }))
    }
    if (isReconfigured) yield* change(existing, wanted, shared)
    shared.changed()
  })

/** The same as before, but perhaps granted something else: what that names is asked for. */
export const regrant = (existing: Row, wanted: Wanted.Wanted, shared: Shared): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { held } = existing
    existing.redaction = redactionOf(shared, existing, { wanted, held })
    existing.wanted = wanted
    return held instanceof Held ? held.credentials.prepare(wanted.enablement.grants.request.map(granted)) : Effect.void
  })

/** What an entry lacked may be there now. */
const retry = (existing: Row, lacking: HostFileInvalid, shared: Shared): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { ref, wanted } = existing
    if ("_tag" in wanted.found) return
    const held = yield* hold({ ...optionsOf(wanted.enablement, wanted.found, shared), ref })
    const isSame = !(held instanceof Held) && JSON.stringify(held.problems) === JSON.stringify(lacking.problems)
    if (!isSame) yield* change(existing, wanted, shared)
  })

const optionsOf = (
  enablement: Enablement,
  { manifest }: Pick<PluginPackage, "manifest">,
  { knownSecrets: known, limits, secrets: port, time }: Shared
) => ({ enablement, manifest, port, limits, known, time })

/** Whether an entry runs what runs already. One that lacked something may have it now. */
export const isSame = ({ held, wanted: before }: Row, wanted: Wanted.Wanted): boolean =>
  Wanted.isSame(before, wanted) && (held instanceof Held || "_tag" in wanted.found)

const isInProcess = ({ found }: Wanted.Wanted): boolean => !("_tag" in found) && found.runtime.isInProcess === true

const redactionOf = (
  { knownSecrets }: Shared,
  ...enabled: ReadonlyArray<Pick<Row, "wanted" | "held">>
): Redaction.Redaction =>
  Redaction.make({
    secrets: knownSecrets.words,
    config: enabled.map(({ held, wanted: { enablement, found } }) =>
      configured(
        { ...(held instanceof Held ? held.enablement : enablement), grants: enablement.grants },
        "_tag" in found ? undefined : found.manifest
      )
    )
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

/** What is to run, and what it was set up with. */
interface Prepared {
  readonly setup: SetupOrProblem
  readonly held: Row["held"]
}

const prepare = (
  { enablement, found }: Wanted.Wanted,
  { dials, key, log, ref }: Parts,
  shared: Shared
): Effect.Effect<Prepared> =>
  Effect.gen(function* () {
    if ("_tag" in found) return { setup: found, held: undefined }
    const { digest, manifest, runtime } = found
    const held = yield* hold({ ...optionsOf(enablement, found, shared), ref })
    if ("_tag" in held) return { setup: held, held }
    const scope = yield* Scope.make()
    const subject = {
      pluginRef: ref,
      id: enablement.id,
      version: manifest.version,
      digest,
      manifest,
      surfaces: enablement.surfaces,
      isInProcess: runtime.isInProcess === true
    }
    const authority = yield* Scope.provide(shared.grants.authority(subject), scope)
    held.credentials.follow(authority.requests)
    yield* held.credentials.prepare(authority.requests())
    const { config } = held.enablement
    const { sources } = held
    const prepared: Omit<Setup, "slots"> = {
      runtime,
      config,
      secrets: held,
      credentials: held.credentials,
      limits: held.limits,
      manifest,
      authority,
      keys: new HeldKeys(held, authority),
      keeps: (slot) => sources.some(isOf(slot)),
      watch: (changed) => Scope.provide(authority.watch(changed), scope),
      release: Scope.close(scope, Exit.void)
    }
    const { id, instance = null } = enablement
    const asking = { id, instance, config }
    const setup: Setup = {
      ...prepared,
      slots: (former, record) =>
        slots({ ref, key, log, dials, prepared, record, asking, held }, sources, former, shared)
    }
    return { setup, held }
  })
