/**
 * Writes the values of secrets into a request, in the places of the stand-ins
 * that the plugin wrote.
 */
import * as Result from "effect/Result"
import type { RequestSpec } from "../../commands/RequestPort.ts"
import type { Authority, AuthorizedRequest } from "../../grants/Grants.ts"
import type { EntrySecrets } from "../../secrets/EntrySecrets.ts"
import * as StandIns from "../../secrets/StandIns.ts"
import type { Outgoing } from "../RequestClient.ts"

/** What is written of what the plugin said. */
type Filled = Pick<Outgoing, "url" | "headers" | "body">

export interface Parts {
  readonly ingressName: string
  readonly authority: Pick<Authority, "authorizeRequest">
  readonly secrets: Pick<EntrySecrets, "valueOf">
  readonly standIns: StandIns.StandIns
}

const UNFIT: StandIns.Refusal = { secret: null, problem: "unfit" }

const utf8 = new TextEncoder()

/** The request as it is written, or which secret may not go where. */
export const fill = (
  { body, headers, request }: Pick<RequestSpec, "request" | "headers" | "body">,
  parts: Parts
): Result.Result<Filled, StandIns.Refusal> =>
  Result.gen(function* () {
    const { secrets, standIns } = parts
    const filler = { standIns, target: request, valueOf: secrets.valueOf }
    const url = yield* StandIns.inUrl(request.url.raw, filler)
    // Both are to be covered, by the same target: another one opens other secrets.
    if (url !== request.url.raw && !isCovered(url, request, parts)) return yield* Result.fail(UNFIT)
    const filled: Array<readonly [string, string]> = []
    for (const [name, value] of Object.entries(headers)) {
      const refusal = StandIns.misplacedIn(name, standIns)
      if (refusal !== undefined) return yield* Result.fail(refusal)
      filled.push([name, yield* StandIns.inHeader(value, filler)])
    }
    return {
      url,
      headers: filled,
      body: typeof body === "string" ? utf8.encode(yield* StandIns.inText(body, filler)) : body
    }
  })

const isCovered = (url: string, request: AuthorizedRequest, { authority, ingressName }: Parts): boolean => {
  const again = authority.authorizeRequest(ingressName, request.method, url, request.display)
  return Result.isSuccess(again) && again.success.granted.id === request.granted.id
}
