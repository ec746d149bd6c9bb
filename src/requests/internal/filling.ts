/**
 * Writes secrets into a request, in the moment in which it is sent: those of the
 * grant's headers, and those that the plugin's stand-ins stand for. And the other
 * way round, what replaces them in what the server says back.
 */
import * as Result from "effect/Result"
import * as Filling from "../../connection/Filling.ts"
import type { TlsSettings } from "../../connection/WebSocketClient.ts"
import type { Authority, AuthorizedRequest } from "../../grants/Grants.ts"
import type { GrantedRequest } from "../../grants/Evaluation.ts"
import type { RequestSpec } from "../../commands/RequestPort.ts"
import { saidBack, type EntrySecrets } from "../../secrets/EntrySecrets.ts"
import * as StandIns from "../../secrets/StandIns.ts"
import * as Template from "../../secrets/Template.ts"
import type { Outgoing } from "../RequestClient.ts"

/** The secrets of an entry, and TLS of what it is granted. */
export interface RequestSecrets extends EntrySecrets {
  readonly requestTlsOf: (granted: GrantedRequest) => TlsSettings | undefined
}

/** What is written. */
type Filled = Pick<Outgoing, "url" | "headers" | "body" | "tls">

export interface Parts {
  readonly ingressName: string
  readonly authority: Pick<Authority, "authorizeRequest">
  readonly secrets: RequestSecrets
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
    const own: Array<readonly [string, string]> = []
    for (const [name, value] of Object.entries(headers)) {
      const refusal = StandIns.misplacedIn(name, standIns)
      if (refusal !== undefined) return yield* Result.fail(refusal)
      own.push([name, yield* StandIns.inHeader(value, filler)])
    }
    const granted = grantedHeaders(request, secrets)
    if (!granted.every(([, value]) => Template.isHeaderValue(value))) return yield* Result.fail(UNFIT)
    return {
      url,
      headers: [...granted, ...own],
      body: typeof body === "string" ? utf8.encode(yield* StandIns.inText(body, filler)) : body,
      tls: secrets.requestTlsOf(request.granted)
    }
  })

const isCovered = (url: string, request: AuthorizedRequest, { authority, ingressName }: Parts): boolean => {
  const again = authority.authorizeRequest(ingressName, request.method, url, request.display)
  return Result.isSuccess(again) && again.success.granted.id === request.granted.id
}

const templatesOf = ({ granted }: AuthorizedRequest, { names }: EntrySecrets): Filling.Filling =>
  Filling.of(null, granted.target.headers ?? {}, (name) => names.includes(name))

const grantedHeaders = (request: AuthorizedRequest, secrets: EntrySecrets): ReadonlyArray<readonly [string, string]> =>
  Object.entries(
    Filling.headersOf(request.granted.target.headers ?? {}, templatesOf(request, secrets), secrets.valueOf, true)
  )

/** What replaces all that a server was sent, or may be, in what it says. */
export const maskOf = (
  request: AuthorizedRequest,
  { secrets, standIns }: Pick<Parts, "secrets" | "standIns">
): ReturnType<typeof saidBack> => {
  const templates = templatesOf(request, secrets)
  const opened = secrets.names.filter((name) => request.opens(name))
  return saidBack(
    secrets,
    {
      secrets: [...new Set([...opened, ...Filling.secretsOfHeaders(templates)])],
      credentials: Filling.credentials(templates, secrets.valuesOf)
    },
    standIns
  )
}
