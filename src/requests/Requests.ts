/**
 * The requests of one plugin: accepted within its bounds, begun in the order of
 * its commands, asked about once more when their turn comes, and answered by
 * exactly one event each, unless their instance ends first.
 *
 * A request has one deadline, from its command on, whether it waits or runs; it
 * goes by time that was had. A grant that goes ends what it allowed at once.
 * Whatever ends a request ends it once: what comes later has nothing to say.
 *
 * @since 0.5.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import { SecretUngranted } from "../commands/CommandError.ts"
import { RequestRateLimited, RequestsTooMany, type RequestRefusal } from "../commands/RequestRefusal.ts"
import type { Asker, RequestPort, RequestSpec } from "../commands/RequestPort.ts"
import type { LookupSlots } from "../connection/ResolveAddresses.ts"
import { GrantRevoked } from "../grants/GrantError.ts"
import type { AuthorizedRequest, Authority } from "../grants/Grants.ts"
import { memoryOfOutcome, type Outcome } from "../ingress/HostResponse.ts"
import type { ResponseQueue } from "../ingress/ResponseQueue.ts"
import type { Activity } from "../internal/parking.ts"
import type { Values } from "../limits/Limits.ts"
import { saidBack, type EntrySecrets } from "../secrets/EntrySecrets.ts"
import type { StandIns } from "../secrets/StandIns.ts"
import type { HadTime } from "../time/HadTime.ts"
import { answerOf, problemOf } from "./internal/answers.ts"
import { Counts, type Totals } from "./internal/counts.ts"
import { fill } from "./internal/filling.ts"
import { Pace } from "./internal/pace.ts"
import type { Pending } from "./internal/pending.ts"
import { RequestRates } from "./internal/rates.ts"
import type { Failure, Outgoing, Response } from "./RequestClient.ts"
import type { RequestCredentials } from "./RequestCredentials.ts"
import { RequestFailed, RequestTimeout, ResponseTooLarge, type Headers } from "./RequestError.ts"
import type { PluginPlaces } from "./RequestHost.ts"
import type { RequestWatch } from "./RequestWatch.ts"

/**
 * What the requests of a plugin need. `owner` is whom pooled connections belong
 * to, `key` the head of the ids of requests.
 *
 * @category models
 * @since 0.5.0
 */
export interface Options {
  readonly key: string
  readonly owner: string
  readonly places: PluginPlaces
  readonly lookups: LookupSlots
  readonly queue: Pick<ResponseQueue, "waiting" | "room" | "answer">
  /** Of the start that runs. */
  readonly standIns: () => StandIns
  readonly time: HadTime
  /** Milliseconds of a clock that is never set. */
  readonly monotonic: () => number
  readonly report: (error: Failure) => void
  readonly activity: Activity
  /** Who looks on, if anybody may. */
  readonly watch?: RequestWatch
}

/**
 * What a plugin is enabled with.
 *
 * @category models
 * @since 0.5.0
 */
export interface Enabled {
  readonly authority: Pick<Authority, "authorizeRequest" | "coversRequest" | "requestRateOf">
  readonly secrets: EntrySecrets
  readonly credentials: RequestCredentials
  readonly limits: Pick<Values, "requestsAtOncePerPlugin" | "requestsWaitingPerPlugin" | "responseBodyBytes">
}

// The client keeps the deadline of what it sends. One that doesn't holds a place this much longer.
const OVERTIME_MS = 1000

/**
 * The requests of one plugin, for as long as it stays enabled.
 *
 * @category models
 * @since 0.5.0
 */
export class Requests {
  readonly #options: Options
  readonly #counts = new Counts()
  readonly #pace = new Pace()
  readonly #rates = new RequestRates()
  readonly #pending = new Set<Pending>()
  #ids = 0

  constructor(options: Options) {
    this.#options = options
  }

  /** What became of them. */
  get totals(): Totals {
    return this.#counts.totals
  }

