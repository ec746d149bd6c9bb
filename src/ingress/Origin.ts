/**
 * Where events come from: what all events of a source share, what those of one
 * turn do, and how an event is named across restarts.
 *
 * @since 0.1.0
 */

/**
 * Where events come from, shared by all of them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Origin {
  /** Unique in this host's life and across restarts; the head of every correlation id. */
  readonly key: string
  /** With its prefix: `websocket:ws://127.0.0.1:7700/gateway`, or `host:timer`, `host:command_result`, `host:deliver`. */
  readonly source: string
  /** The source's id and its URL as written; both null where the host itself is the source. */
  readonly id: string | null
  readonly url: string | null
  readonly ingressName: string
}

/**
 * The origin of the events of a connection.
 *
 * @category models
 * @since 0.1.0
 */
export interface SourceOrigin extends Origin {
  readonly id: string
  readonly url: string
}

/**
 * The correlation id of an event.
 *
 * @category getters
 * @since 0.1.0
 */
export const correlationId = (origin: Origin, sequence: number): string => `${origin.key}.${sequence}`

/**
 * What the texts that one source brings in one turn have in common, and share:
 * with it an event has six fields, and makes no object for its time.
 *
 * @category models
 * @since 0.4.0
 */
export interface Stamp<O extends Origin = SourceOrigin> {
  readonly origin: O
  readonly epoch: number
  readonly at: number
}
