/**
 * How `mooring dev` enables a package: with all that its manifest asks for, and
 * what its author said on the command line; and that in words.
 */
import type * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Limits from "../../limits/Limits.ts"
import * as Enablement from "../../manifest/Enablement.ts"
import type { ManifestInvalid } from "../../manifest/ManifestError.ts"
import { Permission } from "../../manifest/Permission.ts"
import { AllowedRequestTarget } from "../../manifest/RequestTarget.ts"
import { GrantedTarget } from "../../manifest/WebSocketTarget.ts"
import type { LoadedPackage } from "../../node/PackageFolders.ts"
import { inline } from "./enablementToml.ts"
import { denied, notesOf } from "./packageCheck.ts"
import { prospectOf } from "./prospect.ts"
import * as TargetNotes from "./targetNotes.ts"
import * as Wire from "../../internal/wire.ts"

/** What the author said. */
export interface Asked {
  readonly grantPrivate: boolean
  readonly config: Schema.Json
  /** The variables by the names of the secrets. */
  readonly secrets: ReadonlyMap<string, string>
  readonly sources: ReadonlyMap<string, ReadonlyArray<string>>
}

/** The entry; each secret is open for every target, and for signing. */
export const enablementOf = (
  { digest, manifest }: LoadedPackage,
  { config, grantPrivate, secrets, sources }: Asked
): Result.Result<Enablement.Enablement, ManifestInvalid> => {
  const { grants, ...entry } = Enablement.trusting({ manifest, digest }, { config, privateAddresses: grantPrivate })
  const names = [...secrets.keys()]
  const opened = names.length === 0 ? {} : { secrets: names }
  return Enablement.make({
    ...entry,
    secrets: Object.fromEntries([...secrets].map(([name, env]) => [name, { env }])),
    grants: {
      ...grants,
      websocket: grants.websocket.map((target) => ({ ...target, ...opened })),
      request: grants.request.map((target) => ({ ...target, ...opened })),
      sign: names
    },
    sources: Object.fromEntries([...sources].map(([ingress, urls]) => [ingress, { urls }]))
  })
}

const encodePermission = Schema.encodeSync(Permission)
const encodeTarget = Schema.encodeSync(GrantedTarget)
const encodeRequest = Schema.encodeSync(AllowedRequestTarget)

/** What the package is granted and what it will dial, a line each. */
export const grantsOf = (
  { digest, located, manifest }: LoadedPackage,
  enablement: Enablement.Enablement
): ReadonlyArray<string> => {
  const { permissions, request, sign, websocket } = enablement.grants
  const { denials, plugin, vain } = prospectOf({ digest, manifest }, enablement, Limits.defaults.connectionsPerPlugin)
  return [
    ...permissions.map((permission) => `permission ${inline({ ...encodePermission(permission) })}`),
    ...websocket.map((target) => `websocket ${inline({ ...encodeTarget(target) })}`),
    ...request.map((target) => `request ${inline({ ...encodeRequest(target) })}`),
    ...(sign.length === 0 ? [] : [`sign ${inline([...sign])}`]),
    ...plugin.sources.map(
      ({ id, ingressName, tag, url, would }) =>
        `${ingressName} ${id} ${url} ${would === "dial" ? "will be dialled" : `is stopped: ${tag}`}`
    ),
    ...located(denials.map((denial) => denied(manifest, denial))).map(Wire.formatProblem),
    ...located([...TargetNotes.inManifest(vain), ...notesOf(manifest)]).map(
      (note) => `note: ${Wire.formatProblem(note)}`
    )
  ]
}
