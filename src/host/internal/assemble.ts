/**
 * Puts an enabled plugin together: its authority, its queues and connections.
 * What can't be put together is the reason why it fails.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Connection from "../../connection/Connection.ts"
import { ConnectionLimit } from "../../connection/ConnectionError.ts"
import type { DialLimiter, PluginSlots } from "../../connection/DialLimiter.ts"
import * as Source from "../../connection/Source.ts"
import type { SourceUrl } from "../../connection/SourceUrl.ts"
import type { WebSocketClient } from "../../connection/WebSocketClient.ts"
import * as Diagnostic from "../../diagnostics/Diagnostic.ts"
import * as DiagnosticLog from "../../diagnostics/DiagnosticLog.ts"
import * as Redaction from "../../diagnostics/Redaction.ts"
import { TargetInvalid } from "../../grants/GrantError.ts"
import type { Grants } from "../../grants/Grants.ts"
import type { HostBytes } from "../../ingress/Accounting.ts"
import * as IngressQueue from "../../ingress/IngressQueue.ts"
import { monotonic } from "../../internal/monotonic.ts"
import type { Activity } from "../../internal/parking.ts"
import type { Values } from "../../limits/Limits.ts"
import type { Enablement } from "../../manifest/Enablement.ts"
import type { Manifest } from "../../manifest/Manifest.ts"
import {
  DigestMismatch,
  ManifestInvalid,
  PackageUnreadable,
  VersionMismatch,
  type ManifestError
} from "../../manifest/ManifestError.ts"
import { DIGEST_WITHOUT_FILES, packageId } from "../../manifest/PluginRef.ts"
import { PluginInstance } from "../../plugin/PluginInstance.ts"
import type { PluginDiagnostic, PluginRecord } from "../../plugin/PluginRecord.ts"
import type { PluginPackage } from "../../plugin/PluginRuntime.ts"
import type { Setup, SetupOrProblem } from "../../plugin/Setup.ts"
import type { SourceSlot } from "../../plugin/SourceSlot.ts"
import * as HostError from "../HostError.ts"
import type { ChangeLog } from "./changeLog.ts"
import { configured } from "./configured.ts"
import { Reported } from "./reported.ts"
import type { Entry } from "./entries.ts"

/** What the plugins of a host share. */
export interface Shared {
  readonly client: WebSocketClient["Service"]
  readonly sourceUrl: typeof SourceUrl.Service
  readonly grants: Grants["Service"]
  readonly limits: Values
  readonly clock: Clock.Clock
  readonly dials: DialLimiter
  readonly hostBytes: HostBytes
  /** Who has one of the `connections_per_host`. */
  readonly places: Set<string>
  /** The head of the correlation ids of this run of the host. */
  readonly runKey: string
  readonly activity: Activity
  readonly changed: () => void
  /** A plugin has a new diagnostic. */
  readonly recorded: (pluginRef: string, record: DiagnosticLog.Recorded<PluginDiagnostic>) => void
  readonly changeLog: ChangeLog
  readonly turnNow: () => number
}

/** An entry and the package that it enables, or why there is none. */
export interface Wanted {
  readonly ref: string
  readonly enablement: Enablement
  readonly found: PluginPackage | ManifestError
}

/** One enabled plugin, for as long as it stays enabled. */
export interface Row {
  readonly ref: string
  readonly key: string
  readonly log: DiagnosticLog.DiagnosticLog<PluginDiagnostic>
  readonly instance: PluginInstance
  readonly dials: PluginSlots
  readonly reported: Reported
  wanted: Wanted
  redaction: Redaction.Redaction
}

/** The entry's package among those that there are. */
export const want = ({ enablement, invalid, ref }: Entry, packages: ReadonlyArray<PluginPackage>): Wanted => ({
  ref,
  enablement,
  found: invalid ?? find(enablement, packages)
})

