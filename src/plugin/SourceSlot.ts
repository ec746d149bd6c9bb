/**
 * One source of a plugin: its connection and its queue.
 *
 * @since 0.1.0
 */
import type { Connection } from "../connection/Connection.ts"
import type { Place } from "../connection/Places.ts"
import type { IngressQueue } from "../ingress/IngressQueue.ts"

/**
 * One source of a plugin. `place` is its own among the connections of the host,
 * null where it isn't to have one. `epochSince` is the number of the dispatch, or of
 * the batch of them, during or after which its epoch began.
 *
 * @category models
 * @since 0.1.0
 */
export interface SourceSlot {
  readonly connection: Connection
  readonly queue: IngressQueue
  place: Place | null
  epochSince: number
}
