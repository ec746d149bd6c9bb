/**
 * Starting, stopping and releasing an instance: code of the plugin or of its
 * runtime, each within a deadline, and whatever it returns checked.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Json from "../../internal/json.ts"
import type { Parking } from "../../internal/parking.ts"
import { abandon } from "../../internal/promises.ts"
import { ManifestInvalid } from "../../manifest/ManifestError.ts"
import type { HadTime } from "../../time/HadTime.ts"
import { DispatchFailed, DispatchTimeout, StartFailed, StartTimeout } from "../PluginError.ts"
import type { BatchingInstance, Instance, Lifecycle, Loss } from "../PluginRuntime.ts"
import { outlives, withDeadline } from "./deadline.ts"

/** How long an instance has to end after it was told to. */
export const UNSTOPPABLE_AFTER_MS = 5000

const MOST_CONFIG = 1_048_576

/** The loop that waits, and for how long. */
export interface Patience {
  readonly parking: Parking
  readonly time: HadTime
  readonly deadlineMs: number
}

/** A start that wasn't wanted any more before it had ended. */
export const UNWANTED = "unwanted"

export type StartProblem = StartFailed | StartTimeout | ManifestInvalid

/** The started instance, or why there is none; a fiber where the start goes on though it was interrupted. */
export const start = (
  starting: Effect.Effect<Instance | BatchingInstance, unknown, Scope.Scope>,
  patience: Patience,
  wanted: () => boolean
): Effect.Effect<
  { readonly instance: Instance | BatchingInstance } | StartProblem | typeof UNWANTED | Fiber.Fiber<unknown, unknown>,
  never,
  Scope.Scope
> =>
  Effect.map(
    withDeadline(Effect.flatMap(starting, checked), { ...patience, unstoppableMs: UNSTOPPABLE_AFTER_MS, wanted }),
    (exit) => {
      if (exit === "unwanted") return UNWANTED
      if (exit === "late") return new StartTimeout({ deadlineMs: patience.deadlineMs })
      if (Fiber.isFiber(exit)) return exit
      return Exit.isFailure(exit) ? startError(squash(exit)) : { instance: exit.value }
    }
  )

/** What a start is handed of its configuration: a value of its own, which no other start sees changed. */
export const configOf = (config: Schema.Json): Effect.Effect<Schema.Json, ManifestInvalid> => {
  const text = Json.textOf(config)
  if (text !== undefined && text.length <= MOST_CONFIG) return Effect.sync(() => JSON.parse(text))
  const message = `Expected a JSON value of at most ${MOST_CONFIG} characters, nested at most ${Json.MOST_DEPTH} deep`
  return Effect.fail(new ManifestInvalid({ subject: "enablement", problems: [{ path: "config", message }] }))
}

/** Stops an instance in order; what went wrong, or a fiber where it goes on though it was interrupted. */
export const stop = (
  instance: Lifecycle,
  patience: Patience
): Effect.Effect<DispatchFailed | DispatchTimeout | Fiber.Fiber<unknown, unknown> | undefined> =>
  Effect.map(
    withDeadline(Effect.map(provided(instance, instance.stop), abandon), {
      ...patience,
      unstoppableMs: UNSTOPPABLE_AFTER_MS,
      wanted: () => true
    }),
    (exit) => {
      if (exit === "late") return new DispatchTimeout({ during: "stop", deadlineMs: patience.deadlineMs })
      if (exit === "unwanted") return undefined
      return Fiber.isFiber(exit) ? exit : failure(exit)
    }
  )

/** How an instance is lost; who can't say any more whether it is there has lost it. */
export const lossOf = (lost: Effect.Effect<Loss>): Effect.Effect<Loss> =>
  Effect.catchCause(lost, (cause) => (Cause.hasInterruptsOnly(cause) ? Effect.interrupt : Effect.succeed("crash")))

/** An effect with the services of its instance. */
export const provided = <A, E>({ services }: Lifecycle, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  services === undefined ? effect : Effect.provideContext(effect, services)

/** Releases what an instance acquired; what went wrong, or a fiber where that doesn't end. */
export const release = (
  resources: Scope.Closeable,
  time: HadTime
): Effect.Effect<DispatchFailed | Fiber.Fiber<unknown, unknown> | undefined> =>
  Effect.gen(function* () {
    // It is released by the plugin's code, which may not end.
    const releasing = yield* Effect.forkDetach(Scope.close(resources, Exit.void))
    if (yield* outlives(releasing, UNSTOPPABLE_AFTER_MS, time)) return releasing
    return failure(yield* Fiber.await(releasing))
  })

const failure = (exit: Exit.Exit<unknown, unknown>): DispatchFailed | undefined =>
  Exit.isFailure(exit) ? new DispatchFailed({ during: "stop", cause: squash(exit) }) : undefined

const isManifestInvalid = Schema.is(ManifestInvalid)

/** What a start failed with. A plugin may hold on to its error: what is kept is made anew. */
const startError = (cause: unknown): StartProblem => {
  try {
    if (isManifestInvalid(cause)) {
      const problems = cause.problems.map(({ message, path }) => ({ message, path }))
      return new ManifestInvalid({ subject: cause.subject, problems })
    }
    // Where the runtime has a clock of its own.
    if (cause instanceof StartTimeout) return new StartTimeout({ deadlineMs: cause.deadlineMs })
  } catch {
    // It can't be looked at, so it is no error of ours.
  }
  return new StartFailed({ cause })
}

/** What a runtime started, if it has the form that it must have. */
const checked = (instance: Instance | BatchingInstance): Effect.Effect<Instance | BatchingInstance> =>
  Effect.suspend(() => {
    const { initial, keepsDeadlines, lost, sandbox, services, status, stop: stopping } = instance
    const takes = takesOf(instance)
    const isWell =
      takes !== undefined &&
      Effect.isEffect(stopping) &&
      (services === undefined || Context.isContext(services)) &&
      [lost, status].every((optional) => optional === undefined || Effect.isEffect(optional))
    if (isWell) {
      return Effect.succeed({ ...takes, initial, keepsDeadlines, lost, sandbox, services, status, stop: stopping })
    }
    abandon(instance)
    return Effect.die(new TypeError("what was started is no instance"))
  })

/** How an instance takes its events: in exactly one of two ways. */
const takesOf = (
  instance: Instance | BatchingInstance
): Pick<Instance, "handle"> | Pick<BatchingInstance, "batches"> | undefined => {
  const { batches, handle } = instance
  if (batches === undefined) return typeof handle === "function" ? { handle } : undefined
  if (handle !== undefined || typeof batches.dispatch !== "function") return undefined
  return batches.mostEvents >= 1 && batches.mostBytes >= 0 ? { batches } : undefined
}

const squash = (exit: Exit.Failure<unknown, unknown>): unknown => {
  const reason = exit.cause.reasons[0]
  if (reason === undefined) return new Error("no cause")
  return reason._tag === "Fail" ? reason.error : reason._tag === "Die" ? reason.defect : new Error("interrupted")
}