/** A row of its own for an entry that wasn't there before; `key` is the head of its correlation ids. */
export const row = (
  wanted: Wanted,
  key: string,
  shared: Shared,
  predecessor: PluginInstance | undefined
): Effect.Effect<Row> =>
  Effect.gen(function* () {
    const { activity, changeLog, clock, hostBytes, limits } = shared
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
    const parts = { key, log, dials: shared.dials.plugin() }
    const setup = yield* prepare(wanted, parts, shared)
    const dropped = (gone: ReadonlyArray<SourceSlot>) => leavePlaces(key, gone, shared)
    const changed = () => {
      tell(made.instance)
      shared.changed()
    }
    const options = { key, limits, clock, log, hostBytes, activity, changed, dropped }
    const instance = new PluginInstance(options, setup, predecessor)
    const made: Row = {
      ...parts,
      ref: wanted.ref,
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

/** Whether two entries of the same reference run the same, whatever they are granted. */
export const isSame = (one: Wanted, other: Wanted): boolean => {
  const { grants: _, ...left } = one.enablement
  const { grants: __, ...right } = other.enablement
  return isSamePackage(one.found, other.found) && canonical(left) === canonical(right)
}

const isSamePackage = (one: Wanted["found"], other: Wanted["found"]): boolean => {
  if ("_tag" in one || "_tag" in other) return "_tag" in one && "_tag" in other && one.message === other.message
  return one === other || (one.digest === other.digest && one.digest !== DIGEST_WITHOUT_FILES)
}

/** A value as JSON, whatever the order of its keys. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_key, item: unknown) =>
    typeof item === "object" && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : item
  )

const find = (enablement: Enablement, packages: ReadonlyArray<PluginPackage>): PluginPackage | ManifestError => {
  const id = packageId(enablement.id)
  const named = packages.filter(({ manifest }) => manifest.id === id)
  const [first] = named
  if (first === undefined) return new PackageUnreadable({ problem: `no package has the id ${id}` })
  const versioned = named.filter(({ manifest }) => manifest.version === enablement.version)
  if (versioned.length === 0) {
    return new VersionMismatch({ enabled: enablement.version, actual: first.manifest.version })
  }
  const exact = versioned.find(({ digest }) => digest === enablement.digest)
  if (exact === undefined) {
    return new DigestMismatch({ enabled: enablement.digest, actual: versioned[0]?.digest ?? "" })
  }
  const problems = [
    ...strangers(enablement, exact.manifest),
    ...Source.problems(Source.all(exact.manifest, enablement))
  ]
  return problems.length === 0 ? exact : new ManifestInvalid({ subject: "enablement", problems })
}

/** What the enablement says of surfaces and ingresses that the manifest doesn't have. */
const strangers = ({ sources, surfaces = [] }: Enablement, manifest: Manifest) => [
  ...surfaces.flatMap((surface, index) =>
    manifest.surfaces.includes(surface)
      ? []
      : [{ path: `surfaces[${index}]`, message: "Expected a surface that the manifest declares" }]
  ),
  ...Object.keys(sources).flatMap((name) =>
    manifest.ingresses.some((ingress) => ingress.name === name)
      ? []
      : [{ path: `sources.${name}`, message: "Expected an ingress that the manifest declares" }]
  )
]

const prepare = (
  { enablement, found, ref }: Wanted,
  parts: Pick<Row, "key" | "log" | "dials">,
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
      slots: (former, record) => slots({ ...parts, ref, prepared, record, asking }, sources, former, shared)
    }
  })

interface Slots extends Pick<Row, "key" | "log" | "dials" | "ref"> {
  readonly prepared: Omit<Setup, "slots">
  readonly record: PluginRecord
  /** What is said of the plugin to whom is asked what is dialled for it. */
  readonly asking: Connection.Options["enablement"]
}

/** The sources of a plugin: those that stay are kept, with all that they counted. */
const slots = (
  of: Slots,
  sources: ReadonlyArray<Source.Source>,
  former: ReadonlyArray<SourceSlot>,
  shared: Shared
): Effect.Effect<ReadonlyArray<SourceSlot>> =>
  Effect.suspend(() => {
    leavePlaces(of.key, former, shared)
    return Effect.forEach(sources, (source, index) => {
      const refused = refusalOf(of.key, source, index, shared)
      // Places are given in the order in which sources are enabled.
      refused()
      const options = connectionOptions(of, source, refused, shared)
      const kept = former.find(
        ({ connection }) => connection.source.url === source.url && connection.source.ingress === source.ingress
      )
      return kept === undefined ? newSlot(of, source, options, shared) : Effect.sync(() => keep(kept, options))
    })
  })

const placeOf = (key: string, { ingress, url }: Source.Source): string => `${key} ${ingress} ${url}`

/** Gives back the places that a plugin's sources have among `connections_per_host`. */
export const leavePlaces = (key: string, gone: ReadonlyArray<SourceSlot>, { places }: Shared): void => {
  for (const { connection } of gone) places.delete(placeOf(key, connection.source))
}

const keep = (slot: SourceSlot, options: Omit<Connection.Options, "sink">): SourceSlot => {
  slot.connection.reconfigure({ ...options, sink: slot.queue })
  slot.queue.reconfigure()
  return slot
}

const newSlot = (of: Slots, source: Source.Source, options: Omit<Connection.Options, "sink">, shared: Shared) =>
  Effect.gen(function* () {
    const { clock, hostBytes, limits } = shared
    const { log, record } = of
    const key = `${of.key}-${record.nextSource()}`
    const queue = yield* IngressQueue.make({
      origin: Object.freeze({
        key,
        source: `websocket:${source.url}`,
        id: source.id,
        url: source.url,
        ingressName: source.ingress
      }),
      display: source.display,
      takes: (kind) => record.takes(source.ingress, kind),
      rules: () => record.rules(source.ingress),
      reply: (text) => record.reply(slot, text),
      limits,
      accounting: record.accounting,
      hostBytes,
      turns: record.turns,
      now: () => clock.currentTimeMillisUnsafe(),
      monotonic: monotonic(clock),
      overflowed: (make) => log.report("QueueOverflow", source.id, make),
      paused: () => record.ticker.wake(),
      readied: () => slot.connection.wake(),
      epochBegan: () => record.epochBegan(slot),
      epochEnded: () => record.timers.epochOver(slot)
    })
    const connection = yield* Connection.make({ ...options, sink: queue })
    const slot: SourceSlot = { connection, queue, epochSince: 0 }
    return slot
  })

const connectionOptions = (
  { asking, dials, log, prepared, ref }: Slots,
  source: Source.Source,
  refused: Connection.Options["refused"],
  { activity, changeLog, changed, client, limits, sourceUrl, turnNow }: Shared
): Omit<Connection.Options, "sink"> => {
  const tell = changeLog.connection(ref)
  return {
    pluginRef: ref,
    enablement: asking,
    source,
    sourceUrl,
    authority: prepared.authority,
    client,
    dials,
    limits,
    refused,
    report: (tag, make) => log.report(tag, source.id, make),
    changed: (connection) => {
      tell(connection)
      changed()
    },
    turnNow,
    activity
  }
}

// Made here, so that it holds nothing of the lists that a connection was found in.
const refusalOf = (key: string, source: Source.Source, index: number, shared: Shared) => () =>
  refusal(key, source, index, shared)

/** Why a source isn't dialled: there are too many, or nobody fills in its template. */
const refusal = (
  key: string,
  source: Source.Source,
  index: number,
  { limits, places }: Shared
): Connection.Refusal | undefined => {
  const url = source.display
  if ([source.url, ...Object.values(source.headers)].some((text) => /\{[^{}]*\}/.test(text))) {
    const error = new TargetInvalid({ url, problem: "its template is not filled in by this host" })
    return { error, reason: "grant" }
  }
  if (index >= limits.connectionsPerPlugin) {
    const error = new ConnectionLimit({ url, per: "plugin", limit: limits.connectionsPerPlugin })
    return { error, reason: "limit" }
  }
  const place = placeOf(key, source)
  if (!places.has(place) && places.size >= limits.connectionsPerHost) {
    return { error: new ConnectionLimit({ url, per: "host", limit: limits.connectionsPerHost }), reason: "limit" }
  }
  places.add(place)
  return undefined
}
