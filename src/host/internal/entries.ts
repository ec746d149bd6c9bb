/**
 * Reads the entries that a host is to run: each is checked and copied, whoever
 * made it, so that one that can't be used fails by itself and nobody changes
 * one that was checked.
 */
import * as Result from "effect/Result"
import type { Problem } from "../../internal/wire.ts"
import * as Enablement from "../../manifest/Enablement.ts"
import type { ManifestInvalid } from "../../manifest/ManifestError.ts"
import { DIGEST_WITHOUT_FILES } from "../../manifest/PluginRef.ts"

/** An entry under its reference. One with an `invalid` has no more of it than what status shows. */
export interface Entry {
  readonly ref: string
  /** Where it stands among the entries. */
  readonly at: string
  readonly enablement: Enablement.Enablement
  readonly invalid: ManifestInvalid | undefined
}

/** The entries that have a row, each reference once, and all that is wrong with any. */
export const read = (
  enabled: ReadonlyArray<unknown>
): { readonly entries: ReadonlyArray<Entry>; readonly problems: ReadonlyArray<Problem> } => {
  const entries = new Map<string, Entry>()
  const problems: Array<Problem> = []
  for (const [index, given] of enabled.entries()) {
    const at = `enabled[${index}]`
    const made = make(given)
    const invalid = Result.isFailure(made) ? made.failure : undefined
    for (const { message, path } of invalid?.problems ?? []) {
      problems.push({ path: path === "" ? at : `${at}.${path}`, message })
    }
    const enablement = Result.isSuccess(made) ? made.success : nameplate(given)
    if (enablement === undefined) continue
    const ref = Enablement.refOf(enablement)
    if (entries.has(ref)) problems.push({ path: at, message: "Expected an id and instance that occur once" })
    else entries.set(ref, { ref, at, enablement, invalid })
  }
  return { entries: [...entries.values()], problems }
}

// The application need not be written in TypeScript.
const make = (given: unknown) => Enablement.make(given as Enablement.Options)

/** What a row of an entry shows that can't be used, if it has at least a name. */
const nameplate = (given: unknown): Enablement.Enablement | undefined => {
  const pinned = make(only(given, "id", "instance", "version", "digest"))
  const named = () => make({ ...only(given, "id", "instance"), version: "0.0.0", digest: DIGEST_WITHOUT_FILES })
  return Result.getOrUndefined(Result.isSuccess(pinned) ? pinned : named())
}

/** These of its own fields, as far as they can be looked at. */
const only = (given: unknown, ...keys: ReadonlyArray<string>): object => {
  if (typeof given !== "object" || given === null) return {}
  try {
    const own = keys.filter((key) => Object.hasOwn(given, key))
    return Object.fromEntries(own.map((key): readonly [string, unknown] => [key, Reflect.get(given, key)]))
  } catch {
    return {}
  }
}
