/**
 * Secrets for tests: variables and files that are there without an environment
 * or a disk, and change when the test says so.
 *
 * @since 0.3.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as Secrets from "../secrets/Secrets.ts"

/**
 * Variables of the environment by name, and contents of files by path.
 *
 * @category models
 * @since 0.3.0
 */
export interface Values {
  readonly env?: { readonly [name: string]: string }
  readonly files?: { readonly [path: string]: string }
}

/**
 * Changes what there is.
 *
 * @category services
 * @since 0.3.0
 */
export class StaticSecrets extends Context.Service<
  StaticSecrets,
  {
    /** From now on there are these, and no others; whoever follows the changes is told. */
    readonly replace: (values: Values) => Effect.Effect<void>
  }
>()("mooring/testing/StaticSecrets") {}

const own = (table: { readonly [name: string]: string } = {}, name: string): string | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined

/**
 * Provides the port with these values, and what changes them.
 *
 * @category layers
 * @since 0.3.0
 */
export const layer = (values: Values): Layer.Layer<StaticSecrets> =>
  Layer.effectContext(
    Effect.gen(function* () {
      let current = values
      const changed = yield* PubSub.sliding<void>(1)
      return Context.make(StaticSecrets, {
        replace: (next) =>
          Effect.suspend(() => {
            current = next
            return Effect.asVoid(PubSub.publish(changed, undefined))
          })
      }).pipe(
        Context.add(Secrets.Secrets, {
          lookup: ({ from }) =>
            Effect.suspend(() => {
              const value = "env" in from ? own(current.env, from.env) : own(current.files, from.file)
              const problem = "env" in from ? "Expected a variable that is set" : "Expected a file that is there"
              return value === undefined
                ? Effect.fail(new Secrets.SecretUnavailable({ problem }))
                : Effect.succeed(Redacted.make(value))
            }),
          changes: Stream.fromPubSub(changed)
        })
      )
    })
  )
