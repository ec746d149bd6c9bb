/**
 * What can be shown of an entry that can't be used: its row, which says why.
 *
 * @since 0.3.0
 */
import * as Result from "effect/Result"
import * as Enablement from "./Enablement.ts"
import { DIGEST_WITHOUT_FILES } from "./PluginRef.ts"

/**
 * An enablement that grants nothing and names what the entry names, if that has
 * at least a usable `id` and `instance`; undefined where it hasn't. It doesn't
 * matter whether the entry is as it is written or as a program makes one.
 *
 * @category constructors
 * @since 0.3.0
 */
export const nameplate = (given: unknown): Enablement.Enablement | undefined => {
  const pinned = make(only(given, "id", "instance", "version", "digest"))
  const named = () => make({ ...only(given, "id", "instance"), version: "0.0.0", digest: DIGEST_WITHOUT_FILES })
  return Result.getOrUndefined(Result.isSuccess(pinned) ? pinned : named())
}

// Whatever is wrong with these is found out there.
const make = (given: object) => Enablement.make(given as Enablement.Options)

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
