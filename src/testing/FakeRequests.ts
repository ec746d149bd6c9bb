/**
 * HTTP requests without a network, for tests of plugins and hosts: the test says
 * how each is answered, and sees what was sent.
 *
 * A request is answered at once, or by the clock of the test.
 *
 * @since 0.5.0
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { GrantRevoked } from "../grants/GrantError.ts"
import { Progress, within } from "../requests/Progress.ts"
import { RequestClient, type Failure, type Outgoing, type Response } from "../requests/RequestClient.ts"
import { ResponseTooLarge, type Headers, type RequestPhase } from "../requests/RequestError.ts"
import * as HadTime from "../time/HadTime.ts"
import { Bell } from "./internal/bell.ts"

/**
 * How a request is answered: with a response, by default 200 without a body; by
 * a failure in a phase, as if nothing had been sent before `request`; or never.
 * Each may take `afterMs` of time.
 *
 * @category models
 * @since 0.5.0
 */
export type Answer =
  | {
      readonly kind?: "respond"
      readonly status?: number
      readonly headers?: Headers
      readonly body?: string | Uint8Array
      readonly afterMs?: number
    }
  | { readonly kind: "fail"; readonly phase: RequestPhase; readonly code: string; readonly afterMs?: number }
  | { readonly kind: "never" }

/**
 * An answer, or a function that is asked for one each time.
 *
 * @category models
 * @since 0.5.0
 */
export type Answering = Answer | ((sent: Sent) => Answer)

/**
 * A request that was sent, with everything filled in. `text` is its body, null
 * where there is none.
 *
 * @category models
 * @since 0.5.0
 */
export interface Sent {
  readonly owner: string
  readonly method: string
  readonly url: string
  readonly headers: Headers
  readonly text: string | null
  readonly body: Uint8Array | null
}

/**
 * The fake network. Until told otherwise every request gets 200 without a body.
 *
 * @category services
 * @since 0.5.0
 */
export class FakeRequests extends Context.Service<
  FakeRequests,
  {
    /**
     * How requests to a URL, whatever its query, are answered from now on: one after the other by these, and all
     * further ones by the last.
     */
    readonly answer: (url: string, ...answers: readonly [Answering, ...ReadonlyArray<Answering>]) => Effect.Effect<void>
    /** Every request so far. */
    readonly requests: Effect.Effect<ReadonlyArray<Sent>>
    /** Completes with the requests to a URL, whatever its query, once there are so many in all. */
    readonly requested: (url: string, times: number) => Effect.Effect<ReadonlyArray<Sent>>
    /** How many requests are under way. */
    readonly underway: Effect.Effect<number>
    /** Completes when so many requests in all were given up by who had sent them. */
    readonly abandoned: (times: number) => Effect.Effect<void>
  }
>()("mooring/testing/FakeRequests") {}

const utf8 = new TextEncoder()
const decoder = new TextDecoder("utf-8", { ignoreBOM: true })
const BEFORE_SENT: ReadonlySet<RequestPhase> = new Set(["dns", "proxy", "tcp", "tls"])

/** One spelling of a URL, without its query. */
const placeOf = (url: string): string => {
  if (!URL.canParse(url)) return url
  const { origin, pathname } = new URL(url)
  return `${origin}${pathname}`
}

interface Underway {
  readonly outgoing: Outgoing
  readonly revoked: Deferred.Deferred<never, GrantRevoked>
}

class Network {
  readonly bell = new Bell()
  readonly sent: Array<Sent> = []
  readonly underway = new Set<Underway>()
  abandoned = 0
  readonly #answers = new Map<string, Array<Answering>>()
  readonly #time: HadTime.HadTime

  constructor(time: HadTime.HadTime) {
    this.#time = time
  }

  answer(url: string, answers: ReadonlyArray<Answering>): void {
    this.#answers.set(placeOf(url), [...answers])
  }

  to(url: string): ReadonlyArray<Sent> {
    return this.sent.filter((sent) => placeOf(sent.url) === placeOf(url))
  }

