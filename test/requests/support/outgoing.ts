/** Requests as the stage hands them to a client. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { RequestClient } from "mooring"
import { authorityOf, subject } from "../../support/grants.ts"

interface Settings extends Partial<Omit<RequestClient.Outgoing, "request" | "url">> {
  readonly method?: string
  readonly privateAddresses?: boolean
}

const COMMON = ["GET", "HEAD", "POST"]

/** Everything may be asked for; names may be private unless it says otherwise. */
const allowed = (method: string, url: string, privateAddresses: boolean) =>
  Effect.gen(function* () {
    const { hostname, protocol } = new URL(url)
    const scheme = protocol === "https:" ? ("https" as const) : ("http" as const)
    const host = hostname.replace(/^\[|\]$/g, "")
    const request = [
      { scheme, host, port: "*" as const, methods: [...new Set([...COMMON, method])], pathPrefixes: ["/"] }
    ]
    const granted = request.map((target) => ({ ...target, privateAddresses }))
    const authority = yield* authorityOf(subject({ request }), { request: granted })
    return Result.getOrThrow(authority.authorizeRequest("gateway", method, url))
  })

/** The simplest request that there is, with what is given in its place. */
export const outgoing = (url: string, { method = "GET", privateAddresses = true, ...change }: Settings = {}) =>
  Effect.map(allowed(method, url, privateAddresses), (request): RequestClient.Outgoing => ({
    request,
    url,
    headers: [],
    body: null,
    tls: undefined,
    owner: "project:test.plugin",
    lookups: { take: Effect.succeed((lookup) => lookup) },
    deadlineMs: 15_000,
    maxBytes: 262_144,
    onSent: () => {},
    ...change
  }))

export type { Settings }
