/**
 * A runtime that takes events in batches, and does what the test says when the
 * test says so: it may have begun more than it has told, as a worker has.
 */
import { assert } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type { IngressEvent, PluginRuntime } from "mooring"

/** A batch that was lent, and what became of it. */
interface Lent {
  readonly events: ReadonlyArray<IngressEvent.AnyEvent>
  readonly told: PluginRuntime.Told
  /** How many the plugin has taken up, how many of those the host was told of, and how many it was told the end of. */
  claimed: number
  begun: number
  done: number
  isRecalled: boolean
  isInterrupted: boolean
}

export class Scripted implements PluginRuntime.Batches {
  readonly mostEvents: number
  readonly mostBytes: number
  /** How many may have been taken up and not told the end of: a worker goes on before the host has looked. */
  readonly mostAhead: number
  /** The batch that is out. */
  out: Lent | undefined = undefined
  lent = 0
  /** Told whenever the host is told that an event begins, when a batch is recalled, and when it is interrupted. */
  onBegun: () => void = () => {}
  onRecall: () => void = () => {}
  onInterrupt: () => void = () => {}
  readonly lost = Deferred.makeUnsafe<PluginRuntime.Loss>()

  constructor(mostEvents = 64, mostBytes = 1_000_000, mostAhead = 1) {
    this.mostEvents = mostEvents
    this.mostAhead = mostAhead
    this.mostBytes = mostBytes
  }

  get instance(): PluginRuntime.BatchingInstance {
    return { batches: this, stop: Effect.void, lost: Deferred.await(this.lost) }
  }

  dispatch(events: ReadonlyArray<IngressEvent.AnyEvent>, told: PluginRuntime.Told): PluginRuntime.Batch {
    assert.isUndefined(this.out, "rule 5: one batch at a time")
    assert.isAbove(events.length, 0)
    this.lent++
    const lent: Lent = { events, told, claimed: 0, begun: 0, done: 0, isRecalled: false, isInterrupted: false }
    this.out = lent
    return {
      recall: () => {
        assert.isFalse(lent.isRecalled, "recalled once")
        this.#tellBegun(lent)
        lent.isRecalled = true
        this.onRecall()
      },
      interrupt: () => {
        assert.isTrue(lent.isRecalled)
        lent.isInterrupted = true
        this.onInterrupt()
      }
    }
  }

  /** Sequences of the batch that is out, and where they come from. */
  get shown(): ReadonlyArray<string> {
    return (this.out?.events ?? []).map(({ sequence, sourceId }) => `${sourceId ?? "host"} ${sequence}`)
  }

  /** The plugin takes up the next event; the host isn't told yet. */
  claim(): boolean {
    const { out } = this
    if (out === undefined || out.isRecalled || out.claimed === out.events.length) return false
    if (out.claimed - out.done >= this.mostAhead) return false
    out.claimed++
    return true
  }

  /** The host is told of what was taken up. */
  tell(): void {
    if (this.out !== undefined) this.#tellBegun(this.out)
  }

  begin(): boolean {
    const isClaimed = this.claim()
    this.tell()
    return isClaimed
  }

  /** What the plugin is busy with ends; false if it is busy with nothing. */
  done(exit: Exit.Exit<PluginRuntime.Output | void, unknown>): boolean {
    const { out } = this
    if (out === undefined || out.claimed === out.done) return false
    this.#tellBegun(out)
    out.done++
    out.told.done(exit)
    return true
  }

  /** The batch ends, unless the plugin is busy: early, if not all has begun. */
  end(ms?: number): boolean {
    const { out } = this
    if (out === undefined || out.claimed !== out.done) return false
    this.out = undefined
    out.told.ended(ms)
    return true
  }

  /** One event after the other until the batch has ended. */
  work(exit: Exit.Exit<PluginRuntime.Output | void, unknown>, ms?: number): void {
    while (this.done(exit) || this.begin());
    this.end(ms)
  }

  #tellBegun(lent: Lent): void {
    while (lent.begun < lent.claimed) {
      lent.begun++
      lent.told.begun()
      this.onBegun()
    }
  }
}
