/**
 * A WebSocket without a network, for tests of plugins and hosts: the test plays
 * the server.
 *
 * Everything happens synchronously in the call that causes it, so it works
 * under virtual time; what the host does about it in fibers of its own is
 * waited for with `PluginHost.idle` or with the members that return effects.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { HandshakeRejected, type DialError } from "../connection/ConnectionError.ts"
import { WebSocketClient, type ConnectOptions, type SocketEvents } from "../connection/WebSocketClient.ts"
import { AuthorizedTarget } from "../grants/Grants.ts"
import * as SocketUrl from "../manifest/SocketUrl.ts"
import { Bell } from "./internal/bell.ts"
import { NO_CLOSE_FRAME, Remote } from "./Remote.ts"

/**
 * How a dial is answered: accepted, with frames that arrive in the same burst as
 * the 101; refused with an HTTP status; failed before there was an answer; or
 * never.
 *
 * @category models
 * @since 0.1.0
 */
export type Answer =
  | { readonly kind: "accept"; readonly subprotocol?: string; readonly early?: ReadonlyArray<string | Uint8Array> }
  | { readonly kind: "refuse"; readonly status: number; readonly retryAfterMs?: number }
  | { readonly kind: "fail"; readonly error: DialError }
  | { readonly kind: "never" }

/**
 * A dial that was made.
 *
 * @category models
 * @since 0.1.0
 */
export interface Dial {
  readonly url: string
  readonly subprotocols: ReadonlyArray<string>
  readonly headers: { readonly [name: string]: string }
}

/**
 * The fake network: what was dialled, and the server's end of each connection.
 * Until told otherwise every dial is accepted.
 *
 * @category services
 * @since 0.1.0
 */
export class FakeWebSocket extends Context.Service<
  FakeWebSocket,
  {
    /** How dials of a URL are answered from now on. */
    readonly answer: (url: string, answer: Answer) => Effect.Effect<void>
    /** Every dial so far. */
    readonly dials: Effect.Effect<ReadonlyArray<Dial>>
    /** Completes when a URL was dialled so many times in all. */
    readonly dialled: (url: string, times: number) => Effect.Effect<void>
    /** The server's ends of a URL's connections so far, the first one first. */
    readonly remotes: (url: string) => Effect.Effect<ReadonlyArray<Remote>>
    /** The server's end of the `nth` connection of a URL (from 1), once it is open; by default the first. */
    readonly remote: (url: string, nth?: number) => Effect.Effect<Remote>
  }
>()("mooring/testing/FakeWebSocket") {}

const canonical = (url: string): string => {
  const parsed = SocketUrl.parse(url)
  return parsed._tag === "Success" ? parsed.success.canonical : url
}

class Network {
  readonly bell = new Bell()
  readonly answers = new Map<string, Answer>()
  readonly dials: Array<Dial> = []
  readonly remotes = new Map<string, Array<Remote>>()

  connect(
    target: AuthorizedTarget,
    options: ConnectOptions,
    events: SocketEvents
  ): Effect.Effect<void, DialError, Scope.Scope> {
    if (!AuthorizedTarget.is(target)) return Effect.die(new TypeError("the target was not authorized"))
    const url = target.url.canonical
    this.dials.push({ url, subprotocols: target.subprotocols, headers: options.headers })
    this.bell.ring()
    // A network that answers at once: what it may be waited for is the server.
    options.entered("upgrade")
    const answer = this.answers.get(url) ?? { kind: "accept" }
    switch (answer.kind) {
      case "never":
        return Effect.never
      case "fail":
        return Effect.fail(answer.error)
      case "refuse":
        return Effect.fail(
          new HandshakeRejected({
            url: target.display,
            status: answer.status,
            problem: `it answered with HTTP status ${answer.status}`,
            retryAfterMs: answer.retryAfterMs ?? null
          })
        )
      case "accept": {
        const remote = new Remote(events, this.bell)
        return Effect.acquireRelease(
          Effect.sync(() => this.#open(target, remote, answer, events)),
          () => Effect.sync(() => remote.end(NO_CLOSE_FRAME, "", false))
        )
      }
    }
  }

  #open(
    target: AuthorizedTarget,
    remote: Remote,
    answer: Extract<Answer, { readonly kind: "accept" }>,
    events: SocketEvents
  ): void {
    const url = target.url.canonical
    this.remotes.set(url, [...(this.remotes.get(url) ?? []), remote])
    events.open(remote.socket(target, answer.subprotocol ?? null))
    if (answer.early !== undefined) remote.sendBurst(answer.early)
    this.bell.ring()
  }
}

/**
 * Provides a fake network and the `WebSocketClient` that dials it.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<FakeWebSocket | WebSocketClient> = Layer.effectContext(
  Effect.sync(() => {
    const network = new Network()
    const fake: FakeWebSocket["Service"] = {
      answer: (url, answer) => Effect.sync(() => network.answers.set(canonical(url), answer)),
      dials: Effect.sync(() => [...network.dials]),
      dialled: (url, times) =>
        network.bell.until(() => network.dials.filter((dial) => dial.url === canonical(url)).length >= times),
      remotes: (url) => Effect.sync(() => [...(network.remotes.get(canonical(url)) ?? [])]),
      remote: (url, nth = 1) => {
        const find = () => network.remotes.get(canonical(url))?.[nth - 1]
        return Effect.flatMap(
          network.bell.until(() => find() !== undefined),
          () => Effect.fromNullishOr(find())
        ).pipe(Effect.orDie)
      }
    }
    return Context.make(FakeWebSocket, fake).pipe(
      Context.add(WebSocketClient, {
        proxied: false,
        connect: (target, options, events) => Effect.suspend(() => network.connect(target, options, events))
      })
    )
  })
)
