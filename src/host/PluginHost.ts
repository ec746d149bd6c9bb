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
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as DialLimiter from "../connection/DialLimiter.ts"
import * as Source from "../connection/Source.ts"
import { SourceUrl } from "../connection/SourceUrl.ts"
import { WebSocketClient } from "../connection/WebSocketClient.ts"
import type { GrantError } from "../grants/GrantError.ts"
import * as Grants from "../grants/Grants.ts"
import type { GrantStore } from "../grants/GrantStore.ts"
import type { Delivery } from "../ingress/Delivery.ts"
import type { IngressError } from "../ingress/IngressError.ts"
import { monotonic } from "../internal/monotonic.ts"
import { VERSION } from "../internal/version.ts"
import { HeapLimit } from "../limits/HeapLimit.ts"
import * as Limits from "../limits/Limits.ts"
import type { Enablement } from "../manifest/Enablement.ts"
import type { PluginPackage } from "../plugin/PluginRuntime.ts"
import type { HostStatus } from "./HostStatus.ts"
import type * as Assemble from "./internal/assemble.ts"
import { IdleSignal } from "./internal/idleSignal.ts"
import { lagProbe } from "./internal/lagProbe.ts"
import * as Report from "./internal/report.ts"
import { residentSize } from "./internal/residentSize.ts"
import * as Roster from "./internal/roster.ts"
import { turnClock } from "./internal/turnClock.ts"

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
 * The plugin has no source of this id or URL.
 *
 * @category errors
 * @since 0.1.0
 */
export class SourceUnknown extends Schema.TaggedError<SourceUnknown>("mooring/host/SourceUnknown")("SourceUnknown", {
  pluginRef: Schema.String
}) {
  override get message(): string {
    return `${this.pluginRef} has no source of this id or URL`
  }
}

/**
 * What a host runs from now on. Without `plugins` the packages stay the ones
 * that it has.
 *
 * @category models
 * @since 0.1.0
 */
export interface Change {
  readonly plugins?: ReadonlyArray<PluginPackage>
  readonly enabled: ReadonlyArray<Enablement>
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
    /** Ends the instance that runs in order and starts another, also where the plugin was stopped or has failed. */
    readonly restart: (pluginRef: string) => Effect.Effect<void, PluginUnknown>
    /**
     * Closes a source's connection and dials anew at once, whatever it was stopped for but a missing grant or a limit.
     * `source` is the source's id, or its URL: then it is every source of that URL.
     */
    readonly reconnect: (pluginRef: string, source: string) => Effect.Effect<void, PluginUnknown | SourceUnknown>
    /**
     * Hands a plugin an event of the application's own: of a kind that its ingress lists, with any JSON as payload.
     * Succeeds with the event's correlation id once it is enqueued; a queue that is full drops its oldest.
     */
    readonly deliver: (
      pluginRef: string,
      delivery: Delivery
    ) => Effect.Effect<string, PluginUnknown | IngressError | GrantError>
    /**
     * Enables another set of plugins: starts what is new, stops what is gone, restarts what changed and touches nothing
     * else. Grants are not compared: they come from the `GrantStore`. Completes when all of them have been told.
     */
    readonly apply: (change: Change) => Effect.Effect<void>
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
  /** Those that differ from the defaults. */
  readonly limits?: Partial<Limits.Values>
}

/**
 * Starts a host in the scope; fails for limits that can't be.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<PluginHost["Service"], Limits.LimitsInvalid, Scope.Scope | WebSocketClient | Grants.Grants> {
  const clock = yield* Clock.clockWith(Effect.succeed)
  const random = yield* Random.Random
  const limits = yield* Effect.fromResult(Limits.make(options.limits ?? {}, yield* HeapLimit))
  const changed = yield* PubSub.sliding<void>({ capacity: 1, replay: 1 })
  const idle = new IdleSignal()
  const lag = yield* lagProbe(clock)
  const dials = yield* DialLimiter.make(limits)
  const startedAt = clock.currentTimeMillisUnsafe()
  const uptime = monotonic(clock)
  const startedUp = uptime()
  const rssBytes = residentSize()
  const shared: Assemble.Shared = {
    client: yield* WebSocketClient,
    sourceUrl: yield* SourceUrl,
    grants: yield* Grants.Grants,
    limits,
    clock,
    dials,
    hostBytes: { used: 0, limit: limits.hostQueueBytes },
    places: new Set(),
    runKey: runKey(startedAt, random),
    activity: (delta) => idle.add(delta),
    changed: () => PubSub.publishUnsafe(changed, undefined),
    turnNow: yield* turnClock(clock)
  }

  const roster = yield* Roster.make(options.plugins, shared)
  yield* roster.apply(options.enabled)

  const status = Effect.sync((): HostStatus => {
    const now = clock.currentTimeMillisUnsafe()
    return {
      schema: 1,
      host: {
        version: VERSION,
        at: new Date(now).toISOString(),
        startedAt: new Date(startedAt).toISOString(),
        uptimeMs: Math.floor(uptime() - startedUp),
        eventLoopLagMs: lag(),
        rssBytes: rssBytes(),
        dialsWaiting: dials.waiting(),
        proxy: false,
        config: {
          state: roster.problems.length === 0 ? "applied" : "partly",
          appliedAt: new Date(roster.appliedAt).toISOString(),
          digest: null,
          problems: roster.problems
        },
        diagnostics: []
      },
      plugins: roster.rows.map((row) => Report.plugin(row, limits, now))
    }
  })

  const rowOf = (pluginRef: string): Effect.Effect<Assemble.Row, PluginUnknown> =>
    Effect.suspend(() => {
      const row = roster.find(pluginRef)
      return row === undefined ? Effect.fail(new PluginUnknown({ pluginRef })) : Effect.succeed(row)
    })

  const reconnect = Effect.fnUntraced(function* (pluginRef: string, named: string) {
    const { instance } = yield* rowOf(pluginRef)
    const isMeant = Source.isNamed(named)
    const meant = instance.record.slots.filter(({ connection }) => isMeant(connection.source))
    if (meant.length === 0) return yield* new SourceUnknown({ pluginRef })
    for (const { connection } of meant) connection.redialNow()
  })

  const deliver = Effect.fnUntraced(function* (pluginRef: string, delivery: Delivery) {
    const { instance, log } = yield* rowOf(pluginRef)
    const delivered = instance.deliver(delivery)
    if (Result.isFailure(delivered)) log.add(delivered.failure)
    return yield* Effect.fromResult(delivered)
  })

  shared.changed()
  return PluginHost.of({
    start: (pluginRef) => Effect.map(rowOf(pluginRef), ({ instance }) => instance.start()),
    stop: (pluginRef) => Effect.map(rowOf(pluginRef), ({ instance }) => instance.stop()),
    restart: (pluginRef) => Effect.map(rowOf(pluginRef), ({ instance }) => instance.restart()),
    reconnect,
    deliver,
    apply: (change) => roster.apply(change.enabled, change.plugins),
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
export const layer = (options: Options): Layer.Layer<PluginHost, Limits.LimitsInvalid, WebSocketClient | GrantStore> =>
  Layer.effect(PluginHost, make(options)).pipe(Layer.provide(Grants.layer))

/** Distinguishes this run of the host from every other: correlation ids begin with it. */
const runKey = (startedAt: number, random: { nextIntUnsafe(): number }): string =>
  `${startedAt.toString(36)}${Math.abs(random.nextIntUnsafe()).toString(36)}`
