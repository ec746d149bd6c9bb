/**
 * Puts one enabled plugin together: its authority, its queues and connections,
 * its diagnostics. What can't be put together is a row with its reason.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Connection from "../../connection/Connection.ts"
import { ConnectionLimit } from "../../connection/ConnectionError.ts"
import type { DialLimiter } from "../../connection/DialLimiter.ts"
import * as Source from "../../connection/Source.ts"
import type { WebSocketClient } from "../../connection/WebSocketClient.ts"
import * as DiagnosticLog from "../../diagnostics/DiagnosticLog.ts"
import * as Redaction from "../../diagnostics/Redaction.ts"
import { TargetInvalid } from "../../grants/GrantError.ts"
import type { Grants } from "../../grants/Grants.ts"
import type { HostBytes } from "../../ingress/Accounting.ts"
import * as IngressQueue from "../../ingress/IngressQueue.ts"
import { monotonic } from "../../internal/monotonic.ts"
import type { Activity } from "../../internal/parking.ts"
import type { Values } from "../../limits/Limits.ts"
import { refOf, type Enablement } from "../../manifest/Enablement.ts"
import { takes, type Manifest } from "../../manifest/Manifest.ts"
import {
  DigestMismatch,
  ManifestInvalid,
  PackageUnreadable,
  VersionMismatch,
  type ManifestError
} from "../../manifest/ManifestError.ts"
import { packageId } from "../../manifest/PluginRef.ts"
import { PluginInstance, type PluginDiagnostic, type SourceSlot } from "../../plugin/PluginInstance.ts"
import type { PluginPackage } from "../../plugin/PluginRuntime.ts"
import * as HostError from "../HostError.ts"

/** What the plugins of a host share. */
export interface Shared {
  readonly client: WebSocketClient["Service"]
  readonly grants: Grants["Service"]
  readonly limits: Values
  readonly clock: Clock.Clock
  readonly dials: DialLimiter
  readonly hostBytes: HostBytes
  readonly connections: { used: number }
  /** The head of the correlation ids of this run of the host. */
  readonly runKey: string
  readonly activity: Activity
  readonly changed: () => void
  readonly turnNow: () => number
}

/** One enabled plugin. `instance` is missing where there is nothing that could run. */
export interface Row {
  readonly ref: string
  readonly enablement: Enablement
  readonly redaction: Redaction.Redaction
  readonly log: DiagnosticLog.DiagnosticLog<PluginDiagnostic>
  readonly instance: PluginInstance | undefined
  /** Why there is no instance. */
  readonly problem: { readonly error: ManifestError; readonly at: number } | undefined
}

export const row = (
  enablement: Enablement,
  packages: ReadonlyArray<PluginPackage>,
  index: number,
  shared: Shared
): Effect.Effect<Row, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { clock, limits } = shared
    const now = () => clock.currentTimeMillisUnsafe()
    const redaction = Redaction.make({ secrets: [], config: enablement.config })
    const log = DiagnosticLog.make<PluginDiagnostic>({
      capacity: limits.diagnosticsKept,
      now,
      encode: HostError.encode(redaction),
      changed: shared.changed
    })
    const common = { ref: refOf(enablement), enablement, redaction, log }
    const found = find(enablement, packages)
    if ("_tag" in found) {
      log.add(found)
      return { ...common, instance: undefined, problem: { error: found, at: now() } }
    }
    const instance = yield* assemble(enablement, found, log, `${shared.runKey}-${index}`, shared)
    return { ...common, instance, problem: undefined }
  })

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
  const problems = strangers(enablement, exact.manifest)
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

const assemble = Effect.fnUntraced(function* (
  enablement: Enablement,
  { digest, manifest, runtime }: PluginPackage,
  log: DiagnosticLog.DiagnosticLog<PluginDiagnostic>,
  key: string,
  shared: Shared
) {
  const { activity, changed, clock, grants, limits } = shared
  const authority = yield* grants.authority({
    pluginRef: refOf(enablement),
    id: enablement.id,
    version: manifest.version,
    digest,
    manifest,
    surfaces: enablement.surfaces
  })
  const config = enablement.config
  const instance = new PluginInstance({ runtime, config, authority, limits, clock, log, activity, changed })
  const dials = shared.dials.plugin()
  for (const [index, source] of Source.all(manifest, enablement).entries()) {
    const queue = yield* makeQueue(manifest, source, `${key}-${index}`, instance, log, shared, () => slot)
    const connection = yield* Connection.make({
      source,
      authority,
      client: shared.client,
      sink: queue,
      dials,
      limits,
      refused: refusal(source, index, shared),
      report: (tag, make) => log.report(tag, source.display, make),
      changed,
      turnNow: shared.turnNow,
      activity
    })
    const slot: SourceSlot = { connection, queue, epochSince: 0 }
    instance.slots.push(slot)
  }
  return instance
})

const makeQueue = (
  manifest: Manifest,
  source: Source.Source,
  key: string,
  instance: PluginInstance,
  log: DiagnosticLog.DiagnosticLog<PluginDiagnostic>,
  { clock, hostBytes, limits }: Shared,
  slot: () => SourceSlot
) => {
  const ingress = manifest.ingresses.find(({ name }) => name === source.ingress)
  return IngressQueue.make({
    origin: { key, source: `websocket:${source.url}`, url: source.url, ingressName: source.ingress },
    display: source.display,
    takes: (kind) => ingress !== undefined && takes(ingress, kind),
    limits,
    accounting: instance.accounting,
    hostBytes,
    turns: instance.turns,
    now: () => clock.currentTimeMillisUnsafe(),
    monotonic: monotonic(clock),
    overflowed: (make) => log.report("QueueOverflow", source.display, make),
    paused: () => instance.pacer.paused(),
    readied: () => slot().connection.wake(),
    epochBegan: () => instance.epochBegan(slot())
  })
}

/** Why a source is never dialled: there are too many, or nobody fills in its template. */
const refusal = (
  source: Source.Source,
  index: number,
  { connections, limits }: Shared
): Connection.Options["refused"] => {
  const url = source.display
  if ([source.url, ...Object.values(source.headers)].some((text) => /\{[^{}]*\}/.test(text))) {
    const error = new TargetInvalid({ url, problem: "its template is not filled in by this host" })
    return { error, reason: "grant" }
  }
  if (index >= limits.connectionsPerPlugin) {
    const error = new ConnectionLimit({ url, per: "plugin", limit: limits.connectionsPerPlugin })
    return { error, reason: "limit" }
  }
  if (connections.used >= limits.connectionsPerHost) {
    return { error: new ConnectionLimit({ url, per: "host", limit: limits.connectionsPerHost }), reason: "limit" }
  }
  connections.used++
  return undefined
}
