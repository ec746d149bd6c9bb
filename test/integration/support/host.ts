/** A host with one plugin that writes down what it is handed, on real sockets. */
import { assert } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import { GrantStore, type HostStatus, type IngressEvent, type Limits, PluginHost, type ServicePlugin } from "mooring"
import { SystemSecrets, WsClient } from "mooring/node"
import { EVENT_KINDS } from "../../support/frames.ts"
import { enable, plugin as packageOf } from "../../support/plugins.ts"

/** Dials again almost at once. */
export const SOON = { initial_ms: 10, max_ms: 10 }
/** Doesn't dial again while a test runs. */
export const LATER = { initial_ms: 3_600_000, max_ms: 3_600_000 }

export interface Setup {
  readonly sources: ReadonlyArray<string>
  readonly reconnect?: { readonly [key: string]: unknown }
  readonly limits?: Partial<Limits.Values>
  readonly client?: WsClient.Options
  /** Further settings of the sources, as a host file has them. */
  readonly settings?: { readonly [key: string]: unknown }
  /** The host that manifest and grant name. */
  readonly target?: string
  readonly subprotocols?: ReadonlyArray<string>
  readonly grant?: { readonly [key: string]: unknown }
  readonly text?: ServicePlugin.Handlers["websocket_text"]
  readonly open?: ServicePlugin.Handlers["websocket_open"]
  readonly timer?: ServicePlugin.Handlers["timer"]
  /** Without it the ingress takes no binary frames. Those that it takes are written down like texts. */
  readonly binary?: ServicePlugin.Handlers["websocket_binary"]
  /** Whether texts are written down; state events always are. */
  readonly recordsTexts?: boolean
}

/** What can be seen from outside at one moment. `connection` is the first. */
export interface Seen {
  readonly at: number
  readonly plugin: HostStatus.PluginStatus
  readonly connection: HostStatus.ConnectionStatus
  readonly events: ReadonlyArray<string>
}

export const runHost = (setup: Setup) =>
  Effect.gen(function* () {
    const { binary, grant, limits, reconnect = LATER, recordsTexts = true, sources, subprotocols = [], text } = setup
    const handed: Array<IngressEvent.IngressEvent> = []
    const record = (event: IngressEvent.IngressEvent) => {
      handed.push(event)
      return Exit.void
    }
    const target = { scheme: "*", host: setup.target ?? "127.0.0.1", port: "*", subprotocols } as const
    const pkg = packageOf({
      sources,
      ...(binary === undefined ? {} : { ingress: { eventKinds: [...EVENT_KINDS] } }),
      websocket: [{ ...target, pathPrefixes: ["/"] }],
      handlers: {
        gateway: {
          websocket_open: (event) => {
            handed.push(event)
            return setup.open?.(event) ?? Exit.void
          },
          timer: (event) => setup.timer?.(event) ?? Exit.void,
          websocket_close: record,
          websocket_error: record,
          websocket_text: (event) => {
            if (recordsTexts) handed.push(event)
            return text?.(event) ?? Exit.void
          },
          websocket_binary: (event) => {
            if (recordsTexts) handed.push(event)
            return binary?.(event) ?? Exit.void
          }
        }
      }
    })
    const enablement = enable(pkg, {
      grants: { permissions: pkg.manifest.permissions, websocket: [{ ...target, path_prefixes: ["/"], ...grant }] },
      sources: { gateway: { reconnect, ...setup.settings } }
    })
    const live = PluginHost.layer({
      plugins: [pkg],
      enabled: [enablement],
      limits: { closeGraceMs: 200, ...limits }
    }).pipe(
      Layer.provide([
        GrantStore.layer([enablement]),
        WsClient.layerOptions(setup.client),
        SystemSecrets.layer(),
        // The middle of every backoff, so that nothing here depends on chance.
        Layer.succeed(Random.Random, { nextDoubleUnsafe: () => 0.5, nextIntUnsafe: () => 1 })
      ])
    )
    const scope = yield* Effect.acquireRelease(Scope.make(), (it) => Scope.close(it, Exit.void))
    const host = Context.get(yield* Layer.buildWithScope(live, scope), PluginHost.PluginHost)
    // Its secrets are asked for before it has sources.
    yield* eventually(host.status, ({ plugins }) => plugins.some((row) => row.websocketConnections.length > 0))
    const seen = Effect.map(host.status, (status): Seen => {
      const plugin = the(status.plugins[0])
      return {
        at: Date.parse(status.host.at),
        plugin,
        connection: the(plugin.websocketConnections[0]),
        events: handed.map(told)
      }
    })
    return {
      /** The events that the handlers got. */
      handed,
      seen,
      /** Waits until what can be seen is as it should be. */
      until: (holds: (seen: Seen) => boolean) => eventually(seen, holds),
      untilOpen: (epoch: number) =>
        eventually(seen, ({ connection, events }) => connection.state === "open" && events.includes(`open ${epoch}`)),
      /** Closes the host's scope. */
      stop: Scope.close(scope, Exit.void)
    }
  })

