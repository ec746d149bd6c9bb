/**
 * What a plugin's code is busy with: an event, or its status. Whoever takes it
 * out of the plugin's hands first decides what became of it.
 */
import type { Accounting } from "../../ingress/Accounting.ts"
import type { AnyEvent } from "../../ingress/IngressEvent.ts"
import type { Origin } from "../../ingress/Origin.ts"
import type { EventQueue, Turns } from "../../ingress/Turns.ts"

const NOWHERE: Origin = { key: "", source: "", id: null, url: null, ingressName: "" }

export class InHand {
  readonly #accounting: Accounting
  #busyWith: AnyEvent | "status" | undefined = undefined
  /** The last event, as it was before the handler had it in its hands. One object for all of them: for reading at once. */
  readonly answered = { origin: NOWHERE, sequence: 0, epoch: 0 }

  constructor(accounting: Accounting) {
    this.#accounting = accounting
  }

  get isBusy(): boolean {
    return this.#busyWith !== undefined
  }

  /** Takes the next event, which is in flight from now on. */
  take(turns: Turns<EventQueue>): AnyEvent | undefined {
    let event: AnyEvent | undefined
    do {
      const queue = turns.next()
      if (queue === undefined) return undefined
      // A queue that was discarded may still have its turn.
      event = queue.take()
    } while (event === undefined)
    this.#accounting.inFlight++
    this.#busyWith = event
    this.answered.origin = event.origin
    this.answered.sequence = event.sequence
    this.answered.epoch = event.epoch
    return event
  }

  /** The plugin is asked for its status. */
  ask(): void {
    this.#busyWith = "status"
  }

  /** Takes what the plugin is busy with out of its hands; undefined if it is busy with nothing. */
  release(): AnyEvent | "status" | undefined {
    const busyWith = this.#busyWith
    if (busyWith === undefined) return undefined
    this.#busyWith = undefined
    if (busyWith !== "status") this.#accounting.inFlight--
    return busyWith
  }
}
