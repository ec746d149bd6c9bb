/**
 * What the host keeps for an enabled plugin, whichever instance of it runs: its
 * queues, timers and counters, its command results, what it reported, and the
 * state that it handed over. It lives as long as the plugin stays enabled.
 *
 * @since 0.1.0
 */
import type * as Clock from "effect/Clock"
import * as Result from "effect/Result"
import type { CommandError } from "../commands/CommandError.ts"
import type { RequestRefusal } from "../commands/RequestRefusal.ts"
import { CommandExecutor, type Answered } from "../commands/CommandExecutor.ts"
import { fromRecorded, Results, type Recorded } from "../commands/CommandResult.ts"
import type { Reported } from "../connection/Connection.ts"
import type { DiagnosticLog } from "../diagnostics/DiagnosticLog.ts"
import type { GrantError } from "../grants/GrantError.ts"
import type { Authority } from "../grants/Grants.ts"
import * as Accounting from "../ingress/Accounting.ts"
import { HostQueue, RESULTS_SOURCE } from "../ingress/HostQueue.ts"
import type { IngressError } from "../ingress/IngressError.ts"
import { ResponseQueue } from "../ingress/ResponseQueue.ts"
import * as TextRules from "../ingress/TextRules.ts"
import { Turns, type EventQueue } from "../ingress/Turns.ts"
import { monotonic } from "../internal/monotonic.ts"
import type { Values } from "../limits/Limits.ts"
import type { HostFileError } from "../manifest/HostFileError.ts"
import { takes, type Ingress, type Manifest } from "../manifest/Manifest.ts"
import type { ManifestError } from "../manifest/ManifestError.ts"
import * as EntrySecrets from "../secrets/EntrySecrets.ts"
import * as StandIns from "../secrets/StandIns.ts"
import type { Checked } from "./internal/output.ts"
import { Ticker } from "./internal/ticker.ts"
import type { Failure as RequestFailure } from "../requests/RequestClient.ts"
import * as RequestCredentials from "../requests/RequestCredentials.ts"
import { Requests, type Options as RequestOptions } from "../requests/Requests.ts"
import type { DispatchError, RuntimeError } from "./PluginError.ts"
import type { Instance } from "./PluginRuntime.ts"
import { UNWATCHED, type PluginWatch } from "./PluginWatch.ts"
import type { Setup } from "./Setup.ts"
import type { SourceSlot } from "./SourceSlot.ts"
import { Timers } from "./Timers.ts"

/**
 * Everything that is reported about a plugin.
 *
 * @category models
 * @since 0.1.0
 */
export type PluginDiagnostic =
  | Reported
  | IngressError
  | CommandError
  | RequestRefusal
  | RequestFailure
  | Exclude<OwnError, GrantError>

/**
 * What a plugin's `last_error` may be.
 *
 * @category models
 * @since 0.1.0
 */
export type OwnError = ManifestError | HostFileError | GrantError | DispatchError | RuntimeError

/**
 * A plugin's last error.
 *
 * @category models
 * @since 0.1.0
 */
export interface OwnFailure {
  readonly tag: string
  readonly message: string
  readonly at: number
}

/**
 * What a record needs. `key` is the head of the correlation ids of events that
 * come from no connection.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly key: string
  readonly limits: Values
  readonly clock: Clock.Clock
  readonly log: DiagnosticLog<PluginDiagnostic>
  readonly hostBytes: Accounting.HostBytes
  /** What its requests share with those of other plugins. */
  readonly requests: Pick<RequestOptions, "places" | "lookups" | "time" | "activity">
  readonly changed: () => void
  /** Something waits for the dispatcher. */
  readonly woken: () => void
  readonly watch?: PluginWatch | undefined
}

/** What a record needs of what is enabled. */
type Adopted = Pick<Setup, "authority" | "limits" | "secrets" | "credentials">

/**
 * The record of a plugin. Fields are for reading.
 *
 * @category models
 * @since 0.1.0
 */
