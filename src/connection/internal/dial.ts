/**
 * One dial: what is to be dialled is resolved and authorized, then connected,
 * in a place among the host's dials and within one deadline over all of it.
 */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { GrantError } from "../../grants/GrantError.ts"
import type { AuthorizedTarget } from "../../grants/Grants.ts"
import * as Ports from "../../internal/ports.ts"
import type { Values } from "../../limits/Limits.ts"
import { DialError, DialFailed, HandshakeRejected, OpenTimeout, type DialPhase } from "../ConnectionError.ts"
import * as HadTime from "../../time/HadTime.ts"
import type { PluginSlots } from "../DialLimiter.ts"
import type { Source } from "../Source.ts"
import type { SocketEvents, WebSocketClient } from "../WebSocketClient.ts"
import type { Input } from "./phases.ts"
import * as Reason from "./reason.ts"
import type { Resolved, Route } from "./route.ts"

/** The application doesn't want a dial before a time, in Unix milliseconds; null: not at all. */
class Postponed extends Data.TaggedError("Postponed")<{ readonly until: number | null }> {}

type Failure = DialError | GrantError | Postponed

/** What a dial waits for, and since when. */
export class Progress {
  phase: DialPhase = "url"
  readonly #monotonic: () => number
  #since: number
  #beganAt: number

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic
    this.#since = monotonic()
    this.#beganAt = this.#since
  }

  /** It waits for its turn no more. */
  begin(): void {
    this.#beganAt = this.#monotonic()
  }

  /** How long it has taken since. */
  get tookMs(): number {
    return this.#monotonic() - this.#beganAt
  }

  readonly entered = (phase: DialPhase): void => {
    this.phase = phase
    this.#since = this.#monotonic()
  }

  get waitedMs(): number {
    return this.#monotonic() - this.#since
  }
}

interface Options {
  readonly source: Source
  readonly client: WebSocketClient["Service"]
  readonly dials: PluginSlots
  readonly limits: Values
  readonly route: Route
  readonly session: SocketEvents
  /** The source's own URL. */
  readonly declared: AuthorizedTarget
  readonly mayOpen: () => boolean
  readonly progress: Progress
  readonly time: HadTime.HadTime
}

const isDialError = Schema.is(DialError)

/** Succeeds when the socket is open. What it acquires is the scope's. */
export const connect = (options: Options): Effect.Effect<void, Failure, Scope.Scope> =>
  Effect.suspend(() => {
    const { client, declared, dials, limits, mayOpen, progress, route, session, source, time } = options
    const { lookups } = dials
    const { maxMessageBytes, maxMessageFragments, openDeadlineMs: deadlineMs, retryAfterMs } = limits
    const { entered } = progress
    // What waited for its turn may have become unwanted; whoever finds that out interrupts it.
    const wanted = <A, E, R>(effect: () => Effect.Effect<A, E, R>) =>
      Effect.suspend(() => (mayOpen() ? effect() : Effect.never))
    const dial = (resolved: Resolved): Effect.Effect<void, DialError | Postponed, Scope.Scope> => {
      if (resolved.kind === "never") return Effect.fail(new Postponed({ until: null }))
      if (resolved.kind === "not_before") return Effect.fail(new Postponed({ until: resolved.at }))
      const { headers, target, tls } = resolved
      route.target = target
      return wanted(() => {
        entered("dns")
        const bounds = { maxMessageBytes, maxMessageFragments }
        const { compression, fastPath } = source
        const connecting = { headers, tls, compression, fastPath, ...bounds, lookups, entered }
        return Ports.effectFrom(() => client.connect(target, connecting, session)).pipe(
          Effect.catch((error) => (isDialError(error) ? Effect.fail(error) : Effect.die(error)))
        )
      })
    }
    const begun = Effect.sync(() => progress.begin())
    const opens = Effect.andThen(
      begun,
      wanted(() => route.resolve(declared))
    ).pipe(
      Effect.flatMap(dial),
      HadTime.within(time, deadlineMs, () =>
        Effect.fail(new OpenTimeout({ url: source.display, phase: progress.phase, deadlineMs }))
      )
    )
    return Effect.mapError(dials.withSlot(opens), (error) => obeyed(error, retryAfterMs))
  })

/** What a server asks for is obeyed up to a limit. */
const obeyed = <E extends Failure>(error: E, longest: number): E | HandshakeRejected => {
  if (error._tag !== "HandshakeRejected" || error.retryAfterMs === null) return error
  const { problem, retryAfterMs, status, url } = error
  return new HandshakeRejected({ url, status, problem, retryAfterMs: Math.min(retryAfterMs, longest) })
}

/** The tag of what it failed with; undefined where it was given up or put off. */
export const tagOf = (outcome: Input): string | undefined =>
  outcome.kind === "gone" ? outcome.failure?._tag : undefined

/** What is to be told of a dial that came to nothing. */
export const outcomeOf = (
  exit: Exit.Exit<void, Failure>,
  {
    isDropped,
    url,
    waitMs,
    waitedMs
  }: {
    readonly url: string
    readonly isDropped: boolean
    readonly waitMs: (until: number) => number
    readonly waitedMs: number
  }
): Input => {
  const error = Option.getOrUndefined(Exit.findErrorOption(exit))
  if (error instanceof Postponed) {
    return { kind: "postponed", waitMs: error.until === null ? null : waitMs(error.until) }
  }
  if (error !== undefined) return { kind: "gone", failure: error, waitedMs }
  if (isDropped && !Exit.hasDies(exit)) return { kind: "gone", failure: null, waitedMs }
  // A client that dies, or gives up, is as good as a network that is down: reported, and tried again after a while.
  const died = Exit.isFailure(exit) && Exit.hasDies(exit) ? { reason: Reason.of(Cause.squash(exit.cause)) } : undefined
  const code = died === undefined ? "EINTERRUPTED" : "EDEFECT"
  return { kind: "gone", failure: new DialFailed({ url, phase: "client", code, ...died }), waitedMs }
}
