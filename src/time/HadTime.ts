/**
 * Time that was had: the one clock by which every deadline judges.
 *
 * A thread that is blocked, a process that is stopped and a machine that is
 * suspended take time away from whoever is judged, and all at once every timer
 * is late. So time is had in slices of at most 50 ms: a slice that ends later
 * than that counts as one. What the process stood still for is nobody's fault.
 *
 * One loop cuts the slices, and only while somebody waits: a host with nothing
 * to judge has no timer.
 *
 * @since 0.3.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import * as Log from "../internal/log.ts"
import { monotonic } from "../internal/monotonic.ts"
import { DueHeap } from "./internal/dueHeap.ts"

/**
 * The most that a slice counts, in milliseconds.
 *
 * @category models
 * @since 0.3.0
 */
export const SLICE_MS = 50

// A slice is ended a little early, since a loop that has something to do is a little late; and the earlier, the later
// those before it were: so load alone takes no time away.
const LONGEST_SLEEP_MS = 40
const SHORTEST_SLEEP_MS = 10
// How much of that counts a slice later: half of it after a second or so.
const FORGETS = 0.98
const STANDSTILL_MS = 500
// What is due calls for the next wait: that must not be due in the same turn.
const SHORTEST_WAIT_MS = 1

/**
 * Time that was had since some moment. It passes only while somebody waits for
 * it or listens for standstills: a time that is measured must be waited for
 * meanwhile.
 *
 * @category models
 * @since 0.3.0
 */
export interface HadTime {
  /** Milliseconds had so far. Never less than before, and rises by a slice at most while the thread is blocked. */
  readonly now: () => number
  /**
   * Calls `due` once so many milliseconds have been had, at most a slice later, in a turn of its own; after a standstill
   * not before everything that waited for the thread has had its turn. Returns what cancels it.
   */
  readonly after: (ms: number, due: () => void) => () => void
  /** Completes once so many milliseconds have been had. */
  readonly sleep: (ms: number) => Effect.Effect<void>
  /** From now on this is told of each standstill; time passes meanwhile. */
  readonly listen: (listener: Listener) => void
  readonly unlisten: (listener: Listener) => void
}

/**
 * Is told after each standstill of more than half a second how long it was,
 * before anything is due.
 *
 * @category models
 * @since 0.5.0
 */
export interface Listener {
  stood(ms: number): void
}

class Slices implements HadTime {
  readonly #monotonic: () => number
  readonly #waiting = new DueHeap()
  readonly #listeners = new Set<Listener>()
  readonly #fork: (slices: Effect.Effect<void>) => unknown
  /** Had until the present slice began. */
  #had = 0
  /** When the present slice began, by the clock that is never set; null while nobody waits. */
  #from: number | null = null
  /** How long the present slice is to be, and how late those before it were. */
  #sleepMs = LONGEST_SLEEP_MS
  #lateMs = 0

  constructor(clock: Clock.Clock, fork: (slices: Effect.Effect<void>) => unknown) {
    this.#monotonic = monotonic(clock)
    this.#fork = fork
  }

