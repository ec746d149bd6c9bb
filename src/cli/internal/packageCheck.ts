/**
 * What `mooring check` says of a package: what is wrong with it, what it would
 * do if all that it asks for were granted, and the entry that grants just that.
 */
import * as Result from "effect/Result"
import * as Path from "node:path"
import type { Problem } from "../../internal/wire.ts"
import * as Limits from "../../limits/Limits.ts"
import * as Enablement from "../../manifest/Enablement.ts"
import * as Manifest from "../../manifest/Manifest.ts"
import type { ManifestError } from "../../manifest/ManifestError.ts"
import type { LoadedPackage } from "../../node/PackageFolders.ts"
import * as PackageManifest from "../../node/PackageManifest.ts"
import type { CheckReport, Found } from "../CheckReport.ts"
import { inline } from "./enablementToml.ts"
import { type Denial, prospectOf } from "./prospect.ts"
import { permissionToml, targetFor } from "./remedies.ts"
import * as TargetNotes from "./targetNotes.ts"

/** The report on a folder, which is `path` to a host file: on the package that was loaded, or why it couldn't be. */
export const packageCheck = (
  folder: string,
  path: string,
  loaded: Result.Result<LoadedPackage, ManifestError>
): CheckReport => {
  const report = Result.match(loaded, { onFailure: unusable, onSuccess: (found) => checked(path, found) })
  // Problems name files as their package does; here they are files of the folder that was given.
  const problems = report.problems.map((found) =>
    found.file === undefined ? found : { ...found, file: Path.join(folder, found.file) }
  )
  return { ...report, problems }
}

const unusable = (error: ManifestError): CheckReport => {
  const problems: ReadonlyArray<Problem> = error._tag === "ManifestInvalid" ? error.problems : [problemOf(error)]
  return { ok: false, problems: problems.map((problem) => ({ ...problem, severity: "problem" })), plugins: [] }
}

const problemOf = (error: ManifestError): Problem => ({
  path: "",
  message: error.message,
  file: error._tag === "PackageUnreadable" && error.file !== undefined ? error.file : ""
})

const checked = (path: string, { digest, located, manifest }: LoadedPackage): CheckReport => {
  const enablement = Enablement.trusting({ manifest, digest })
  const { denials, plugin, vain } = prospectOf({ manifest, digest }, enablement, Limits.defaults.connectionsPerPlugin)
  const problems = denials.map((denial): Found => ({ ...denied(manifest, denial), severity: "problem" }))
  const notes = [...TargetNotes.inManifest(vain), ...notesOf(manifest)].map((note): Found => ({
    ...note,
    severity: "note"
  }))
  return {
    ok: problems.length === 0,
    problems: located([...problems, ...notes]),
    plugins: [plugin],
    enablement: {
      ...enablement,
      grants: { ...enablement.grants, request: manifest.request },
      secrets: {},
      sources: {},
      package: path
    }
  }
}

/** What the manifest lacks for what it declares, and what would allow it. */
export const denied = (manifest: Manifest.Manifest, denial: Denial): Problem => {
  const { error, source } = denial
  const ingress = manifest.ingresses.findIndex(({ name }) => name === source?.ingress)
  const path = source === undefined ? "permissions" : `ingresses[${ingress}].sources[${source.index}]`
  const remedy = remedyOf(manifest, denial)
  const advice =
    remedy === undefined ? "" : `; allowed by ${remedy} in ${PackageManifest.FILE}, which its author decides`
  return { path, message: `${error.message}${advice}` }
}

const remedyOf = (manifest: Manifest.Manifest, { error, source }: Denial): string | undefined => {
  if (error._tag === "TargetUndeclared" && source !== undefined) {
    const target = targetFor(source.url)
    return target === undefined ? undefined : `${target} among websocket`
  }
  if (error._tag !== "PermissionMissing") return undefined
  const [kind = "", name] = error.permission.split(" ")
  if (kind === "surface" && name !== undefined && !manifest.surfaces.includes(name)) {
    return `${inline(name)} among surfaces`
  }
  const permission = permissionToml(error.permission)
  return permission === undefined
    ? 'a [[services]] with a name and lifecycle = "host-managed"'
    : `${permission} among permissions`
}

const UNSERVED = "this host doesn't serve it"

/** What keeps nothing from running and should be known. */
export const notesOf = (manifest: Manifest.Manifest): ReadonlyArray<Problem> => [
  ...Manifest.notServed(manifest).map((name) => {
    const at = manifest.surfaces.indexOf(name)
    return { path: at < 0 ? name : `surfaces[${at}]`, message: UNSERVED }
  }),
  ...manifest.permissions.flatMap((permission, at) => {
    const isServed =
      permission.kind === "service" ||
      permission.kind === "ingress" ||
      (permission.kind === "surface" && SURFACES.has(permission.surface)) ||
      (permission.kind === "host_api" && APIS.has(permission.api))
    return isServed ? [] : [{ path: `permissions[${at}]`, message: UNSERVED }]
  }),
  ...TargetNotes.onDeclared(manifest)
]

const SURFACES: ReadonlySet<string> = new Set(["service", "ingress"])
const APIS: ReadonlySet<string> = new Set(["websocket", "request"])
