/**
 * A host that runs what a host file says, also once that says something else.
 *
 * What is read takes effect in two steps. What is granted does at once, so that
 * a narrowed grant waits for nobody: not for a folder that is slow, nor for a
 * plugin that takes its time to stop. Everything else is applied one change
 * after the other, and of those that come meanwhile only the last. What such a
 * change ends anyway ends by it, in order, unless that takes too long.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as GrantStore from "../../grants/GrantStore.ts"
import type { HostStatus } from "../../host/HostStatus.ts"
import { refOf } from "../../manifest/Enablement.ts"
import * as PluginHost from "../../host/PluginHost.ts"
import * as Following from "../../internal/following.ts"
import type * as Wire from "../../internal/wire.ts"
import * as Limits from "../../limits/Limits.ts"
import * as HostFile from "../../node/HostFile.ts"
import type * as PackageFolders from "../../node/PackageFolders.ts"
import * as Clients from "../../node/Clients.ts"
import type { Sandbox } from "../../sandbox/Sandbox.ts"
import { Secrets } from "../../secrets/Secrets.ts"
import { type Asked, LiveControl, NOTHING_ASKED } from "./liveControl.ts"
import { LiveProxy } from "./liveProxy.ts"
import * as Packages from "./packages.ts"

const LOOK_AT_FOLDERS_EVERY_MS = 5000

type Problems = ReadonlyArray<Wire.Problem>

/** What a host began with: everything else is applied to it. */
export interface Beginning {
  readonly path: string
  readonly file: HostFile.HostFile
  readonly packages: Packages.Packages
  readonly proxy: LiveProxy
  readonly control: LiveControl
}

export const begin = (path: string, asked: Asked = NOTHING_ASKED) =>
  Effect.gen(function* () {
    const file = yield* HostFile.read(path)
    const packages = yield* Packages.read(file.entries, file.limits.startDeadlineMs, [], () => true)
    const control = yield* LiveControl.begin(asked, path, file)
    return { path, file, packages, proxy: new LiveProxy(file), control } satisfies Beginning
  })

const grantsOf = (file: HostFile.HostFile) => file.entries.map(({ enablement }) => enablement)

/** Within a second of being read a grant is in force, whatever else a change waits for. */
const GRANTED_WITHIN_MS = 400

/** The grants of a file that was read, for what runs by the one that is in force: none of what that doesn't enable so. */
const grantsMeanwhile = (next: HostFile.HostFile, inForce: HostFile.HostFile) => {
  const coming = new Map(next.entries.map((entry) => [pinsOf(entry), entry.enablement]))
  return inForce.entries.map((entry) => coming.get(pinsOf(entry)) ?? entry.enablement)
}

const pinsOf = ({ enablement, package: folder }: HostFile.Entry): string =>
  JSON.stringify([refOf(enablement), enablement.version, enablement.digest, typeof folder])

/** The host as it begins. */
export const layer = ({ file, packages }: Beginning) =>
  PluginHost.layer({ plugins: [], enabled: Packages.enabledOf(packages), file, limits: file.limits }).pipe(
    Layer.provideMerge(GrantStore.layerMutable(grantsOf(file)))
  )

/** By which it dials. */
export const client = ({ proxy: { settings: proxy } }: Beginning) =>
  Clients.layerOptions(proxy === undefined ? {} : { proxy })

const WAITS = "Expected a new start of the program, for which what has changed here waits"

const wireLimits = Schema.encodeSync(Limits.LimitsSchema)

/** The limits that differ. A key that can't be used has its default, and so have all where some don't fit together. */
const otherLimits = (now: HostFile.HostFile, began: HostFile.HostFile): ReadonlyArray<string> => {
  const areAllUsable = !now.problems.some(({ path }) => path === "limits" || path.startsWith("limits."))
  const [before, defaults] = [began.limits, Limits.defaults].map(
    (limits) => new Map(Object.entries(wireLimits(limits)))
  )
  return Object.entries(wireLimits(now.limits)).flatMap(([key, value]) =>
    value === before?.get(key) || (!areAllUsable && value === defaults?.get(key)) ? [] : [key]
  )
}

/** The tables of metrics and traces that differ. */
const otherTelemetry = ({ telemetry: now }: HostFile.HostFile, { telemetry: began }: HostFile.HostFile) =>
  (["metrics", "traces"] as const).filter((name) => JSON.stringify(now[name]) !== JSON.stringify(began[name]))

/** What of a changed file waits for the next start. */
const waiting = (now: HostFile.HostFile, { control, file: began, proxy }: Beginning): Problems =>
  now.located([
    ...otherLimits(now, began).map((key) => ({ path: `limits.${key}`, message: WAITS })),
    ...(proxy.isSame(now) ? [] : [{ path: "proxy", message: WAITS }]),
    ...(control.isSame(now) ? [] : [{ path: "control", message: WAITS }]),
    ...otherTelemetry(now, began).map((path) => ({ path, message: WAITS }))
  ])

/** What was read and is still to be applied. */
interface Pending {
  readonly file: HostFile.HostFile | undefined
  /** Why the file is of no use that is there now. */
  readonly rejected: Problems | undefined
  /** Whether what has ended is to be started again. */
  readonly isAsked: boolean
}

const NOTHING: Pending = { file: undefined, rejected: undefined, isAsked: false }

const merged = (before: Pending, { found, isAsked }: HostFile.Told): Pending => ({
  isAsked: before.isAsked || isAsked,
  ...(Result.isFailure(found)
    ? { file: before.file, rejected: found.failure.problems }
    : { file: found.success, rejected: undefined })
})

