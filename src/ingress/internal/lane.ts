/**
 * Texts in the order in which they came, with the oldest in sight. The producer
 * makes room itself, so the queue beneath never drops what it can't hand over.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import { memoryOf } from "../Accounting.ts"
import type { WebSocketText } from "../IngressEvent.ts"

export class Lane {
  /** Texts that wait, and the memory that they take. */
  depth = 0
  bytes = 0
  readonly #queue: Queue.Queue<WebSocketText>
  #head: WebSocketText | undefined = undefined
  /** What came back and stands before the queue, the oldest last. */
  readonly #returned: Array<WebSocketText> = []

  constructor(queue: Queue.Queue<WebSocketText>) {
    this.#queue = queue
  }

  /** The oldest. */
  get head(): WebSocketText | undefined {
    this.#head ??= this.#poll()
    return this.#head
  }

  add(event: WebSocketText): void {
    Queue.offerUnsafe(this.#queue, event)
    this.depth++
    this.bytes += memoryOf(event.text, event.bytes)
  }

  /** Removes the oldest, if it has a lower sequence than this. */
  remove(before: number): WebSocketText | undefined {
    const event = this.#head ?? this.#poll()
    if (event === undefined || event.sequence >= before) {
      this.#head = event
      return undefined
    }
    this.#head = undefined
    this.depth--
    this.bytes -= memoryOf(event.text, event.bytes)
    return event
  }

  /** Puts the one that was removed last back where it was. */
  giveBack(event: WebSocketText): void {
    if (this.#head !== undefined) this.#returned.push(this.#head)
    this.#head = event
    this.depth++
    this.bytes += memoryOf(event.text, event.bytes)
  }

  #poll(): WebSocketText | undefined {
    if (this.depth === 0) return undefined
    if (this.#returned.length > 0) return this.#returned.pop()
    const taken = Queue.takeUnsafe(this.#queue)
    return taken !== undefined && Exit.isSuccess(taken) ? taken.value : undefined
  }
}

/** A lane that holds at most so many texts. */
export const make = (most: number): Effect.Effect<Lane> =>
  Effect.map(Queue.sliding<WebSocketText>(most), (queue) => new Lane(queue))
