/**
 * Turns what a host counts into the status that people read. Everything is
 * computed here and now; nothing is asked of a plugin.
 */
import type { Connection } from "../../connection/Connection.ts"
import * as Diagnostic from "../../diagnostics/Diagnostic.ts"
import type { Redaction } from "../../diagnostics/Redaction.ts"
import type { IngressQueue } from "../../ingress/IngressQueue.ts"
import type { Values } from "../../limits/Limits.ts"
import type { ConnectionStatus, PluginStatus } from "../HostStatus.ts"
import type { Row } from "./assemble.ts"

// Whatever is planned is told as a time that a reader takes: none after the year 9999.
const LAST_TIME = Date.UTC(9999, 11, 31, 23, 59, 59, 999)

const time = (millis: number): string => new Date(Math.min(LAST_TIME, millis)).toISOString()
const timeOrNull = (millis: number | null): string | null => (millis === null ? null : time(millis))

type Failure = { readonly tag: string; readonly message: string; readonly at: number } | null

const lastError = (error: Failure, redaction: Redaction) =>
  error === null ? null : { tag: error.tag, message: messageOf(error, redaction), at: time(error.at) }

const messageOf = ({ message, tag }: { readonly tag: string; readonly message: string }, redaction: Redaction) =>
  Diagnostic.message({ _tag: tag, message }, redaction)

const NO_REQUESTS = { executed: 0, answered: 0, failed: 0, waiting: 0, inFlight: 0, abandoned: 0 }

export const plugin = (row: Row, limits: Values, now: number): PluginStatus => {
  const { instance, log, redaction, ref, wanted } = row
  const { record } = instance
  const { queueBytes, queueDepth, ...dispatchCounters } = record.accounting
  const queues = [record.hostQueue, ...record.slots.map(({ queue }) => queue)]
  const rests = instance.lifecycle === "stopped" || instance.lifecycle === "failed"
  const oldest = queues.flatMap((queue) => queue.oldestAt ?? [])
  return {
    pluginRef: ref,
    version: wanted.enablement.version,
    digest: wanted.enablement.digest,
    lifecycle: instance.lifecycle,
    reportedStatus: row.reported.of(record.reportedStatus, redaction),
    reportedAt: timeOrNull(record.reportedAt),
    queueDepth,
    queueBytes,
    queueCapacity: limits.ingressQueueCapacity,
    oldestQueuedMs: oldest.length === 0 ? 0 : Math.max(0, now - Math.min(...oldest)),
    lastDispatchAt: timeOrNull(record.lastDispatchAt),
    lastError: lastError(record.lastError, redaction),
    retryAt: timeOrNull(instance.retryAt),
    restarts: instance.restarts,
    worker: record.sandbox?.().worker ?? null,
    consoleLines: record.sandbox?.().consoleLines ?? 0,
    timers: record.timers.all.map(({ everyMs, inMs, name, url }) => ({
      name: redaction.foreign(name),
      url: url === null ? null : redaction.own(url),
      nextAt: inMs === null ? null : time(now + inMs),
      everyMs
    })),
    requests: NO_REQUESTS,
    dispatchCounters,
    outputCommandResults: record.results.all().map((result) => ({
      ...result,
      // The plugin may have made them up.
      commandId: redaction.foreign(result.commandId),
      correlationId: redaction.foreign(result.correlationId),
      ...(result.error === undefined ? {} : { error: { ...result.error, message: messageOf(result.error, redaction) } })
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
  roundTripMs: live.totals.roundTripMs,
  peerCertificateExpiresAt: timeOrNull(live.peerCertificateExpiresAt),
  lastError: lastError(live.lastError, redaction),
  lastClose:
    live.lastClose === null
      ? null
      : { ...live.lastClose, reason: redaction.foreign(live.lastClose.reason), at: time(live.lastClose.at) },
  // While no service runs the attempt may be planned, and nothing waits for it.
  nextAttemptAt: live.state === "closed" || serviceRests ? null : timeOrNull(live.nextAttemptAt),
  subprotocol: live.subprotocol,
  remoteAddress: live.remoteAddress,
  flow: queue.backpressure.flow,
  receivedTextFrames: queue.receivedText,
  enqueuedText: queue.enqueuedText,
  rejectedText: queue.rejectedText,
  ignoredText: queue.ignoredText,
  receivedBinaryFrames: live.totals.receivedBinaryFrames,
  enqueuedBinary: 0,
  rejectedBinary: 0,
  unsupportedBinary: live.totals.receivedBinaryFrames,
  autoReplied: queue.autoReplied,
  sentTextFrames: live.totals.sentTextFrames,
  sentBinaryFrames: 0,
  queueDepth: queue.waiting,
  queueCapacity: queue.capacity,
  queueDrops: queue.drops,
  sendFailures: live.totals.sendFailures,
  unconfirmedFrames: live.totals.unconfirmedFrames,
  unconfirmedAtEnds: live.totals.unconfirmedAtEnds,
  bufferedBytes: live.bufferedBytes
})
