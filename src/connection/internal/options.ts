/**
 * What a connection is given, and what it reports.
 */
import type { GrantError } from "../../grants/GrantError.ts"
import type { Activity } from "../../internal/parking.ts"
import type { Values } from "../../limits/Limits.ts"
import type { HadTime } from "../../time/HadTime.ts"
import type { ConnectionError, DialError } from "../ConnectionError.ts"
import type { ConnectionSink } from "../ConnectionSink.ts"
import type { PluginSlots } from "../DialLimiter.ts"
import type { WebSocketClient } from "../WebSocketClient.ts"
import type * as Phases from "./phases.ts"
import type { Options as RouteOptions } from "./route.ts"

/** What a connection reports about itself: any error of the stages it touches. */
export type Reported = GrantError | DialError | ConnectionError

/** What a connection needs. */
export interface Options extends RouteOptions {
  readonly client: WebSocketClient["Service"]
  readonly sink: ConnectionSink
  readonly dials: PluginSlots
  readonly limits: Values
  /** Why this source isn't dialled at all, where it isn't. Asked before every dial. */
  refused(): Phases.Refusal | undefined
  report(tag: Reported["_tag"], make: () => Reported): void
  /** The time at which this turn of the event loop began to receive, in Unix milliseconds. */
  turnNow(): number
  /** By which its dials and closes are judged. */
  readonly time: HadTime
  /** A dial that wasn't given up has ended: what it failed with, null where it opened. */
  dialled?(ms: number, failure: string | null): void
  /** A pong came this long after its ping was written. */
  roundTrip?(ms: number): void
  /** Told when it has something under way and when it hasn't any more. */
  activity(...told: Parameters<Activity>): void
}

export interface Clocks {
  readonly now: () => number
  /** Never set. */
  readonly monotonic: () => number
  readonly random: () => number
}
