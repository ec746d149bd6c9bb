/**
 * What is dialled for a source, and whether manifest and grant cover it: the
 * source's own URL, or another one that the plugin or the application asks
 * for. Both have to be covered, always.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { GrantError } from "../../grants/GrantError.ts"
import type { Authority, AuthorizedTarget } from "../../grants/Grants.ts"
import * as Ports from "../../internal/ports.ts"
import * as Wire from "../../internal/wire.ts"
import { DialFailed } from "../ConnectionError.ts"
import type { Source } from "../Source.ts"
import * as SourceUrl from "../SourceUrl.ts"
import type { TlsSettings } from "../WebSocketClient.ts"
import * as Reason from "./reason.ts"

export interface Options {
  readonly pluginRef: string
  readonly enablement: SourceUrl.Enabled
  readonly source: Source
  readonly sourceUrl: typeof SourceUrl.SourceUrl.Service
  readonly authority: Authority
}

type Headers = Source["headers"]

/** What is dialled now, with which headers, or why nothing is. */
export type Resolved =
  | {
      readonly kind: "dial"
      readonly target: AuthorizedTarget
      readonly headers: Headers
      readonly tls: TlsSettings | undefined
    }
  | typeof SourceUrl.NotBefore.Type
  | typeof SourceUrl.Never.Type

export class Route {
  /** What was last dialled. */
  target: AuthorizedTarget | null = null
  readonly #options: Options
  /** The source's own URL, authorized. */
  #declared: AuthorizedTarget | null = null
  /** What the plugin wants to be dialled instead. */
  #dialUrl: string | null = null
  /** The revision of the grants under which what was resolved was denied. */
  #deniedAt: number | null = null

  constructor(options: Options) {
    this.#options = options
  }

  /** Whether the source and what was dialled for it are covered now. */
  get covered(): boolean {
    const { authority, source } = this.#options
    if (this.#declared === null) return Result.isSuccess(authority.authorize(source.ingress, source.url))
    if (!authority.covers(source.ingress, this.#declared)) return false
    return this.target === null || this.target === this.#declared || authority.covers(source.ingress, this.target)
  }

  /** Whether the source and a URL that might be dialled for it are covered; null: its own, undefined: as it is. */
  mayDial(dialUrl: string | null | undefined): boolean {
    const { authority, source } = this.#options
    const urls = [source.url, (dialUrl === undefined ? this.#dialUrl : dialUrl) ?? source.url]
    return urls.every((url) => Result.isSuccess(authority.authorize(source.ingress, url)))
  }

  /** From now on this URL is dialled; true if that is another one than before. */
  ask(dialUrl: string | null | undefined): boolean {
    if (dialUrl === undefined || dialUrl === this.#dialUrl) return false
    this.#dialUrl = dialUrl
    this.#deniedAt = null
    return true
  }

  /** What was dialled last, or denied, doesn't count any more: something else may be dialled next. */
  restart(): void {
    this.target = this.#declared
    this.#deniedAt = null
  }

  /** Whether what was resolved was denied, and the grants haven't changed since. */
  get isDenied(): boolean {
    return this.#deniedAt === this.#options.authority.revision()
  }

  /** Whether that would be so again if this were asked for. */
  isDeniedWith(dialUrl: string | null | undefined): boolean {
    return this.isDenied && (dialUrl === undefined || dialUrl === this.#dialUrl)
  }

  /** Authorizes the source's own URL. */
  declare(): Result.Result<AuthorizedTarget, GrantError> {
    const { authority, source } = this.#options
    const declared = authority.authorize(source.ingress, source.url)
    if (Result.isSuccess(declared)) this.#declared = declared.success
    return declared
  }

  /** What is to be dialled now, authorized, if anything. Nothing of it is shown but the source's own URL. */
  resolve(declared: AuthorizedTarget): Effect.Effect<Resolved, DialFailed | GrantError> {
    return Effect.flatMap(this.#answer, (answer) => {
      if (typeof answer === "string") return this.#dial(declared, answer, {})
      return answer.kind === "dial" ? this.#dial(declared, answer.url, answer.headers) : Effect.succeed(answer)
    })
  }

  /** What the application answers; it need not be written in TypeScript. */
  get #answer(): Effect.Effect<SourceUrl.Answer, DialFailed> {
    const { enablement, pluginRef, source, sourceUrl } = this.#options
    const { display, id: sourceId, ingress: ingressName, url } = source
    const request = { pluginRef, ingressName, sourceId, url, dialUrl: this.#dialUrl }
    return Ports.effectFrom(() =>
      sourceUrl.resolve({ ...request, enablement: { ...enablement, config: structuredClone(enablement.config) } })
    ).pipe(
      Effect.flatMap((answer) =>
        Effect.mapError(Effect.fromResult(decoded(answer)), () => "its answer is neither a URL nor one of SourceUrl's")
      ),
      Effect.catchCause((cause) => {
        const reason = Reason.of(Cause.squash(cause))
        return Effect.fail(new DialFailed({ url: display, phase: "url", code: "EUNRESOLVED", reason }))
      })
    )
  }

  #dial(declared: AuthorizedTarget, url: string, headers: Headers): Effect.Effect<Resolved, GrantError> {
    const { authority, source } = this.#options
    const found = { kind: "dial" as const, headers: merged(source.headers, headers) }
    if (url === source.url) return Effect.succeed({ ...found, target: declared, tls: source.tls })
    const authorized = authority.authorize(source.ingress, url, source.display)
    if (Result.isFailure(authorized)) this.#deniedAt = authority.revision()
    return Effect.fromResult(
      Result.map(authorized, (target) => ({ ...found, target, tls: tlsFor(target, declared, source.tls) }))
    )
  }
}

/** A client certificate, and the name that a server must prove, are for the server of the source's own URL only. */
const tlsFor = (
  { url }: AuthorizedTarget,
  { url: own }: AuthorizedTarget,
  tls: TlsSettings | undefined
): TlsSettings | undefined => {
  if (url.scheme === own.scheme && url.host === own.host && url.port === own.port) return tls
  return tls?.ca === undefined ? undefined : { ca: tls.ca }
}

const decoded = Wire.decoder(SourceUrl.Answer)

/** Headers are the same whatever the case of their names (RFC 9110, section 5.1). */
const merged = (headers: Headers, over: Headers): Headers => {
  const names = new Set(Object.keys(over).map((name) => name.toLowerCase()))
  return { ...Object.fromEntries(Object.entries(headers).filter(([name]) => !names.has(name.toLowerCase()))), ...over }
}
