/**
 * Frames in the order in which they came, with the oldest in sight.
 *
 * The list beneath is the one that Effect's `Queue` has inside; the queue itself
 * would add a second bound, takers, and an `Exit` for each frame, which together
 * cost a fifth of a text and a kilobyte of each idle connection.
 */
import * as MutableList from "effect/MutableList"
import type { Frame } from "../IngressEvent.ts"

export class Lane {
  /** Frames that wait, and the memory that they take. */
  depth = 0
  bytes = 0
  /** The oldest, wherever any waits. */
  head: Frame | undefined = undefined
  /** Those behind it, once there were any. */
  #rest: MutableList.MutableList<Frame> | undefined = undefined

  add(event: Frame): void {
    if (this.head === undefined) this.head = event
    else MutableList.append((this.#rest ??= MutableList.make()), event)
    this.depth++
    this.bytes += event.memory
  }

  /** Removes the oldest, if it has a lower sequence than this. */
  remove(before: number): Frame | undefined {
    const event = this.head
    if (event === undefined || event.sequence >= before) return undefined
    const rest = this.depth === 1 ? undefined : this.#rest
    const next = rest === undefined ? MutableList.Empty : MutableList.take(rest)
    this.head = next === MutableList.Empty ? undefined : next
    this.depth--
    this.bytes -= event.memory
    return event
  }

  /** Puts the one that was removed last back where it was. */
  giveBack(event: Frame): void {
    if (this.head !== undefined) MutableList.prepend((this.#rest ??= MutableList.make()), this.head)
    this.head = event
    this.depth++
    this.bytes += event.memory
  }
}
