/**
 * A request as a command asks for it, judged in the order of the checks: its
 * form, as far as grant and limits say what that is; its size; whether it is
 * granted.
 */
import * as Result from "effect/Result"
import type { GrantError } from "../../grants/GrantError.ts"
import type { Authority, AuthorizedRequest } from "../../grants/Grants.ts"
import type { Problem } from "../../internal/wire.ts"
import type { Values } from "../../limits/Limits.ts"
import * as RequestUrl from "../../manifest/RequestUrl.ts"
import { CommandMalformed, CommandTooLarge, CommandUngranted } from "../CommandError.ts"
import type { RequestPayload } from "../RequestPayload.ts"
import type { RequestSpec } from "../RequestPort.ts"
import { bodyBytes } from "./sizes.ts"

interface By {
  readonly authority: Pick<Authority, "authorizeRequest">
  readonly limits: Pick<Values, "requestBodyBytes" | "requestDeadlineMs">
}

type Refused = CommandMalformed | CommandTooLarge | CommandUngranted

/** What is asked for, or why not. `payloadTooLarge` is what the size of the payload comes to. */
export const requested = (
  payload: RequestPayload,
  ingressName: string,
  { authority, limits }: By,
  payloadTooLarge: () => CommandTooLarge | undefined
): Result.Result<RequestSpec, Refused> => {
  const { method, timeoutMs = limits.requestDeadlineMs, url } = payload
  const authorized = authority.authorizeRequest(ingressName, method, url)
  const problems = problemsOf(payload, authorized, limits)
  if (problems.length > 0) return Result.fail(new CommandMalformed({ problems }))
  const tooLarge = bodyTooLarge(payload, limits) ?? payloadTooLarge()
  if (tooLarge !== undefined) return Result.fail(tooLarge)
  if (Result.isFailure(authorized)) {
    const ungranted = { url: shownOf(url), problem: "no grant", method, ...missingOf(authorized.failure) } as const
    return Result.fail(new CommandUngranted(ungranted))
  }
  const { bytes, headers = {}, text } = payload
  return Result.succeed({ request: authorized.success, headers, body: bytes ?? text ?? null, timeoutMs })
}

const problemsOf = (
  { headers = {}, timeoutMs = 0 }: RequestPayload,
  authorized: Result.Result<AuthorizedRequest, GrantError>,
  { requestDeadlineMs }: By["limits"]
): ReadonlyArray<Problem> => [
  ...(timeoutMs <= requestDeadlineMs
    ? []
    : [{ path: "payload.timeout_ms", message: `Expected a whole number from 1 to ${requestDeadlineMs}` }]),
  ...(Result.isFailure(authorized) && authorized.failure._tag === "TargetInvalid"
    ? [{ path: "payload.url", message: `Expected a URL that isn't refused: ${authorized.failure.problem}` }]
    : []),
  ...(Result.isSuccess(authorized) && isOfGrant(authorized.success, Object.keys(headers))
    ? [{ path: "payload.headers", message: "Expected no header that the grant adds itself" }]
    : [])
]

/** Which half of what the request needs isn't there: a permission, or a target that covers it. */
const missingOf = (error: GrantError): Pick<CommandUngranted, "missing" | "permission"> =>
  error._tag === "PermissionMissing"
    ? { missing: error.missing, permission: error.permission }
    : { missing: error._tag === "TargetUndeclared" ? "manifest" : "grant" }

const isOfGrant = ({ granted }: AuthorizedRequest, names: ReadonlyArray<string>): boolean => {
  const own = new Set(Object.keys(granted.target.headers ?? {}).map((name) => name.toLowerCase()))
  return names.some((name) => own.has(name.toLowerCase()))
}

const bodyTooLarge = (payload: RequestPayload, { requestBodyBytes: limit }: By["limits"]) => {
  const bytes = bodyBytes(payload)
  return bytes > limit ? new CommandTooLarge({ what: "body", bytes, limit }) : undefined
}

/** What may be shown of a URL that isn't granted: where it leads to, and no more of it. */
const shownOf = (url: string): string => {
  const parsed = RequestUrl.parse(url)
  if (Result.isFailure(parsed)) return "what is not a URL"
  const { host, port, scheme } = parsed.success
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`
}
