/**
 * Handlers by ingress and kind: whether they are some, and the one function
 * that an instance has of them.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { WebSocketText, type AnyEvent } from "../../ingress/IngressEvent.ts"
import { abandon } from "../../internal/promises.ts"
import type { Problem } from "../../internal/wire.ts"
import { OutputInvalid } from "../PluginError.ts"
import type { Instance, Output } from "../PluginRuntime.ts"

type Answer = Omit<Output, "state"> & { readonly state?: unknown }
type Handle = (event: AnyEvent) => Effect.Effect<Answer | void, unknown>

/** What stands among handlers, or in place of them, and is none. */
export const strangers = (handlers: unknown): ReadonlyArray<Problem> => {
  const problems = isRecord(handlers)
    ? Object.entries(handlers).flatMap(([ingress, byKind]) => strangersOf(ingress, byKind))
    : [{ path: "handlers", message: "Expected handlers by ingress and kind" }]
  if (problems.length > 0) abandon(handlers)
  return problems
}

const strangersOf = (ingress: string, byKind: unknown): ReadonlyArray<Problem> => {
  if (byKind === undefined) return []
  if (!isRecord(byKind)) return [{ path: `handlers.${ingress}`, message: "Expected handlers by kind" }]
  return Object.entries(byKind)
    .filter(([, handle]) => handle !== undefined && typeof handle !== "function")
    .map(([kind]) => ({ path: `handlers.${ingress}.${kind}`, message: "Expected a function" }))
}

/** Neither null nor a list, a map or a promise. */
const isRecord = (value: unknown): value is object => Object.prototype.toString.call(value) === "[object Object]"

/** What an instance does with an event: what the handler of its ingress and kind does, else nothing. */
export const handler = <State>(
  handlers: { readonly [ingress: string]: object | undefined },
  state: Schema.Codec<State, unknown> | undefined
): Instance["handle"] => {
  const byIngress = new Map(
    Object.entries(handlers).map(([ingress, byKind]) => [
      ingress,
      // Each handler stands under the kind of the events that it takes.
      new Map(Object.entries(byKind ?? {})) as ReadonlyMap<string, Handle | undefined>
    ])
  )
  const encoded = state === undefined ? undefined : stateEncoder(state)
  const find = (ingress: string, kind: string) => byIngress.get(ingress)?.get(kind)
  // That of texts is looked up once as long as they come from one ingress, which most plugins have.
  let ingress: string | undefined
  let ofTexts: Handle | undefined
  const handlerOf = (event: AnyEvent): Handle | undefined => {
    if (!(event instanceof WebSocketText)) return find(event.ingressName, event.kind)
    const { ingressName } = event
    if (ingressName !== ingress) {
      ingress = ingressName
      ofTexts = find(ingressName, event.kind)
    }
    return ofTexts
  }
  return (event) => {
    const handle = handlerOf(event)
    if (handle === undefined) return Exit.void
    const answer = handle(event)
    // Without a schema State is Json, and whoever called refuses what is no effect.
    if (encoded === undefined || !Effect.isEffect(answer)) return answer as Effect.Effect<Output | void, unknown>
    return encoded(answer)
  }
}

/** Encodes a state; undefined where it doesn't have the form of the schema, or that can't be told at once. */
const encoder = (schema: Schema.Codec<unknown, unknown>) => {
  const encode = Schema.encodeUnknownResult(schema)
  return (state: unknown): { readonly value: unknown } | undefined => {
    try {
      const result = encode(state)
      return Result.isSuccess(result) ? { value: result.success } : undefined
    } catch {
      return undefined
    }
  }
}

/** Encodes the state of an answer, at once where the answer is an exit. */
const stateEncoder = (schema: Schema.Codec<unknown, unknown>) => {
  const encode = encoder(schema)
  const encoded = (answer: Answer | void): Exit.Exit<Output | void, OutputInvalid> => {
    // Whatever else it may be is refused with the rest of the checks.
    if (typeof answer !== "object" || answer === null || answer.state === undefined) {
      return Exit.succeed(answer as Output | void)
    }
    const { state, ...rest } = answer
    const result = encode(state)
    // Whether it is JSON is checked with the rest of the output.
    if (result !== undefined) return Exit.succeed({ ...rest, state: result.value as Schema.Json })
    abandon(answer)
    const message = "Expected the form of the plugin's schema, which has to be synchronous"
    return Exit.fail(new OutputInvalid({ problems: [{ path: "state", message }] }))
  }
  return (answer: ReturnType<Handle>): Effect.Effect<Output | void, unknown> => {
    if (!Exit.isExit(answer)) return Effect.flatMap(answer, encoded)
    // It is an exit of the same answer.
    const exit = answer as Exit.Exit<Answer | void, unknown>
    return Exit.isSuccess(exit) ? encoded(exit.value) : Exit.failCause(exit.cause)
  }
}
