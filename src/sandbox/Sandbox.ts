/**
 * Runs the code of plugin packages that nobody has to trust: each in a guest of
 * its own, in workers that share nothing with the host but texts.
 *
 * What a guest has and can't do, and what becomes of one that hurts, is told in
 * `docs/sandbox.md`.
 *
 * @since 0.3.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Manifest } from "../manifest/Manifest.ts"
import type { BatchingInstance, PluginPackage, PluginRuntime, Start } from "../plugin/PluginRuntime.ts"
import * as HadTime from "../time/HadTime.ts"
import * as Answers from "./internal/answers.ts"
import { codeOf, noCode, type Code } from "./internal/code.ts"
import { Engines, type Engine } from "./internal/engine.ts"
import { EventTexts } from "./internal/eventText.ts"
import { Homes, type Home } from "./internal/homes.ts"
import { Pool } from "./internal/pool.ts"
import { Seat } from "./internal/seat.ts"
import type { Outcome } from "./internal/thread.ts"

/**
 * A package whose code is sandboxed: what it declares, the digest that pins it,
 * and the bytes of its entry, an ES module in UTF-8, with those of the entry's
 * source map where there is one.
 *
 * @category models
 * @since 0.3.0
 */
export interface SandboxedPackage {
  readonly manifest: Manifest
  readonly digest: string
  readonly entry: Uint8Array
  readonly sourceMap?: Uint8Array | undefined
}

/**
 * Makes packages that a host runs in this sandbox.
 *
 * **Details**
 *
 * The bytes are taken as they are when `package` is called, and every start of
 * the plugin runs them. How many workers there are, and what a guest may use,
 * says the host that runs it by its limits.
 *
 * @category services
 * @since 0.3.0
 */
export class Sandbox extends Context.Service<
  Sandbox,
  { readonly package: (options: SandboxedPackage) => PluginPackage }
>()("mooring/sandbox/Sandbox") {}

/**
 * A sandbox whose workers end with the scope. A worker begins when the first
 * plugin that needs it is started.
 *
 * @category constructors
 * @since 0.3.0
 */
export const make: Effect.Effect<Sandbox["Service"], never, Scope.Scope> = Effect.gen(function* () {
  // Guests are judged by real time, whatever clock the application has.
  const time = yield* Effect.provideService(HadTime.make, Clock.Clock, Clock.Clock.defaultValue())
  const pool = yield* Effect.acquireRelease(
    Effect.sync(() => new Pool(time)),
    (open) => Effect.promise(() => open.close())
  )
  const engines = new Engines()
  return {
    package: ({ digest, entry, manifest, sourceMap }) => {
      const code = codeOf(manifest, entry, sourceMap)
      return { manifest, digest, runtime: runtime(pool, engines, code) }
    }
  }
})

/**
 * @category layers
 * @since 0.3.0
 */
export const layer: Layer.Layer<Sandbox> = Layer.effect(Sandbox, make)

const runtime = (pool: Pool, engines: Engines, code: Code | undefined): PluginRuntime => {
  const homes = new Homes()
  return {
    keepsStartDeadline: true,
    start: (start) =>
      Effect.gen(function* () {
        if (code === undefined) return yield* Effect.fail(noCode())
        const { sandboxMemoryBytes } = start.limits
        const engine = yield* Effect.tryPromise({ try: () => engines.of(sandboxMemoryBytes), catch: Answers.noRoom })
        const home = yield* Effect.acquireRelease(
          Effect.sync(() => homes.enter(start.key)),
          () => Effect.sync(() => homes.leave(start.key))
        )
        return yield* seated(pool, home, engine, code, start)
      })
  }
}

/** A started guest; one whose worker is ended for another's sake while it starts is started again. */
const seated = (
  pool: Pool,
  home: Home,
  engine: Engine,
  code: Code,
  start: Start
): Effect.Effect<BatchingInstance, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const means = {
      written: new EventTexts().of,
      read: (outcome: Outcome) => Answers.dispatched(outcome, start.limits)
    }
    const seat = yield* Effect.acquireRelease(
      Effect.try({ try: () => new Seat(pool, home, start, means), catch: Answers.noRoom }),
      (taken) => taken.leave
    )
    const outcome = yield* seat.load(engine, code, start)
    if (outcome.kind === "gone") return yield* seated(pool, home, engine, code, start)
    return instance(seat, home, start, yield* Answers.started(outcome, start.limits))
  })

const instance = (
  seat: Seat,
  home: Home,
  { limits }: Start,
  initial: BatchingInstance["initial"]
): BatchingInstance => {
  const { dispatchDeadlineMs, startDeadlineMs } = limits
  const status = Effect.flatMap(seat.status(dispatchDeadlineMs), (told) => Answers.called(told, limits))
  return {
    batches: seat.lender,
    status: seat.hasStatus ? Effect.flatMap(status, Answers.status) : undefined,
    stop: Effect.flatMap(seat.stop(startDeadlineMs), (outcome) => Answers.stopped(outcome, limits)),
    lost: Deferred.await(seat.lost),
    keepsDeadlines: true,
    initial,
    sandbox: () => ({ worker: seat.worker, consoleLines: home.lines })
  }
}
