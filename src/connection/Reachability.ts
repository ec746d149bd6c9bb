/**
 * Dials that reach no server: which failures are that, and who waits for the
 * end of it. The host's own link is down, its own resources are used up, or
 * nobody answers its questions for names; so no server is stormed by whoever
 * tries again soon, and as soon as one dial has got through, so may the others
 * that wait for the same.
 *
 * @since 0.3.0
 */
import type { DialError } from "./ConnectionError.ts"

/**
 * Why no server was reached: the way out (`link`), what the process or its
 * system has of sockets and ports (`host`), a name that nobody said anything
 * about (`lookup`).
 *
 * @category models
 * @since 0.3.0
 */
export type Unreached = "link" | "host" | "lookup"

// Address resolution on a link gives up after three seconds (RFC 4861, section 10); the own system says at once that it
// knows no way.
const AT_ONCE_MS = 1000

const HOST = new Set(["EMFILE", "ENFILE", "EADDRNOTAVAIL", "ENOBUFS"])
const NO_WAY = new Set(["ENETUNREACH", "EHOSTUNREACH"])
const DOWN = "ENETDOWN"
/** What a resolver says that got no answer, or one that says nothing of the name. */
const UNANSWERED = new Set(["EAI_AGAIN", "ETIMEOUT", "ESERVFAIL", "EREFUSED"])
/** Of who was asked for a name: nobody is there. */
const NOBODY = new Set(["ECONNREFUSED", "ETIMEDOUT", DOWN, ...NO_WAY])

/**
 * Why a failed dial reached no server, null where it reached one or none was
 * to be dialled.
 *
 * **Details**
 *
 * `waitedMs` is how long the dial had been in its last phase. `ENETUNREACH` and
 * `EHOSTUNREACH` count where they come at once: later, it is somebody on the
 * way who says so, or the server's host that isn't there. A name that doesn't
 * exist was answered.
 *
 * @category predicates
 * @since 0.3.0
 */
export const unreached = (error: DialError, waitedMs: number): Unreached | null => {
  if (error._tag === "OpenTimeout") return error.phase === "dns" ? "lookup" : null
  if (error._tag !== "DialFailed") return null
  const { code, phase } = error
  if (phase !== "dns" && phase !== "tcp" && phase !== "proxy") return null
  if (HOST.has(code)) return "host"
  if (phase === "dns") return UNANSWERED.has(code) || NOBODY.has(code) ? "lookup" : null
  if (code === DOWN || (NO_WAY.has(code) && waitedMs < AT_ONCE_MS)) return "link"
  return phase === "proxy" && UNANSWERED.has(code) ? "lookup" : null
}

/**
 * Who waits, in the whole host, because no server was reached.
 *
 * @category models
 * @since 0.3.0
 */
export class Reachability {
  readonly #waiting: { readonly [why in Unreached]: Set<() => void> } = {
    link: new Set(),
    host: new Set(),
    lookup: new Set()
  }

  /** One that waits for one reason at a time, or for none: `wake` is called when a dial that had failed for it opens. */
  waiter(wake: () => void): (why: Unreached | null) => void {
    let waits: Unreached | null = null
    return (why) => {
      if (why === waits) return
      if (waits !== null) this.#waiting[waits].delete(wake)
      if (why !== null) this.#waiting[why].add(wake)
      waits = why
    }
  }

  /** A dial that had failed for this reason is open. */
  reached(why: Unreached): void {
    const thrown: Array<unknown> = []
    const waiting = [...this.#waiting[why]]
    for (const wake of waiting) {
      try {
        wake()
      } catch (defect) {
        thrown.push(defect)
      }
    }
    if (thrown.length > 0) throw thrown[0]
  }
}
