/**
 * Waiting until a plugin runs, or until nothing of it does.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { ServiceFailed, ServiceStopped } from "../../ingress/IngressError.ts"
import type { PluginInstance } from "../../plugin/PluginInstance.ts"

type Looking<E> = () => Result.Result<void, E> | undefined

/** Looks now and at every signal, until there is something to say. */
export const until = <E>(signals: Stream.Stream<unknown>, look: Looking<E>): Effect.Effect<void, E> =>
  Effect.suspend(() => {
    const verdict = look()
    if (verdict !== undefined) return Effect.fromResult(verdict)
    return signals.pipe(
      Stream.map(look),
      Stream.filter((later) => later !== undefined),
      Stream.runHead,
      // A host that has ended has nothing that is still to come.
      Effect.flatMap(Option.match({ onNone: () => Effect.never, onSome: Effect.fromResult }))
    )
  })

export type NotRunning = ServiceFailed | ServiceStopped

/** Whether a plugin runs, or why it isn't about to. */
export const isRunning = ({ lifecycle, record }: PluginInstance): Result.Result<void, NotRunning> | undefined => {
  if (lifecycle === "running") return Result.void
  if (lifecycle === "stopped") return Result.fail(new ServiceStopped({ lifecycle }))
  if (lifecycle === "failed") return Result.fail(new ServiceFailed({ tag: record.lastError?.tag ?? null }))
  return undefined
}

/** Whether nothing of a plugin runs any more. */
export const hasStopped = ({ lifecycle }: PluginInstance): Result.Result<void> | undefined =>
  lifecycle === "stopped" || lifecycle === "failed" ? Result.void : undefined
