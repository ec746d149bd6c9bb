/**
 * What became of a plugin's requests. At any moment
 *
 *     executed = answered + failed + abandoned + waiting + in flight
 */
export interface Totals {
  readonly executed: number
  /** With an answer of a server, and with why there is none; each is one event. */
  readonly answered: number
  readonly failed: number
  /** Ended with their instance: there is no event. */
  readonly abandoned: number
  /** For their turn. */
  readonly waiting: number
  readonly inFlight: number
}

type Place = "waiting" | "inFlight"
type End = "answered" | "failed" | "abandoned"

export class Counts {
  readonly #ended = { answered: 0, failed: 0, abandoned: 0 }
  readonly #now = { waiting: 0, inFlight: 0 }

  get totals(): Totals {
    const { abandoned, answered, failed } = this.#ended
    const { inFlight, waiting } = this.#now
    return {
      executed: answered + failed + abandoned + waiting + inFlight,
      answered,
      failed,
      abandoned,
      waiting,
      inFlight
    }
  }

  accepted(): void {
    this.#now.waiting++
  }

  began(): void {
    this.#now.waiting--
    this.#now.inFlight++
  }

  ended(from: Place, end: End): void {
    this.#now[from]--
    this.#ended[end]++
  }
}
