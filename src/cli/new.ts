/**
 * `mooring new`: a package that runs, beside a host file that enables it.
 */
import { Argument, Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import * as Result from "effect/Result"
import { Enablement } from "../manifest/Enablement.ts"
import type { ManifestError } from "../manifest/ManifestError.ts"
import * as PackageFolders from "../node/PackageFolders.ts"
import { clean } from "./internal/cells.ts"
import { enablementToml } from "./internal/enablementToml.ts"
import { withFolders } from "./internal/folder.ts"
import { NewFiles, Unmade } from "./internal/newFiles.ts"
import { Output } from "./internal/output.ts"
import { packageCheck } from "./internal/packageCheck.ts"
import { filesFor } from "./internal/packageTemplate.ts"
import { shellWord } from "./internal/shellWord.ts"
import { Unwell } from "./internal/unwell.ts"

const HOST_FILE = "host.toml"

const HEAD = `# Enables exactly this content of the package, with all that it asks for. Once the package has changed its digest is
# another one, and \`mooring check\` prints the entry that enables it then.
`

const encode = Schema.encodeSync(Enablement)

const unwell = (problem: string) => new Unwell({ problem: clean(problem) })

const attempt = <A>(make: () => Promise<A>): Effect.Effect<A, Unwell> =>
  Effect.tryPromise({
    try: make,
    catch: (error) => unwell(error instanceof Unmade ? `${error.path}: ${error.message}` : String(error))
  })

/** Whether something stands under a name, whatever it is. */
const isThere = (path: string): Effect.Effect<boolean> =>
  Effect.promise(() =>
    Fs.lstat(path).then(
      () => true,
      () => false
    )
  )

const reasonOf = (error: ManifestError): string =>
  error._tag === "PackageUnreadable" && error.file !== undefined ? `${error.message}: ${error.file}` : error.message

/** The entry for the package in a folder beside the host file, with whatever else the folder holds. */
const entryFor = (folder: string) =>
  Effect.gen(function* () {
    const loaded = yield* withFolders((deadlineMs) => PackageFolders.load(folder, deadlineMs)).pipe(
      Effect.mapError((error) => unwell(`${folder}: it would be no package: ${reasonOf(error)}`))
    )
    const { enablement } = packageCheck(folder, `./${Path.basename(folder)}`, Result.succeed(loaded))
    if (enablement === undefined) return yield* unwell(`${folder}: it would be no package`)
    return enablementToml(encode(enablement))
  })

interface Made {
  readonly files: ReadonlyArray<string>
  /** Whether there is a host file of this program's making. */
  readonly hasHostFile: boolean
}

const make = (folder: string, isTypeScript: boolean): Effect.Effect<Made, Unwell> =>
  Effect.suspend(() => {
    const made = new NewFiles()
    return Effect.gen(function* () {
      const contents = filesFor(Path.basename(folder), isTypeScript)
      yield* attempt(() => made.folder(folder))
      for (const [name, content] of contents) yield* attempt(() => made.file(Path.join(folder, name), content))
      const entry = yield* entryFor(folder)
      const host = Path.join(Path.dirname(folder), HOST_FILE)
      const hasHostFile = !(yield* isThere(host))
      if (hasHostFile) yield* attempt(() => made.file(host, `${HEAD}${entry}\n`))
      return { files: contents.map(([name]) => name), hasHostFile }
      // All or nothing, also where a signal comes in between.
    }).pipe(Effect.onError(() => Effect.promise(() => made.undo())))
  })

/** How the program is started by whoever started it. */
const program = (): string => (process.env["npm_command"] === "exec" ? "npx mooring" : "mooring")

const told = (given: string, { files, hasHostFile }: Made): string => {
  const [folder, host] = [shellWord(given), shellWord(Path.join(given, "..", HOST_FILE))]
  const name = program()
  return [
    `${folder}: ${files.join(", ")}`,
    hasHostFile
      ? `${host}: enables exactly this package, with all that it asks for`
      : `${host} was there and is as it was: ${name} check prints the entry that enables the package`,
    "",
    "A gateway to talk to, in a terminal of its own:",
    `  ${name} demo`,
    "The plugin, started anew whenever you save a file of it:",
    `  ${name} dev ${folder}`,
    "What it would do, and the entry that enables it as it is then:",
    `  ${name} check ${folder}`,
    "All that the host file enables:",
    `  ${name} run ${host}`,
    ""
  ].join("\n")
}

/** The subcommand. */
export const newCommand = Command.make(
  "new",
  {
    folder: Argument.String("folder").pipe(
      Argument.withSchema(Schema.NonEmptyString),
      Argument.withDescription("The folder of the new package; its name becomes the package's id")
    ),
    typescript: Flag.Boolean("typescript").pipe(
      Flag.withDescription("Write it in TypeScript: plugin.ts, and plugin.js made of it"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* ({ folder: given, typescript }) {
    const { stdout } = yield* Output
    const folder = Path.resolve(given)
    if (Path.dirname(folder) === folder) return yield* unwell(`${folder}: Expected a folder with a name`)
    const made = yield* make(folder, typescript)
    stdout.offer(told(given, made))
  })
).pipe(Command.withDescription("Write a package that runs, and a host file that enables it"))
