/**
 * Reads the entries that a host is to run: each is checked and copied, whoever
 * made it, so that one that can't be used fails by itself and nobody changes
 * one that was checked.
 */
import * as Result from "effect/Result"
import type { Problem } from "../../internal/wire.ts"
import * as Enablement from "../../manifest/Enablement.ts"
import { ManifestInvalid, type ManifestError } from "../../manifest/ManifestError.ts"
import { nameplate } from "../../manifest/Nameplate.ts"
import type { PluginPackage } from "../../plugin/PluginRuntime.ts"

/**
 * An entry that comes with the package that it enables, or with the reason why
 * there is none. What is wrong with it is listed under `at`, its key path in the
 * file that it is from; without one under its place among the entries.
 *
 * @category models
 * @since 0.3.0
 */
export interface EnabledPackage {
  readonly enablement: Enablement.Enablement
  readonly package: PluginPackage | ManifestError
  readonly at?: string
}

/** An entry under its reference. One with an `invalid` has no more of it than what status shows. */
export interface Entry {
  readonly ref: string
  /** Where it stands among the entries. */
  readonly at: string
  readonly enablement: Enablement.Enablement
  readonly invalid: ManifestInvalid | undefined
  /** What it comes with itself; without that its package is one of the host's. */
  readonly own: EnabledPackage["package"] | undefined
}

/** The entries that have a row, each reference once, and all that is wrong with any. */
export const read = (
  enabled: ReadonlyArray<unknown>
): { readonly entries: ReadonlyArray<Entry>; readonly problems: ReadonlyArray<Problem> } => {
  const entries = new Map<string, Entry>()
  const problems: Array<Problem> = []
  for (const [index, item] of enabled.entries()) {
    const { at = `enabled[${index}]`, enablement: given, package: own } = isOwn(item) ? item : { enablement: item }
    const made = make(given)
    const invalid = Result.isFailure(made) ? made.failure : invalidOf(own)
    for (const problem of invalid?.problems ?? []) {
      problems.push({ ...problem, path: problem.path === "" ? at : `${at}.${problem.path}` })
    }
    const enablement = Result.isSuccess(made) ? made.success : nameplate(given)
    if (enablement === undefined) continue
    const ref = Enablement.refOf(enablement)
    if (entries.has(ref)) problems.push({ path: at, message: "Expected an id and instance that occur once" })
    else entries.set(ref, { ref, at, enablement, invalid, own })
  }
  return { entries: [...entries.values()], problems }
}

/** What whoever read the entry found wrong with it. */
const invalidOf = (own: EnabledPackage["package"] | undefined): ManifestInvalid | undefined =>
  own instanceof ManifestInvalid && own.subject === "enablement" ? own : undefined

/** No enablement has a field of that name. */
const isOwn = (item: unknown): item is EnabledPackage =>
  typeof item === "object" && item !== null && Object.hasOwn(item, "enablement")

// The application need not be written in TypeScript.
const make = (given: unknown) => Enablement.make(given as Enablement.Options)
