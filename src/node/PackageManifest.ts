/**
 * The manifest of a package on disk: `plugin.toml`, with the line and column of
 * everything that is wrong with it.
 *
 * @since 0.3.0
 */
import * as Result from "effect/Result"
import type * as Wire from "../internal/wire.ts"
import * as Manifest from "../manifest/Manifest.ts"
import { ManifestInvalid, PackageUnreadable, UnsupportedRuntime } from "../manifest/ManifestError.ts"
import * as Toml from "./internal/toml.ts"
import type { File } from "./internal/packageFiles.ts"

/**
 * The name of the file.
 *
 * @category constants
 * @since 0.3.0
 */
export const FILE = "plugin.toml"

// Reading one that is wrong throughout takes half a second of everybody's time with so many bytes.
const MOST_BYTES = 131_072

/**
 * A manifest of a package that this host can run, the text of the module that
 * it begins with, and what puts to what is said of the manifest where it stands.
 *
 * @category models
 * @since 0.3.0
 */
export interface Runnable {
  readonly manifest: Manifest.Manifest
  readonly entry: { readonly path: string; readonly text: string }
  readonly located: <Found extends Wire.Problem>(found: ReadonlyArray<Found>) => ReadonlyArray<Found>
}

const textOf = (bytes: Uint8Array): string | undefined => {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/**
 * Reads the manifest among the files of a package.
 *
 * @category decoding
 * @since 0.3.0
 */
export const decode = (
  files: ReadonlyArray<File>
): Result.Result<Runnable, ManifestInvalid | PackageUnreadable | UnsupportedRuntime> => {
  const file = files.find(({ path }) => path === FILE)
  if (file === undefined) return Result.fail(new PackageUnreadable({ problem: `it has no ${FILE}` }))
  if (file.bytes.length > MOST_BYTES) {
    return Result.fail(new PackageUnreadable({ problem: `more than ${MOST_BYTES} bytes`, file: FILE }))
  }
  const text = textOf(file.bytes)
  if (text === undefined) return invalid([{ path: "", message: "Expected UTF-8", file: FILE }])
  return Result.match(Toml.parse(text, FILE), {
    onFailure: (problem) => invalid([problem]),
    onSuccess: (document) => runnable(document, files)
  })
}

const invalid = (problems: ReadonlyArray<Wire.Problem>) =>
  Result.fail(new ManifestInvalid({ subject: "manifest", problems }))

const runnable = (document: Toml.Document, files: ReadonlyArray<File>): ReturnType<typeof decode> => {
  const decoded = Manifest.decode(document.value)
  const found = Result.match(decoded, { onSuccess: () => [], onFailure: ({ problems }) => problems })
  const { entry, problems: missing } = entryOf(document.value, files)
  const problems = document.problems([...found, ...missing])
  if (Result.isFailure(decoded) || problems.length > 0) return invalid(problems)
  const { success: manifest } = decoded
  if (manifest.runtime?.kind !== "javascript" || entry === undefined) {
    return Result.fail(new UnsupportedRuntime({ kind: manifest.runtime?.kind ?? "" }))
  }
  return Result.succeed({ manifest, entry, located: document.located })
}

/** The module that a JavaScript package begins with; a package, unlike a plugin in process, has a runtime. */
const entryOf = (
  value: unknown,
  files: ReadonlyArray<File>
): { readonly entry?: Runnable["entry"]; readonly problems: ReadonlyArray<Wire.Problem> } => {
  const runtime = ownOf(value, "runtime")
  if (runtime === undefined) return { problems: [{ path: "runtime", message: "required" }] }
  const [kind, path] = [ownOf(runtime, "kind"), ownOf(runtime, "entry")]
  // Whatever else it is, is found by the schema.
  if (kind !== "javascript") return { problems: [] }
  if (path === undefined) return { problems: [{ path: "runtime.entry", message: "required" }] }
  const file = files.find((each) => each.path === path)
  const text = file === undefined ? undefined : textOf(file.bytes)
  if (file !== undefined && text !== undefined) return { entry: { path: file.path, text }, problems: [] }
  const expected = file === undefined ? "the path of a file of the package" : "a file of UTF-8"
  return { problems: typeof path === "string" ? [{ path: "runtime.entry", message: `Expected ${expected}` }] : [] }
}

const ownOf = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null ? Object.getOwnPropertyDescriptor(value, key)?.value : undefined