export class PluginRecord {
  /** JSON texts. */
  reportedStatus: string | null = null
  state: string | null = null
  reportedAt: number | null = null
  lastDispatchAt: number | null = null
  lastError: OwnFailure | null = null
  slots: ReadonlyArray<SourceSlot> = []
  /** Whether the service runs: what is answered for the plugin is answered only while it could. */
  isRunning = false
  /** Of the last start. */
  standIns = StandIns.none
  /** What is enabled; undefined where nothing could be. */
  manifest: Manifest | undefined = undefined
  readonly accounting = Accounting.make()
  readonly results: Results
  readonly turns: Turns<EventQueue>
  readonly hostQueue: HostQueue
  readonly responses: ResponseQueue
  readonly requests: Requests
  readonly timers: Timers
  readonly ticker: Ticker
  readonly now: () => number
  readonly monotonic: () => number
  readonly watch: PluginWatch
  /** The plugin's own, where it has some, in place of the host's. */
  limits: Values
  /** Where its instance runs, if that isn't in process. */
  sandbox: Instance["sandbox"] = undefined
  readonly #options: Options
  #executor: CommandExecutor<SourceSlot> | undefined = undefined
  #authority: Authority | undefined = undefined
  /** The ingresses that want to know what became of their commands. */
  #wantResults: ReadonlySet<string> = new Set()
  #dispatches = 0
  #sources = 0

