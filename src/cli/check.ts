/**
 * `mooring check`: what would start, what wouldn't and why, without running any
 * of a plugin's code.
 */
import { Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Wire from "../internal/wire.ts"
import { Enablement } from "../manifest/Enablement.ts"
import * as PackageFolders from "../node/PackageFolders.ts"
import * as CheckReport from "./CheckReport.ts"
import { clean } from "./internal/cells.ts"
import { enablementToml } from "./internal/enablementToml.ts"
import { packageFolder, withFolders } from "./internal/folder.ts"
import { Output } from "./internal/output.ts"
import { packageCheck } from "./internal/packageCheck.ts"
import { Unwell } from "./internal/unwell.ts"

const found = ({ severity, ...problem }: CheckReport.Found): string =>
  Wire.formatProblem(severity === "note" ? { ...problem, message: `note: ${problem.message}` } : problem)

const plugin = ({ pluginRef, sources, tag, would }: CheckReport.Plugin): ReadonlyArray<string> => [
  `${pluginRef} would ${would === "start" ? "start" : `fail: ${tag}`}`,
  ...sources.map(
    (source) =>
      `  ${source.ingressName}  ${source.id}  ${source.url}  ${source.would === "dial" ? "would be dialled" : `would be stopped: ${source.tag}`}`
  )
]

const HEAD = [
  "# Enables exactly this package, with all that it asks for. What of it you grant is your decision.",
  "# The path is relative to the host file."
]

/** The report for people. */
const text = ({ enablement, plugins, problems }: CheckReport.CheckReport): string =>
  [
    problems.map(found),
    plugins.flatMap(plugin),
    enablement === undefined ? [] : [...HEAD, ...enablementToml(encode(enablement)).split("\n")]
  ]
    .filter((part) => part.length > 0)
    .map((part) => part.map((line) => `${clean(line)}\n`).join(""))
    .join("\n")

const encode = Schema.encodeSync(Enablement)

/** The subcommand. */
export const check = Command.make(
  "check",
  {
    folder: packageFolder,
    json: Flag.Boolean("json").pipe(Flag.withDescription("Print the report as JSON"), Flag.withDefault(false))
  },
  Effect.fnUntraced(function* ({ folder, json }) {
    const { stdout } = yield* Output
    const loading = withFolders((deadlineMs) => PackageFolders.load(folder, deadlineMs))
    const report = packageCheck(folder, yield* Effect.result(loading))
    stdout.offer(json ? `${JSON.stringify(CheckReport.encode(report), null, 2)}\n` : text(report))
    yield* stdout.drained(Infinity)
    // The report has said why.
    if (!report.ok) yield* new Unwell({ problem: "" })
  })
).pipe(Command.withDescription("Say what a package would do and what is wrong with it, without running it"))
