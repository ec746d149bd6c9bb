/**
 * The sessions of a plugin: its connections, each supervised from when its
 * service runs until that ends.
 *
 * A connection of the next service is supervised once its own socket of the one
 * before is gone, so a peer that never answers a close holds up no other source.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { PluginRecord } from "../PluginRecord.ts"
import type { SourceSlot } from "../SourceSlot.ts"

type Fork = (effect: Effect.Effect<void>) => Fiber.Fiber<void>

export class Sessions {
  readonly #record: PluginRecord
  /** What is ended when the service ends; another set for each service. */
  #open: ReadonlySet<SourceSlot> = new Set()
  /** Sockets that are still being closed. */
  readonly #closing = new Map<SourceSlot, Deferred.Deferred<void>>()

  constructor(record: PluginRecord) {
    this.#record = record
  }

  get areClosing(): boolean {
    return this.#closing.size > 0
  }

  /** Completes when those that are being closed are. */
  get closed(): Effect.Effect<void> {
    return Effect.suspend(() => Effect.forEach([...this.#closing.values()], Deferred.await, { discard: true }))
  }

  /** Begins a session with each source that has none. */
  open(fork: Fork): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.#open.size > 0) return Effect.void
      const slots = new Set(this.#record.slots)
      this.#open = slots
      return Effect.forEach(slots, (slot) => this.#supervise(slot, slots, fork), { discard: true })
    })
  }

  #supervise(slot: SourceSlot, among: ReadonlySet<SourceSlot>, fork: Fork): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.#open !== among) return Effect.void
      const closing = this.#closing.get(slot)
      if (closing === undefined) return slot.connection.begun
      fork(Effect.andThen(Deferred.await(closing), this.#supervise(slot, among, fork)))
      return Effect.void
    })
  }

  /** Ends them: nothing more is delivered, what waits is discarded, the sockets are closed in order. */
  close(fork: Fork): void {
    // The last one first, which is the one that waits for its turn to dial: it is not to have the turn that another
    // gives up.
    for (const { connection } of this.#record.slots.toReversed()) connection.silence()
    this.#record.discardWaiting()
    const closing = Array.from(this.#open, (slot) => {
      const before = this.#closing.get(slot)
      const over = Deferred.makeUnsafe<void>()
      this.#closing.set(slot, over)
      return this.#closed(slot, over, before)
    })
    this.#open = new Set()
    // In a turn of its own: this one may be a listener's in the middle of a chunk.
    const all = Effect.all(closing, { concurrency: "unbounded", discard: true })
    if (closing.length > 0) fork(Effect.andThen(Effect.yieldNow, all))
  }

  #closed(
    slot: SourceSlot,
    over: Deferred.Deferred<void>,
    before: Deferred.Deferred<void> | undefined
  ): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      if (before !== undefined) yield* Deferred.await(before)
      yield* slot.connection.ended
      slot.queue.discard()
      if (this.#closing.get(slot) === over) this.#closing.delete(slot)
      Deferred.doneUnsafe(over, Exit.void)
    })
  }
}
