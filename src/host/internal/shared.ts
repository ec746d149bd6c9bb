/**
 * What the plugins of a host share.
 */
import type * as Clock from "effect/Clock"
import type { Clocks } from "../../connection/internal/options.ts"
import type { DialLimiter, PluginSlots } from "../../connection/DialLimiter.ts"
import type { Places } from "../../connection/Places.ts"
import type { SourceUrl } from "../../connection/SourceUrl.ts"
import type { WebSocketClient } from "../../connection/WebSocketClient.ts"
import type { Diagnostic } from "../../diagnostics/Diagnostic.ts"
import type * as DiagnosticLog from "../../diagnostics/DiagnosticLog.ts"
import type { Grants } from "../../grants/Grants.ts"
import type { HostBytes } from "../../ingress/Accounting.ts"
import type { Activity } from "../../internal/parking.ts"
import type { Values } from "../../limits/Limits.ts"
import type { RequestHost } from "../../requests/RequestHost.ts"
import type { Secrets } from "../../secrets/Secrets.ts"
import type { PluginConsole } from "../../plugin/PluginConsole.ts"
import type { PluginDiagnostic } from "../../plugin/PluginRecord.ts"
import type { HadTime } from "../../time/HadTime.ts"
import type { KnownSecrets } from "./knownSecrets.ts"
import type { ChangeLog } from "./changeLog.ts"
import type { Observers } from "./observers.ts"

export interface Shared {
  readonly client: WebSocketClient["Service"]
  readonly sourceUrl: typeof SourceUrl.Service
  readonly grants: Grants["Service"]
  readonly secrets: typeof Secrets.Service
  /** What is masked in the words of whichever plugin. */
  readonly knownSecrets: KnownSecrets
  readonly limits: Values
  readonly clock: Clock.Clock
  /** The same, as connections and queues have it. */
  readonly clocks: Clocks
  readonly dials: DialLimiter
  readonly requests: RequestHost
  readonly hostBytes: HostBytes
  /** Of the `connections_per_host`. */
  readonly places: Places
  /** The head of the correlation ids of this run of the host. */
  readonly runKey: string
  readonly activity: Activity
  readonly changed: () => void
  /** A plugin has a new diagnostic, or the host itself. */
  readonly recorded: (pluginRef: string | null, diagnostic: Diagnostic) => void
  readonly changeLog: ChangeLog
  /** Who looks on. */
  readonly observers: Observers
  readonly console: typeof PluginConsole.Service
  readonly turnNow: () => number
  /** By which all deadlines judge. */
  readonly time: HadTime
}

/** What a plugin has of its own from the beginning. `key` is the head of its correlation ids. */
export interface Parts {
  readonly ref: string
  readonly key: string
  readonly log: DiagnosticLog.DiagnosticLog<PluginDiagnostic>
  readonly dials: PluginSlots
}
