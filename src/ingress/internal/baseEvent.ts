/**
 * What every ingress event has: its number, where it comes from and when it
 * happened.
 */
import { correlationId, type Origin, type SourceOrigin, type Stamp } from "../Origin.ts"

export abstract class Base<O extends Origin = SourceOrigin> {
  /**
   * How many of the source's events with a lower sequence were lost, evicted or discarded, and not told by an earlier
   * event. Set when this one is handed over.
   */
  droppedBefore = 0
  /** Grows by one per event enqueued from this source, from 1. Urgent texts are handed over before lower ones. */
  readonly sequence: number
  readonly #stamp: Stamp<O>

  constructor(origin: O, sequence: number, epoch: number, at: number, stamp: Stamp<O> = { origin, epoch, at }) {
    this.sequence = sequence
    this.#stamp = stamp
  }

  get origin(): O {
    return this.#stamp.origin
  }

  /** The epoch of the connection, 0 before the first open. */
  get epoch(): number {
    return this.#stamp.epoch
  }

  /** When it happened, in Unix milliseconds. */
  get at(): number {
    return this.#stamp.at
  }

  /** The source's URL as written. */
  get url(): O["url"] {
    return this.origin.url
  }

  /** The short name of the source, which its status and diagnostics have too. */
  get sourceId(): O["id"] {
    return this.origin.id
  }

  /** The source, with its prefix. */
  get source(): string {
    return this.origin.source
  }

  get ingressName(): string {
    return this.origin.ingressName
  }

  /** When it happened, RFC 3339 in UTC. */
  get createdAt(): string {
    return new Date(this.at).toISOString()
  }

  get correlationId(): string {
    return correlationId(this.origin, this.sequence)
  }
}
