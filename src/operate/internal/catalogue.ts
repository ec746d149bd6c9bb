/**
 * Every metric that is read from the status: its name, what it means, and where
 * it stands there. A counter of the status is one here under the same name, so
 * that whoever reads one understands the other.
 */
import type { ConnectionStatus, HostStatus, PluginStatus } from "../../host/HostStatus.ts"

/** What is read of a row, a connection or the host itself. */
export interface Read<Of> {
  readonly name: string
  readonly help: string
  readonly kind: "counter" | "gauge"
  readonly read: (of: Of) => number
}

/** One series for each state: 1 for the present one, 0 for the others. */
export interface States<Of> {
  readonly name: string
  readonly help: string
  readonly states: ReadonlyArray<string>
  readonly read: (of: Of) => string
}

/** What is measured, of some of what happens. */
export interface Measured {
  readonly name: string
  readonly help: string
  /** In seconds. */
  readonly boundaries: ReadonlyArray<number>
}

type Host = HostStatus["host"]

const counter = <Of>(name: string, help: string, read: (of: Of) => number): Read<Of> => ({
  name: `mooring_${name}_total`,
  help,
  kind: "counter",
  read
})

const gauge = <Of>(name: string, help: string, read: (of: Of) => number): Read<Of> => ({
  name: `mooring_${name}`,
  help,
  kind: "gauge",
  read
})

export const LAG = gauge<Host>(
  "event_loop_lag_seconds",
  "How long a task waited for its turn of the event loop.",
  ({ eventLoopLagMs }) => eventLoopLagMs / 1000
)

export const host: ReadonlyArray<Read<Host>> = [
  gauge("dials_waiting", "Dials that wait for a place among those under way.", ({ dialsWaiting }) => dialsWaiting)
]

export const CONFIG_STATE: States<Host> = {
  name: "mooring_config_state",
  help: "Whether the host file that is there is the one that is in force.",
  states: ["applied", "partly", "rejected"],
  read: ({ config }) => config.state
}

export const plugin: ReadonlyArray<Read<PluginStatus>> = [
  counter("dispatch_enqueued", "Events that were enqueued.", (row) => row.dispatchCounters.enqueued),
  counter("dispatch_dispatched", "Events that the plugin answered.", (row) => row.dispatchCounters.dispatched),
  counter("dispatch_failed", "Events whose handling failed.", (row) => row.dispatchCounters.failed),
  counter("dispatch_timed_out", "Events past their deadline.", (row) => row.dispatchCounters.timedOut),
  counter("dispatch_evicted", "Events that slid out of a full queue.", (row) => row.dispatchCounters.evicted),
  counter(
    "dispatch_discarded",
    "Events that waited, or were being handled, when the service ended.",
    (row) => row.dispatchCounters.discarded
  ),
  counter("request_executed", "Requests that were taken on.", (row) => row.requests.executed),
  counter("request_answered", "Requests that a server answered.", (row) => row.requests.answered),
  counter("request_failed", "Requests that came to nothing.", (row) => row.requests.failed),
  counter("request_abandoned", "Requests whose answer nobody wanted any more.", (row) => row.requests.abandoned),
  counter("restarts", "Restarts of the plugin after crashes.", (row) => row.restarts),
  counter("console_lines", "Lines that the plugin wrote to its console.", (row) => row.consoleLines),
  gauge("queue_depth", "Events that wait in the plugin's queues.", (row) => row.queueDepth),
  gauge("queue_bytes", "Memory that these events take.", (row) => row.queueBytes),
  gauge("in_flight", "Events that the plugin is busy with.", (row) => row.dispatchCounters.inFlight),
  gauge("requests_waiting", "Requests that wait for their turn.", (row) => row.requests.waiting),
  gauge("requests_in_flight", "Requests that are under way.", (row) => row.requests.inFlight)
]

export const LIFECYCLE: States<PluginStatus> = {
  name: "mooring_plugin_lifecycle",
  help: "What the plugin's service is doing.",
  states: ["ready", "starting", "running", "restarting", "stopping", "stopped", "failed"],
  read: ({ lifecycle }) => lifecycle
}

