/**
 * Texts in the order in which they came, with the oldest in sight.
 *
 * The list beneath is the one that Effect's `Queue` has inside; the queue itself
 * would add a second bound, takers, and an `Exit` for each text, which together
 * cost a fifth of a frame and a kilobyte of each idle connection.
 */
import * as MutableList from "effect/MutableList"
import { memoryOf } from "../Accounting.ts"
import type { WebSocketText } from "../IngressEvent.ts"

export class Lane {
  /** Texts that wait, and the memory that they take. */
  depth = 0
  bytes = 0
  /** The oldest, wherever any waits. */
  head: WebSocketText | undefined = undefined
  /** Those behind it. */
  readonly #rest = MutableList.make<WebSocketText>()

  add(event: WebSocketText): void {
    if (this.head === undefined) this.head = event
    else MutableList.append(this.#rest, event)
    this.depth++
    this.bytes += memoryOf(event.text, event.bytes)
  }

  /** Removes the oldest, if it has a lower sequence than this. */
  remove(before: number): WebSocketText | undefined {
    const event = this.head
    if (event === undefined || event.sequence >= before) return undefined
    const next = this.depth === 1 ? MutableList.Empty : MutableList.take(this.#rest)
    this.head = next === MutableList.Empty ? undefined : next
    this.depth--
    this.bytes -= memoryOf(event.text, event.bytes)
    return event
  }

  /** Puts the one that was removed last back where it was. */
  giveBack(event: WebSocketText): void {
    if (this.head !== undefined) MutableList.prepend(this.#rest, this.head)
    this.head = event
    this.depth++
    this.bytes += memoryOf(event.text, event.bytes)
  }
}
