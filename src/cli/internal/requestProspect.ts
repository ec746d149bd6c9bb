/**
 * What an enabled package may request, and what of it is declared or granted in
 * vain, found out without running it.
 */
import * as Result from "effect/Result"
import type { Evaluation } from "../../grants/Evaluation.ts"
import type { GrantError, PermissionMissing } from "../../grants/GrantError.ts"
import type { Manifest } from "../../manifest/Manifest.ts"
import * as RequestTarget from "../../manifest/RequestTarget.ts"

/** A target that allows nothing, the `index`th of its side, or the permission that every request lacks. */
export type Vain =
  | { readonly kind: "ungranted"; readonly target: RequestTarget.RequestTarget }
  | { readonly kind: "undeclared"; readonly index: number; readonly target: RequestTarget.GrantedRequestTarget }
  | { readonly kind: "forbidden"; readonly error: PermissionMissing }

export interface RequestProspect {
  /** The granted targets that a declared one meets. */
  readonly allowed: ReadonlyArray<typeof RequestTarget.AllowedRequestTarget.Type>
  readonly vain: ReadonlyArray<Vain>
}

const NOTHING: RequestProspect = { allowed: [], vain: [] }

/** The prospect of a package by what its manifest declares and an evaluation allows. */
export const requestProspectOf = (manifest: Manifest, evaluation: Evaluation): RequestProspect => {
  const granted = evaluation.requests.map(({ target }) => target)
  const names = manifest.ingresses.map(({ name }) => name)
  if (names.length === 0 || (granted.length === 0 && manifest.request.length === 0)) return NOTHING
  const denials = names.flatMap((name) => {
    const checked = evaluation.uses(name, "request")
    return Result.isFailure(checked) ? [checked.failure] : []
  })
  // What else every ingress may lack is told of the plugin or its sources.
  if (denials.length === names.length) return { allowed: [], vain: denials.flatMap(forbidden).slice(0, 1) }
  return {
    allowed: granted.filter((target) => isMet(target, manifest.request)).map(shownOf),
    vain: [
      ...manifest.request.flatMap((target): ReadonlyArray<Vain> =>
        isMet(target, granted) ? [] : [{ kind: "ungranted", target }]
      ),
      ...granted.flatMap((target, index): ReadonlyArray<Vain> =>
        isMet(target, manifest.request) ? [] : [{ kind: "undeclared", index, target }]
      )
    ]
  }
}

const isMet = (target: RequestTarget.RequestTarget, others: ReadonlyArray<RequestTarget.RequestTarget>): boolean =>
  others.some((other) => RequestTarget.meet(target, other))

const forbidden = (error: GrantError): ReadonlyArray<Vain> =>
  error._tag === "PermissionMissing" && error.permission === "host_api request" ? [{ kind: "forbidden", error }] : []

/** What may be shown: no header is, for there may be a token in it. */
const shownOf = (target: RequestTarget.GrantedRequestTarget): RequestProspect["allowed"][number] => {
  const { headers: _, tls: __, ...allowed } = target
  return allowed
}
