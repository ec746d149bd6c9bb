/** Hosts for tests: the layers put together once. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import { type Enablement, type Limits, PluginHost, type HostStatus, type PluginRuntime } from "mooring"
import { FakeWebSocket, TestHost } from "mooring/testing"
import { enable } from "./plugins.ts"

export interface Setup {
  readonly plugins: ReadonlyArray<PluginRuntime.PluginPackage>
  readonly enabled?: ReadonlyArray<Enablement.Enablement>
  readonly limits?: Partial<Limits.Values>
  readonly answers?: TestHost.Options["answers"]
}

/** A host on the fake network, with grants that can be changed. */
export const onFake = ({ answers = {}, enabled, limits, plugins }: Setup) =>
  TestHost.layer({
    plugins,
    enabled: enabled ?? plugins.map((pkg) => enable(pkg)),
    // Whoever pings waits for time that is had, and hours of that are a hundred thousand slices.
    limits: { pingIntervalMs: 0, ...limits },
    answers
  }).pipe(
    // Half of what full jitter may be, always.
    Layer.provideMerge(Layer.succeed(Random.Random, { nextDoubleUnsafe: () => 0.5, nextIntUnsafe: () => 1 }))
  )

/** Lets everything run that is ready, where `idle` would wait for a handler that sleeps. */
export const settled = Effect.forEach(Array.from({ length: 12 }), () => Effect.yieldNow, { discard: true })

/** The first connection of a URL is open, and the plugin has seen that. */
export const opened = (url: string) =>
  Effect.gen(function* () {
    const fake = yield* FakeWebSocket.FakeWebSocket
    const host = yield* PluginHost.PluginHost
    const remote = yield* fake.remote(url)
    yield* host.idle
    return { fake, host, remote }
  })

/** The row of a plugin in the status now. */
export const rowOf = (pluginRef: string): Effect.Effect<HostStatus.PluginStatus, never, PluginHost.PluginHost> =>
  Effect.gen(function* () {
    const { status } = yield* PluginHost.PluginHost
    const row = (yield* status).plugins.find((plugin) => plugin.pluginRef === pluginRef)
    return row ?? (yield* Effect.die(new Error(`no row ${pluginRef}`)))
  })

/** What isn't accounted for of a plugin. Results and delivered events that slid out belong to no connection. */
export const accountingProblem = (
  row: HostStatus.PluginStatus,
  hostEvents: "may slide" | "don't slide" = "don't slide"
): string | undefined => {
  const { discarded, dispatched, enqueued, evicted, failed, inFlight, timedOut } = row.dispatchCounters
  const sum = dispatched + failed + timedOut + evicted + discarded + row.queueDepth + inFlight
  if (enqueued !== sum) return `enqueued ${enqueued}, accounted for ${sum}`
  const drops = row.websocketConnections.reduce((total, connection) => total + connection.queueDrops, 0)
  if (hostEvents === "may slide" ? drops > evicted : drops !== evicted) {
    return `evicted ${evicted}, queue_drops ${drops}`
  }
  if ((row.diagnosticCounts["QueueOverflow"] ?? 0) !== evicted) return "each eviction is one QueueOverflow"
  for (const connection of row.websocketConnections) {
    const { autoReplied, enqueuedText, ignoredText, receivedTextFrames, rejectedText } = connection
    if (receivedTextFrames !== enqueuedText + rejectedText + ignoredText + autoReplied)
      return `texts of ${connection.url}`
    const { enqueuedBinary, receivedBinaryFrames, rejectedBinary, unsupportedBinary } = connection
    if (receivedBinaryFrames !== enqueuedBinary + rejectedBinary + unsupportedBinary)
      return `binary frames of ${connection.url}`
  }
  return undefined
}
