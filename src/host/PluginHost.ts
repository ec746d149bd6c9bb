/**
 * The host: runs the enabled plugins for as long as its scope is open.
 *
 * Everything that can go wrong with a plugin is a row of the status with its
 * reason, never a failed layer. Closing the scope ends the handlers, closes
 * every socket in order and leaves nothing behind.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as DialLimiter from "../connection/DialLimiter.ts"
import { WebSocketClient } from "../connection/WebSocketClient.ts"
import * as Grants from "../grants/Grants.ts"
import type { GrantStore } from "../grants/GrantStore.ts"
import { VERSION } from "../internal/version.ts"
import { Limits } from "../limits/Limits.ts"
import { refOf, type Enablement } from "../manifest/Enablement.ts"
import type { PluginPackage } from "../plugin/PluginRuntime.ts"
import type { HostStatus } from "./HostStatus.ts"
import * as Assemble from "./internal/assemble.ts"
import { IdleSignal } from "./internal/idleSignal.ts"
import { lagProbe } from "./internal/lagProbe.ts"
import { turnClock } from "./internal/turnClock.ts"
import * as Report from "./internal/report.ts"

/**
 * No enabled plugin has this reference.
 *
 * @category errors
 * @since 0.1.0
 */
export class PluginUnknown extends Schema.TaggedError<PluginUnknown>("mooring/host/PluginUnknown")("PluginUnknown", {
  pluginRef: Schema.String
}) {
  override get message(): string {
    return `no enabled plugin is called ${this.pluginRef}`
  }
}

/**
 * The host as a service. Plugins are named by their reference:
 * `project:example.echo`, with `#instance` behind it where there is one.
 *
 * @category services
 * @since 0.1.0
 */
export class PluginHost extends Context.Service<
  PluginHost,
  {
    /** Starts a plugin that was stopped or has failed. */
    readonly start: (pluginRef: string) => Effect.Effect<void, PluginUnknown>
    /** Stops a plugin; completes at once, the status says when it has stopped. */
    readonly stop: (pluginRef: string) => Effect.Effect<void, PluginUnknown>
    /** Computed now, without waiting for any plugin. */
    readonly status: Effect.Effect<HostStatus>
    /** A status at once, and another whenever something changed; a slow reader skips what it missed. */
    readonly changes: Stream.Stream<HostStatus>
    /** Completes when nothing waits, is dispatched, dialled or closed. For tests. */
    readonly idle: Effect.Effect<void>
  }
>()("mooring/host/PluginHost") {}

/**
 * What a host runs: the packages it has, and the operator's entries that
 * switch some of them on. What they are granted comes from the `GrantStore`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly plugins: ReadonlyArray<PluginPackage>
  readonly enabled: ReadonlyArray<Enablement>
}

/**
 * Starts a host in the scope.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<PluginHost["Service"], never, Scope.Scope | WebSocketClient | Grants.Grants> {
  const clock = yield* Clock.clockWith(Effect.succeed)
  const random = yield* Random.Random
  const limits = yield* Limits
  const changed = yield* PubSub.sliding<void>({ capacity: 1, replay: 1 })
  const idle = new IdleSignal()
  const lag = yield* lagProbe(clock)
  const dials = yield* DialLimiter.make(limits)
  const startedAt = clock.currentTimeMillisUnsafe()
  const shared: Assemble.Shared = {
    client: yield* WebSocketClient,
    grants: yield* Grants.Grants,
    limits,
    clock,
    dials,
    hostBytes: { used: 0, limit: limits.hostQueueBytes },
    connections: { used: 0 },
    runKey: runKey(startedAt, random),
    activity: (delta) => idle.add(delta),
    changed: () => PubSub.publishUnsafe(changed, undefined),
    turnNow: yield* turnClock(clock)
  }

  const enabled = new Map<string, Enablement>()
  const problems: Array<{ readonly path: string; readonly message: string }> = []
  for (const [index, enablement] of options.enabled.entries()) {
    const ref = refOf(enablement)
    if (enabled.has(ref)) {
      problems.push({ path: `enabled[${index}]`, message: "Expected an id and instance that occur once" })
    } else enabled.set(ref, enablement)
  }
  // Side by side: a grant store that is slow to answer is so once, not once for each plugin.
  const assembled = yield* Effect.forEach(
    [...enabled.values()],
    (enablement, index) => Assemble.row(enablement, options.plugins, index, shared),
    { concurrency: "unbounded" }
  )
  const rows = new Map(assembled.map((row) => [row.ref, row]))
  // All plugins stop side by side: one that is slow to stop doesn't hold up the others.
  const running = yield* Scope.make("parallel")
  yield* Effect.addFinalizer(() => Scope.close(running, Exit.void))
  for (const { instance } of rows.values()) {
    if (instance !== undefined) yield* Scope.provide(instance.supervised, running)
  }

  const status = Effect.sync((): HostStatus => {
    const now = clock.currentTimeMillisUnsafe()
    return {
      host: {
        version: VERSION,
        at: new Date(now).toISOString(),
        startedAt: new Date(startedAt).toISOString(),
        uptimeMs: Math.max(0, now - startedAt),
        eventLoopLagMs: lag(),
        rssBytes: rssBytes(),
        dialsWaiting: dials.waiting(),
        config: {
          state: problems.length === 0 ? "applied" : "partly",
          appliedAt: new Date(startedAt).toISOString(),
          digest: null,
          problems
        },
        diagnostics: []
      },
      plugins: [...rows.values()].map((row) => Report.plugin(row, limits, now))
    }
  })

  const withInstance = (pluginRef: string, f: (instance: NonNullable<Assemble.Row["instance"]>) => void) =>
    Effect.suspend(() => {
      const row = rows.get(pluginRef)
      if (row === undefined) return Effect.fail(new PluginUnknown({ pluginRef }))
      if (row.instance !== undefined) f(row.instance)
      return Effect.void
    })

  shared.changed()
  return PluginHost.of({
    start: (pluginRef) => withInstance(pluginRef, (instance) => instance.start()),
    stop: (pluginRef) => withInstance(pluginRef, (instance) => instance.stop()),
    status,
    changes: Stream.mapEffect(Stream.fromPubSub(changed), () => status),
    idle: idle.wait
  })
})

/**
 * Provides a running host.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<PluginHost, never, WebSocketClient | GrantStore> =>
  Layer.effect(PluginHost, make(options)).pipe(Layer.provide(Grants.layer))

/** Distinguishes this run of the host from every other: correlation ids begin with it. */
const runKey = (startedAt: number, random: { nextIntUnsafe(): number }): string =>
  `${startedAt.toString(36)}${Math.abs(random.nextIntUnsafe()).toString(36)}`

const rssBytes = (): number => globalThis.process?.memoryUsage.rss() ?? 0
