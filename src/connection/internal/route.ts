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
import { DialFailed } from "../ConnectionError.ts"
import type { Source } from "../Source.ts"
import type { SourceUrl } from "../SourceUrl.ts"

export interface Options {
  readonly pluginRef: string
  readonly source: Source
  readonly sourceUrl: typeof SourceUrl.Service
  readonly authority: Authority
}

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

  /** What is to be dialled now, authorized. Nothing of it is shown but the source's own URL. */
  resolve(declared: AuthorizedTarget): Effect.Effect<AuthorizedTarget, DialFailed | GrantError> {
    const { authority, pluginRef, source, sourceUrl } = this.#options
    const { display, ingress: ingressName, url } = source
    return Effect.suspend(() => sourceUrl.resolve({ pluginRef, ingressName, url, dialUrl: this.#dialUrl })).pipe(
      // The application need not be written in TypeScript.
      Effect.flatMap((dialled: unknown) =>
        typeof dialled === "string" ? Effect.succeed(dialled) : Effect.fail("no text")
      ),
      Effect.catchCause((cause) =>
        // Its message may have a URL in it, query and all.
        Effect.andThen(
          Effect.logWarning("what is to be dialled could not be resolved", pluginRef, nameOf(Cause.squash(cause))),
          Effect.fail(new DialFailed({ url: display, phase: "url", code: "EUNRESOLVED" }))
        )
      ),
      Effect.flatMap((dialled) => {
        if (dialled === url) return Effect.succeed(declared)
        const authorized = authority.authorize(ingressName, dialled, display)
        if (Result.isFailure(authorized)) this.#deniedAt = authority.revision()
        return Effect.fromResult(authorized)
      })
    )
  }
}

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : typeof error)
