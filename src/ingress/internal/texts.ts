/**
 * The texts of a source that wait: the ordinary ones, and beside them those
 * that its ingress calls urgent. Both keep their order; an urgent one overtakes
 * ordinary ones, at most eight times in a row, and they make room for it.
 */
import * as Effect from "effect/Effect"
import type { WebSocketText } from "../IngressEvent.ts"
import * as Lane from "./lane.ts"

const MOST_IN_A_ROW = 8

export class Texts {
  readonly #ordinary: Lane.Lane
  readonly #urgent: Lane.Lane
  /** How many urgent ones were handed over since anything else was. */
  #row = 0

  constructor(ordinary: Lane.Lane, urgent: Lane.Lane) {
    this.#ordinary = ordinary
    this.#urgent = urgent
  }

  /** Texts that wait. */
  get depth(): number {
    return this.#ordinary.depth + this.#urgent.depth
  }

  /** The memory that they take. */
  get bytes(): number {
    return this.#ordinary.bytes + this.#urgent.bytes
  }

  /** When the oldest came, in Unix milliseconds. */
  get oldestAt(): number | undefined {
    const ordinary = this.#ordinary.head?.at
    const urgent = this.#urgent.head?.at
    return ordinary === undefined || urgent === undefined ? (ordinary ?? urgent) : Math.min(ordinary, urgent)
  }

  add(event: WebSocketText, isUrgent: boolean): void {
    if (isUrgent) this.#urgent.add(event)
    else this.#ordinary.add(event)
  }

  /** Takes the one whose turn it is among those with a lower sequence than this. */
  takeBefore(sequence: number): WebSocketText | undefined {
    if (this.#urgent.depth > 0 && !(this.#row >= MOST_IN_A_ROW && this.#hasOrdinary(sequence))) {
      const urgent = this.#urgent.remove(sequence)
      if (urgent !== undefined) {
        this.#row++
        return urgent
      }
    }
    const ordinary = this.#ordinary.remove(sequence)
    if (ordinary !== undefined) this.#row = 0
    return ordinary
  }

  #hasOrdinary(before: number): boolean {
    return (this.#ordinary.head?.sequence ?? before) < before
  }

  /** Something else was handed over. */
  interrupted(): void {
    this.#row = 0
  }

  /** What may go to make room for a text: none that is urgent for one that isn't. */
  dispensable(forUrgent: boolean): { readonly depth: number; readonly bytes: number } {
    return forUrgent ? this : this.#ordinary
  }

  /** Removes the one that goes first to make room. */
  evict(): WebSocketText | undefined {
    return this.#ordinary.remove(Infinity) ?? this.#urgent.remove(Infinity)
  }
}

/** No texts, and room for so many. */
export const make = (most: number): Effect.Effect<Texts> =>
  Effect.zipWith(Lane.make(most), Lane.make(most), (ordinary, urgent) => new Texts(ordinary, urgent))
