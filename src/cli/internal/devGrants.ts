/**
 * How `mooring dev` enables a package: with all that its manifest asks for, and
 * what its author said on the command line; and that in words.
 */
import type * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Limits from "../../limits/Limits.ts"
import * as Enablement from "../../manifest/Enablement.ts"
import type { ManifestInvalid } from "../../manifest/ManifestError.ts"
import type { LoadedPackage } from "../../node/PackageFolders.ts"
import { inline } from "./enablementToml.ts"
import { notesOf } from "./packageCheck.ts"
import { prospectOf } from "./prospect.ts"
import * as Wire from "../../internal/wire.ts"

/** What the author said. */
export interface Asked {
  readonly grantPrivate: boolean
  readonly config: Schema.Json
  /** The variables by the names of the secrets. */
  readonly secrets: ReadonlyMap<string, string>
  readonly sources: ReadonlyMap<string, ReadonlyArray<string>>
}

/** The entry; each secret is open for every target. */
export const enablementOf = (
  { digest, manifest }: LoadedPackage,
  { config, grantPrivate, secrets, sources }: Asked
): Result.Result<Enablement.Enablement, ManifestInvalid> => {
  const { grants, ...entry } = Enablement.trusting({ manifest, digest }, { config, privateAddresses: grantPrivate })
  const names = [...secrets.keys()]
  return Enablement.make({
    ...entry,
    secrets: Object.fromEntries([...secrets].map(([name, env]) => [name, { env }])),
    grants: {
      ...grants,
      websocket: grants.websocket.map((target) => (names.length === 0 ? target : { ...target, secrets: names }))
    },
    sources: Object.fromEntries([...sources].map(([ingress, urls]) => [ingress, { urls }]))
  })
}

const encode = Schema.encodeSync(Enablement.Grants)

/** What the package is granted and what it will dial, a line each. */
export const grantsOf = (
  { digest, located, manifest }: LoadedPackage,
  enablement: Enablement.Enablement
): ReadonlyArray<string> => {
  const { permissions = [], websocket = [] } = encode(enablement.grants)
  const { plugin } = prospectOf({ digest, manifest }, enablement, Limits.defaults.connectionsPerPlugin)
  return [
    ...permissions.map((permission) => `permission ${inline({ ...permission })}`),
    ...websocket.map((target) => `websocket ${inline({ ...target })}`),
    ...plugin.sources.map(
      ({ id, ingressName, tag, url, would }) =>
        `${ingressName} ${id} ${url} ${would === "dial" ? "will be dialled" : `is stopped: ${tag}`}`
    ),
    ...located(notesOf(manifest)).map((note) => `note: ${Wire.formatProblem(note)}`)
  ]
}