/** Follows the file until it is interrupted; at each `hangup` it is read anew, and what has ended is started again. */
export const follow = (
  beginning: Beginning,
  host: PluginHost.PluginHost["Service"],
  services: Context.Context<GrantStore.GrantEditor | PackageFolders.PackageFolders | Sandbox>,
  hangup: Effect.Effect<void>
): Effect.Effect<never> =>
  Effect.gen(function* () {
    const grants = Context.get(services, GrantStore.GrantEditor)
    const { control, file: began, packages, path, proxy } = beginning
    const { startDeadlineMs } = began.limits
    const arrived = yield* Queue.sliding<void>(1)
    let pending = NOTHING
    let applied = { file: began, packages }
    let newest = began
    let isRefused = false

    const take = (told: HostFile.Told) =>
      Effect.gen(function* () {
        pending = merged(pending, told)
        Queue.offerUnsafe(arrived, undefined)
        isRefused = Result.isFailure(told.found)
        if (Result.isFailure(told.found)) return
        const read = told.found.success
        newest = read
        yield* grants.replace(grantsMeanwhile(read, applied.file))
        const isWaiting = () => newest === read && applied.file !== read
        const late = Effect.suspend(() => (isWaiting() ? grants.replace(grantsOf(read)) : Effect.void))
        yield* Effect.forkScoped(Effect.delay(late, GRANTED_WITHIN_MS))
      })

    const enact = Effect.gen(function* () {
      const { file, isAsked, rejected } = pending
      pending = NOTHING
      if (file === undefined && !isAsked) return rejected === undefined ? undefined : yield* host.reject(rejected)
      const ended = isAsked ? (yield* host.status).plugins.filter(hasEnded).map(({ pluginRef }) => pluginRef) : []
      const next = file ?? applied.file
      const read = yield* Packages.read(next.entries, startDeadlineMs, applied.packages, (ref) => ended.includes(ref))
      applied = { file: next, packages: read }
      const own = control.problemsOf(next, proxy.problemsOf(next, next.problems))
      const problems = [...own, ...waiting(next, beginning)]
      const enabled = Packages.enabledOf(read)
      const change = Effect.andThen(
        host.apply(file === undefined ? { enabled } : { enabled, file: { ...file, problems } }),
        endings(host)
      )
      yield* grants.replaceWith(newest === next ? grantsOf(next) : grantsMeanwhile(newest, next), change)
      if (rejected !== undefined) yield* host.reject(rejected)
      if (isAsked) yield* startAgain(host)
    })

    /** What is failed for its package may have another one by now. */
    const lookAtFolders = Effect.gen(function* () {
      const failed = (yield* host.status).plugins.filter(isFailedByManifest).map(({ pluginRef }) => pluginRef)
      if (failed.length === 0) return
      const { isOther, packages: read } = yield* Packages.readChanged(applied.packages, startDeadlineMs, (ref) =>
        failed.includes(ref)
      )
      applied = { ...applied, packages: read }
      if (isOther) yield* host.apply({ enabled: Packages.enabledOf(read) })
    })

    const applying = Effect.gen(function* () {
      const isArrived = yield* Effect.raceFirst(
        Effect.as(Queue.take(arrived), true),
        Effect.as(Effect.sleep(LOOK_AT_FOLDERS_EVERY_MS), false)
      )
      yield* isArrived ? enact : lookAtFolders
    })

    const renew = Effect.gen(function* () {
      const isOther = [yield* proxy.renewed, yield* control.renewed].includes(true)
      // While the file is of no use, what is told with the next one is early enough: it would be rejected once more.
      if (!isOther || isRefused) return
      pending = { ...pending, file: pending.file ?? applied.file }
      Queue.offerUnsafe(arrived, undefined)
    })
    yield* Effect.forkScoped(Following.follow(yield* Secrets, "secrets", renew), { startImmediately: true })

    const reading = Stream.runForEach(HostFile.followFrom(path, began, hangup), take)
    return yield* Effect.raceFirst(Effect.andThen(reading, Effect.never), Effect.forever(applying))
  }).pipe(Effect.provide(services), Effect.scoped)

/** What was to end has, or takes too long. */
const endings = ({ changes }: PluginHost.PluginHost["Service"]): Effect.Effect<void> =>
  Stream.runHead(
    Stream.filter(changes, ({ plugins }) => plugins.every(({ lifecycle }) => lifecycle !== "stopping"))
  ).pipe(Effect.timeoutOption(GRANTED_WITHIN_MS), Effect.asVoid)

type Row = HostStatus["plugins"][number]

const MANIFEST_TAGS: ReadonlySet<string | undefined> = new Set([
  "ManifestInvalid",
  "PackageUnreadable",
  "DigestMismatch",
  "VersionMismatch",
  "UnsupportedRuntime"
])

const hasEnded = ({ lifecycle }: Row): boolean => lifecycle === "failed" || lifecycle === "stopped"

const isFailedByManifest = ({ lastError, lifecycle }: Row): boolean =>
  lifecycle === "failed" && MANIFEST_TAGS.has(lastError?.tag)

const DIALLED_AGAIN: ReadonlySet<string | null> = new Set([
  "http",
  "close_code",
  "exhausted",
  "address",
  "limit",
  "never"
])

const startAgain = (host: PluginHost.PluginHost["Service"]) =>
  Effect.gen(function* () {
    for (const row of (yield* host.status).plugins) {
      const { pluginRef, websocketConnections } = row
      const asked = hasEnded(row)
        ? [host.start(pluginRef)]
        : websocketConnections.flatMap(({ id, stopReason }) =>
            DIALLED_AGAIN.has(stopReason) ? [host.reconnect(pluginRef, id)] : []
          )
      // What was there a moment ago may be gone.
      yield* Effect.forEach(asked, (each) => Effect.ignore(each), { discard: true })
    }
  })
