/**
 * The state events and timers of a source that wait, in order. The first of
 * them may be lent: they go on to wait until they begin.
 */
import type { IngressEvent, Timer } from "../IngressEvent.ts"

export class States {
  readonly #events: Array<IngressEvent> = []
  #lent = 0
  #dialError: IngressEvent | undefined = undefined

  /** How many wait, those that are lent among them. */
  get depth(): number {
    return this.#events.length
  }

  /** The next one that isn't lent. */
  get next(): IngressEvent | undefined {
    return this.#events[this.#lent]
  }

  /** When the oldest happened, in Unix milliseconds. */
  get oldestAt(): number | undefined {
    return this.#events[0]?.at
  }

  /** Whether an error of a failed dial waits. */
  get hasDialError(): boolean {
    return this.#dialError !== undefined
  }

  add(event: IngressEvent): void {
    this.#events.push(event)
  }

  addDialError(event: IngressEvent): void {
    this.#dialError = event
    this.#events.push(event)
  }

  /** Whether a further epoch may begin: none but that of the first waits. */
  get isReady(): boolean {
    let first = 0
    for (const { epoch, kind } of this.#events) {
      if (kind === "timer") continue
      if (first !== 0 && epoch > first) return false
      first ||= epoch
    }
    return true
  }

  /** The first doesn't wait any more, whether it was lent or not; true if a further epoch may begin now, and might not before. */
  remove(): boolean {
    const wasReady = this.isReady
    const state = this.#events.shift()
    if (this.#lent > 0) this.#lent--
    if (state === this.#dialError) this.#dialError = undefined
    if (state?.kind === "timer") state.waits = false
    return !wasReady && this.isReady
  }

  /** The next one is lent. */
  lend(): void {
    this.#lent++
  }

  /** The last one that was lent isn't any more. */
  giveBack(): void {
    this.#lent--
  }

  /** Whether this one is lent. */
  isLent(event: Timer): boolean {
    const index = this.#events.indexOf(event)
    return index >= 0 && index < this.#lent
  }

  /** Removes a timer's event; false if it doesn't wait. */
  withdraw(event: Timer): boolean {
    const index = this.#events.indexOf(event)
    if (index < 0) return false
    this.#events.splice(index, 1)
    event.waits = false
    return true
  }

  /** Removes all, of which none is lent; how many there were. */
  clear(): number {
    const { length } = this.#events
    for (const state of this.#events) if (state.kind === "timer") state.waits = false
    this.#events.length = 0
    this.#dialError = undefined
    return length
  }
}
