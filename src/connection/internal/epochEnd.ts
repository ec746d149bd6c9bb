/** What the end of an epoch is to the decision that follows, to the report, and to the plugin. */
import { ConnectionClosed } from "../ConnectionError.ts"
import { reportedOf } from "../ConnectionSink.ts"
import type { Ended } from "./phases.ts"
import type { Session } from "./session.ts"

export interface Facts {
  readonly url: string
  /** The peer's reason as the plugin may have it, and as people may see it. */
  readonly reason: string
  readonly shown: string
  readonly openForMs: number
}

export const endedOf = (session: Session, { openForMs, reason, shown, url }: Facts): Ended => {
  const { clean, code, error, unconfirmed } = session
  const cause = error ?? new ConnectionClosed({ url, code, reason: shown, clean })
  return {
    cause,
    // An address that turned out to be denied after the open ends it as it ends a dial.
    end:
      error?._tag === "AddressDenied" ? { kind: "dial", error, unreached: null } : { kind: "epoch", code, openForMs },
    told: { code, reason, clean, unconfirmed, error: clean && error === null ? null : reportedOf(cause) }
  }
}
