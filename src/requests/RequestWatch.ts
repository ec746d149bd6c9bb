/**
 * What whoever looks on is told of the requests of one plugin, and what it may
 * add to them: the context of a trace.
 *
 * @since 0.5.0
 */
import type { Asker } from "../commands/RequestPort.ts"

/**
 * A request that somebody looks at: the value of its `traceparent` (W3C Trace
 * Context), where it is to have one that its plugin didn't give it.
 *
 * @category models
 * @since 0.5.0
 */
export interface WatchedRequest {
  readonly traceparent: string | undefined
  /** It is over after so long: the tag of what it failed with, null where it was answered. */
  readonly ended: (ms: number, failure: string | null) => void
}

/**
 * Asked for each request that is accepted.
 *
 * @category models
 * @since 0.5.0
 */
export type RequestWatch = (asker: Asker) => WatchedRequest | undefined
