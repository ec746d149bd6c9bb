/**
 * Runs a host for as long as it is asked to, and reports on it.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { HostStatus } from "../../host/HostStatus.ts"
import * as PluginHost from "../../host/PluginHost.ts"
import { untilDone, type Reporting } from "./options.ts"
import { Output } from "./output.ts"
import { reporter } from "./reporter.ts"

interface Work<E> {
  /** What is reported. */
  readonly status: Effect.Effect<HostStatus>
  /** What goes on beside it; the host ends where that fails. */
  readonly beside: Effect.Effect<never, E>
}

/** However it ends, the host stops first and the last document says so. */
export const hosting = <Services, E, E2>(
  host: Layer.Layer<PluginHost.PluginHost | Services, E>,
  asked: Reporting,
  work: (
    host: PluginHost.PluginHost["Service"],
    services: Context.Context<PluginHost.PluginHost | Services>
  ) => Work<E2>
) =>
  Effect.gen(function* () {
    const { every, last } = yield* reporter(asked)
    const { screen } = yield* Output
    const scope = yield* Scope.make()
    return yield* Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const built = yield* Effect.onError(restore(Layer.buildWithScope(host, scope)), () =>
          // What was going on until now doesn't any more.
          Effect.andThen(
            Effect.sync(() => screen.show(() => [])),
            Scope.close(scope, Exit.void)
          )
        )
        const { beside, status } = work(Context.get(built, PluginHost.PluginHost), built)
        const ended = yield* Effect.exit(restore(Effect.raceAllFirst([every(status), untilDone(asked), beside])))
        yield* Scope.close(scope, Exit.void)
        yield* Effect.flatMap(status, last)
        yield* ended
      })
    )
  })
