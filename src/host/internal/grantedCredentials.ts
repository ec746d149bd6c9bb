/**
 * The credentials of a plugin's requests, by the granted target that decides
 * for them.
 *
 * PEMs are asked for when the entry is set up, when it is granted something
 * else and when the port says that they may have changed; what another store
 * grants meanwhile, by the first request that needs it. A value that can't be
 * used any more stays what it was, with a problem.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Filling from "../../connection/Filling.ts"
import type { TlsSettings } from "../../connection/WebSocketClient.ts"
import type { AuthorizedRequest, GrantedRequest } from "../../grants/Grants.ts"
import type { Problem } from "../../internal/wire.ts"
import { RequestFailed } from "../../requests/RequestError.ts"
import type { Added, RequestCredentials } from "../../requests/RequestCredentials.ts"
import type { EntrySecrets } from "../../secrets/EntrySecrets.ts"
import { isHeaderValue } from "../../secrets/Template.ts"
import * as Lookup from "./lookup.ts"
import * as Placement from "./placement.ts"

/** What was found for a granted target, and what is wrong with what wasn't. */
interface Found {
  readonly granted: GrantedRequest
  readonly filling: Filling.Filling
  readonly pems: Map<Lookup.Pem, string>
  problems: ReadonlyArray<{ readonly pem: Lookup.Pem; readonly message: string }>
}

interface Options {
  readonly secrets: EntrySecrets
  readonly ask: (wants: ReadonlyArray<Lookup.Want>) => Effect.Effect<ReadonlyArray<Lookup.Answer>>
}

export class GrantedCredentials implements RequestCredentials {
  readonly #options: Options
  readonly #found = new Map<string, Found>()
  /** The secrets that a scheme, host and port was sent or may have been, by whichever target. */
  readonly #opened = new Map<string, Set<string>>()
  #granted: () => ReadonlyArray<GrantedRequest> = () => []

  constructor(options: Options) {
    this.#options = options
  }

  /** Goes by what is granted, from now on. */
  follow(granted: () => ReadonlyArray<GrantedRequest>): void {
    this.#granted = granted
  }

  /** What a request is sent with. Its target is asked for where nobody has. */
  readonly of = (request: AuthorizedRequest): Effect.Effect<Added, RequestFailed> => {
    const failed = (phase: RequestFailed["phase"], code: string) =>
      Effect.fail(new RequestFailed({ url: request.display, phase, code, sent: false }))
    return Effect.flatMap(this.#foundFor(request.granted), (found) => {
      const { filling, granted } = found
      const { secrets } = this.#options
      const tls = tlsOf(found)
      if (Result.isFailure(tls)) return failed("tls", "TLS_UNUSABLE")
      const headers = Object.entries(Filling.headersOf(granted.target.headers ?? {}, filling, secrets.valueOf, true))
      if (!headers.every(([, value]) => isHeaderValue(value))) return failed("request", "HEADER_UNUSABLE")
      const credentials = Filling.credentials(filling, secrets.valuesOf)
      return Effect.succeed({
        headers,
        tls: tls.success,
        sent: { secrets: this.#openedBy(found), credentials }
      })
    })
  }

  /** Asks for those of these targets that weren't asked for. */
  prepare(granted: ReadonlyArray<GrantedRequest>): Effect.Effect<void> {
    return this.#look([...granted.entries()].filter(([, { id }]) => !this.#found.has(id)))
  }

