/**
 * What stands between Effect's exporters and the collector: one export is under
 * way at a time, none for longer than a while, and what can't be sent is dropped
 * and counted. To the exporters every export goes well: they keep nothing, wait
 * for nothing, and come with the next one.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import * as Semaphore from "effect/Semaphore"
import { ExportFailed } from "../../host/ExportError.ts"
import type { Headers } from "../Otlp.ts"

const MOST_MS = 10_000
/** How many of a signal may wait for the one that is under way. */
const MOST_WAITING = 2

export type Signal = ExportFailed["signal"]

/** The state of one signal. */
interface Line {
  readonly signal: Signal
  readonly headers: Headers
  waiting: number
  dropped: number
  isFailing: boolean
}

export class Sender {
  readonly #client: HttpClient.HttpClient
  readonly #failed: (error: ExportFailed) => Effect.Effect<void>
  readonly #oneByOne = Semaphore.makeUnsafe(1)
  readonly #over = Deferred.makeUnsafe<void>()

  /** `failed` is told once while a signal can't be sent. */
  constructor(client: HttpClient.HttpClient, failed: (error: ExportFailed) => Effect.Effect<void>) {
    this.#client = client
    this.#failed = failed
  }

  /** Sends nothing any more: what is under way is given up. */
  get end(): Effect.Effect<void> {
    return Effect.asVoid(Deferred.succeed(this.#over, undefined))
  }

  /** The client of a signal, and how many of its exports were dropped. */
  line(signal: Signal, headers: Headers): { readonly client: HttpClient.HttpClient; readonly dropped: () => number } {
    const line: Line = { signal, headers, waiting: 0, dropped: 0, isFailing: false }
    const client = HttpClient.make((request) =>
      Effect.as(this.#sent(line, request), HttpClientResponse.fromWeb(request, new Response(null, { status: 200 })))
    )
    return { client, dropped: () => line.dropped }
  }

  #sent(line: Line, request: HttpClientRequest.HttpClientRequest): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (Deferred.isDoneUnsafe(this.#over) || line.waiting >= MOST_WAITING) {
        line.dropped++
        return Effect.void
      }
      line.waiting++
      const sending = Effect.raceFirst(this.#post(line, request), Effect.as(Deferred.await(this.#over), "no answer"))
      return Effect.flatMap(this.#oneByOne.withPermits(1)(sending), (reason) => this.#ended(line, reason)).pipe(
        Effect.ensuring(Effect.sync(() => line.waiting--))
      )
    })
  }

  /** Why it can't be sent; undefined where it was. */
  #post(line: Line, request: HttpClientRequest.HttpClientRequest): Effect.Effect<string | undefined> {
    const headers = Object.entries(line.headers()).map(([name, value]) => [name, Redacted.value(value)] as const)
    const posted = this.#client.execute(HttpClientRequest.setHeaders(request, headers))
    return Effect.map(posted, ({ status }) => (status >= 200 && status < 300 ? undefined : `status ${status}`)).pipe(
      Effect.catch((error) => Effect.succeed(codeOf(error))),
      Effect.timeoutOrElse({ duration: MOST_MS, orElse: () => Effect.succeed("no answer") }),
      Effect.catchCause(() => Effect.succeed("a defect"))
    )
  }

  #ended(line: Line, reason: string | undefined): Effect.Effect<void> {
    return Effect.suspend(() => {
      const wasFailing = line.isFailing
      line.isFailing = reason !== undefined
      if (reason === undefined) {
        return wasFailing ? plainly(Effect.logInfo(`${line.signal} are exported again`)) : Effect.void
      }
      line.dropped++
      if (wasFailing || Deferred.isDoneUnsafe(this.#over)) return Effect.void
      const error = new ExportFailed({ signal: line.signal, code: reason })
      return Effect.andThen(this.#failed(error), plainly(Effect.logError(`ExportFailed: ${error.message}`)))
    })
  }
}

/** Without what the exporters, in whose fibers this is said, write beside it about themselves. */
const plainly = Effect.provideService(References.CurrentLogAnnotations, {})

/** What the system says, which is a word of its own; nothing that a server said. */
const codeOf = ({ reason }: HttpClientError.HttpClientError): string => {
  const cause = "cause" in reason ? reason.cause : undefined
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined
  return typeof code === "string" && /^[A-Z][A-Z0-9_]{1,63}$/.test(code) ? code : "it can't be reached"
}
