/**
 * The packages of a host file's entries: read, hashed and made ready for the
 * sandbox, each at most once for what it is pinned to.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as PluginHost from "../../host/PluginHost.ts"
import { refOf } from "../../manifest/Enablement.ts"
import type * as HostFile from "../../node/HostFile.ts"
import * as PackageFolders from "../../node/PackageFolders.ts"
import { Sandbox } from "../../sandbox/Sandbox.ts"

/** An entry with its package, or why there is none, and what its folder was before it was read. */
interface Loaded {
  readonly entry: HostFile.Entry
  readonly enabled: PluginHost.EnabledPackage
  readonly identity: string | undefined
}

/** All entries of a file, in their order. */
export type Packages = ReadonlyArray<Loaded>

type Services = PackageFolders.PackageFolders | Sandbox

/**
 * Reads the packages. One that an entry had before, pinned as it is, isn't read again unless `isToRead` says so of the
 * entry's reference.
 */
export const read = (
  entries: ReadonlyArray<HostFile.Entry>,
  startDeadlineMs: number,
  before: Packages,
  isToRead: (ref: string) => boolean
): Effect.Effect<Packages, never, Services> =>
  Effect.forEach(
    entries,
    (entry) => {
      const known = before.find((each) => pinsOf(each.entry) === pinsOf(entry))
      const isKnown = known !== undefined && isPinned(known) && !isToRead(refOf(entry.enablement))
      return isKnown ? Effect.succeed(withEntry(known, entry)) : load(entry, startDeadlineMs)
    },
    { concurrency: "unbounded" }
  )

/** Reads again those of these references whose folder has become another, or couldn't be read. */
export const readChanged = (
  packages: Packages,
  startDeadlineMs: number,
  isMeant: (ref: string) => boolean
): Effect.Effect<{ readonly packages: Packages; readonly isOther: boolean }, never, Services> =>
  Effect.gen(function* () {
    const folders = yield* PackageFolders.PackageFolders
    const next = yield* Effect.forEach(
      packages,
      (each) =>
        Effect.gen(function* () {
          const { entry, identity } = each
          if (typeof entry.package !== "string" || !isMeant(refOf(entry.enablement))) return each
          // What couldn't be read may be what it was and be readable now.
          const isSame =
            !isUnread(each) &&
            identity === (yield* folders.identity(entry.package, startDeadlineMs)) &&
            identity !== undefined
          return isSame ? each : yield* load(entry, startDeadlineMs)
        }),
      { concurrency: "unbounded" }
    )
    const isOther = next.some((each, index) => outcomeOf(each) !== outcomeOf(packages[index]))
    return { packages: next, isOther }
  })

/** What the host is given. */
export const enabledOf = (packages: Packages): ReadonlyArray<PluginHost.EnabledPackage> =>
  packages.map(({ enabled }) => enabled)

const load = (entry: HostFile.Entry, startDeadlineMs: number): Effect.Effect<Loaded, never, Services> =>
  Effect.gen(function* () {
    const { at, enablement, package: folder } = entry
    const because = (reason: PluginHost.EnabledPackage["package"], identity?: string): Loaded => ({
      entry,
      enabled: { at, enablement, package: reason },
      identity
    })
    if (typeof folder !== "string") return because(folder)
    const sandbox = yield* Sandbox
    const folders = yield* PackageFolders.PackageFolders
    const deadlineMs = enablement.limits?.startDeadlineMs ?? startDeadlineMs
    // What changes while it is read is seen by the next look.
    const identity = yield* folders.identity(folder, deadlineMs)
    const found = yield* Effect.result(PackageFolders.load(folder, deadlineMs))
    if (Result.isFailure(found)) return because(found.failure, identity)
    const made = sandbox.package(PackageFolders.codeOf(found.success))
    return because({ ...made, suspects: found.success.suspects }, identity)
  })

const withEntry = ({ enabled, identity }: Loaded, entry: HostFile.Entry): Loaded => {
  const { at, enablement } = entry
  return { entry, enabled: { at, enablement, package: enabled.package }, identity }
}

const pinsOf = ({ enablement, package: folder }: HostFile.Entry): string =>
  JSON.stringify([String(folder), refOf(enablement), enablement.version, enablement.digest])

/** Whether it has the package that it is pinned to. */
const isPinned = ({ enabled: { package: found }, entry: { enablement, package: folder } }: Loaded): boolean =>
  typeof folder === "string" && !("_tag" in found) && found.digest === enablement.digest

const isUnread = ({ enabled: { package: found } }: Loaded): boolean =>
  "_tag" in found && found._tag === "PackageUnreadable"

/** What there is of a package: a digest, or a reason why not. */
const outcomeOf = (loaded: Loaded | undefined): string | undefined => {
  const found = loaded?.enabled.package
  return found === undefined || !("_tag" in found) ? found?.digest : found.message
}