  send(outgoing: Outgoing): Effect.Effect<Response, Failure> {
    const progress = new Progress(outgoing)
    const answers = Effect.suspend(() => this.#answered(outgoing, progress))
    return answers.pipe(
      (answering) => this.#untilRevoked(outgoing, answering),
      within(this.#time, outgoing, progress),
      Effect.onInterrupt(() =>
        Effect.sync(() => {
          this.abandoned++
          this.bell.ring()
        })
      )
    )
  }

  #untilRevoked(outgoing: Outgoing, answering: Effect.Effect<Response, Failure>): Effect.Effect<Response, Failure> {
    const { underway } = this
    const begins = Effect.sync((): Underway => {
      const entry = { outgoing, revoked: Deferred.makeUnsafe<never, GrantRevoked>() }
      underway.add(entry)
      return entry
    })
    return Effect.acquireUseRelease(
      begins,
      ({ revoked }) => Effect.raceFirst(answering, Deferred.await(revoked)),
      (entry) => Effect.sync(() => underway.delete(entry))
    )
  }

  release(owner: string, keep: Parameters<RequestClient["release"]>[1]): void {
    for (const { outgoing, revoked } of this.underway) {
      const { request } = outgoing
      if (outgoing.owner !== owner || keep(request)) continue
      Deferred.doneUnsafe(revoked, Exit.fail(new GrantRevoked({ url: request.display })))
    }
  }

  #answered(outgoing: Outgoing, progress: Progress): Effect.Effect<Response, Failure> {
    const { body, headers, owner, request, url } = outgoing
    const text = body === null ? null : decoder.decode(body)
    const sent: Sent = { owner, method: request.method, url, headers, text, body }
    const answer = this.#next(sent)
    if (answer.kind === "fail" && BEFORE_SENT.has(answer.phase)) progress.entered(answer.phase)
    else {
      progress.entered("headers")
      progress.handed()
    }
    this.sent.push(sent)
    this.bell.ring()
    if (answer.kind === "never") return Effect.never
    const ends =
      answer.kind === "fail" ? Effect.fail(progress.failed(answer.code, answer.phase)) : responds(outgoing, answer)
    return answer.afterMs === undefined ? ends : Effect.andThen(this.#time.sleep(answer.afterMs), ends)
  }

  #next(sent: Sent): Answer {
    const answers = this.#answers.get(placeOf(sent.url)) ?? []
    const answer = (answers.length > 1 ? answers.shift() : answers[0]) ?? {}
    return typeof answer === "function" ? answer(sent) : answer
  }
}

const responds = (
  { maxBytes, request }: Outgoing,
  { body: given = "", headers = [], status = 200 }: Exclude<Answer, { readonly kind: "fail" | "never" }>
): Effect.Effect<Response, Failure> => {
  const body = typeof given === "string" ? utf8.encode(given) : given
  return body.length <= maxBytes
    ? Effect.succeed({ status, headers: headers.map(([name, value]) => [name.toLowerCase(), value] as const), body })
    : Effect.fail(
        new ResponseTooLarge({ url: request.display, status, headers, what: "body", limit: maxBytes, sent: true })
      )
}

/**
 * Provides a fake network and the `RequestClient` that sends over it.
 *
 * @category layers
 * @since 0.5.0
 */
export const layer: Layer.Layer<FakeRequests> = Layer.effectContext(
  Effect.gen(function* () {
    const network = new Network(yield* HadTime.make)
    const fake: FakeRequests["Service"] = {
      answer: (url, ...answers) => Effect.sync(() => network.answer(url, answers)),
      requests: Effect.sync(() => [...network.sent]),
      requested: (url, times) =>
        Effect.map(
          network.bell.until(() => network.to(url).length >= times),
          () => network.to(url)
        ),
      underway: Effect.sync(() => network.underway.size),
      abandoned: (times) => network.bell.until(() => network.abandoned >= times)
    }
    return Context.make(FakeRequests, fake).pipe(
      Context.add(RequestClient, {
        send: (outgoing) => Effect.suspend(() => network.send(outgoing)),
        release: (owner, keep) => Effect.sync(() => network.release(owner, keep))
      })
    )
  })
)
