/**
 * Turns what a host counts into the status that people read. Everything is
 * computed here and now; nothing is asked of a plugin.
 */
import type * as Schema from "effect/Schema"
import type { Connection } from "../../connection/Connection.ts"
import type { Redaction } from "../../diagnostics/Redaction.ts"
import type { IngressQueue } from "../../ingress/IngressQueue.ts"
import type { Values } from "../../limits/Limits.ts"
import type { ConnectionStatus, PluginStatus } from "../HostStatus.ts"
import type { Row } from "./assemble.ts"

const time = (millis: number): string => new Date(millis).toISOString()
const timeOrNull = (millis: number | null): string | null => (millis === null ? null : time(millis))

type Failure = { readonly tag: string; readonly message: string; readonly at: number } | null

const lastError = (error: Failure, redaction: Redaction) =>
  error === null ? null : { tag: error.tag, message: redaction.own(error.message), at: time(error.at) }

export const plugin = (row: Row, limits: Values, now: number): PluginStatus => ({
  pluginRef: row.ref,
  version: row.enablement.version,
  digest: row.enablement.digest,
  queueCapacity: limits.ingressQueueCapacity,
  worker: null,
  timers: [],
  diagnostics: row.log.entries(),
  diagnosticCounts: row.log.counts(),
  ...(row.instance === undefined ? withoutInstance(row) : ofInstance(row, row.instance, now))
})

type OfInstance = Omit<
  PluginStatus,
  "pluginRef" | "version" | "digest" | "queueCapacity" | "worker" | "timers" | "diagnostics" | "diagnosticCounts"
>

const withoutInstance = ({ problem, redaction }: Row): OfInstance => ({
  lifecycle: "failed",
  reportedStatus: null,
  reportedAt: null,
  queueDepth: 0,
  queueBytes: 0,
  oldestQueuedMs: 0,
  lastDispatchAt: null,
  lastError:
    problem === undefined
      ? null
      : lastError({ tag: problem.error._tag, message: problem.error.message, at: problem.at }, redaction),
  retryAt: null,
  restarts: 0,
  dispatchCounters: { enqueued: 0, dispatched: 0, failed: 0, timedOut: 0, evicted: 0, discarded: 0, inFlight: 0 },
  outputCommandResults: [],
  websocketConnections: []
})

const ofInstance = ({ redaction }: Row, instance: NonNullable<Row["instance"]>, now: number): OfInstance => {
  const { queueBytes, queueDepth, ...dispatchCounters } = instance.accounting
  const oldest = instance.slots.flatMap(({ queue }) => queue.oldestAt ?? [])
  return {
    lifecycle: instance.lifecycle,
    reportedStatus:
      instance.reportedStatus === null ? null : redaction.json(JSON.parse(instance.reportedStatus) as Schema.Json),
    reportedAt: timeOrNull(instance.reportedAt),
    queueDepth,
    queueBytes,
    oldestQueuedMs: oldest.length === 0 ? 0 : Math.max(0, now - Math.min(...oldest)),
    lastDispatchAt: timeOrNull(instance.lastDispatchAt),
    lastError: lastError(instance.lastError, redaction),
    retryAt: timeOrNull(instance.retryAt),
    restarts: instance.restarts,
    dispatchCounters,
    outputCommandResults: instance.results
      .all()
      .map((result) =>
        result.error === undefined
          ? result
          : { ...result, error: { tag: result.error.tag, message: redaction.own(result.error.message) } }
      ),
    websocketConnections: instance.slots.map(({ connection: live, queue }) => connection(live, queue, redaction))
  }
}

const connection = (live: Connection, queue: IngressQueue, redaction: Redaction): ConnectionStatus => ({
  url: redaction.own(live.source.display),
  ingressName: live.source.ingress,
  state: live.state,
  stopReason: live.stopReason,
  epoch: live.epoch,
  opens: live.epoch,
  attempts: live.attempts,
  since: time(live.since),
  lastFrameAt: timeOrNull(live.totals.lastFrameAt),
  lastPongAt: timeOrNull(live.totals.lastPongAt),
  lastError: lastError(live.lastError, redaction),
  lastClose:
    live.lastClose === null
      ? null
      : { ...live.lastClose, reason: redaction.foreign(live.lastClose.reason), at: time(live.lastClose.at) },
  // While the service restarts the attempt is planned, and nothing waits for it.
  nextAttemptAt: live.state === "closed" ? null : timeOrNull(live.nextAttemptAt),
  subprotocol: live.subprotocol,
  remoteAddress: live.remoteAddress,
  flow: queue.flow,
  receivedTextFrames: queue.receivedText,
  enqueuedText: queue.enqueuedText,
  rejectedText: queue.rejectedText,
  ignoredText: queue.ignoredText,
  receivedBinaryFrames: live.totals.receivedBinaryFrames,
  sentTextFrames: live.totals.sentTextFrames,
  queueDepth: queue.waiting,
  queueDrops: queue.drops,
  sendFailures: live.totals.sendFailures,
  bufferedBytes: live.bufferedBytes
})
