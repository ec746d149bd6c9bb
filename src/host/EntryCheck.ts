/**
 * What keeps an entry from being set up, found out without running anything:
 * whether it fits its package, and whether what it names is there and can be
 * used.
 *
 * @since 0.3.0
 */
import * as Effect from "effect/Effect"
import type * as Limits from "../limits/Limits.ts"
import * as Enablement from "../manifest/Enablement.ts"
import type { HostFileInvalid } from "../manifest/HostFileError.ts"
import type { ManifestError } from "../manifest/ManifestError.ts"
import { Secrets } from "../secrets/Secrets.ts"
import * as HadTime from "../time/HadTime.ts"
import { hold } from "./internal/held.ts"
import { KnownSecrets } from "./internal/knownSecrets.ts"
import * as Wanted from "./internal/wanted.ts"

/**
 * Why an entry can't be set up with a package; undefined where it can be.
 *
 * @category checks
 * @since 0.3.0
 */
export const lack = (
  enablement: Enablement.Enablement,
  found: Wanted.Pinned,
  limits: Limits.Values
): Effect.Effect<ManifestError | HostFileInvalid | undefined> =>
  Effect.gen(function* () {
    const checked = Wanted.check(enablement, found)
    if ("_tag" in checked) return checked
    const held = yield* hold({
      ref: Enablement.refOf(enablement),
      enablement,
      manifest: found.manifest,
      port: yield* Secrets,
      limits,
      known: new KnownSecrets(),
      time: yield* HadTime.make
    })
    return "_tag" in held ? held : undefined
  }).pipe(Effect.scoped)