  /** Asks for everything again, and forgets what isn't granted any more. */
  get refreshed(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const granted = this.#granted()
      const ids = new Set(granted.map(({ id }) => id))
      for (const id of this.#found.keys()) if (!ids.has(id)) this.#found.delete(id)
      return this.#look([...granted.entries()])
    })
  }

  /** What is wrong with what is granted now. */
  get problems(): ReadonlyArray<Problem> {
    const { secrets } = this.#options
    const lacking = this.#granted().flatMap(({ id, target }, index) => [
      ...(this.#found.get(id)?.problems ?? []).map(({ message, pem }) => ({ path: pathOf(index, pem), message })),
      ...Placement.unpaired(placeOf(index), target.tls)
    ])
    return [...lacking, ...Placement.misplacedIn(this.places, secrets.valueOf).map(({ problem }) => problem)]
  }

  /** Where secrets are filled in now. */
  get places(): ReadonlyArray<Placement.Place> {
    return this.#granted().flatMap(({ id }, index) => {
      const filling = this.#found.get(id)?.filling
      return filling === undefined ? [] : [{ at: placeOf(index), url: "", filling }]
    })
  }

  #foundFor(granted: GrantedRequest): Effect.Effect<Found> {
    const index = this.#granted().findIndex(({ id }) => id === granted.id)
    return Effect.suspend(() => {
      const found = this.#found.get(granted.id)
      if (found !== undefined) return Effect.succeed(found)
      return Effect.map(this.#look([[Math.max(0, index), granted]]), () => this.#begun(granted))
    })
  }

  /** Asks for what these name, all side by side. */
  #look(targets: ReadonlyArray<readonly [index: number, granted: GrantedRequest]>): Effect.Effect<void> {
    const wants = targets.flatMap(([index, granted]) => wantsOf(granted, index))
    return Effect.map(wants.length === 0 ? Effect.succeed([]) : this.#options.ask(wants), (answers) => {
      for (const [, granted] of targets) {
        take(
          this.#begun(granted),
          wants.flatMap((want, at) => (want.granted === granted ? [[want.pem, answers[at]] as const] : []))
        )
      }
    })
  }

  #begun(granted: GrantedRequest): Found {
    const known = this.#found.get(granted.id)
    if (known !== undefined) return known
    const { names } = this.#options.secrets
    const filling = Filling.of(null, granted.target.headers ?? {}, (name) => names.includes(name))
    const found = { granted, filling, pems: new Map(), problems: [] }
    this.#found.set(granted.id, found)
    return found
  }

  #openedBy({ filling, granted: { target } }: Found): ReadonlyArray<string> {
    const site = JSON.stringify([target.scheme, target.host, target.port])
    const opened = this.#opened.get(site) ?? new Set()
    this.#opened.set(site, opened)
    for (const name of [...Filling.secretsOf(filling), ...(target.secrets ?? [])]) opened.add(name)
    return [...opened]
  }
}

const placeOf = (index: number): string => `grants.request[${index}]`
const pathOf = (index: number, pem: Lookup.Pem): string => `${placeOf(index)}.tls.${pem}`

interface PemWant extends Lookup.Want {
  readonly granted: GrantedRequest
  readonly pem: Lookup.Pem
}

/** What a granted target names that stands elsewhere. */
const wantsOf = (granted: GrantedRequest, index: number): ReadonlyArray<PemWant> =>
  Lookup.PEMS.flatMap((pem): ReadonlyArray<PemWant> => {
    const from = granted.target.tls?.[pem]
    return from === undefined ? [] : [{ granted, pem, path: pathOf(index, pem), from, purpose: "pem" }]
  })

/** Takes what was answered. The rest stays what it was, with what is wrong. */
const take = (found: Found, answers: ReadonlyArray<readonly [Lookup.Pem, Lookup.Answer | undefined]>): void => {
  found.problems = answers.flatMap(([pem, answer]) =>
    answer !== undefined && Result.isFailure(answer) ? [{ pem, message: answer.failure.message }] : []
  )
  for (const [pem, answer] of answers) {
    if (answer !== undefined && Result.isSuccess(answer)) found.pems.set(pem, answer.success)
  }
}

/** TLS with all that the target says; a failure where some of it isn't there. */
const tlsOf = ({ granted: { target }, pems }: Found): Result.Result<TlsSettings | undefined, void> => {
  const { tls } = target
  if (tls === undefined) return Result.succeed(undefined)
  const isWhole = Lookup.PEMS.every((pem) => tls[pem] === undefined || pems.has(pem))
  if (!isWhole || Placement.unpaired("", tls).length > 0) return Result.fail(undefined)
  return Result.succeed(Lookup.tlsOf(tls.serverName, (pem) => pems.get(pem)))
}
