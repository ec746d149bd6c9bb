/**
 * `ResolveAddresses` for Node: /etc/hosts, then the DNS, with the name servers,
 * search domains and `ndots` of /etc/resolv.conf. Both files are looked at for
 * every name.
 *
 * The system's own function (`getaddrinfo`, `dns.lookup`) is not used: it can't
 * be cancelled, takes one of the two threads that Node has for it for as long as
 * a name server is silent, and holds the end of the process. So names that only
 * another source of the system's knows (multicast DNS, LDAP) are not found; an
 * application that needs them resolves by itself.
 *
 * @since 0.2.0
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Dns from "node:dns"
import * as Os from "node:os"
import { LookupFailed, ResolveAddresses, type Resolve } from "../connection/ResolveAddresses.ts"
import * as HadTime from "../time/HadTime.ts"
import { ask, resolvers, type Answer, type Family } from "./internal/dnsQuery.ts"
import * as Hosts from "./internal/hosts.ts"
import * as ResolvConf from "./internal/resolvConf.ts"
import { SystemFile, outOfDescriptors } from "./internal/systemFile.ts"

/**
 * Where to look: the two files, and name servers (an address, with a port or
 * without) in place of those of the file.
 *
 * @category models
 * @since 0.2.0
 */
export interface Options {
  readonly hosts?: string
  readonly resolvConf?: string
  readonly servers?: ReadonlyArray<string>
}

type Found = (addresses: ReadonlyArray<string>) => void

/** How the search for one name ended; `silent` is an end to the whole search. */
type Outcome =
  | { readonly kind: "found" }
  | { readonly kind: "none" }
  | { readonly kind: "again" | "silent"; readonly code: string }

const LOOPBACK = ["::1", "127.0.0.1"]

/** Names that never leave the host (RFC 6761, section 6.3). */
const isLocalhost = (name: string) => name === "localhost" || name.endsWith(".localhost")

const hostsPath = () =>
  process.platform === "win32" ? String.raw`C:\Windows\System32\drivers\etc\hosts` : "/etc/hosts"

/**
 * Makes the resolver.
 *
 * @category constructors
 * @since 0.2.0
 */
export const make = (options: Options = {}): ResolveAddresses["Service"] => {
  const hosts = new SystemFile(options.hosts ?? hostsPath(), Hosts.parse)
  const resolvConf = new SystemFile(options.resolvConf ?? "/etc/resolv.conf", ResolvConf.parse)

  const lookup = (name: string, found: Found): Effect.Effect<void, LookupFailed, Scope.Scope> =>
    Effect.gen(function* () {
      const local = hosts.current.get(name) ?? (isLocalhost(name) ? LOOPBACK : undefined)
      if (local !== undefined) return found(local)
      const conf = resolvConf.current
      const servers = yield* resolvers(serversOf(options, conf))
      const time = yield* HadTime.make
      let code: string = Dns.NOTFOUND
      for (const candidate of ResolvConf.candidates(name, conf, Os.hostname())) {
        const outcome = yield* both(servers, candidate, found, time)
        if (outcome.kind === "found") return
        if (outcome.kind !== "none") code = outcome.code
        if (outcome.kind === "silent") break
      }
      return yield* new LookupFailed({ code: outOfDescriptors() ?? code })
    })

  const resolve: Resolve = (name) =>
    Stream.callback((queue) =>
      Effect.andThen(
        lookup(name, (addresses) => Queue.offerUnsafe(queue, addresses)),
        Queue.end(queue)
      )
    )
  return { resolve }
}

const serversOf = (options: Options, { servers }: ResolvConf.ResolvConf): ReadonlyArray<string> => {
  if (options.servers !== undefined) return options.servers
  return servers.length > 0 ? servers : Dns.getServers()
}

/** Asks for both families of one name at once, and tells of each when it comes. */
const both = (
  servers: ReadonlyArray<Dns.Resolver>,
  name: string,
  found: Found,
  time: HadTime.HadTime
): Effect.Effect<Outcome, never, Scope.Scope> =>
  Effect.gen(function* () {
    let hasFound = false
    const family = (of: Family) =>
      Effect.tap(Effect.result(ask(servers, name, of, time)), (answer) =>
        Effect.sync(() => {
          if (Result.isFailure(answer) || answer.success.kind !== "addresses") return
          hasFound = true
          found(answer.success.addresses)
        })
      )
    const six = yield* Effect.forkScoped(family(6))
    const four = yield* family(4)
    // Some servers say of AAAA that there is no such name where there is only no such record (RFC 4074, section 4.2), so
    // it is A whose word counts for both.
    if (Result.isSuccess(four) && four.success.kind === "unknown" && !hasFound) {
      yield* Fiber.interrupt(six)
      return { kind: "none" }
    }
    const answers = [four, yield* Fiber.join(six)]
    return hasFound ? { kind: "found" } : missed(answers)
  })

const missed = (answers: ReadonlyArray<Result.Result<Answer, string>>): Outcome => {
  const failed = answers.find(Result.isFailure)
  if (failed === undefined) return { kind: "none" }
  return { kind: failed.failure === "EAI_AGAIN" ? "again" : "silent", code: failed.failure }
}

/**
 * Provides the resolver.
 *
 * @category layers
 * @since 0.2.0
 */
export const layer = (options: Options = {}): Layer.Layer<ResolveAddresses> =>
  Layer.sync(ResolveAddresses, () => make(options))
