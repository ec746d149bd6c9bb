/**
 * `mooring digest`: the digest of a package, by which an operator enables
 * exactly it.
 */
import { Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import { hashOf } from "../node/internal/packageDigest.ts"
import * as PackageFolders from "../node/PackageFolders.ts"
import * as PackageManifest from "../node/PackageManifest.ts"
import { clean } from "./internal/cells.ts"
import { packageFolder, withFolders } from "./internal/folder.ts"
import { Output } from "./internal/output.ts"
import { Unwell } from "./internal/unwell.ts"

const lineOf = ({ bytes, path }: PackageFolders.File): string =>
  `${hashOf(bytes).toString("hex")}  ${String(bytes.length).padStart(8)}  ${clean(path)}\n`

/** The subcommand. */
export const digest = Command.make(
  "digest",
  {
    folder: packageFolder,
    files: Flag.Boolean("files").pipe(
      Flag.withDescription("Print also hash, size and path of each file"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* (asked) {
    const { stdout } = yield* Output
    const reading = withFolders((deadlineMs) =>
      Effect.flatMap(PackageFolders.PackageFolders, (folders) => folders.read(asked.folder, deadlineMs))
    )
    const read = yield* Effect.mapError(reading, ({ file, message }) =>
      unusable(asked.folder, file === undefined ? message : `${message}: ${file}`)
    )
    if (!read.files.some(({ path }) => path === PackageManifest.FILE)) {
      return yield* unusable(asked.folder, `it has no ${PackageManifest.FILE}`)
    }
    stdout.offer(`${read.digest}\n${asked.files ? read.files.map(lineOf).join("") : ""}`)
  })
).pipe(Command.withDescription("Print the digest of a package"))

const unusable = (folder: string, problem: string) => new Unwell({ problem: clean(`${folder}: ${problem}`) })
