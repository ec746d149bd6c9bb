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
  /**
   * As `take`, but the event is only lent: it goes on to wait, and to count, until it begins. `recall` is called before
   * anything is done that one of those which are lent might be in the way of; after it none is.
   */
  readonly lend: (recall: () => void) => AnyEvent | undefined
  /** The event that was lent first begins: it doesn't wait any more. */
  readonly begin: () => void
  /** The event that was lent last comes back, and the queue to the head of the ring, as if it had never been lent. */
  readonly giveBack: () => void
}

/**
 * What a ring says of an event that came, where nobody hands it over as it comes.
 *
 * @category constants
 * @since 0.4.0
 */
export const notNow = (): boolean => false

/**
 * A first-in-first-out ring over its own members; joining and serving are a
 * few assignments.
 *
 * @category models
 * @since 0.1.0
 */
export class Turns<Member extends Waiting<Member>> {
  /** Asked when an event came: true if what waited was handed over in that call. */
  arrived: () => boolean = notNow
  readonly #joined: () => void
  #first: Member | undefined = undefined
  #last: Member | undefined = undefined
  /** Whose event was handed over as it came: it had its turn, and who joins stands before it. */
  #served: Member | undefined = undefined

  /** `joined` is called whenever a member joins an empty ring. */
  constructor(joined: () => void) {
    this.#joined = joined
  }

  /** Puts a member at the end, unless it is in the ring. */
  join(member: Member): void {
    if (member.inTurn) return
    const wasEmpty = this.#first === undefined
    this.#add(member)
    if (wasEmpty) this.#joined()
  }

  /** As `join`, where an event came that may be handed over in this very call. */
  arrive(member: Member): void {
    const wasEmpty = this.#first === undefined
    if (!member.inTurn) this.#add(member)
    if (this.arrived()) this.#served = member
    else if (wasEmpty) this.#joined()
  }

  /** Whose turn it was doesn't matter any more. */
  forget(): void {
    this.#served = undefined
  }

  #add(member: Member): void {
    member.inTurn = true
    member.nextInTurn = undefined
    if (this.#last === undefined) {
      this.#first = member
      this.#last = member
    } else if (this.#served !== undefined && this.#first === this.#served) {
      this.#served = undefined
      member.nextInTurn = this.#first
      this.#first = member
    } else {
      this.#last.nextInTurn = member
      this.#last = member
    }
  }

  /** Puts a member at the head, wherever it was. */
  rejoin(member: Member): void {
    if (member.inTurn) this.#remove(member)
    if (this.#first === undefined) return this.join(member)
    member.inTurn = true
    member.nextInTurn = this.#first
    this.#first = member
  }

  #remove(member: Member): void {
    let before: Member | undefined = undefined
    for (let one = this.#first; one !== undefined && one !== member; one = one.nextInTurn) before = one
    if (before === undefined) this.#first = member.nextInTurn
    else before.nextInTurn = member.nextInTurn
    if (this.#last === member) this.#last = before
    member.inTurn = false
  }

  /** Takes the member whose turn it is out of the ring. */
  next(): Member | undefined {
    const member = this.#first
    if (member === undefined) return undefined
    this.#first = member.nextInTurn
    if (this.#first === undefined) this.#last = undefined
    this.#served = undefined
    member.inTurn = false
    member.nextInTurn = undefined
    return member
  }
}
