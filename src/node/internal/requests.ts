/**
 * Requests under way: each over a connection that waits for one, or over a new
 * one, until its answer is whole, its deadline has passed, or nobody may have it
 * any more.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import type { AddressDenied, DialFailed } from "../../connection/ConnectionError.ts"
import { GrantRevoked } from "../../grants/GrantError.ts"
import { Progress, within } from "../../requests/Progress.ts"
import type { Failure, Outgoing, RequestClient, Response } from "../../requests/RequestClient.ts"
import type { HadTime } from "../../time/HadTime.ts"
import { exchange, type Exchanged } from "./exchange.ts"
import { IdleConnections } from "./idleConnections.ts"
import type { Network } from "./network.ts"
import { belongs, Connection, originOf, type Belongs, type Connected } from "./requestConnection.ts"
import { ENDED } from "./wire.ts"
import * as Way from "./way.ts"

// A server gives a connection up when it likes. What may be done only once waits for none that it may have given up.
const MOST_IDLE_MS = 1000
const ASKED_TWICE: ReadonlySet<string> = new Set(["GET", "HEAD"])

interface Shared {
  readonly network: Network
  readonly scope: Scope.Scope
  readonly time: HadTime
  readonly monotonic: () => number
  readonly run: (effect: Effect.Effect<void>) => unknown
}

/** What may be interrupted within what may not. */
type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** A request under way, and what ends it from outside. */
interface Underway {
  readonly outgoing: Outgoing
  readonly progress: Progress
  readonly wanted: Belongs
  readonly ended: Deferred.Deferred<never, Failure>
  /** Whether its connection may have a next request. */
  isKept: boolean
}

export class Requests {
  readonly #shared: Shared
  readonly #idle: IdleConnections
  readonly #underway = new Set<Underway>()

  constructor(shared: Shared) {
    this.#shared = shared
    this.#idle = new IdleConnections(shared.time, shared.monotonic)
  }

  send(outgoing: Outgoing): Effect.Effect<Response, Failure> {
    return Effect.suspend(() => {
      const progress = new Progress(outgoing)
      const context = this.#shared.network.contexts.of(outgoing.tls)
      // With settings of no use nobody is bothered.
      if (Result.isFailure(context)) return Effect.fail(progress.failed(context.failure, "tls"))
      const wanted = belongs(outgoing, context.success)
      if (wanted.origin !== originOf(outgoing.request.url.canonical))
        return Effect.die(new TypeError("the URL is another server's"))
      const ended = Deferred.makeUnsafe<never, Failure>()
      const underway: Underway = { outgoing, progress, wanted, ended, isKept: true }
      this.#underway.add(underway)
      return Effect.raceFirst(this.#answered(underway), Deferred.await(ended)).pipe(
        within(this.#shared.time, outgoing, progress),
        Effect.ensuring(Effect.sync(() => this.#underway.delete(underway)))
      )
    })
  }

  release(owner: string, keep: Parameters<RequestClient["release"]>[1]): void {
    this.#idle.release(owner)
    for (const underway of this.#underway) {
      const { ended, outgoing } = underway
      if (outgoing.owner !== owner) continue
      underway.isKept = false
      const { request } = outgoing
      if (!keep(request)) Deferred.doneUnsafe(ended, Exit.fail(new GrantRevoked({ url: request.display })))
    }
  }

  #answered(underway: Underway): Effect.Effect<Response, Failure> {
    const { outgoing, progress, wanted } = underway
    const dials = this.#exchanged((restore) => this.#dialled(underway, restore), underway)
    const exchanges = Effect.suspend(() => {
      const mostMs = ASKED_TWICE.has(outgoing.request.method) ? Number.POSITIVE_INFINITY : MOST_IDLE_MS
      const taken = this.#idle.take(wanted, mostMs)
      if (taken === undefined) return dials
      // Where nothing of it was written another connection is its first.
      return this.#exchanged(() => Effect.succeed(taken), underway, taken.isUsable).pipe(
        Effect.catch((failure) => (progress.sent ? Effect.fail(failure) : dials))
      )
    })
    return Effect.flatMap(exchanges, ({ answer }) => answer.response)
  }

  /** Over a connection, which is used up unless the answer is whole and says that there may be another. */
  #exchanged(
    connects: (restore: Restore) => Effect.Effect<Connected, Failure>,
    underway: Underway,
    isUsable?: () => boolean
  ): Effect.Effect<Exchanged, Failure> {
    const { ended, outgoing, progress } = underway
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(connects(restore), (connected) => {
        const { connection, socket } = connected
        connection.user = (error) => Deferred.doneUnsafe(ended, Exit.fail(error))
        const writes = exchange(socket, outgoing, progress)
        const exchanges = isUsable === undefined ? writes : Effect.andThen(looked(isUsable, progress), writes)
        return Effect.onExit(restore(exchanges), (exit) =>
          Effect.sync(() => {
            connection.user = undefined
            const keepMs = Exit.isSuccess(exit) && underway.isKept ? exit.value.keepMs : 0
            if (keepMs > 0) this.#idle.keep(connected, keepMs)
            else connection.close()
          })
        )
      })
    )
  }

  /** A new connection, closed again where it doesn't come about. It may be interrupted where it says so. */
  #dialled({ outgoing, progress, wanted }: Underway, restore: Restore): Effect.Effect<Connected, Failure> {
    const { network, run, scope: parent } = this.#shared
    const { lookups, request: target, tls } = outgoing
    return Effect.gen(function* () {
      const scope = yield* Scope.fork(parent)
      const connection = new Connection(wanted, () => run(Scope.close(scope, Exit.void)))
      yield* Scope.addFinalizerExit(scope, () => Effect.sync(() => connection.destroy()))
      progress.entered("dns")
      const { denied: late, sockets } = connection
      const way = { target, lookups, tls, network, sockets, entered: progress.entered, late }
      const dials = Effect.flatMap(Way.open(way), ({ denied, socket }) => {
        const secures = Way.secured(socket, way, wanted.context)
        return denied === null ? secures : Effect.raceFirst(secures, denied)
      })
      const socket = yield* restore(Scope.provide(dials, scope)).pipe(
        Effect.mapError((error) => failureOf(error, progress)),
        Effect.onError(() => Scope.close(scope, Exit.void))
      )
      return { connection, socket }
    })
  }
}

/**
 * What the server said of a connection while it waited is heard before it is used: by a whole turn of the event loop,
 * for the present one may have looked at this socket already.
 */
const looked = (isUsable: () => boolean, progress: Progress): Effect.Effect<void, Failure> =>
  Effect.callback((resume) => {
    const ready = () => resume(isUsable() ? Effect.void : Effect.fail(progress.failed(ENDED, "request")))
    let turn = setImmediate(() => {
      turn = setImmediate(ready)
    })
    return Effect.sync(() => {
      clearImmediate(turn)
      isUsable()
    })
  })

const failureOf = (error: AddressDenied | DialFailed, progress: Progress): Failure => {
  if (error._tag === "AddressDenied") return error
  const { code, phase } = error
  return progress.failed(code, phase === "url" || phase === "client" ? "request" : phase)
}
