/**
 * The one evaluator of authority: manifest AND grant, for exactly one package.
 *
 * It works on a snapshot of the store with a revision. Whoever holds an
 * `AuthorizedTarget` of the current revision may go on; comparing two integers
 * is all that a send costs. When the store changes, the snapshot is replaced,
 * the revision grows and everybody who watches is told at once.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { canonical } from "../internal/canonical.ts"
import { follow } from "../internal/following.ts"
import * as HadTime from "../time/HadTime.ts"
import { evaluator, type Answer, type Evaluation, type Subject } from "./Evaluation.ts"
import { GrantStore } from "./GrantStore.ts"
import { authorityOf, type Authority, type Listener } from "./internal/authority.ts"
import * as Following from "./internal/following.ts"

export type { GrantedRequest, Rate, RequestRate, Subject } from "./Evaluation.ts"
export { AuthorizedRequest, AuthorizedTarget, type Authority } from "./internal/authority.ts"

/**
 * The evaluator. `authority` looks the subject's grant up and keeps it up to
 * date until the scope closes.
 *
 * @category services
 * @since 0.1.0
 */
export class Grants extends Context.Service<
  Grants,
  { readonly authority: (subject: Subject) => Effect.Effect<Authority, never, Scope.Scope> }
>()("mooring/grants/Grants") {}

interface Entry {
  readonly asker: Following.Asker
  readonly listeners: Set<Listener>
  readonly evaluate: (answer: Answer) => Evaluation
  answer: Answer
  evaluation: Evaluation
  revision: number
}

/** Goes by another answer from now on. Of a failure that goes on only the reason is new. */
const apply = (entry: Entry, answer: Answer): void => {
  const before = entry.answer
  const isSame =
    canonical(answer.grant) === canonical(before.grant) && (answer.cause === undefined) === (before.cause === undefined)
  entry.answer = answer
  entry.evaluation = entry.evaluate(answer)
  if (isSame) return
  entry.revision++
  for (const listener of entry.listeners) listener.granted()
}

const NOTHING: Answer = { grant: undefined }

/**
 * The evaluator over the `GrantStore` of the context.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<Grants, never, GrantStore> = Layer.effect(
  Grants,
  Effect.gen(function* () {
    const store = yield* GrantStore
    const scope = yield* Effect.scope
    const time = yield* HadTime.make
    const entries = new Set<Entry>()

    const askAll = Effect.suspend(() =>
      Effect.forEach([...entries], ({ asker }) => asker.ask, { concurrency: "unbounded", discard: true })
    )
    yield* Effect.forkScoped(follow(store, "grant store", askAll), { startImmediately: true })

    return Grants.of({
      authority: Effect.fnUntraced(function* (subject) {
        const evaluate = evaluator(subject)
        const entry: Entry = {
          asker: Following.asker(store, subject.pluginRef, scope, time, (answer) => apply(entry, answer)),
          listeners: new Set(),
          evaluate,
          answer: NOTHING,
          evaluation: evaluate(NOTHING),
          revision: 0
        }
        yield* Effect.acquireRelease(
          Effect.sync(() => entries.add(entry)),
          () =>
            Effect.sync(() => {
              entries.delete(entry)
              entry.asker.stop()
            })
        )
        yield* entry.asker.ask
        return authorityOf(entry)
      })
    })
  })
)
