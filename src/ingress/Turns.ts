/**
 * Whose turn it is: the queues of one plugin that have something waiting, in
 * a ring. A source that was served goes to the end, so one that floods can't
 * starve another.
 *
 * @since 0.1.0
 */
import type { AnyEvent } from "./IngressEvent.ts"

/**
 * What takes turns. `nextInTurn` belongs to the ring.
 *
 * @category models
 * @since 0.1.0
 */
export interface Waiting<Self> {
  inTurn: boolean
  nextInTurn: Self | undefined
}

/**
 * What the dispatcher drains: a queue of events that takes its turn.
 *
 * @category models
 * @since 0.1.0
 */
export interface EventQueue extends Waiting<EventQueue> {
  /** Takes the next event; joins the ring again where more waits. */
  readonly take: () => AnyEvent | undefined
}

/**
 * A first-in-first-out ring over its own members; joining and serving are a
 * few assignments.
 *
 * @category models
 * @since 0.1.0
 */
export class Turns<Member extends Waiting<Member>> {
  readonly #joined: () => void
  #first: Member | undefined = undefined
  #last: Member | undefined = undefined

  /** `joined` is called whenever a member joins an empty ring. */
  constructor(joined: () => void) {
    this.#joined = joined
  }

  /** Puts a member at the end, unless it is in the ring. */
  join(member: Member): void {
    if (member.inTurn) return
    member.inTurn = true
    member.nextInTurn = undefined
    if (this.#last === undefined) {
      this.#first = member
      this.#last = member
      this.#joined()
    } else {
      this.#last.nextInTurn = member
      this.#last = member
    }
  }

  /** Takes the member whose turn it is out of the ring. */
  next(): Member | undefined {
    const member = this.#first
    if (member === undefined) return undefined
    this.#first = member.nextInTurn
    if (this.#first === undefined) this.#last = undefined
    member.inTurn = false
    member.nextInTurn = undefined
    return member
  }
}