  readonly now = (): number => (this.#from === null ? this.#had : this.#had + counted(this.#monotonic() - this.#from))

  readonly after = (ms: number, due: () => void): (() => void) => {
    const entry = this.#waiting.add(this.now() + Math.max(SHORTEST_WAIT_MS, ms), due)
    this.#begin()
    return () => this.#waiting.remove(entry)
  }

  readonly sleep = (ms: number): Effect.Effect<void> =>
    Effect.callback((resume) => {
      const cancel = this.after(ms, () => resume(Effect.void))
      return Effect.sync(cancel)
    })

  readonly listen = (listener: Listener): void => {
    this.#listeners.add(listener)
    this.#begin()
  }

  readonly unlisten = (listener: Listener): void => void this.#listeners.delete(listener)

  /** Cuts the slices, for as long as somebody waits. */
  get #slices(): Effect.Effect<void> {
    const slept = Effect.suspend(() => Effect.sleep(this.#untilLook()))
    // What somebody does when it is his turn must not end the time of all.
    const ended = Effect.catchCause(
      Effect.sync(() => this.#look()),
      (cause) => Log.written(Effect.logError("what was due has failed", cause))
    )
    const slice = Effect.andThen(slept, ended)
    return Effect.whileLoop({ while: () => this.#from !== null, body: () => slice, step: () => {} })
  }

  #begin(): void {
    if (this.#from !== null) return
    this.#from = this.#monotonic()
    // The first slice begins in this turn: on a virtual clock the next one may be years later.
    this.#fork(this.#slices)
  }

  #untilLook(): number {
    const { first } = this.#waiting
    const most = Math.max(SHORTEST_SLEEP_MS, LONGEST_SLEEP_MS - this.#lateMs)
    const left = first === undefined ? most : Math.ceil(first.at - this.now())
    this.#sleepMs = Math.max(1, Math.min(most, left))
    return this.#sleepMs
  }

  #look(): void {
    const now = this.#monotonic()
    const before = this.#had
    const elapsed = now - (this.#from ?? now)
    const late = elapsed - counted(elapsed)
    this.#had += counted(elapsed)
    this.#from = now
    this.#lateMs = Math.max(Math.min(elapsed - this.#sleepMs, LONGEST_SLEEP_MS), this.#lateMs * FORGETS)
    if (late > STANDSTILL_MS) for (const listener of this.#listeners) listener.stood(late)
    // What came due in a slice that was late is judged after the next one: whoever is judged may only be waiting for the
    // thread.
    this.#judge(late > 0 ? before : this.#had)
    if (this.#waiting.size > 0 || this.#listeners.size > 0) return
    this.#from = null
  }

  #judge(until: number): void {
    for (let { first } = this.#waiting; first !== undefined && first.at <= until; { first } = this.#waiting) {
      this.#waiting.remove(first)
      first.due()
    }
  }
}

const counted = (elapsed: number): number => Math.min(elapsed, SLICE_MS)

/**
 * Begins to keep time that was had, by the clock at hand, until the scope
 * closes. Nothing is due after that.
 *
 * @category constructors
 * @since 0.3.0
 */
export const make: Effect.Effect<HadTime, never, Scope.Scope> = Effect.gen(function* () {
  return new Slices(yield* Clock.clockWith(Effect.succeed), yield* FiberSet.makeRuntime<never, void>())
})

/**
 * An effect, if it ends before so many milliseconds were had; else what
 * `orElse` says.
 *
 * @category combinators
 * @since 0.3.0
 */
export const within =
  <B, E2, R2>(time: HadTime, ms: number, orElse: () => Effect.Effect<B, E2, R2>) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A | B, E | E2, R | R2> =>
    Effect.uninterruptibleMask((restore) =>
      // One fiber, where a race takes two: half of what it costs.
      Effect.flatMap(Effect.forkDetach(effect, { startImmediately: true }), (fiber) =>
        Effect.onInterrupt(restore(endOf(time, ms, fiber, orElse)), () => Fiber.interrupt(fiber))
      )
    )

/** How a fiber ends that has so much time; the time counts from now on. */
const endOf = <A, E, B, E2, R2>(
  time: HadTime,
  ms: number,
  fiber: Fiber.Fiber<A, E>,
  orElse: () => Effect.Effect<B, E2, R2>
): Effect.Effect<A | B, E | E2, R2> =>
  Effect.callback<A | B, E | E2, R2>((resume) => {
    const done = fiber.pollUnsafe()
    if (done !== undefined) return resume(done)
    let isLate = false
    const cancel = time.after(ms, () => {
      isLate = true
      fiber.interruptUnsafe()
    })
    fiber.addObserver((exit) => {
      cancel()
      resume(isLate ? Effect.suspend(orElse) : exit)
    })
    return Effect.sync(cancel)
  })