  constructor(options: Options) {
    const { clock, hostBytes, key, limits, log } = options
    this.#options = options
    this.limits = limits
    this.watch = options.watch ?? UNWATCHED
    this.now = () => clock.currentTimeMillisUnsafe()
    this.monotonic = monotonic(clock)
    this.results = new Results(limits.commandResultsKept)
    this.turns = new Turns(options.woken)
    const { accounting, now, turns } = this
    const queued = { key, limits, accounting, hostBytes, turns, now }
    this.hostQueue = new HostQueue({ ...queued, overflowed: (make) => log.report("QueueOverflow", null, make) })
    this.responses = new ResponseQueue(queued)
    this.requests = new Requests({
      ...options.requests,
      key,
      owner: key,
      queue: this.responses,
      standIns: () => this.standIns,
      monotonic: this.monotonic,
      report: (error) => log.add(error),
      watch: this.watch.requested
    })
    this.timers = new Timers({
      limit: () => this.limits.timersPerPlugin,
      queue: this.hostQueue,
      monotonic: this.monotonic,
      changed: () => this.ticker.wake()
    })
    this.ticker = new Ticker([() => this.timers.fireDue(), () => this.#slideDue()])
  }

  /** The plugin is enabled anew: other sources, another authority, other limits. Only while no instance runs. */
  adopt(slots: ReadonlyArray<SourceSlot>, setup: Adopted | undefined): void {
    const { log } = this.#options
    const { authority, limits = this.limits } = setup ?? {}
    const { credentials = RequestCredentials.none, secrets = EntrySecrets.none } = setup ?? {}
    this.slots = slots
    this.limits = limits
    this.#authority = authority
    this.#wantResults = new Set(
      this.manifest?.ingresses.filter((ingress) => takes(ingress, "command_result")).map(({ name }) => name)
    )
    this.#executor =
      authority === undefined
        ? undefined
        : new CommandExecutor({
            destinations: slots,
            authority,
            secrets: { standIns: () => this.standIns, valueOf: secrets.valueOf },
            timers: this.timers,
            requests: this.requests.under({ authority, secrets, credentials, limits }),
            limits,
            now: this.now,
            monotonic: this.monotonic,
            record: (result) => this.#record(result),
            reported: (status) => this.report(status),
            rejected: (error, sourceId) => log.add(error, sourceId)
          })
    this.watch.sources(slots)
  }

  /** A start is handed stand-ins of its own, which stand in what its servers say from now on. */
  renewStandIns(secrets: ReadonlyArray<string>): StandIns.Texts {
    this.standIns = StandIns.make(secrets)
    for (const { connection } of this.slots) connection.remask()
    return this.standIns.texts
  }

  /** A number for one more source, never used before. */
  nextSource(): number {
    return this.#sources++
  }

  /** Whether an ingress takes events of a kind. */
  takes(ingressName: string, kind: string): boolean {
    const ingress = this.#ingress(ingressName)
    return ingress !== undefined && takes(ingress, kind)
  }

  /** What an ingress says of its texts. */
  rules(ingressName: string): TextRules.TextRules | null {
    return TextRules.of(this.#ingress(ingressName))
  }

  /** Sends an answer of the host's own, in the turn in which it was asked for; false where it can't be sent now. */
  reply({ connection }: SourceSlot, text: string): boolean {
    return this.isRunning && this.#executor?.reply(connection, text) === true
  }

  #ingress(ingressName: string): Ingress | undefined {
    return this.manifest?.ingresses.find(({ name }) => name === ingressName)
  }

  /** A dispatch begins, or those of a batch do, which are one here: none of the next begins before the last of it has ended. */
  begun(): void {
    this.#dispatches++
  }

  /** An event was answered, at about this time. */
  answered(event: Answered, output: Checked, at: number): void {
    this.lastDispatchAt = at
    if (output.state !== undefined) this.state = output.state
    if (output.status !== undefined) this.report(output.status)
    if (output.commands.length > 0) this.#executor?.execute(event, this.#dispatches, output.commands)
  }

  /** An instance begins, or has ended; what its start handed over is as if an event had been answered with it. */
  moved(instance: Pick<Instance, "initial" | "sandbox"> | undefined): void {
    this.sandbox = instance?.sandbox
    const { state, status } = instance?.initial ?? {}
    if (state !== undefined) this.state = JSON.stringify(state)
    if (status !== undefined) this.report(JSON.stringify(status))
  }

  /** A status of the plugin, as JSON text. */
  report(status: string): void {
    this.reportedStatus = status
    this.reportedAt = this.now()
    this.#options.changed()
  }

  fail(error: OwnError): void {
    this.lastError = { tag: error._tag, message: error.message, at: this.now() }
    this.#options.log.add(error)
  }

  /** What was reported before is the last error again. */
  recall({ _tag: tag, message }: OwnError, at: number): void {
    this.lastError = { tag, message, at }
    this.#options.changed()
  }

  /** An epoch of one of the sources begins. */
  epochBegan(slot: SourceSlot): void {
    slot.epochSince = this.#dispatches
    this.timers.epochOver(slot)
  }

  /** Nothing of an ingress that isn't granted any more waits or fires. */
  revoke(authority: Authority): void {
    const isRevoked = (ingress: string) => Result.isFailure(authority.ingress(ingress))
    this.timers.clearAll(isRevoked)
    this.requests.revoke()
    this.hostQueue.discard(isRevoked)
    this.responses.discard(isRevoked)
  }

  /** Discards all that waits, and every timer. */
  discardWaiting(): void {
    this.timers.clearAll()
    this.requests.abandon()
    this.hostQueue.discard()
    this.responses.discard()
    for (const { queue } of this.slots) queue.discard()
  }

  #record(result: Recorded): void {
    this.results.add(result)
    this.watch.executed(result)
    const { ingressName, source } = result.origin
    // Results of what answers a result would feed themselves.
    if (this.#wantResults.size === 0 || source === RESULTS_SOURCE) return
    if (!this.#wantResults.has(ingressName) || this.#authority === undefined) return
    if (Result.isSuccess(this.#authority.ingress(ingressName))) {
      this.hostQueue.result(ingressName, () => fromRecorded(result))
    }
  }

  /** Lets queues slide whose socket has been paused for longer than the patience. */
  #slideDue(): number | null {
    const now = this.monotonic()
    let next: number | null = null
    for (const { queue } of this.slots) {
      const { slidesAt } = queue.backpressure
      if (slidesAt === null) continue
      const left = Math.ceil(slidesAt - now)
      if (left <= 0) queue.backpressure.slide()
      else next = Math.min(next ?? left, left)
    }
    return next
  }
}
