/**
 * What `mooring check` says of a host file: what is wrong with it, and which of
 * its plugins would start and dial what, without running any of their code.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Path from "node:path"
import * as EntryCheck from "../../host/EntryCheck.ts"
import type { Problem } from "../../internal/wire.ts"
import type { Enablement } from "../../manifest/Enablement.ts"
import { refOf } from "../../manifest/Enablement.ts"
import type { HostFileInvalid } from "../../manifest/HostFileError.ts"
import type { ManifestError } from "../../manifest/ManifestError.ts"
import * as ControlSettings from "../../node/ControlSettings.ts"
import * as HostFile from "../../node/HostFile.ts"
import * as PackageFolders from "../../node/PackageFolders.ts"
import { FILE } from "../../node/PackageManifest.ts"
import type { CheckReport, Found, Plugin } from "../CheckReport.ts"
import { notesOf } from "./packageCheck.ts"
import { type Denial, prospectOf } from "./prospect.ts"
import { remedyOf } from "./remedies.ts"
import * as TargetNotes from "./targetNotes.ts"

/** The report on a host file. */
export const hostCheck = (file: string): Effect.Effect<CheckReport, never, PackageFolders.PackageFolders> =>
  HostFile.read(file).pipe(
    Effect.flatMap(checked),
    Effect.catch(({ problems }) => Effect.succeed({ ok: false, problems: problems.map(asProblem), plugins: [] }))
  )

const asProblem = (problem: Problem): Found => ({ ...problem, severity: "problem" })
const asNote = (problem: Problem): Found => ({ ...problem, severity: "note" })

const checked = (file: HostFile.HostFile) =>
  Effect.gen(function* () {
    const examined = yield* Effect.forEach(file.entries, (entry) => examine(entry, file), { concurrency: "unbounded" })
    // Places go to who comes first, which is in the order of the file as far as anybody can tell.
    const limit = file.limits.connectionsPerHost
    let left = limit
    const entries = examined.map((each) => {
      if ("plugin" in each) return each
      const { checked: one, places } = judged(each, file, { limit, left })
      left -= places
      return one
    })
    const unasked = file.telemetry.metrics?.prometheus === true && file.controlTable === undefined
    const notes = file.located([
      ...(file.proxy === undefined ? [] : [{ path: "proxy", message: PROXIED }]),
      ...(unasked ? [{ path: "metrics.prometheus", message: UNASKED }] : [])
    ])
    const exposed = isExposed(file.controlTable) ? file.located([{ path: "control", message: EXPOSED }]) : []
    const problems = [
      ...[...file.problems, ...exposed].map(asProblem),
      ...notes.map(asNote),
      ...entries.flatMap(({ found }) => found)
    ]
    return {
      ok: problems.every(({ severity }) => severity === "note"),
      problems,
      plugins: entries.map(({ plugin }) => plugin)
    }
  })

const UNASKED = "nobody can ask for it without a control address: a [control] table, or --control of mooring run"
const PROXIED = "names go to it unresolved: it has to keep dials out of your network, private_addresses can't"

const EXPOSED = "Expected a token, since other machines reach this address"

/** A program that is told of a token elsewhere could serve it; this file alone says too little. */
const isExposed = (table: HostFile.HostFile["controlTable"]): boolean => {
  if (typeof table !== "object" || table.token !== undefined) return false
  const address = ControlSettings.parse(table.listen)
  return address !== undefined && !ControlSettings.isLocal(address)
}

interface Checked {
  readonly plugin: Plugin
  readonly found: ReadonlyArray<Found>
}

/** An entry with a package that it can be set up with. */
interface Usable {
  readonly entry: HostFile.Entry
  readonly folder: string
  readonly found: PackageFolders.LoadedPackage
}

const examine = (entry: HostFile.Entry, file: HostFile.HostFile) =>
  Effect.gen(function* () {
    const { enablement, package: folder } = entry
    // What is wrong with the entry itself is among the problems of the file.
    if (typeof folder !== "string") return failed(enablement, folder._tag, [])
    const limits = { ...file.limits, ...enablement.limits }
    const loaded = yield* Effect.result(PackageFolders.load(folder, limits.startDeadlineMs))
    if (Result.isFailure(loaded)) {
      return failed(enablement, loaded.failure._tag, problemsOf(loaded.failure, entry, file))
    }
    const lack = yield* EntryCheck.lack(enablement, loaded.success, file.limits)
    if (lack !== undefined) return failed(enablement, lack._tag, problemsOf(lack, entry, file))
    return { entry, folder, found: loaded.success } satisfies Usable
  })

const judged = ({ entry, folder, found }: Usable, file: HostFile.HostFile, left: { limit: number; left: number }) => {
  const { at, enablement } = entry
  const { digest, located, manifest } = found
  const { connectionsPerPlugin } = { ...file.limits, ...enablement.limits }
  const { denials, places, plugin, vain } = prospectOf(
    { digest, manifest },
    entry.enablement,
    connectionsPerPlugin,
    left
  )
  const inManifest = located(notesOf(manifest)).map((note) => ({ ...note, file: Path.join(folder, FILE) }))
  const one: Checked = {
    plugin,
    found: [
      ...file.located(denials.map((denial) => asProblem(denied(denial, entry)))),
      ...file.located([...TargetNotes.inVain(at, vain), ...TargetNotes.onGranted(at, enablement)].map(asNote)),
      ...inManifest.map(asNote)
    ]
  }
  return { checked: one, places }
}

const failed = (enablement: Enablement, tag: string, problems: ReadonlyArray<Problem>): Checked => ({
  plugin: { pluginRef: refOf(enablement), would: "fail", tag, sources: [], requests: [] },
  found: problems.map(asProblem)
})

const KEYS = {
  VersionMismatch: "version",
  DigestMismatch: "digest",
  PackageUnreadable: "package",
  UnsupportedRuntime: "package"
} as const

/** What is wrong, where it stands: in the host file, or in the manifest in the folder. */
const problemsOf = (
  error: ManifestError | HostFileInvalid,
  { at, package: folder }: HostFile.Entry,
  { located }: HostFile.HostFile
): ReadonlyArray<Problem> => {
  if (error._tag === "ManifestInvalid" && error.subject === "manifest") {
    return error.problems.map((problem) => ({ ...problem, file: Path.join(String(folder), problem.file ?? FILE) }))
  }
  if (error._tag === "ManifestInvalid" || error._tag === "HostFileInvalid") {
    return located(error.problems.map(({ message, path }) => ({ path: `${at}.${path}`, message })))
  }
  return located([{ path: `${at}.${KEYS[error._tag]}`, message: `${error.message}${detailOf(error)}` }])
}

const detailOf = (error: ManifestError): string => {
  if (error._tag === "DigestMismatch" && error.suspects !== undefined) {
    return `; look at ${error.suspects.join(", ")}`
  }
  return error._tag === "PackageUnreadable" && error.file !== undefined ? `: ${error.file}` : ""
}

/** What isn't granted, where it would be, and what would allow it. */
const denied = ({ error, source }: Denial, { at, enablement }: HostFile.Entry): Problem => {
  const settings =
    source !== undefined && Object.hasOwn(enablement.sources, source.ingress)
      ? enablement.sources[source.ingress]
      : undefined
  const path =
    source !== undefined && settings?.urls !== undefined
      ? `sources.${source.ingress}.urls[${source.index}]`
      : error._tag === "PermissionMissing"
        ? "grants.permissions"
        : "grants"
  const remedy = remedyOf(error, source?.url)
  return { path: `${at}.${path}`, message: remedy === undefined ? error.message : `${error.message}; ${remedy}` }
}
