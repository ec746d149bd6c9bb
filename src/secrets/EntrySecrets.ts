/**
 * The secrets of one entry, as the stages hold them, and what replaces them in
 * what a server says back: by the stand-in that the plugin has for each, so that
 * it recognizes what it sent; what was made of a secret, and what it has no
 * stand-in for, is `***`.
 *
 * @since 0.5.0
 */
import * as Masking from "./Masking.ts"
import type { StandIns } from "./StandIns.ts"
import type { ValueOf } from "./Template.ts"

/**
 * The secrets of an entry: their names, the value of each as it is now and all
 * that it ever was, and what masks values, which is the same for all who ask for
 * the same.
 *
 * @category models
 * @since 0.5.0
 */
export interface EntrySecrets {
  readonly names: ReadonlyArray<string>
  readonly valueOf: ValueOf
  readonly valuesOf: (secret: string) => ReadonlyArray<string>
  readonly maskOf: (values: ReadonlyArray<string>) => Masking.Mask
}

/**
 * An entry without secrets.
 *
 * @category constructors
 * @since 0.5.0
 */
export const none: EntrySecrets = { names: [], valueOf: () => "", valuesOf: () => [], maskOf: Masking.make }

/**
 * What a server was sent, or may be: secrets by their names, and credentials
 * that were made of some.
 *
 * @category models
 * @since 0.5.0
 */
export interface Sent {
  readonly secrets: ReadonlyArray<string>
  readonly credentials: ReadonlyArray<string>
}

/**
 * What replaces all of it in what that server says; null where it is nothing.
 *
 * @category combinators
 * @since 0.5.0
 */
export const saidBack = (
  { maskOf, valuesOf }: Pick<EntrySecrets, "maskOf" | "valuesOf">,
  { credentials, secrets }: Sent,
  standIns: StandIns
): ((text: string) => string) | null => {
  const values: Array<string> = []
  const instead: Array<string> = []
  for (const secret of secrets) {
    for (const value of valuesOf(secret)) {
      values.push(value)
      instead.push(standIns.of(secret) ?? Masking.MASK)
    }
  }
  values.push(...credentials)
  if (values.length === 0) return null
  const mask = maskOf(values)
  return (text) => mask(text, instead)
}
