/**
 * Plugin packages on disk: a folder with `plugin.toml` and code.
 *
 * A folder is read whole, once, and what was read is what is hashed, checked
 * and run. It may have at most 1,000 files and folders and 16 MiB, regular
 * files only, with names in UTF-8, no symbolic links, no `node_modules` and no
 * `.git`.
 *
 * Reading takes no longer than it is given: a folder that never answers holds
 * up no other.
 *
 * @since 0.3.0
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { type ManifestInvalid, PackageUnreadable, type UnsupportedRuntime } from "../manifest/ManifestError.ts"
import * as HadTime from "../time/HadTime.ts"
import { digestOf, suspectsIn } from "./internal/packageDigest.ts"
import { Unusable, identity, read, type File } from "./internal/packageFiles.ts"
import * as PackageManifest from "./PackageManifest.ts"

export type { File } from "./internal/packageFiles.ts"

/**
 * What was read of a folder. `suspects` are the files, at most five, that may
 * be why its digest isn't the expected one.
 *
 * @category models
 * @since 0.3.0
 */
export interface PackageFolder {
  /** In byte order of their paths. */
  readonly files: ReadonlyArray<File>
  readonly digest: string
  readonly suspects: ReadonlyArray<string>
}

/**
 * Reads packages.
 *
 * @category services
 * @since 0.3.0
 */
export class PackageFolders extends Context.Service<
  PackageFolders,
  {
    /** Reads a folder, once it is its turn, within so many milliseconds of time that was had. */
    readonly read: (folder: string, deadlineMs: number) => Effect.Effect<PackageFolder, PackageUnreadable>
    /** What changes whenever the folder does; undefined where it doesn't answer within so many milliseconds. */
    readonly identity: (folder: string, deadlineMs: number) => Effect.Effect<string | undefined>
  }
>()("mooring/node/PackageFolders") {}

type Work<A> = (folder: string, signal: AbortSignal) => Promise<A>

interface Reading {
  readonly folder: string
  readonly begun: Deferred.Deferred<void>
}

// Each keeps one of the four threads that the process has for files, until it has really ended.
const MOST_AT_ONCE = 3

const unreadable = (error: unknown): PackageUnreadable => {
  if (!(error instanceof Unusable)) return new PackageUnreadable({ problem: "it can't be read" })
  const { file, message } = error
  return new PackageUnreadable({ problem: message, ...(file === "" ? {} : { file }) })
}

/**
 * Reads packages by a function that reads a folder, or throws why not.
 *
 * @internal
 */
export const make = (files: Work<ReadonlyArray<File>>): Effect.Effect<PackageFolders["Service"], never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const time = yield* HadTime.make
    const places = yield* Semaphore.make(MOST_AT_ONCE)
    /** Readings that were given up and haven't ended; of one folder there may be several. */
    const silent = new Set<Reading>()
    /** Open where such have all places, so that nobody waits for one. */
    const exhausted = yield* Latch.make(false)
    const update = Effect.suspend(() => (silent.size < MOST_AT_ONCE ? exhausted.close : exhausted.open))

    const run = <A>(reading: Reading, work: Work<A>) =>
      Deferred.succeed(reading.begun, undefined).pipe(
        Effect.andThen(Effect.tryPromise({ try: (signal) => work(reading.folder, signal), catch: unreadable })),
        Effect.ensuring(
          Effect.andThen(
            Effect.sync(() => silent.delete(reading)),
            update
          )
        ),
        places.withPermits(1)
      )

    const within = Effect.fnUntraced(function* <A>(folder: string, deadlineMs: number, work: Work<A>) {
      const late = new PackageUnreadable({ problem: `no answer within ${deadlineMs} ms` })
      // It has a place already, and would take another one.
      if ([...silent].some((each) => each.folder === folder)) return yield* late
      const reading: Reading = { folder, begun: yield* Deferred.make<void>() }
      // It outlives whoever waits for it: its place is free when it has ended.
      const fiber = yield* Effect.forkIn(run(reading, work), scope)
      const isBegun = yield* Effect.raceFirst(
        Effect.as(Deferred.await(reading.begun), true),
        Effect.as(exhausted.await, false)
      )
      if (!isBegun) {
        yield* Fiber.interrupt(fiber)
        return yield* new PackageUnreadable({ problem: "too many other folders don't answer" })
      }
      const giveUp = Effect.andThen(
        Effect.sync(() => silent.add(reading)),
        update
      )
      return yield* Fiber.join(fiber).pipe(
        HadTime.within(time, deadlineMs, () => Effect.andThen(giveUp, Effect.fail(late)))
      )
    })

    return {
      read: (folder, deadlineMs) =>
        Effect.map(within(folder, deadlineMs, files), (found) => ({
          files: found,
          digest: digestOf(found),
          suspects: suspectsIn(found)
        })),
      identity: (folder, deadlineMs) => Effect.orElseSucceed(within(folder, deadlineMs, identity), () => undefined)
    }
  })

/**
 * Reads packages from the file system.
 *
 * @category layers
 * @since 0.3.0
 */
export const layer: Layer.Layer<PackageFolders> = Layer.effect(
  PackageFolders,
  make((folder, signal) => read(folder, signal))
)

/**
 * A package that this host can run: what was read of its folder, its manifest
 * and the module that it begins with.
 *
 * @category models
 * @since 0.3.0
 */
export interface LoadedPackage extends PackageFolder, PackageManifest.Runnable {}

/**
 * Reads a folder and the manifest in it, within so many milliseconds.
 *
 * @category reading
 * @since 0.3.0
 */
export const load = (
  folder: string,
  deadlineMs: number
): Effect.Effect<LoadedPackage, PackageUnreadable | ManifestInvalid | UnsupportedRuntime, PackageFolders> =>
  Effect.gen(function* () {
    const { read: readFolder } = yield* PackageFolders
    const found = yield* readFolder(folder, deadlineMs)
    return { ...found, ...(yield* Effect.fromResult(PackageManifest.decode(found.files))) }
  })

/**
 * What of a loaded package a sandbox is given: its entry's bytes, and those of
 * the source map beside the entry where there is one.
 *
 * @category getters
 * @since 0.4.0
 */
export const codeOf = ({ digest, entry, files, manifest }: LoadedPackage) => {
  const bytesOf = (path: string) => files.find((file) => file.path === path)?.bytes
  return {
    manifest,
    digest,
    entry: bytesOf(entry.path) ?? new Uint8Array(),
    sourceMap: bytesOf(`${entry.path}.map`)
  }
}
