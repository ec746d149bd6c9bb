/**
 * Whether a host is ready: once the first attempts are over, and where not each
 * enabled plugin has failed.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { HostStatus } from "../../host/HostStatus.ts"
import type { PluginHost } from "../../host/PluginHost.ts"

/** Why it isn't; undefined where it is. */
export type Readiness = Effect.Effect<string | undefined>

const isOver = ({ plugins }: HostStatus): boolean =>
  plugins.every(({ lifecycle }) => lifecycle !== "ready" && lifecycle !== "starting")

const haveAllFailed = ({ plugins }: HostStatus): boolean =>
  plugins.length > 0 && plugins.every(({ lifecycle }) => lifecycle === "failed")

/** From now on. That they are over stays so, whatever starts later. */
export const make = ({ changes, status }: PluginHost["Service"]): Effect.Effect<Readiness, never, Scope.Scope> =>
  Effect.gen(function* () {
    let areOver = false
    const attempts = Effect.map(Stream.runHead(Stream.filter(changes, isOver)), () => {
      areOver = true
    })
    yield* Effect.forkScoped(attempts, { startImmediately: true })
    return Effect.map(status, (now) => {
      if (!areOver && !isOver(now)) return "the first attempts to start are under way"
      return haveAllFailed(now) ? "each enabled plugin has failed" : undefined
    })
  })
