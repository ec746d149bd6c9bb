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
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Connection from "../connection/Connection.ts"
import * as DialLimiter from "../connection/DialLimiter.ts"
import { Places } from "../connection/Places.ts"
import { SourceUrl } from "../connection/SourceUrl.ts"
import { WebSocketClient } from "../connection/WebSocketClient.ts"
import type { Diagnostic } from "../diagnostics/Diagnostic.ts"
import type { GrantError } from "../grants/GrantError.ts"
import * as Grants from "../grants/Grants.ts"
import type { GrantStore } from "../grants/GrantStore.ts"
import type { Delivery } from "../ingress/Delivery.ts"
import type { IngressError, ServiceFailed, ServiceStopped } from "../ingress/IngressError.ts"
import { follow } from "../internal/following.ts"
import { monotonic } from "../internal/monotonic.ts"
import type { Problem } from "../internal/wire.ts"
import { HeapLimit } from "../limits/HeapLimit.ts"
import * as Limits from "../limits/Limits.ts"
import type { Enablement } from "../manifest/Enablement.ts"
import { PluginConsole } from "../plugin/PluginConsole.ts"
import type { PluginPackage } from "../plugin/PluginRuntime.ts"
import * as RequestHost from "../requests/RequestHost.ts"
import { Secrets } from "../secrets/Secrets.ts"
import * as HadTime from "../time/HadTime.ts"
import type { ExportFailed } from "./ExportError.ts"
import type { HostStatus, PluginStatus } from "./HostStatus.ts"
import { ChangeLog } from "./internal/changeLog.ts"
import * as Document from "./internal/document.ts"
import type { ConfigFile } from "./internal/configuration.ts"
import type { EnabledPackage } from "./internal/entries.ts"
import * as Feeds from "./internal/feeds.ts"
import { IdleSignal } from "./internal/idleSignal.ts"
import { KnownSecrets } from "./internal/knownSecrets.ts"
import * as LogLines from "./internal/logLines.ts"
import { Observers } from "./internal/observers.ts"
import * as Operations from "./internal/operations.ts"
import * as Roster from "./internal/roster.ts"
import type { Shared } from "./internal/shared.ts"
import { turnClock } from "./internal/turnClock.ts"
import type { PluginUnknown, SourceUnknown } from "./LookupError.ts"
import type { Observer } from "./Observer.ts"

export type { ConfigFile } from "./internal/configuration.ts"
export type { EnabledPackage } from "./internal/entries.ts"
export { PluginUnknown, SourceUnknown } from "./LookupError.ts"

/**
 * A new diagnostic, and whose it is: null for one of the host itself.
 *
 * @category models
 * @since 0.2.0
 */
export interface ReportedDiagnostic {
  readonly pluginRef: string | null
  readonly diagnostic: Diagnostic
}

/**
 * What a host runs from now on. Without `plugins` the packages stay the ones
 * that it has, and without `file` so does what its status says of that.
 *
 * @category models
 * @since 0.1.0
 */
export interface Change {
  readonly plugins?: ReadonlyArray<PluginPackage>
  readonly enabled: ReadonlyArray<Enablement | EnabledPackage>
  /** The file that the entries are from, of which status tells the digest and what is wrong with it. */
  readonly file?: ConfigFile
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
    /** Stops a plugin; completes at once, {@link stopped} when it has stopped. */
    readonly stop: (pluginRef: string) => Effect.Effect<void, PluginUnknown>
    /** Ends the instance that runs in order and starts another, also where the plugin was stopped or has failed. */
    readonly restart: (pluginRef: string) => Effect.Effect<void, PluginUnknown>
    /**
     * Completes once the plugin runs, at once if it does. Fails if it is stopped or has failed, also where it will be
     * tried again by itself, and if it is disabled meanwhile.
     */
    readonly awaitRunning: (pluginRef: string) => Effect.Effect<void, PluginUnknown | ServiceFailed | ServiceStopped>
    /**
     * Completes once nothing of the plugin runs any more: it has stopped, has failed, or was disabled and has ended. At
     * the latest when the host has ended.
     */
    readonly stopped: (pluginRef: string) => Effect.Effect<void, PluginUnknown>
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
    /** Tells that the file is of no use now: `config.state` is `rejected` until one is applied. Nothing else changes. */
    readonly reject: (problems: ReadonlyArray<Problem>) => Effect.Effect<void>
    /** Computed now, without waiting for any plugin. */
    readonly status: Effect.Effect<HostStatus>
    /** One row of the status, computed now. */
    readonly plugin: (pluginRef: string) => Effect.Effect<PluginStatus, PluginUnknown>
    /**
     * A status at once, and another whenever something changed; a slow reader skips what it missed. Ends with the host,
     * whose last status comes after everything has stopped.
     */
    readonly changes: Stream.Stream<HostStatus>
    /**
     * Each new diagnostic from now on; repeats within a second are none, they raise a count in the status. A reader that
     * is behind by more than 256 loses the oldest, and is told how many. Ends with the host.
     */
    readonly diagnostics: Stream.Stream<ReportedDiagnostic & { readonly skipped: number }>
    /**
     * Tells an observer what happens, in the turn in which it does, until the scope closes; first of the rows that there
     * are. For metrics and traces: what status doesn't give is told nowhere else.
     */
    readonly observe: (observer: Observer) => Effect.Effect<void, never, Scope.Scope>
    /** Puts what an exporter says of itself among the host's own diagnostics. */
    readonly report: (error: ExportFailed) => Effect.Effect<void>
    /** Completes when nothing waits, is dispatched, dialled or closed. For tests. */
    readonly idle: Effect.Effect<void>
  }
