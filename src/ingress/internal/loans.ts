/**
 * The events of a source that a runtime was lent and hasn't begun. They go on
 * to wait; one that comes back leaves everything as if it had never been lent.
 */
import { isFrame, type IngressEvent } from "../IngressEvent.ts"
import type { Frames } from "./frames.ts"
import { countOf, type Losses, type Run } from "./losses.ts"
import type { States } from "./states.ts"

/** An event, and what lending it changed. */
interface Loan {
  readonly event: IngressEvent
  readonly row: number
  readonly told: ReadonlyArray<Run>
}

const NOTHING = (): void => {}

export class Loans {
  readonly #frames: Frames
  readonly #states: States
  readonly #losses: Losses
  /** In the order in which they were lent. */
  readonly #loans: Array<Loan> = []
  #recall: () => void = NOTHING

  constructor(frames: Frames, states: States, losses: Losses) {
    this.#frames = frames
    this.#states = states
    this.#losses = losses
  }

  get size(): number {
    return this.#loans.length
  }

  /** Lends the event whose turn it is. */
  lend(recall: () => void): IngressEvent | undefined {
    const { row } = this.#frames
    const state = this.#states.next
    const event = this.#frames.lendBefore(state?.sequence ?? Infinity) ?? state
    if (event === undefined) return undefined
    if (event === state) {
      this.#states.lend()
      this.#frames.interrupted()
    }
    this.#recall = recall
    const told = this.#losses.take(event.sequence)
    this.#loans.push({ event, row, told })
    event.droppedBefore = countOf(told)
    return event
  }

  /** The event that was lent first isn't any more. */
  begin(): IngressEvent | undefined {
    return this.#loans.shift()?.event
  }

  /** The event that was lent last isn't any more; false if none is. */
  giveBack(): boolean {
    const loan = this.#loans.pop()
    if (loan === undefined) return false
    if (isFrame(loan.event)) this.#frames.giveBack()
    else this.#states.giveBack()
    this.#frames.row = loan.row
    this.#losses.restore(loan.told)
    return true
  }

  /** Sees to it that none is lent any more. */
  recall(): void {
    if (this.#loans.length > 0) this.#recall()
  }
}
