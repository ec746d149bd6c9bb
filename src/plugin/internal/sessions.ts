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
import * as Scope from "effect/Scope"
import type { PluginRecord } from "../PluginRecord.ts"
import type { SourceSlot } from "../SourceSlot.ts"

type Fork = (effect: Effect.Effect<void>) => Fiber.Fiber<void>

export class Sessions {
  readonly #record: PluginRecord
  /** What is closed when the service ends. */
  #open: ReadonlyMap<SourceSlot, Scope.Closeable> = new Map()
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
      const scopes = new Map(this.#record.slots.map((slot) => [slot, Scope.makeUnsafe()] as const))
      this.#open = scopes
      return Effect.forEach(scopes, ([slot, scope]) => this.#supervise(slot, scope, fork), { discard: true })
    })
  }

  #supervise(slot: SourceSlot, scope: Scope.Closeable, fork: Fork): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.#open.get(slot) !== scope) return Effect.void
      const closing = this.#closing.get(slot)
      if (closing === undefined) return Scope.provide(slot.connection.supervised, scope)
      fork(Effect.andThen(Deferred.await(closing), this.#supervise(slot, scope, fork)))
      return Effect.void
    })
  }

  /** Ends them: nothing more is delivered, what waits is discarded, the sockets are closed in order. */
  close(fork: Fork): void {
    // The last one first, which is the one that waits for its turn to dial: it is not to have the turn that another
    // gives up.
    for (const { connection } of this.#record.slots.toReversed()) connection.silence()
    this.#record.discardWaiting()
    const closing = Array.from(this.#open, ([slot, scope]) => {
      const before = this.#closing.get(slot)
      const over = Deferred.makeUnsafe<void>()
      this.#closing.set(slot, over)
      return this.#closed(slot, scope, over, before)
    })
    this.#open = new Map()
    // In a turn of its own: this one may be a listener's in the middle of a chunk.
    const all = Effect.all(closing, { concurrency: "unbounded", discard: true })
    if (closing.length > 0) fork(Effect.andThen(Effect.yieldNow, all))
  }

  #closed(
    slot: SourceSlot,
    scope: Scope.Closeable,
    over: Deferred.Deferred<void>,
    before: Deferred.Deferred<void> | undefined
  ): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      if (before !== undefined) yield* Deferred.await(before)
      yield* Scope.close(scope, Exit.void)
      slot.queue.discard()
      if (this.#closing.get(slot) === over) this.#closing.delete(slot)
      Deferred.doneUnsafe(over, Exit.void)
    })
  }
}
