/**
 * What an enabled package would do, found out without running it: whether it
 * would start, and which of its sources would be dialled.
 */
import * as Result from "effect/Result"
import { ConnectionLimit } from "../../connection/ConnectionError.ts"
import * as Source from "../../connection/Source.ts"
import * as Evaluation from "../../grants/Evaluation.ts"
import type { GrantError } from "../../grants/GrantError.ts"
import * as GrantStore from "../../grants/GrantStore.ts"
import * as Enablement from "../../manifest/Enablement.ts"
import type { Manifest } from "../../manifest/Manifest.ts"
import type { Plugin } from "../CheckReport.ts"
import { requestProspectOf, type Vain } from "./requestProspect.ts"

/** What isn't allowed: of one source, the `index`th of its ingress, or of the whole service. */
export interface Denial {
  readonly error: GrantError | ConnectionLimit
  readonly source?: { readonly ingress: string; readonly index: number; readonly url: string }
}

export interface Prospect {
  readonly plugin: Plugin
  /** How many of the host's places its sources would take. */
  readonly places: number
  readonly denials: ReadonlyArray<Denial>
  /** What is declared or granted of requests in vain. */
  readonly vain: ReadonlyArray<Vain>
}

/** The `connections_per_host`, and how many of these nobody before has taken. */
interface Places {
  readonly limit: number
  readonly left: number
}

/** The prospect of a package under an entry that enables it; alone on its host unless something else is said. */
export const prospectOf = (
  { digest, manifest }: { readonly digest: string; readonly manifest: Manifest },
  enablement: Enablement.Enablement,
  connectionsPerPlugin: number,
  { left, limit }: Places = { limit: Infinity, left: Infinity }
): Prospect => {
  const { id, surfaces, version } = enablement
  const pluginRef = Enablement.refOf(enablement)
  const grant = GrantStore.grantOf(enablement)
  const subject = { pluginRef, id, version, digest, manifest, surfaces, isInProcess: false }
  const evaluation = Evaluation.evaluator(subject)({ grant })

  const denialOf = (source: Source.Source, at: number): Denial["error"] | undefined => {
    if (at >= connectionsPerPlugin) {
      return new ConnectionLimit({ url: source.display, per: "plugin", limit: connectionsPerPlugin })
    }
    if (at >= left) return new ConnectionLimit({ url: source.display, per: "host", limit })
    return failureOf(evaluation.target(source.ingress, source.url, source.display))
  }
  const all = Source.all(manifest, enablement)
  const sources = all.map((source, at) => ({ source, error: denialOf(source, at), index: indexOf(all, at) }))
  const failure = failureOf(evaluation.service)
  const { allowed, vain } = requestProspectOf(manifest, evaluation)
  return {
    plugin: {
      pluginRef,
      would: failure === undefined ? "start" : "fail",
      ...(failure === undefined ? {} : { tag: failure._tag }),
      sources: sources.map(({ error, source: { display, id: sourceId, ingress } }) => ({
        id: sourceId,
        url: display,
        ingressName: ingress,
        would: error === undefined ? "dial" : "stop",
        ...(error === undefined ? {} : { tag: error._tag })
      })),
      requests: allowed
    },
    vain,
    places: failure === undefined ? Math.min(all.length, connectionsPerPlugin, left) : 0,
    denials:
      // Without its service none of its sources is dialled, for the same reason.
      failure !== undefined
        ? [{ error: failure }]
        : sources.flatMap(({ error, index, source: { ingress, url } }) =>
            error === undefined ? [] : [{ error, source: { ingress, index, url } }]
          )
  }
}

const failureOf = <E>(checked: Result.Result<unknown, E>): E | undefined =>
  Result.isFailure(checked) ? checked.failure : undefined

/** How many sources of the same ingress stand before it. */
const indexOf = (all: ReadonlyArray<Source.Source>, at: number): number =>
  all.slice(0, at).filter(({ ingress }) => ingress === all[at]?.ingress).length