/** With a label for the tag, of which there are more with time. */
export const DIAGNOSTICS = {
  name: "mooring_diagnostics_total",
  help: "Diagnostics of the plugin, by their tag.",
  read: ({ diagnosticCounts }: PluginStatus, tag: string): number =>
    Object.hasOwn(diagnosticCounts, tag) ? (diagnosticCounts[tag] ?? 0) : 0
}

export const connection: ReadonlyArray<Read<ConnectionStatus>> = [
  counter("connection_opens", "Successful dials.", ({ opens }) => opens),
  counter("connection_received_text_frames", "Texts that came.", (of) => of.receivedTextFrames),
  counter("connection_enqueued_text", "Texts that were enqueued.", (of) => of.enqueuedText),
  counter("connection_rejected_text", "Texts that came while the connection was closing.", (of) => of.rejectedText),
  counter("connection_ignored_text", "Texts of an ingress that wants none.", (of) => of.ignoredText),
  counter("connection_received_binary_frames", "Binary frames that came.", (of) => of.receivedBinaryFrames),
  counter("connection_enqueued_binary", "Binary frames that were enqueued.", (of) => of.enqueuedBinary),
  counter(
    "connection_rejected_binary",
    "Binary frames that came while the connection was closing.",
    (of) => of.rejectedBinary
  ),
  counter(
    "connection_unsupported_binary",
    "Binary frames of an ingress that takes none.",
    (of) => of.unsupportedBinary
  ),
  counter("connection_auto_replied", "Texts that the host answered itself.", (of) => of.autoReplied),
  counter("connection_sent_text_frames", "Texts that were sent.", (of) => of.sentTextFrames),
  counter("connection_sent_binary_frames", "Binary frames that were sent.", (of) => of.sentBinaryFrames),
  counter("connection_queue_drops", "Events of this source that slid out of its full queue.", (of) => of.queueDrops),
  counter("connection_send_failures", "Frames whose write failed.", (of) => of.sendFailures),
  counter(
    "connection_unconfirmed_at_ends",
    "Frames that no pong had confirmed when their connection ended.",
    (of) => of.unconfirmedAtEnds
  ),
  gauge("buffered_bytes", "Bytes that wait to be written.", ({ bufferedBytes }) => bufferedBytes),
  gauge("unconfirmed_frames", "Frames that no pong has confirmed yet.", ({ unconfirmedFrames }) => unconfirmedFrames)
]

export const CONNECTION_STATE: States<ConnectionStatus> = {
  name: "mooring_connection_state",
  help: "What the source's connection is doing.",
  states: ["connecting", "open", "closing", "closed", "waiting", "stopped"],
  read: ({ state }) => state
}

/** From a tenth of a millisecond, which is a handler's, to what only a deadline ends. */
const SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

export const DISPATCH: Measured = {
  name: "mooring_dispatch_seconds",
  help: "How long the plugin was busy with an event; sampled.",
  boundaries: SECONDS
}

export const QUEUE_WAIT: Measured = {
  name: "mooring_queue_wait_seconds",
  help: "How long an event waited before the plugin was handed it; sampled.",
  boundaries: SECONDS
}

export const DIAL: Measured = {
  name: "mooring_dial_seconds",
  help: "How long a dial took, whether it opened or not; sampled.",
  boundaries: SECONDS
}

export const ROUND_TRIP: Measured = {
  name: "mooring_round_trip_seconds",
  help: "How long a pong took after its ping was written; sampled.",
  boundaries: SECONDS
}

export const REQUEST: Measured = {
  name: "mooring_request_seconds",
  help: "How long a request took, whether it was answered or not; sampled.",
  boundaries: SECONDS
}

/** Says which URL a source has. */
export const SOURCE_INFO = {
  name: "mooring_source_info",
  help: "The URL of a source, without its query; always 1."
}

/** Of what is pushed to a collector. */
export const DROPPED = {
  name: "mooring_exports_dropped_total",
  help: "Exports to the collector that couldn't be sent."
}