>()("mooring/host/PluginHost") {}

/**
 * What a host runs: the packages it has, and the operator's entries that
 * switch some of them on, by the package's id or with a package of their own.
 * What they are granted comes from the `GrantStore`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly plugins: ReadonlyArray<PluginPackage>
  readonly enabled: ReadonlyArray<Enablement | EnabledPackage>
  /** The file that the entries are from, where they are from one. */
  readonly file?: ConfigFile
  /** Those that differ from the defaults. */
  readonly limits?: Partial<Limits.Values>
}

/**
 * Starts a host in the scope; fails where limits are out of range or can't work together.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<PluginHost["Service"], Limits.LimitsInvalid, Scope.Scope | WebSocketClient | Grants.Grants> {
  const limits = yield* Effect.fromResult(Limits.make(options.limits ?? {}, yield* HeapLimit))
  const feeds = Feeds.make<ReportedDiagnostic>()
  // Whoever reads is told of the end once everything has ended.
  yield* Effect.addFinalizer(() => feeds.end)
  const idle = new IdleSignal()
  const shared = yield* sharedOf(limits, feeds, idle)
  const roster = yield* Roster.make(options.plugins, shared)
  const status = yield* Document.make(shared, roster)
  yield* roster.apply(options)
  yield* Effect.forkScoped(follow(shared.secrets, "secrets", roster.refresh), { startImmediately: true })
  shared.changed()
  return PluginHost.of({
    ...Operations.make(shared, roster, feeds.signals),
    apply: roster.apply,
    reject: (problems) =>
      Effect.sync(() => {
        roster.configuration.reject(problems)
        shared.changed()
      }),
    status,
    changes: Stream.mapEffect(feeds.signals, () => status),
    diagnostics: feeds.records,
    report: (error) => Effect.sync(() => roster.configuration.diagnostics.add(error)),
    observe: (observer) =>
      Effect.asVoid(
        Effect.acquireRelease(
          Effect.sync(() => shared.observers.add(observer, roster.rows)),
          () => Effect.sync(() => shared.observers.remove(observer))
        )
      ),
    idle: idle.wait
  })
})

/** What the plugins of a host share. */
const sharedOf = Effect.fnUntraced(function* (
  limits: Limits.Values,
  feeds: Feeds.Feeds<ReportedDiagnostic>,
  idle: IdleSignal
): Effect.fn.Return<Shared, never, Scope.Scope | WebSocketClient | Grants.Grants> {
  const clock = yield* Clock.clockWith(Effect.succeed)
  const activity = (delta: 1 | -1) => idle.add(delta)
  return {
    client: yield* WebSocketClient,
    sourceUrl: yield* SourceUrl,
    grants: yield* Grants.Grants,
    secrets: yield* Secrets,
    knownSecrets: new KnownSecrets(),
    limits,
    clock,
    clocks: yield* Connection.clocks,
    dials: yield* DialLimiter.make(limits),
    requests: yield* RequestHost.make(limits),
    hostBytes: { used: 0, limit: limits.hostQueueBytes },
    places: new Places(limits.connectionsPerHost),
    runKey: runKey(clock.currentTimeMillisUnsafe(), yield* Random.Random),
    activity,
    changed: feeds.changed,
    recorded: (pluginRef, diagnostic) => {
      feeds.recorded({ pluginRef, diagnostic })
      feeds.changed()
    },
    observers: new Observers(),
    changeLog: new ChangeLog(yield* LogLines.make({ monotonic: monotonic(clock), activity })),
    console: yield* PluginConsole,
    turnNow: yield* turnClock(clock),
    time: yield* HadTime.make
  }
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
