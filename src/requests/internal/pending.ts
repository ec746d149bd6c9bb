/**
 * A request that was accepted and isn't answered: it waits for its turn, or it
 * runs. What ends it ends it once.
 */
import type * as Fiber from "effect/Fiber"
import type { Asker, RequestSpec } from "../../commands/RequestPort.ts"
import type { AuthorizedRequest } from "../../grants/Grants.ts"
import type { Turn } from "../../internal/fairPlaces.ts"
import type { Sent } from "../../secrets/EntrySecrets.ts"
import type { StandIns } from "../../secrets/StandIns.ts"
import type { Enabled } from "../Requests.ts"
import type { WatchedRequest } from "../RequestWatch.ts"

/** A request that waits for its turn, or is being made. */
type Phase =
  | { readonly name: "waiting" }
  | {
      readonly name: "running"
      /** In milliseconds of the clock that is never set. */
      readonly beganAt: number
      /** As it was allowed when its turn came, which is what the client was given. */
      readonly request: AuthorizedRequest
      readonly fiber: Fiber.Fiber<void>
    }

export interface Pending {
  readonly id: string
  readonly spec: RequestSpec
  readonly asker: Asker
  /** What the plugin was enabled with, and the stand-ins that it had, when it asked. */
  readonly enabled: Enabled
  readonly standIns: StandIns
  readonly turn: Turn
  /** When it was asked for, in milliseconds of the clock that is never set and in those had. */
  readonly askedAt: number
  readonly hadAt: number
  /** Who looks on at it, if anybody does. */
  readonly watched: WatchedRequest | undefined
  phase: Phase
  /** Whether a byte of it was handed to a socket. */
  sent: boolean
  /** The secrets that its server was sent, or may have been; null before. */
  known: Sent | null
  /** Takes its deadline back. */
  cancel: () => void
}
