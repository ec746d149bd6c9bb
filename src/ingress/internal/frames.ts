/**
 * The texts and binary frames of a source that wait: the ordinary ones, and
 * beside them the texts that its ingress calls urgent. Both keep their order; an
 * urgent one overtakes ordinary ones, at most eight times in a row, and they
 * make room for it. Those that are lent go on to wait until they begin.
 */
import type { Frame } from "../IngressEvent.ts"
import { Lane } from "./lane.ts"

const MOST_IN_A_ROW = 8

interface Lent {
  readonly event: Frame
  readonly isUrgent: boolean
}

export class Frames {
  /** Frames that wait, and the memory that they take: asked for every frame, so they aren't put together when asked. */
  depth = 0
  bytes = 0
  /** How many urgent ones were handed over or lent since anything else was. */
  row = 0
  readonly #ordinary = new Lane()
  readonly #urgent = new Lane()
  /** In the order in which they were lent. */
  readonly #lent: Array<Lent> = []

  /** When the oldest came, in Unix milliseconds. */
  get oldestAt(): number | undefined {
    let oldest = Math.min(this.#ordinary.head?.at ?? Infinity, this.#urgent.head?.at ?? Infinity)
    for (const { event } of this.#lent) oldest = Math.min(oldest, event.at)
    return oldest === Infinity ? undefined : oldest
  }

  add(event: Frame, isUrgent: boolean): void {
    this.depth++
    this.bytes += event.memory
    if (isUrgent) this.#urgent.add(event)
    else this.#ordinary.add(event)
  }

  /** Takes the one whose turn it is among those with a lower sequence than this. */
  takeBefore(sequence: number): Frame | undefined {
    return this.#gone(this.#next(sequence))
  }

  #gone(event: Frame | undefined): Frame | undefined {
    if (event === undefined) return undefined
    this.depth--
    this.bytes -= event.memory
    return event
  }

  #next(sequence: number): Frame | undefined {
    if (this.#urgent.depth > 0 && !(this.row >= MOST_IN_A_ROW && this.#hasOrdinary(sequence))) {
      const urgent = this.#urgent.remove(sequence)
      if (urgent !== undefined) {
        this.row++
        return urgent
      }
    }
    const ordinary = this.#ordinary.remove(sequence)
    if (ordinary !== undefined) this.row = 0
    return ordinary
  }

  /** Lends the one whose turn it is among those with a lower sequence than this. */
  lendBefore(sequence: number): Frame | undefined {
    const event = this.#next(sequence)
    if (event !== undefined) this.#lent.push({ event, isUrgent: this.row > 0 })
    return event
  }

  /** The one that was lent first doesn't wait any more. */
  begin(): Frame | undefined {
    return this.#gone(this.#lent.shift()?.event)
  }

  /** The one that was lent last isn't any more. */
  giveBack(): void {
    const lent = this.#lent.pop()
    if (lent !== undefined) (lent.isUrgent ? this.#urgent : this.#ordinary).giveBack(lent.event)
  }

  /** Whether an urgent text waits that isn't lent. */
  get hasUrgent(): boolean {
    return this.#urgent.depth > 0
  }

  /** Whether a frame that comes now is to be handed over before one that is lent. */
  overtakesLent(isUrgent: boolean): boolean {
    return isUrgent ? this.#lent.some((lent) => !lent.isUrgent) : this.row > MOST_IN_A_ROW && this.#lent.length > 0
  }

  #hasOrdinary(before: number): boolean {
    return (this.#ordinary.head?.sequence ?? before) < before
  }

  /** Something else was handed over. */
  interrupted(): void {
    this.row = 0
  }

  /** What may go to make room for a frame: none that is urgent for one that isn't. */
  dispensable(forUrgent: boolean): { readonly depth: number; readonly bytes: number } {
    return forUrgent ? this : this.#ordinary
  }

  /** Removes the one that goes first to make room. */
  evict(): Frame | undefined {
    return this.#gone(this.#ordinary.remove(Infinity) ?? this.#urgent.remove(Infinity))
  }
}
