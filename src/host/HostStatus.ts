/**
 * What a host says about itself: a document computed on demand from counters,
 * without asking any plugin. The encoded form is the `--json` output of the
 * command line.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { CommandResult } from "../commands/CommandResult.ts"
import { Diagnostic, Timestamp } from "../diagnostics/Diagnostic.ts"
import * as Wire from "../internal/wire.ts"

const Count = Schema.Int
const Time = Schema.NullOr(Timestamp)
const LastError = Schema.NullOr(Schema.Struct({ tag: Schema.String, message: Schema.String, at: Timestamp }))

/**
 * One connection: what it is doing, why it isn't, and what came and went.
 *
 * @category schemas
 * @since 0.1.0
 */
export const ConnectionStatus = Wire.struct({
  id: Schema.String,
  url: Schema.String,
  ingressName: Schema.String,
  state: Schema.Literals(["connecting", "open", "closing", "closed", "waiting", "stopped"]),
  stopReason: Schema.NullOr(
    Schema.Literals(["grant", "address", "http", "close_code", "plugin", "exhausted", "limit", "never", "service"])
  ),
  epoch: Count,
  opens: Count,
  attempts: Count,
  since: Timestamp,
  lastFrameAt: Time,
  lastPongAt: Time,
  roundTripMs: Schema.NullOr(Schema.Finite),
  peerCertificateExpiresAt: Time,
  lastError: LastError,
  lastClose: Schema.NullOr(
    Schema.Struct({ code: Schema.Int, reason: Schema.String, clean: Schema.Boolean, at: Timestamp })
  ),
  nextAttemptAt: Time,
  subprotocol: Schema.NullOr(Schema.String),
  remoteAddress: Schema.NullOr(Schema.String),
  flow: Schema.Literals(["flowing", "paused", "sliding"]),
  receivedTextFrames: Count,
  enqueuedText: Count,
  rejectedText: Count,
  ignoredText: Count,
  receivedBinaryFrames: Count,
  enqueuedBinary: Count,
  rejectedBinary: Count,
  unsupportedBinary: Count,
  autoReplied: Count,
  sentTextFrames: Count,
  sentBinaryFrames: Count,
  queueDepth: Count,
  queueCapacity: Count,
  queueDrops: Count,
  sendFailures: Count,
  unconfirmedFrames: Count,
  unconfirmedAtEnds: Count,
  bufferedBytes: Count
}).annotate({ identifier: "ConnectionStatus" })

/**
 * @category models
 * @since 0.1.0
 */
export type ConnectionStatus = typeof ConnectionStatus.Type

/**
 * Where every event of a plugin is accounted for.
 *
 * @category schemas
 * @since 0.1.0
 */
export const DispatchCounters = Wire.struct({
  enqueued: Count,
  dispatched: Count,
  failed: Count,
  timedOut: Count,
  evicted: Count,
  discarded: Count,
  inFlight: Count
}).annotate({ identifier: "DispatchCounters" })

/**
 * A timer that a plugin has set. `nextAt` is null while its event waits.
 *
 * @category schemas
 * @since 0.1.0
 */
export const TimerStatus = Wire.struct({
  name: Schema.String,
  url: Schema.NullOr(Schema.String),
  nextAt: Time,
  everyMs: Schema.NullOr(Schema.Int)
}).annotate({ identifier: "TimerStatus" })

/**
 * What became of the requests of a plugin.
 *
 * @category schemas
 * @since 0.2.0
 */
export const RequestCounters = Wire.struct({
  executed: Count,
  answered: Count,
  failed: Count,
  waiting: Count,
  inFlight: Count,
  abandoned: Count
}).annotate({ identifier: "RequestCounters" })

/**
 * One enabled plugin, also one that could not start.
 *
 * @category schemas
 * @since 0.1.0
 */
export const PluginStatus = Wire.struct({
  pluginRef: Schema.String,
  version: Schema.String,
  digest: Schema.String,
  lifecycle: Schema.Literals(["ready", "starting", "running", "restarting", "stopping", "stopped", "failed"]),
  reportedStatus: Schema.Json,
  reportedAt: Time,
  queueDepth: Count,
  queueBytes: Count,
  queueCapacity: Count,
  oldestQueuedMs: Count,
  lastDispatchAt: Time,
  lastError: LastError,
  retryAt: Time,
  restarts: Count,
  worker: Schema.NullOr(Schema.Int),
  consoleLines: Count,
  timers: Schema.Array(TimerStatus),
  requests: RequestCounters,
  dispatchCounters: DispatchCounters,
  outputCommandResults: Schema.Array(CommandResult),
  websocketConnections: Schema.Array(ConnectionStatus),
  diagnostics: Schema.Array(Diagnostic),
  diagnosticCounts: Schema.Record(Schema.String, Count)
}).annotate({ identifier: "PluginStatus" })

/**
 * @category models
 * @since 0.1.0
 */
export type PluginStatus = typeof PluginStatus.Type

const Config = Wire.struct({
  state: Schema.Literals(["applied", "partly", "rejected"]),
  appliedAt: Timestamp,
  digest: Schema.NullOr(Schema.String),
  problems: Schema.Array(Wire.Problem)
})

/**
 * The whole document. `schema` is the version of its form.
 *
 * @category schemas
 * @since 0.1.0
 */
export const HostStatus = Schema.Struct({
  schema: Schema.Literal(1),
  host: Wire.struct({
    version: Schema.String,
    at: Timestamp,
    startedAt: Timestamp,
    uptimeMs: Count,
    eventLoopLagMs: Schema.Finite,
    rssBytes: Schema.NullOr(Count),
    dialsWaiting: Count,
    proxy: Schema.Boolean,
    config: Config,
    diagnostics: Schema.Array(Diagnostic)
  }),
  plugins: Schema.Array(PluginStatus)
}).annotate({ identifier: "HostStatus" })

/**
 * @category models
 * @since 0.1.0
 */
export type HostStatus = typeof HostStatus.Type

/**
 * The document on the wire.
 *
 * @category models
 * @since 0.1.0
 */
export type Encoded = typeof HostStatus.Encoded

/**
 * Encodes the document for the wire.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encode: (status: HostStatus) => Encoded = Schema.encodeSync(HostStatus)
