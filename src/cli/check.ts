/**
 * `mooring check`: what would start, what wouldn't and why, without running any
 * of a plugin's code.
 */
import { Argument, Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Fs from "node:fs/promises"
import * as Wire from "../internal/wire.ts"
import { Enablement } from "../manifest/Enablement.ts"
import * as HostFile from "../node/HostFile.ts"
import * as PackageFolders from "../node/PackageFolders.ts"
import * as SystemSecrets from "../node/SystemSecrets.ts"
import * as CheckReport from "./CheckReport.ts"
import { clean } from "./internal/cells.ts"
import { enablementToml } from "./internal/enablementToml.ts"
import { withFolders } from "./internal/folder.ts"
import { givenSecrets } from "./internal/givenSecrets.ts"
import { hostCheck } from "./internal/hostCheck.ts"
import { placeOf } from "./internal/nearHostFile.ts"
import { Output } from "./internal/output.ts"
import { packageCheck } from "./internal/packageCheck.ts"
import { Unwell } from "./internal/unwell.ts"

const found = ({ severity, ...problem }: CheckReport.Found): string =>
  Wire.formatProblem(severity === "note" ? { ...problem, message: `note: ${problem.message}` } : problem)

/** A target of requests, a line for each of its prefixes. */
const requests = (target: CheckReport.Plugin["requests"][number]): ReadonlyArray<string> =>
  target.pathPrefixes.map((prefix) => {
    const { host, methods, port, scheme } = target
    const server = `${scheme}://${host}${port === undefined ? "" : `:${port}`}`
    return `  ${methods.join(", ")}  ${server}${prefix}  may be requested`
  })

const plugin = ({ pluginRef, requests: allowed, sources, tag, would }: CheckReport.Plugin): ReadonlyArray<string> => [
  `${pluginRef} would ${would === "start" ? "start" : `fail: ${tag}`}`,
  ...sources.map(
    (source) =>
      `  ${source.ingressName}  ${source.id}  ${source.url}  ${source.would === "dial" ? "would be dialled" : `would be stopped: ${source.tag}`}`
  ),
  ...allowed.flatMap(requests)
]

const headOf = (hostFile: string | undefined): ReadonlyArray<string> => [
  "# Enables exactly this package, with all that it asks for. What of it you grant is your decision.",
  hostFile === undefined
    ? "# A path that isn't absolute is relative to the host file, of which there is none here."
    : `# The path is relative to ${hostFile}.`
]

/** The report for people, with the entry for a host file. */
const text = ({ enablement, plugins, problems }: CheckReport.CheckReport, hostFile?: string): string =>
  [
    problems.map(found),
    plugins.flatMap(plugin),
    enablement === undefined ? [] : [...headOf(hostFile), ...enablementToml(encode(enablement)).split("\n")]
  ]
    .filter((part) => part.length > 0)
    .map((part) => part.map((line) => `${clean(line)}\n`).join(""))
    .join("\n")

const encode = Schema.encodeSync(Enablement)

/** What can't be looked at isn't one, and is found to be unreadable. */
const isFolder = (path: string): Effect.Effect<boolean> =>
  Effect.promise(() =>
    Fs.stat(path).then(
      (stats) => stats.isDirectory(),
      () => false
    )
  )

const ofFolder = (folder: string) =>
  Effect.gen(function* () {
    const loaded = yield* Effect.result(withFolders((deadlineMs) => PackageFolders.load(folder, deadlineMs)))
    const { hostFile, path } = yield* Effect.promise(() => placeOf(folder, process.cwd()))
    return { hostFile, report: packageCheck(folder, path, loaded) }
  })

const ofHostFile = (file: string, withoutSecrets: boolean) =>
  withFolders(() => hostCheck(file)).pipe(
    Effect.map((report) => ({ hostFile: undefined, report })),
    Effect.provide(withoutSecrets ? givenSecrets : SystemSecrets.layer({ folder: HostFile.folderOf(file) }))
  )

/** The subcommand. */
export const check = Command.make(
  "check",
  {
    path: Argument.String("path").pipe(
      Argument.withSchema(Schema.NonEmptyString),
      Argument.withDescription("The folder of a package, or a host file")
    ),
    json: Flag.Boolean("json").pipe(Flag.withDescription("Print the report as JSON"), Flag.withDefault(false)),
    withoutSecrets: Flag.Boolean("without-secrets").pipe(
      Flag.withDescription("Take variables and files that a host file names as given"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* ({ json, path, withoutSecrets }) {
    const { stdout } = yield* Output
    const { hostFile, report } = (yield* isFolder(path))
      ? yield* ofFolder(path)
      : yield* ofHostFile(path, withoutSecrets)
    stdout.offer(json ? `${JSON.stringify(CheckReport.encode(report), null, 2)}\n` : text(report, hostFile))
    yield* stdout.drained(Infinity)
    // The report has said why.
    if (!report.ok) yield* new Unwell({ problem: "" })
  })
).pipe(
  Command.withDescription(
    "Say what a package, or the plugins of a host file, would do and what is wrong, without running any"
  ),
  Command.withShortDescription("Say what would run, and what is wrong, without running it")
)