  /** Takes the requests of a plugin that is enabled so. */
  under(enabled: Enabled): RequestPort {
    this.#options.places.bound(enabled.limits)
    return { dispatch: (spec, asker) => this.#dispatch(enabled, spec, asker) }
  }

  /** The grants have changed: what they don't cover any more ends now. */
  revoke(): void {
    for (const pending of this.#pending) {
      const { asker, enabled, phase, spec } = pending
      // What runs is what its turn allowed, which may be more than there was when it was asked for.
      const request = phase.name === "running" ? phase.request : spec.request
      if (!enabled.authority.coversRequest(asker.ingressName, request)) this.#revoked(pending)
    }
    this.#release((request) =>
      [...this.#pending].some(({ phase }) => phase.name === "running" && phase.request === request)
    )
  }

  /** The instance has ended: nobody is told what becomes of them. */
  abandon(): void {
    for (const pending of this.#pending) {
      this.#over(pending, "abandoned")
      pending.watched?.ended(this.#options.monotonic() - pending.askedAt, "abandoned")
    }
    this.#release(() => false)
  }

  #release(keep: (request: AuthorizedRequest) => boolean): void {
    // Who has never sent anything has no connection that could be kept.
    if (this.#ids === 0) return
    const { client, fork } = this.#options.places
    fork(client.release(this.#options.owner, keep))
  }

  #dispatch(enabled: Enabled, spec: RequestSpec, asker: Asker): SecretUngranted | RequestRefusal | undefined {
    const { monotonic, standIns } = this.#options
    const { request } = spec
    const filled = fill(spec, { ...asker, ...enabled, standIns: standIns() })
    if (Result.isFailure(filled)) return new SecretUngranted({ url: request.display, ...filled.failure })
    const rate = enabled.authority.requestRateOf(asker.ingressName, request)
    const now = monotonic()
    const over = rate === undefined ? undefined : this.#rates.over(rate, now)
    if (over !== undefined) return new RequestRateLimited({ url: request.display, ...over })
    const tooMany = this.#tooMany(enabled.limits.requestsWaitingPerPlugin)
    if (tooMany !== undefined) return tooMany
    if (rate !== undefined) this.#rates.take(rate, now)
    this.#accept(enabled, spec, asker, now)
    return undefined
  }

  #tooMany(limit: number): RequestsTooMany | undefined {
    const { queue } = this.#options
    if (this.#counts.totals.waiting + queue.waiting < limit) return undefined
    const lastAtMost = Array.from(this.#pending, (pending) => this.#leftMs(pending))
    return new RequestsTooMany({ limit, retryAfterMs: this.#pace.untilRoom(lastAtMost) })
  }

  #accept(enabled: Enabled, spec: RequestSpec, asker: Asker, now: number): void {
    const { activity, key, places, standIns, time } = this.#options
    const pending: Pending = {
      id: `${key}-q${++this.#ids}`,
      spec,
      asker,
      enabled,
      standIns: standIns(),
      turn: places.turn(),
      askedAt: now,
      watched: this.#options.watch?.(asker),
      hadAt: time.now(),
      phase: { name: "waiting" },
      sent: false,
      known: null,
      cancel: time.after(spec.timeoutMs, () => this.#late(pending))
    }
    this.#counts.accepted()
    this.#pending.add(pending)
    activity(1)
    places.ask(pending.turn, () => this.#begin(pending))
  }

  /** Its turn has come: what was allowed then is asked for again, and sent with the secrets of now. */
  #begin(pending: Pending): void {
    const { asker, enabled, spec, standIns } = pending
    const { monotonic, places, time } = this.#options
    const again = enabled.authority.authorizeRequest(asker.ingressName, spec.request.method, spec.request.url.raw)
    if (Result.isFailure(again)) return this.#revoked(pending)
    const request = again.success
    const filled = fill({ ...spec, request }, { ...asker, ...enabled, standIns })
    if (Result.isFailure(filled)) return this.#revoked(pending)
    pending.cancel()
    pending.cancel = time.after(this.#leftMs(pending) + OVERTIME_MS, () => this.#late(pending))
    this.#counts.began()
    // In a turn of its own: this one may be a listener's in the middle of a chunk.
    const sending = Effect.andThen(Effect.yieldNow, this.#sending(pending, { ...filled.success, request }))
    const fiber = places.fork(Effect.map(Effect.exit(sending), (exit) => this.#ended(pending, exit)))
    pending.phase = { name: "running", beganAt: monotonic(), request, fiber }
  }

  #sending(
    pending: Pending,
    filled: Pick<Outgoing, "request" | "url" | "headers" | "body">
  ): Effect.Effect<Response, Failure> {
    const { lookups, owner, places } = this.#options
    const { credentials, limits } = pending.enabled
    return Effect.flatMap(credentials.of(filled.request), ({ headers, sent, tls }) => {
      pending.known = sent
      return places.client.send({
        ...filled,
        // What the grant adds since the command came is the grant's.
        headers: traced(
          [...headers, ...filled.headers.filter(([name]) => !isAmong(headers, name))],
          pending.watched?.traceparent
        ),
        tls,
        owner,
        lookups,
        deadlineMs: this.#leftMs(pending),
        maxBytes: limits.responseBodyBytes,
        onSent: () => {
          pending.sent = true
        }
      })
    })
  }

  #leftMs({ hadAt, spec }: Pending): number {
    return Math.max(1, Math.ceil(hadAt + spec.timeoutMs - this.#options.time.now()))
  }

  #ended(pending: Pending, exit: Exit.Exit<Response, Failure>): void {
    if (!this.#pending.has(pending)) return
    if (Exit.isSuccess(exit)) return this.#answered(pending, exit.value)
    this.#failed(pending, this.#failureOf(pending, exit.cause))
  }

  #failureOf({ sent, spec }: Pending, cause: Cause.Cause<Failure>): Failure {
    const failed = cause.reasons.find((reason) => Cause.isFailReason(reason))
    const url = spec.request.display
    if (failed === undefined) return new RequestFailed({ url, phase: "request", code: "CLIENT_DEFECT", sent })
    const { error } = failed
    if (error._tag !== "RequestTimeout") return error
    // What it had left when it began isn't what it was asked for.
    return new RequestTimeout({ url, phase: error.phase, deadlineMs: spec.timeoutMs, sent: error.sent })
  }

  #answered(pending: Pending, response: Response): void {
    const mask = this.#maskOf(pending)
    const answer = answerOf(response, mask)
    const { room } = this.#options.queue
    const outcome = { answer }
    if (this.#fits(outcome)) return this.#told(pending, "answered", outcome)
    const { headers, status } = response
    const url = pending.spec.request.display
    const limit = Math.max(0, room)
    this.#failed(pending, new ResponseTooLarge({ url, status, headers, what: "queue", limit, sent: true }))
  }

  #failed(pending: Pending, failure: Failure): void {
    this.#options.report(failure)
    const error = problemOf(failure, pending.sent, this.#maskOf(pending))
    // Of headers too there is only what there is room for.
    const outcome = { error }
    this.#told(pending, "failed", this.#fits(outcome) ? outcome : { error: { ...error, headers: {} } })
  }

  #fits(outcome: Outcome): boolean {
    return this.#options.queue.room >= memoryOfOutcome(outcome)
  }

  /** What replaces secrets in what its server says: there is nothing of that before it was sent any. */
  #maskOf({ enabled, known }: Pending): ReturnType<typeof saidBack> {
    return known === null ? null : saidBack(enabled.secrets, known, this.#options.standIns())
  }

  #revoked(pending: Pending): void {
    this.#failed(pending, new GrantRevoked({ url: pending.spec.request.display }))
  }

  /** It is past its deadline: while it waited, or because its client doesn't keep that. */
  #late(pending: Pending): void {
    const { phase, sent, spec } = pending
    const url = spec.request.display
    const waitsFor = phase.name === "waiting" ? "dns" : "headers"
    this.#failed(pending, new RequestTimeout({ url, phase: waitsFor, deadlineMs: spec.timeoutMs, sent }))
  }

  /** It is over, and the plugin is told. */
  #told(pending: Pending, end: "answered" | "failed", outcome: Outcome): void {
    const { monotonic, queue } = this.#options
    const { askedAt, asker, id } = pending
    this.#over(pending, end)
    pending.watched?.ended(monotonic() - askedAt, "error" in outcome ? outcome.error.tag : null)
    const durationMs = Math.max(0, Math.round(monotonic() - askedAt))
    queue.answer(asker.ingressName, { commandId: asker.commandId, requestId: id, durationMs }, outcome)
  }

  #over(pending: Pending, end: "answered" | "failed" | "abandoned"): void {
    const { activity, monotonic, places } = this.#options
    const { phase, turn } = pending
    this.#pending.delete(pending)
    pending.cancel()
    if (phase.name === "running") {
      // What was cut off says nothing of how long a server takes.
      if (end === "answered") this.#pace.ended(monotonic() - phase.beganAt)
      phase.fiber.interruptUnsafe()
    }
    this.#counts.ended(phase.name === "running" ? "inFlight" : "waiting", end)
    places.leave(turn)
    activity(-1)
  }
}

const isAmong = (headers: Headers, name: string): boolean =>
  headers.some(([other]) => other.toLowerCase() === name.toLowerCase())

/** With the context of a trace, unless its plugin gives it one. */
const traced = (headers: Headers, traceparent: string | undefined): Headers =>
  traceparent === undefined || isAmong(headers, "traceparent") ? headers : [...headers, ["traceparent", traceparent]]
