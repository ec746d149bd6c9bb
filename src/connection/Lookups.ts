/**
 * The lookups under way: one a name, whoever asks for it, in a place of the
 * plugin that asked first.
 *
 * A lookup outlives the dial that began it, so that a name server slower than a
 * dial's deadline serves the next dial. An answer that nobody waited for any
 * more is kept for that dial, for a minute; every other dial asks anew. A
 * lookup that doesn't end is given up after half a minute.
 *
 * @since 0.2.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Monotonic from "../internal/monotonic.ts"
import * as Ports from "../internal/ports.ts"
import * as HadTime from "../time/HadTime.ts"
import { LookupFailed, type LookupSlots, type Resolve } from "./ResolveAddresses.ts"

const GIVEN_UP_AFTER_MS = 30_000
const KEPT_MS = 60_000

type Follower = Queue.Queue<ReadonlyArray<string>, LookupFailed | Cause.Done>

const ALL_SAID: Cause.Cause<Cause.Done> = Cause.fail(Cause.Done())

/** One lookup: what it found so far, how it ended, and who follows it. `served` is told once its answer isn't to be kept. */
class Lookup {
  /** By the clock that is never set; null while it goes on. */
  endedAt: number | null = null
  readonly #followers = new Set<Follower>()
  readonly #found: Array<ReadonlyArray<string>> = []
  readonly #served: () => void
  #end: Cause.Cause<LookupFailed | Cause.Done> = ALL_SAID

  constructor(served: () => void) {
    this.#served = served
  }

  /** Whether it knows something that nobody was told. */
  get isUnheard(): boolean {
    return this.#found.length > 0 && this.#followers.size === 0
  }

  add(addresses: ReadonlyArray<string>): void {
    if (addresses.length === 0) return
    this.#found.push(addresses)
    for (const follower of this.#followers) Queue.offerUnsafe(follower, addresses)
  }

  /** Its first end counts. What was found stands, whatever came after it. */
  end(cause: Cause.Cause<LookupFailed>, at: number): void {
    if (this.endedAt !== null) return
    if (!this.isUnheard) this.#served()
    this.endedAt = at
    if (this.#found.length === 0) this.#end = cause
    for (const follower of this.#followers) Queue.failCauseUnsafe(follower, this.#end)
  }

  get followed(): Stream.Stream<ReadonlyArray<string>, LookupFailed> {
    return Stream.callback<ReadonlyArray<string>, LookupFailed>((follower) =>
      Effect.acquireRelease(
        Effect.sync(() => this.#follow(follower)),
        () => Effect.sync(() => this.#followers.delete(follower))
      )
    )
  }

  #follow(follower: Follower): void {
    for (const addresses of this.#found) Queue.offerUnsafe(follower, addresses)
    if (this.endedAt === null) {
      this.#followers.add(follower)
      return
    }
    this.#served()
    Queue.failCauseUnsafe(follower, this.#end)
  }
}

/**
 * The lookups of a client.
 *
 * @category models
 * @since 0.2.0
 */
export interface Lookups {
  /** The addresses of a name, from the lookup that is under way or from one begun in a place of `slots`. */
  readonly resolve: (name: string, slots: LookupSlots) => Stream.Stream<ReadonlyArray<string>, LookupFailed>
}

const nothing = new LookupFailed({ code: "ENOTFOUND" })
const silent = new LookupFailed({ code: "ETIMEOUT" })

/**
 * Shares the lookups of a resolver. They end with the scope.
 *
 * @category constructors
 * @since 0.2.0
 */
export const make = (resolve: Resolve): Effect.Effect<Lookups, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const monotonic = Monotonic.monotonic(yield* Clock.clockWith(Effect.succeed))
    const time = yield* HadTime.make
    const lookups = new Map<string, Lookup>()

    const usable = (name: string): Lookup | undefined => {
      const now = monotonic()
      for (const [other, { endedAt }] of lookups) {
        if (endedAt !== null && endedAt + KEPT_MS <= now) lookups.delete(other)
      }
      return lookups.get(name)
    }

    const end = (lookup: Lookup, cause: Cause.Cause<LookupFailed>) => Effect.sync(() => lookup.end(cause, monotonic()))

    const run = (name: string, lookup: Lookup) =>
      Effect.gen(function* () {
        const finds = Stream.runForEach(
          Ports.streamFrom(() => resolve(name)),
          (addresses) => Effect.sync(() => lookup.add(addresses))
        )
        const resolving = yield* Effect.forkChild(Effect.andThen(finds, Effect.fail(nothing)))
        const exit = yield* Fiber.await(resolving).pipe(
          HadTime.within(time, GIVEN_UP_AFTER_MS, () => Effect.succeed(Exit.fail(silent)))
        )
        yield* end(lookup, Exit.isFailure(exit) ? exit.cause : Cause.fail(silent))
        // Its place is its own until it has returned.
        yield* Fiber.interrupt(resolving)
      })

    const begin = (name: string, slots: LookupSlots) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function* () {
          const place = yield* restore(slots.take)
          const underway = usable(name)
          if (underway !== undefined) return yield* Effect.as(place(Effect.void), underway)
          const lookup = new Lookup(() => lookups.delete(name))
          lookups.set(name, lookup)
          // One that never ended would stand in the way of every later one.
          const runs = Effect.ensuring(Effect.interruptible(run(name, lookup)), end(lookup, Cause.fail(silent)))
          yield* Effect.forkIn(place(runs), scope, { uninterruptible: true })
          return lookup
        })
      )

    return {
      resolve: (name, slots) =>
        Stream.unwrap(
          Effect.suspend(() => {
            const underway = usable(name)
            return underway === undefined ? begin(name, slots) : Effect.succeed(underway)
          }).pipe(Effect.map(({ followed }) => followed))
        )
    }
  })
