/**
 * A host that runs what a host file says, also once that says something else.
 *
 * A narrowed grant takes effect before anything else of a change is looked at.
 * A file that is of no use changes nothing, and limits and the proxy wait for the
 * next start of the program.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as GrantStore from "../../grants/GrantStore.ts"
import { refOf } from "../../manifest/Enablement.ts"
import type { HostStatus } from "../../host/HostStatus.ts"
import * as PluginHost from "../../host/PluginHost.ts"
import * as Wire from "../../internal/wire.ts"
import * as HostFile from "../../node/HostFile.ts"
import * as PackageFolders from "../../node/PackageFolders.ts"
import * as WsClient from "../../node/WsClient.ts"
import { Sandbox } from "../../sandbox/Sandbox.ts"

const LOOK_AT_FOLDERS_EVERY_MS = 5000

type Problems = ReadonlyArray<Wire.Problem>

/** An entry with its package, read and hashed, or why there is none. */
const loaded = (
  { at, enablement, package: folder }: HostFile.Entry,
  { limits }: HostFile.HostFile
): Effect.Effect<PluginHost.EnabledPackage, never, PackageFolders.PackageFolders | Sandbox> =>
  Effect.gen(function* () {
    if (typeof folder !== "string") return { at, enablement, package: folder }
    const sandbox = yield* Sandbox
    const deadlineMs = enablement.limits?.startDeadlineMs ?? limits.startDeadlineMs
    const found = yield* Effect.result(PackageFolders.load(folder, deadlineMs))
    if (Result.isFailure(found)) return { at, enablement, package: found.failure }
    const made = sandbox.package(PackageFolders.codeOf(found.success))
    return { at, enablement, package: { ...made, suspects: found.success.suspects } }
  })

/** What was loaded of a file. */
interface Loaded {
  readonly file: HostFile.HostFile
  readonly enabled: ReadonlyArray<PluginHost.EnabledPackage>
}

/** The entries with their packages. A folder from which the pinned package was loaded before isn't read again. */
const allLoaded = (file: HostFile.HostFile, before?: Loaded) =>
  Effect.forEach(
    file.entries,
    (entry) => {
      const kept = before?.file.entries.findIndex((other) => pinsOf(other) === pinsOf(entry)) ?? -1
      const known = before?.enabled[kept]?.package
      const { at, enablement, package: folder } = entry
      return typeof folder === "string" &&
        known !== undefined &&
        !("_tag" in known) &&
        known.digest === enablement.digest
        ? Effect.succeed<PluginHost.EnabledPackage>({ at, enablement, package: known })
        : loaded(entry, file)
    },
    { concurrency: "unbounded" }
  )

const pinsOf = ({ enablement, package: folder }: HostFile.Entry): string =>
  JSON.stringify([String(folder), refOf(enablement), enablement.version, enablement.digest])

/** What there is of each package: a reason why not, or a digest. */
const outcomesOf = (enabled: Loaded["enabled"]): string =>
  JSON.stringify(enabled.map((each) => ("_tag" in each.package ? each.package.message : each.package.digest)))

const grantsOf = (file: HostFile.HostFile) => file.entries.map(({ enablement }) => enablement)

/** What a host began with: everything else is applied to it. */
export interface Beginning {
  readonly path: string
  readonly file: HostFile.HostFile
  readonly enabled: ReadonlyArray<PluginHost.EnabledPackage>
}

export const begin = (path: string) =>
  Effect.gen(function* () {
    const file = yield* HostFile.read(path)
    return { path, file, enabled: yield* allLoaded(file) } satisfies Beginning
  })

/** The host as it begins. */
export const layer = ({ enabled, file: { limits, proxy }, file }: Beginning) =>
  PluginHost.layer({ plugins: [], enabled, limits }).pipe(
    Layer.provideMerge(GrantStore.layerMutable(grantsOf(file))),
    Layer.provide(WsClient.layerOptions(proxy === undefined ? {} : { proxy }))
  )

const WAITS = "Expected a new start of the program, for which what has changed here waits"

const isSameProxy = (one: HostFile.HostFile["proxy"], other: HostFile.HostFile["proxy"]): boolean => {
  if (typeof one !== "object" || typeof other !== "object") return one === other
  const [left, right] = [one, other].map(({ authorization }) => authorization && Redacted.value(authorization))
  return one.connect === other.connect && left === right
}

/** What of a changed file waits for the next start. */
const waiting = (now: HostFile.HostFile, began: HostFile.HostFile): Problems =>
  now.located([
    ...(Equal.equals(now.limits, began.limits) ? [] : [{ path: "limits", message: WAITS }]),
    ...(isSameProxy(now.proxy, began.proxy) ? [] : [{ path: "proxy", message: WAITS }])
  ])

