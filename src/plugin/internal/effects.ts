/**
 * Effects that plugin code hands over, which need not be written in TypeScript:
 * in place of one it may return anything, above all a promise.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { abandon } from "../../internal/promises.ts"
import { OutputInvalid } from "../PluginError.ts"

/** What is said of a value that should have been an effect. */
export const EXPECTED_EFFECT = "Expected an Effect: what is asynchronous belongs into Effect.tryPromise"

/** The effect that plugin code returned; a failure where it returned anything else. */
export const effectOf = <A, E, R>(value: Effect.Effect<A, E, R>): Effect.Effect<A, E | OutputInvalid, R> => {
  if (Effect.isEffect(value)) return value
  abandon(value)
  return Exit.fail(new OutputInvalid({ problems: [{ path: "", message: EXPECTED_EFFECT }] }))
}
