/**
 * Asks a grant store, and keeps asking: whatever it does, an answer comes out
 * of it, and what is no usable answer grants nothing.
 *
 * A store that failed, or answered with what is no grant, is asked again after
 * a while, for nobody else would say when it is well.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Ports from "../../internal/ports.ts"
import * as HadTime from "../../time/HadTime.ts"
import type { Answer } from "../Evaluation.ts"
import { check, type GrantStore } from "../GrantStore.ts"

const ANSWER_WITHIN_MS = 500
const ASK_AGAIN_MS = 5000

const denied = (cause: unknown): Answer => ({ grant: undefined, cause: cause ?? "no reason was given" })

/** The answer for one plugin, whatever the store does. */
const lookup = (store: GrantStore["Service"], pluginRef: string): Effect.Effect<Answer> =>
  Ports.effectFrom<unknown, unknown, never>(() => store.lookup(pluginRef)).pipe(
    Effect.map((found): Answer => {
      if (!Option.isOption(found)) return denied("the answer is no Option")
      if (Option.isNone(found)) return { grant: undefined }
      return Result.match(check(found.value), {
        onFailure: denied,
        onSuccess: (grant): Answer => ({ grant })
      })
    }),
    Effect.catchCause((cause) => Effect.succeed(denied(Cause.squash(cause))))
  )

/** Who asks for one plugin. */
export interface Asker {
  /** Asks anew. Completes with the answer, or after a while without one, which is no grant until it comes. */
  readonly ask: Effect.Effect<void>
  /** No answer counts any more. */
  readonly stop: () => void
}

/** Asks for one plugin in a scope, and tells every answer to the last question. */
export const asker = (
  store: GrantStore["Service"],
  pluginRef: string,
  scope: Scope.Scope,
  time: HadTime.HadTime,
  answered: (answer: Answer) => void
): Asker => {
  // Counts the questions: an answer to any but the last comes too late.
  let asked = 0
  let asking: Fiber.Fiber<void> | undefined

  const stop = () => {
    asked++
    asking?.interruptUnsafe()
  }

  const ask = Effect.gen(function* () {
    stop()
    const question = asked
    const tell = (answer: Answer) => {
      if (question === asked) answered(answer)
    }
    const first = Deferred.makeUnsafe<void>()
    const attempt: Effect.Effect<void> = Effect.flatMap(lookup(store, pluginRef), (answer) => {
      tell(answer)
      Deferred.doneUnsafe(first, Exit.void)
      return answer.cause === undefined ? Effect.void : Effect.andThen(Effect.sleep(ASK_AGAIN_MS), attempt)
    })
    asking = yield* Effect.forkIn(attempt, scope, { startImmediately: true })
    const late = Effect.sync(() => tell(denied(`there was no answer within ${ANSWER_WITHIN_MS} ms`)))
    yield* Deferred.await(first).pipe(HadTime.within(time, ANSWER_WITHIN_MS, () => late))
  })

  return { ask, stop }
}
