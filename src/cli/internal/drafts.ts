/**
 * A package while its author edits it: what is on disk, built and loaded, or
 * all that keeps it from being a package.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Wire from "../../internal/wire.ts"
import type { ManifestError } from "../../manifest/ManifestError.ts"
import { codeOf } from "../../node/internal/errorCode.ts"
import { digestOf, suspectsIn } from "../../node/internal/packageDigest.ts"
import * as PackageManifest from "../../node/PackageManifest.ts"
import type { File, LoadedPackage, PackageFolder } from "../../node/PackageFolders.ts"
import * as BuiltEntry from "./builtEntry.ts"
import type { Content } from "./contents.ts"
import { typeless } from "./typeless.ts"

/** What is wrong, a line each. */
export type Problems = ReadonlyArray<string>

export interface Draft {
  /** The files as they are on disk now; none where the folder can't be read. */
  readonly folder: PackageFolder | undefined
  readonly hasBuilt: boolean
  readonly loaded: Result.Result<LoadedPackage, Problems>
}

/** What keeps a package from being one. */
export const problemsOf = (error: ManifestError): Problems => {
  if (error._tag === "ManifestInvalid") return error.problems.map(Wire.formatProblem)
  return [
    error._tag === "PackageUnreadable" && error.file !== undefined ? `${error.file}: ${error.message}` : error.message
  ]
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const textOf = (bytes: Uint8Array): string | undefined => {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

/** What `plugin.js` is to be; undefined where it isn't made of anything. */
const builtOf = (files: ReadonlyArray<File>): Result.Result<string | undefined, Problems> => {
  const source = files.find(({ path }) => path === BuiltEntry.SOURCE)
  if (source === undefined) return Result.succeed(undefined)
  const text = textOf(source.bytes)
  if (text === undefined) return Result.fail([`${BuiltEntry.SOURCE}: Expected UTF-8`])
  return Result.mapError(typeless(text), ({ column, line, message }) => [
    `${BuiltEntry.SOURCE}:${line}:${column}: ${message}`
  ])
}

const withBuilt = (files: ReadonlyArray<File>, content: string): PackageFolder => {
  const others = files.filter(({ path }) => path !== BuiltEntry.BUILT)
  const all = [...others, { path: BuiltEntry.BUILT, bytes: Buffer.from(content) }].toSorted((one, other) =>
    Buffer.compare(Buffer.from(one.path), Buffer.from(other.path))
  )
  return { files: all, digest: digestOf(all), suspects: suspectsIn(all) }
}

/** Builds what was read of a folder, where its author writes TypeScript, and loads it. */
export const draft = (path: string, content: Content): Effect.Effect<Draft> =>
  Effect.gen(function* () {
    if (Result.isFailure(content)) {
      return { folder: undefined, hasBuilt: false, loaded: Result.fail(problemsOf(content.failure)) }
    }
    const { success: folder } = content
    const built = builtOf(folder.files)
    if (Result.isFailure(built)) return { folder, hasBuilt: false, loaded: Result.fail(built.failure) }
    const before = folder.files.find(({ path: name }) => name === BuiltEntry.BUILT)
    if (built.success === undefined || (before !== undefined && Buffer.from(built.success).equals(before.bytes))) {
      return { folder, hasBuilt: false, loaded: load(folder) }
    }
    const { success: text } = built
    const saved = yield* Effect.result(Effect.tryPromise({ try: () => BuiltEntry.save(path, text), catch: codeOf }))
    if (Result.isFailure(saved)) {
      const problem = `${BuiltEntry.BUILT}: it can't be written: ${saved.failure}`
      return { folder, hasBuilt: false, loaded: Result.fail([problem]) }
    }
    const now = withBuilt(folder.files, text)
    return { folder: now, hasBuilt: true, loaded: load(now) }
  })

const load = (folder: PackageFolder): Result.Result<LoadedPackage, Problems> =>
  Result.match(PackageManifest.decode(folder.files), {
    onFailure: (error) => Result.fail(problemsOf(error)),
    onSuccess: (runnable) => Result.succeed({ ...folder, ...runnable })
  })

const MOST_NAMED = 5

/** The names of the files in which two readings differ, in words. */
export const differences = (before: PackageFolder | undefined, now: PackageFolder | undefined): string => {
  const known = new Map(before?.files.map(({ bytes, path }) => [path, bytes]))
  const changed: Array<string> = []
  for (const { bytes, path } of now?.files ?? []) {
    const former = known.get(path)
    known.delete(path)
    if (former === undefined) changed.push(`${path} is new`)
    else if (!Buffer.from(former).equals(bytes)) changed.push(`${path} has changed`)
  }
  for (const path of known.keys()) changed.push(`${path} is gone`)
  const more = changed.length - MOST_NAMED
  return [...changed.slice(0, MOST_NAMED), ...(more > 0 ? [`${more} more`] : [])].join(", ")
}
