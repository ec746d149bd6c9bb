/**
 * How far a request has come, and the one deadline over all of it: what every
 * implementation of the client goes by.
 *
 * @since 0.5.0
 */
import * as Effect from "effect/Effect"
import * as HadTime from "../time/HadTime.ts"
import type { Failure, Outgoing } from "./RequestClient.ts"
import { RequestFailed, RequestTimeout, type RequestPhase } from "./RequestError.ts"

/**
 * What a request waits for, and whether a byte of it was handed to a socket.
 *
 * @category models
 * @since 0.5.0
 */
export class Progress {
  phase: RequestPhase = "dns"
  sent = false
  readonly #outgoing: Outgoing

  constructor(outgoing: Outgoing) {
    this.#outgoing = outgoing
  }

  readonly entered = (phase: RequestPhase): void => {
    this.phase = phase
  }

  /** A byte is handed to a socket now. */
  readonly handed = (): void => {
    if (this.sent) return
    this.sent = true
    this.#outgoing.onSent()
  }

  /** The failure of what it waits for, or of another phase. */
  failed(code: string, phase: RequestPhase = this.phase): RequestFailed {
    return new RequestFailed({ url: this.#outgoing.request.display, phase, code, sent: this.sent })
  }
}

/**
 * The request, if it ends before its deadline.
 *
 * @category combinators
 * @since 0.5.0
 */
export const within =
  (time: HadTime.HadTime, { deadlineMs, request }: Outgoing, progress: Progress) =>
  <A, R>(effect: Effect.Effect<A, Failure, R>): Effect.Effect<A, Failure, R> =>
    HadTime.within(time, deadlineMs, () =>
      Effect.fail(new RequestTimeout({ url: request.display, phase: progress.phase, deadlineMs, sent: progress.sent }))
    )(effect)
