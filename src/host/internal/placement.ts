/**
 * What can't stand where an entry puts it, whatever it is: a secret in a place
 * that takes no such value, a certificate without its key.
 */
import * as Filling from "../../connection/Filling.ts"
import type { Problem } from "../../internal/wire.ts"
import type { ValueOf } from "../../secrets/Template.ts"

/** Where secrets are filled in: the key path of the settings, and the URL that they are for. */
export interface Place {
  readonly at: string
  readonly url: string
  readonly filling: Filling.Filling
}

/** A problem, and the secrets of whose values it is one. */
export interface Misplaced {
  readonly problem: Problem
  readonly secrets: ReadonlyArray<string>
}

/** What can't stand where it is filled in, each once. */
export const misplacedIn = (places: ReadonlyArray<Place>, valueOf: ValueOf): ReadonlyArray<Misplaced> => {
  const found = new Map<string, Misplaced>()
  for (const { at, filling, url } of places) {
    for (const { message, path, secrets } of Filling.problems(url, filling, valueOf)) {
      const whole = `${at}.${path}`
      found.set(`${whole} ${secrets.join()}`, { problem: { path: whole, message }, secrets })
    }
  }
  return [...found.values()]
}

/** A certificate is of no use without its key, nor a key without its certificate. */
export const unpaired = (
  at: string,
  { cert, key }: { readonly cert?: unknown; readonly key?: unknown } = {}
): ReadonlyArray<Problem> =>
  (cert === undefined) === (key === undefined) ? [] : [{ path: `${at}.tls`, message: "Expected cert and key together" }]
