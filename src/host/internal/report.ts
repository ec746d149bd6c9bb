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

type Failure = {
  readonly tag: string
  readonly message: string
  readonly at: number
  readonly isForeign?: boolean
} | null

const lastError = (error: Failure, redaction: Redaction) =>
  error === null
    ? null
    : {
        tag: error.tag,
        message: error.isForeign === true ? redaction.foreign(error.message) : redaction.own(error.message),
        at: time(error.at)
      }

export const plugin = (
  { instance, log, redaction, ref, wanted: { enablement } }: Row,
  limits: Values,
  now: number
): PluginStatus => {
  const { record } = instance
  const { queueBytes, queueDepth, ...dispatchCounters } = record.accounting
  const queues = [record.hostQueue, ...record.slots.map(({ queue }) => queue)]
  const rests = instance.lifecycle === "stopped" || instance.lifecycle === "failed"
  const oldest = queues.flatMap((queue) => queue.oldestAt ?? [])
  return {
    pluginRef: ref,
    version: enablement.version,
    digest: enablement.digest,
    lifecycle: instance.lifecycle,
    reportedStatus:
      record.reportedStatus === null ? null : redaction.json(JSON.parse(record.reportedStatus) as Schema.Json),
    reportedAt: timeOrNull(record.reportedAt),
    queueDepth,
    queueBytes,
    queueCapacity: limits.ingressQueueCapacity,
    oldestQueuedMs: oldest.length === 0 ? 0 : Math.max(0, now - Math.min(...oldest)),
    lastDispatchAt: timeOrNull(record.lastDispatchAt),
    lastError: lastError(record.lastError, redaction),
    retryAt: timeOrNull(instance.retryAt),
    restarts: instance.restarts,
    worker: null,
    timers: record.timers.all.map(({ everyMs, inMs, name, url }) => ({
      name: redaction.foreign(name),
      url: url === null ? null : redaction.own(url),
      nextAt: inMs === null ? null : time(now + inMs),
      everyMs
    })),
    dispatchCounters,
    outputCommandResults: record.results.all().map((result) => ({
      ...result,
      // The plugin may have made them up.
      commandId: redaction.foreign(result.commandId),
      correlationId: redaction.foreign(result.correlationId),
      ...(result.error === undefined
        ? {}
        : { error: { tag: result.error.tag, message: redaction.own(result.error.message) } })
    })),
    websocketConnections: record.slots.map(({ connection: live, queue }) => connection(live, queue, redaction, rests)),
    diagnostics: log.entries(),
    diagnosticCounts: log.counts()
  }
}

const connection = (
  live: Connection,
  queue: IngressQueue,
  redaction: Redaction,
  serviceRests: boolean
): ConnectionStatus => ({
  id: live.source.id,
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
  // While no service runs the attempt may be planned, and nothing waits for it.
  nextAttemptAt: live.state === "closed" || serviceRests ? null : timeOrNull(live.nextAttemptAt),
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
