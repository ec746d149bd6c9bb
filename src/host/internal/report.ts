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

type Failure = { readonly tag: string; readonly message: string; readonly at: number } | null

const lastError = (error: Failure, { redaction, times }: Row) =>
  error === null ? null : { tag: error.tag, message: messageOf(error, redaction), at: times.of(error.at) }

const messageOf = ({ message, tag }: { readonly tag: string; readonly message: string }, redaction: Redaction) =>
  Diagnostic.message({ _tag: tag, message }, redaction)

export const plugin = (row: Row, limits: Values, now: number): PluginStatus => {
  const { instance, log, redaction, ref, times, wanted } = row
  const { record } = instance
  // One by one: a rest pattern alone would take a tenth of what a row costs.
  const { discarded, dispatched, enqueued, evicted, failed, inFlight, queueBytes, queueDepth, timedOut } =
    record.accounting
  const rests = instance.lifecycle === "stopped" || instance.lifecycle === "failed"
  const oldestAt = oldestOf(record)
  return {
    pluginRef: ref,
    version: wanted.enablement.version,
    digest: wanted.enablement.digest,
    lifecycle: instance.lifecycle,
    reportedStatus: row.reported.of(record.reportedStatus, redaction),
    reportedAt: times.orNull(record.reportedAt),
    queueDepth,
    queueBytes,
    queueCapacity: limits.ingressQueueCapacity,
    oldestQueuedMs: oldestAt === undefined ? 0 : Math.max(0, now - oldestAt),
    lastDispatchAt: times.orNull(record.lastDispatchAt),
    lastError: lastError(record.lastError, row),
    retryAt: times.orNull(instance.retryAt),
    restarts: instance.restarts,
    worker: record.sandbox?.().worker ?? null,
    consoleLines: record.sandbox?.().consoleLines ?? 0,
    timers: record.timers.all.map(({ everyMs, inMs, name, url }) => ({
      name: redaction.foreign(name),
      url: url === null ? null : redaction.own(url),
      nextAt: inMs === null ? null : times.of(now + inMs),
      everyMs
    })),
    requests: record.requests.totals,
    dispatchCounters: { enqueued, dispatched, failed, timedOut, evicted, discarded, inFlight },
    outputCommandResults: record.results.all().map((result) => ({
      ...result,
      // The plugin may have made them up.
      commandId: redaction.foreign(result.commandId),
      correlationId: redaction.foreign(result.correlationId),
      ...(result.error === undefined ? {} : { error: { ...result.error, message: messageOf(result.error, redaction) } })
    })),
    websocketConnections: record.slots.map(({ connection: live, queue }) => connection(live, queue, row, rests)),
    diagnostics: log.entries(),
    diagnosticCounts: log.counts()
  }
}

/** When the event came that waits longest in any queue of a plugin. */
const oldestOf = ({ hostQueue, responses, slots }: Row["instance"]["record"]): number | undefined => {
  let oldest = older(hostQueue.oldestAt, responses.oldestAt)
  for (const { queue } of slots) oldest = older(oldest, queue.oldestAt)
  return oldest
}

const older = (one: number | undefined, other: number | undefined): number | undefined => {
  if (one === undefined || other === undefined) return one ?? other
  return Math.min(one, other)
}

const connection = (live: Connection, queue: IngressQueue, row: Row, serviceRests: boolean): ConnectionStatus => {
  const { redaction, times } = row
  return {
    id: live.source.id,
    url: redaction.own(live.source.display),
    ingressName: live.source.ingress,
    state: live.state,
    stopReason: live.stopReason,
    epoch: live.epoch,
    opens: live.epoch,
    attempts: live.attempts,
    since: times.of(live.since),
    lastFrameAt: times.orNull(live.totals.lastFrameAt),
    lastPongAt: times.orNull(live.totals.lastPongAt),
    roundTripMs: live.totals.roundTripMs,
    peerCertificateExpiresAt: times.orNull(live.peerCertificateExpiresAt),
    lastError: lastError(live.lastError, row),
    lastClose:
      live.lastClose === null
        ? null
        : { ...live.lastClose, reason: redaction.foreign(live.lastClose.reason), at: times.of(live.lastClose.at) },
    // While no service runs the attempt may be planned, and nothing waits for it.
    nextAttemptAt: live.state === "closed" || serviceRests ? null : times.orNull(live.nextAttemptAt),
    subprotocol: live.subprotocol,
    remoteAddress: live.remoteAddress,
    flow: queue.backpressure.flow,
    receivedTextFrames: queue.receivedText,
    enqueuedText: queue.enqueuedText,
    rejectedText: queue.rejectedText,
    ignoredText: queue.ignoredText,
    receivedBinaryFrames: queue.receivedBinary,
    enqueuedBinary: queue.enqueuedBinary,
    rejectedBinary: queue.rejectedBinary,
    unsupportedBinary: queue.unsupportedBinary,
    autoReplied: queue.autoReplied,
    sentTextFrames: live.totals.sentTextFrames,
    sentBinaryFrames: live.totals.sentBinaryFrames,
    queueDepth: queue.waiting,
    queueCapacity: queue.capacity,
    queueDrops: queue.drops,
    sendFailures: live.totals.sendFailures,
    unconfirmedFrames: live.totals.unconfirmedFrames,
    unconfirmedAtEnds: live.totals.unconfirmedAtEnds,
    bufferedBytes: live.bufferedBytes
  }
}
