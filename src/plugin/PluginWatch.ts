/**
 * What whoever looks on is told of one plugin: which sources it has, and, of
 * the dispatches that it wants timed, how long each took. Nobody looks on unless
 * somebody asked to; what that costs then is one question a dispatch.
 *
 * @since 0.5.0
 */
import type { Answered } from "../commands/CommandExecutor.ts"
import type { Recorded } from "../commands/CommandResult.ts"
import type { RequestWatch } from "../requests/RequestWatch.ts"
import type { SourceSlot } from "./SourceSlot.ts"

/**
 * A dispatch that was timed: how long its event had waited, how long the plugin
 * was busy with it, and the tag of what went wrong, null where it was answered.
 *
 * @category models
 * @since 0.5.0
 */
export interface TimedDispatch {
  readonly event: Answered
  readonly queuedMs: number
  readonly ms: number
  readonly failure: string | null
}

/**
 * Who looks on.
 *
 * @category models
 * @since 0.5.0
 */
export interface PluginWatch {
  /** It has these sources from now on. */
  sources(slots: ReadonlyArray<SourceSlot>): void
  /** Asked before each dispatch: whether it is to be timed. */
  wants(): boolean
  dispatched(timed: TimedDispatch): void
  /** A command has its result. */
  executed(result: Recorded): void
  readonly requested: RequestWatch
}

/**
 * Nobody looks on.
 *
 * @category constants
 * @since 0.5.0
 */
export const UNWATCHED: PluginWatch = {
  sources: () => {},
  wants: () => false,
  dispatched: () => {},
  executed: () => {},
  requested: () => undefined
}
