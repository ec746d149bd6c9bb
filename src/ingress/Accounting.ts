/**
 * Where every event of a plugin is accounted for. At any moment
 *
 *     enqueued = dispatched + failed + timed_out + evicted + discarded + queue_depth + in_flight
 *
 * Plain numbers: counting must cost nothing, and status reads them when
 * somebody asks.
 *
 * @since 0.1.0
 */

/**
 * The counters of one plugin.
 *
 * @category models
 * @since 0.1.0
 */
export interface Accounting {
  enqueued: number
  dispatched: number
  failed: number
  timedOut: number
  evicted: number
  discarded: number
  inFlight: number
  queueDepth: number
  queueBytes: number
}

/**
 * Counters that all stand at zero.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (): Accounting => ({
  enqueued: 0,
  dispatched: 0,
  failed: 0,
  timedOut: 0,
  evicted: 0,
  discarded: 0,
  inFlight: 0,
  queueDepth: 0,
  queueBytes: 0
})

/**
 * What all plugins of a host hold together, against `host_queue_bytes`.
 *
 * @category models
 * @since 0.1.0
 */
export interface HostBytes {
  used: number
  readonly limit: number
}

/**
 * The memory that a text takes while it waits, in bytes: an engine keeps ASCII
 * in one byte a character, and most else in two a UTF-16 unit. `bytes` is its
 * length in UTF-8, the same as that in UTF-16 only of ASCII.
 *
 * @category getters
 * @since 0.2.0
 */
export const memoryOf = (text: string, bytes: number): number => (bytes === text.length ? bytes : text.length * 2)
