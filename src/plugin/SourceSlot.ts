/**
 * One source of a plugin: its connection and its queue.
 *
 * @since 0.1.0
 */
import type { Connection } from "../connection/Connection.ts"
import type { IngressQueue } from "../ingress/IngressQueue.ts"

/**
 * One source of a plugin. `epochSince` is the number of the dispatch during or
 * after which its epoch began.
 *
 * @category models
 * @since 0.1.0
 */
export interface SourceSlot {
  readonly connection: Connection
  readonly queue: IngressQueue
  epochSince: number
}
