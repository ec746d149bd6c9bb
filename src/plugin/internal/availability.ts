/**
 * Why a service takes no events of the application's own.
 */
import { ServiceFailed, ServiceStopped, ServiceUnavailable, type IngressError } from "../../ingress/IngressError.ts"
import type { Lifecycle } from "../Supervision.ts"

/** The reason, or undefined where it takes them. `lastError` is the tag of what it last failed for. */
export const unavailable = (lifecycle: Lifecycle, lastError: string | null): IngressError | undefined => {
  switch (lifecycle) {
    case "running":
      return undefined
    case "failed":
      return new ServiceFailed({ tag: lastError })
    case "stopping":
    case "stopped":
      return new ServiceStopped({ lifecycle })
    default:
      return new ServiceUnavailable({ lifecycle })
  }
}
