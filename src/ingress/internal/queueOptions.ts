/**
 * What the queue of a source needs: what its ingress says, where it counts, and
 * whom it tells.
 */
import type { Accounting, HostBytes } from "../Accounting.ts"
import type { QueueOverflow } from "../IngressError.ts"
import type { IngressEvent, SourceOrigin } from "../IngressEvent.ts"
import type * as TextRules from "../TextRules.ts"
import type { EventQueue, Turns } from "../Turns.ts"
import type { Limits } from "./backpressure.ts"

export interface Options {
  readonly origin: SourceOrigin
  /** The source's URL without its query, for diagnostics. */
  readonly display: string
  /** Whether the ingress takes events of a kind. Asked again after `reconfigure`. */
  takes(kind: IngressEvent["kind"]): boolean
  /** What the ingress says of its texts. Asked again after `reconfigure`. */
  rules(): TextRules.TextRules | null
  /** Sends an answer of the host's own; false where there is no room for it, or nobody who may send. */
  reply(text: string): boolean
  readonly limits: Limits
  readonly accounting: Accounting
  readonly hostBytes: HostBytes
  readonly turns: Turns<EventQueue>
  readonly now: () => number
  /** Milliseconds of a clock that is never set. */
  readonly monotonic: () => number
  overflowed(make: () => QueueOverflow): void
  /** Told when the socket is paused, so that somebody calls `slide` in time. */
  paused(): void
  /** Told when a further epoch may begin again. */
  readied(): void
  epochBegan(): void
  epochEnded(): void
}