const MOST_LOGGED = 20

const logged = (problems: Problems) =>
  Effect.forEach(
    problems.slice(0, MOST_LOGGED),
    (problem) => Effect.logWarning(`HostFileInvalid: ${Wire.formatProblem(problem)}`),
    { discard: true }
  )

const textOf = ({ message, path }: Wire.Problem): string => `${path}: ${message}`

/** Follows the file; `reload` reads it anew at once and starts again what has ended. */
export const live = (
  { enabled, file, path }: Beginning,
  host: PluginHost.PluginHost["Service"],
  services: Context.Context<GrantStore.GrantEditor | PackageFolders.PackageFolders | Sandbox>
) => {
  const oneByOne = Semaphore.makeUnsafe(1)
  const grants = Context.get(services, GrantStore.GrantEditor)
  let applied = { file, enabled, waits: [] as Problems }
  let rejected: Problems | undefined

  const enact = (next: HostFile.HostFile) =>
    Effect.gen(function* () {
      yield* grants.replace(grantsOf(next))
      const entries = yield* allLoaded(next, applied)
      yield* host.apply({ enabled: entries })
      applied = { file: next, enabled: entries, waits: waiting(next, file) }
      yield* logged([...next.problems, ...applied.waits])
    })

  const take = (found: Result.Result<HostFile.HostFile, HostFile.HostFileUnreadable>, always: boolean) =>
    Effect.gen(function* () {
      if (Result.isFailure(found)) {
        rejected = found.failure.problems
        yield* Effect.logError(`ReloadRejected: ${found.failure.message}`)
        return
      }
      const isOther = found.success.digest !== applied.file.digest
      rejected = undefined
      if (isOther || always) yield* enact(found.success)
    }).pipe(oneByOne.withPermits(1), Effect.provide(services))

  /** What is failed for its package may have another one by now. */
  const lookAtFolders = Effect.gen(function* () {
    yield* Effect.sleep(LOOK_AT_FOLDERS_EVERY_MS)
    if (!(yield* host.status).plugins.some(isFailedByManifest)) return
    yield* Effect.gen(function* () {
      const entries = yield* allLoaded(applied.file, applied)
      if (outcomesOf(entries) === outcomesOf(applied.enabled)) return
      yield* host.apply({ enabled: entries })
      applied = { ...applied, enabled: entries }
    }).pipe(oneByOne.withPermits(1), Effect.provide(services))
  })

  const reload = Effect.gen(function* () {
    yield* Effect.flatMap(Effect.result(HostFile.read(path)), (found) => take(found, true))
    const { plugins } = yield* host.status
    yield* Effect.forEach(plugins, (row) => startAgain(row, host), { discard: true })
  })

  const withFile = (status: HostStatus): HostStatus => {
    const known = [...applied.file.problems, ...applied.waits]
    const texts = new Set(known.map(textOf))
    const others = status.host.config.problems.filter((problem) => !texts.has(textOf(problem)))
    const problems = [...known, ...applied.file.located(others)]
    const state = rejected !== undefined ? "rejected" : problems.length === 0 ? "applied" : "partly"
    const config = {
      ...status.host.config,
      state,
      digest: applied.file.digest,
      problems: [...(rejected ?? []), ...problems]
    } as const
    return { ...status, host: { ...status.host, config } }
  }

  return {
    status: Effect.map(host.status, withFile),
    reload,
    follow: Effect.raceFirst(
      Effect.andThen(
        logged(file.problems),
        Effect.andThen(
          Stream.runForEach(HostFile.follow(path), (found) => take(found, false)),
          Effect.never
        )
      ),
      Effect.forever(lookAtFolders)
    )
  }
}

type Row = HostStatus["plugins"][number]

const MANIFEST_TAGS: ReadonlySet<string | undefined> = new Set([
  "ManifestInvalid",
  "PackageUnreadable",
  "DigestMismatch",
  "VersionMismatch",
  "UnsupportedRuntime"
])

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

const startAgain = ({ lifecycle, pluginRef, websocketConnections }: Row, host: PluginHost.PluginHost["Service"]) =>
  Effect.gen(function* () {
    if (lifecycle === "failed" || lifecycle === "stopped") return yield* host.start(pluginRef)
    for (const { id, stopReason } of websocketConnections) {
      if (DIALLED_AGAIN.has(stopReason)) yield* host.reconnect(pluginRef, id)
    }
    // What was there a moment ago may be gone.
  }).pipe(Effect.ignore)
