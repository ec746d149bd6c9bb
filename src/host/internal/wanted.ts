/**
 * Which package an entry enables, or why there is none, and whether two entries
 * run the same.
 */
import * as Source from "../../connection/Source.ts"
import { canonical } from "../../internal/canonical.ts"
import type { Enablement } from "../../manifest/Enablement.ts"
import type { Manifest } from "../../manifest/Manifest.ts"
import {
  DigestMismatch,
  ManifestInvalid,
  PackageUnreadable,
  VersionMismatch,
  type ManifestError
} from "../../manifest/ManifestError.ts"
import { DIGEST_WITHOUT_FILES, packageId } from "../../manifest/PluginRef.ts"
import type { PluginPackage } from "../../plugin/PluginRuntime.ts"
import type { Entry } from "./entries.ts"

/** An entry and the package that it enables, or why there is none. */
export interface Wanted {
  readonly ref: string
  /** Where the entry stands among all. */
  readonly at: string
  readonly enablement: Enablement
  readonly found: PluginPackage | ManifestError
}

/** The entry's own package, or the one among those that there are. */
export const want = ({ at, enablement, invalid, own, ref }: Entry, packages: ReadonlyArray<PluginPackage>): Wanted => ({
  ref,
  at,
  enablement,
  found: invalid ?? (own === undefined ? find(enablement, packages) : check(enablement, own))
})

/** Whether two entries of the same reference run the same, whatever they are granted. */
export const isSame = (one: Wanted, other: Wanted): boolean => {
  const { grants: _, ...left } = one.enablement
  const { grants: __, ...right } = other.enablement
  return isSamePackage(one.found, other.found) && canonical(left) === canonical(right)
}

const isSamePackage = (one: Wanted["found"], other: Wanted["found"]): boolean => {
  if ("_tag" in one || "_tag" in other) return "_tag" in one && "_tag" in other && one.message === other.message
  return one === other || (one.digest === other.digest && one.digest !== DIGEST_WITHOUT_FILES)
}

/** What an entry is compared with. */
export type Pinned = Pick<PluginPackage, "manifest" | "digest" | "suspects">

/** A package, or what keeps an entry from enabling it. */
export const check = <Package extends Pinned>(enablement: Enablement, own: Package | ManifestError) => {
  if ("_tag" in own || own.manifest.id === packageId(enablement.id)) {
    return "_tag" in own ? own : find(enablement, [own])
  }
  const message = `Expected the id of the package behind the colon, which is ${own.manifest.id}`
  return new ManifestInvalid({ subject: "enablement", problems: [{ path: "id", message }] })
}

const find = <Package extends Pinned>(
  enablement: Enablement,
  packages: ReadonlyArray<Package>
): Package | ManifestError => {
  const id = packageId(enablement.id)
  const named = packages.filter(({ manifest }) => manifest.id === id)
  const [first] = named
  if (first === undefined) return new PackageUnreadable({ problem: `no package has the id ${id}` })
  const versioned = named.filter(({ manifest }) => manifest.version === enablement.version)
  if (versioned.length === 0) {
    return new VersionMismatch({ enabled: enablement.version, actual: first.manifest.version })
  }
  const exact = versioned.find(({ digest }) => digest === enablement.digest)
  if (exact === undefined) {
    const { digest: actual, suspects = [] } = versioned[0] ?? first
    return new DigestMismatch({ enabled: enablement.digest, actual, ...(suspects.length === 0 ? {} : { suspects }) })
  }
  const problems = [
    ...strangers(enablement, exact.manifest),
    ...Source.problems(Source.names(exact.manifest, enablement))
  ]
  return problems.length === 0 ? exact : new ManifestInvalid({ subject: "enablement", problems })
}

/** What the enablement says of surfaces and ingresses that the manifest doesn't have. */
const strangers = ({ sources, surfaces = [] }: Enablement, manifest: Manifest) => [
  ...surfaces.flatMap((surface, index) =>
    manifest.surfaces.includes(surface)
      ? []
      : [{ path: `surfaces[${index}]`, message: "Expected a surface that the manifest declares" }]
  ),
  ...Object.keys(sources).flatMap((name) =>
    manifest.ingresses.some((ingress) => ingress.name === name)
      ? []
      : [{ path: `sources.${name}`, message: "Expected an ingress that the manifest declares" }]
  )
]
