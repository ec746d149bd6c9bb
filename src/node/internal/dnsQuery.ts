/**
 * One question to the name servers, by `dns.Resolver` (c-ares): it takes no
 * thread, so that a server which doesn't answer holds up nobody, and it can be
 * cancelled.
 *
 * A question is asked again while the earlier ones are still open, for c-ares
 * drops an answer to a try that it has given up; so a lost packet costs a
 * second, and a slow answer no more than it takes.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Dns from "node:dns"
import * as HadTime from "../../time/HadTime.ts"
import { listed, race } from "./staggered.ts"

/** Addresses, or that the name has none of this family, or that there is no such name. */
export type Answer =
  | { readonly kind: "addresses"; readonly addresses: ReadonlyArray<string> }
  | { readonly kind: "none" }
  | { readonly kind: "unknown" }

export type Family = 4 | 6

const SILENT = "ETIMEOUT"
const OPEN_MS = 15_000
// c-ares would count the time in which the process stands still: it gives a try up long after we have.
const LEFT_TO_US_MS = 3_600_000
const FEWEST_TRIES = 4
const AGAIN_MS = 1000

/** A resolver for each name server. What they still wait for is cancelled with the scope. */
export const resolvers = (
  servers: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<Dns.Resolver>, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() =>
      servers.map((server) => {
        const resolver = new Dns.Resolver({ timeout: LEFT_TO_US_MS, maxTimeout: LEFT_TO_US_MS, tries: 1 })
        resolver.setServers([server])
        return resolver
      })
    ),
    (made) => Effect.sync(() => made.forEach((resolver) => resolver.cancel()))
  )

/** Asks for the addresses of one family. Fails with a code where no server answers. */
export const ask = (
  servers: ReadonlyArray<Dns.Resolver>,
  name: string,
  family: Family,
  time: HadTime.HadTime
): Effect.Effect<Answer, string> => {
  // Each at least twice; where there are none, nobody answers.
  const rounds = servers.length === 0 ? 0 : Math.max(2, Math.ceil(FEWEST_TRIES / servers.length))
  return race({
    candidates: listed(Array.from({ length: rounds }, () => servers).flat()),
    attempt: (resolver) => askOne(resolver, name, family),
    delayMs: (nth) => AGAIN_MS * 2 ** (nth - 1)
  }).pipe(
    Effect.mapError(([code]) => code ?? SILENT),
    HadTime.within(time, OPEN_MS, () => Effect.fail(SILENT))
  )
}

const askOne = (resolver: Dns.Resolver, name: string, family: Family): Effect.Effect<Answer, string> =>
  Effect.callback((resume) => {
    const told = (error: NodeJS.ErrnoException | null, addresses: ReadonlyArray<string> | undefined) =>
      resume(error === null ? Effect.succeed(found(addresses ?? [])) : said(error.code ?? ""))
    try {
      if (family === 4) resolver.resolve4(name, told)
      else resolver.resolve6(name, told)
    } catch {
      // It can't be a name in the DNS.
      resume(Effect.succeed({ kind: "unknown" }))
    }
  })

const found = (addresses: ReadonlyArray<string>): Answer =>
  addresses.length === 0 ? { kind: "none" } : { kind: "addresses", addresses }

const said = (code: string): Effect.Effect<Answer, string> => {
  switch (code) {
    case Dns.NODATA:
      return Effect.succeed({ kind: "none" })
    case Dns.NOTFOUND:
    case Dns.BADNAME:
    case Dns.BADQUERY:
      return Effect.succeed({ kind: "unknown" })
    case Dns.SERVFAIL:
    case Dns.REFUSED:
    case Dns.NOTIMP:
    case Dns.FORMERR:
    case Dns.BADRESP:
      return Effect.fail("EAI_AGAIN")
    default:
      return Effect.fail(code)
  }
}
