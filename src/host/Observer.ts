/**
 * What a program that looks on is told by a host, in the turn in which it
 * happens: by `PluginHost.observe`. It is how metrics and traces are made of
 * what status doesn't give; whoever wants to read asks for the status.
 *
 * @since 0.5.0
 */
import type { Recorded } from "../commands/CommandResult.ts"
import type { Asker } from "../commands/RequestPort.ts"
import type { WatchedRequest } from "../requests/RequestWatch.ts"
import type { TimedDispatch } from "../plugin/PluginWatch.ts"

/**
 * Which source of a row is meant.
 *
 * @category models
 * @since 0.5.0
 */
export interface SourceName {
  readonly ingressName: string
  readonly id: string
}

/**
 * A source of a row, with its URL as status shows it.
 *
 * @category models
 * @since 0.5.0
 */
export interface ObservedSource extends SourceName {
  readonly url: string
}

/**
 * A row of the status, and the tags that its diagnostics have had.
 *
 * @category models
 * @since 0.5.0
 */
export interface ObservedRow {
  readonly pluginRef: string
  readonly sources: ReadonlyArray<ObservedSource>
  readonly tags: ReadonlyArray<string>
}

/**
 * A dial that has ended: how long it took, and the tag of what it failed with,
 * null where it opened.
 *
 * @category models
 * @since 0.5.0
 */
export interface ObservedDial {
  readonly source: SourceName
  readonly ms: number
  readonly failure: string | null
}

/**
 * Who looks on. What is absent isn't wanted. All of it is called in the middle
 * of the host's work: it must be quick, and must not throw.
 *
 * @category models
 * @since 0.5.0
 */
export interface Observer {
  /** A row is there, or has other sources than before. */
  readonly row?: (row: ObservedRow) => void
  /** There is no row of that reference any more. */
  readonly gone?: (pluginRef: string) => void
  /** A row has a new diagnostic of this tag; repeats within a second are none. */
  readonly diagnosed?: (pluginRef: string, tag: string) => void
  /** Asked before each dispatch: whether it is to be timed. It is the hot path's. */
  readonly wantsDispatch?: () => boolean
  /** A dispatch that was timed has ended; also told where another observer wanted that. */
  readonly dispatched?: (pluginRef: string, timed: TimedDispatch) => void
  readonly dialled?: (pluginRef: string, dial: ObservedDial) => void
  /** A pong came this long after its ping was written. */
  readonly roundTrip?: (pluginRef: string, source: SourceName, ms: number) => void
  /** A request was accepted; what it is to carry, and who is told of its end. */
  readonly requested?: (pluginRef: string, asker: Asker) => WatchedRequest | undefined
  /** A command of the plugin's has its result. */
  readonly executed?: (pluginRef: string, result: Recorded) => void
}