export const the = <A>(value: A | undefined): A => {
  if (value === undefined) throw new Error("there is none")
  return value
}

const WITHIN_MS = 10_000

/** Looks again and again until what it sees is as it should be; fails with what it saw last. */
export const eventually = <A, R>(
  look: Effect.Effect<A, never, R>,
  holds: (seen: A) => boolean,
  withinMs = WITHIN_MS
): Effect.Effect<A, never, R> =>
  Effect.gen(function* () {
    const deadline = performance.now() + withinMs
    while (true) {
      const seen = yield* look
      if (holds(seen)) return seen
      if (performance.now() > deadline) {
        return yield* Effect.die(new Error(`not within ${withinMs} ms: ${holds}\nlast: ${JSON.stringify(seen)}`))
      }
      yield* Effect.sleep("5 millis")
    }
  })

/** An event in a few words. */
const told = (event: IngressEvent.IngressEvent): string => {
  switch (event.kind) {
    case "timer":
      return `timer ${event.name}`
    case "host_response":
      return `response ${event.error?.tag ?? event.answer?.status}`
    case "command_result":
      return `result ${event.result.status}`
    case "websocket_open":
      return `open ${event.epoch}`
    case "websocket_text":
      return `text ${event.epoch}.${event.frame} ${event.text}`
    case "websocket_binary":
      return `binary ${event.epoch}.${event.frame} ${Buffer.from(event.bytes).toString("hex")}`
    case "websocket_error":
      return `error ${event.epoch} ${event.error.tag}, ${follows(event)}`
    case "websocket_close":
      return `close ${event.epoch} ${event.code} ${event.clean ? "clean" : "unclean"}, ${follows(event)}`
  }
}

const follows = (event: { readonly willReconnect: boolean }) => (event.willReconnect ? "dials again" : "stops")

/** The three things that every case checks: the state, the events, the diagnostics; `severity tag × count`. */
export const assertSeen = (
  { connection, events, plugin }: Seen,
  expected: {
    readonly state: string
    readonly epoch: number
    readonly events: ReadonlyArray<string>
    readonly diagnostics: ReadonlyArray<string>
  }
): void => {
  assert.deepStrictEqual(
    {
      state: connection.stopReason === null ? connection.state : `${connection.state} ${connection.stopReason}`,
      epoch: connection.epoch,
      events,
      diagnostics: plugin.diagnostics.map(({ count, severity, tag }) => `${severity} ${tag} × ${count}`)
    },
    expected
  )
  const counted: Record<string, number> = {}
  for (const { count, tag } of plugin.diagnostics) counted[tag] = (counted[tag] ?? 0) + count
  assert.deepStrictEqual(plugin.diagnosticCounts, counted)
  assertAccounted(plugin)
}

/** Rule 2 of the design. */
export const assertAccounted = ({
  dispatchCounters: of,
  queueDepth,
  websocketConnections
}: HostStatus.PluginStatus): void => {
  assert.strictEqual(
    of.enqueued,
    of.dispatched + of.failed + of.timedOut + of.evicted + of.discarded + queueDepth + of.inFlight
  )
  for (const { enqueuedText, ignoredText, receivedTextFrames, rejectedText } of websocketConnections) {
    assert.strictEqual(receivedTextFrames, enqueuedText + rejectedText + ignoredText)
  }
}

/** The error of the one diagnostic with this tag. */
export const errorOf = ({ plugin }: Seen, tag: string) => the(plugin.diagnostics.find((it) => it.tag === tag)).error

/** How far ahead the next attempt is, in seconds; null where there is none. */
export const secondsUntilNext = ({ at, connection: { nextAttemptAt } }: Seen): number | null =>
  nextAttemptAt === null ? null : Math.round((Date.parse(nextAttemptAt) - at) / 1000)
