/**
 * How whoever wants to know is told of what happens in a host: that something
 * changed, and each new diagnostic. Nobody who reads slowly holds anything up
 * or makes anything grow, and everybody is told of the end.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"

/** How many diagnostics wait for a reader. */
const MOST_WAITING = 256

interface Numbered<A> {
  readonly number: number
  readonly value: A
}

export interface Feeds<A> {
  readonly changed: () => void
  readonly recorded: (value: A) => void
  /** At once, whenever something changed, and once more at the end. */
  readonly signals: Stream.Stream<void>
  /** What is recorded from now on, each with how many before it were skipped because its reader was slow. */
  readonly records: Stream.Stream<A & { readonly skipped: number }>
  readonly end: Effect.Effect<void>
}

export const make = <A extends object>(): Feeds<A> => {
  const changes = new Readers<void>(1)
  const records = new Readers<Numbered<A>>(MOST_WAITING)
  let number = 0
  return {
    changed: () => changes.tell(undefined),
    recorded: (value) => records.tell({ number: ++number, value }),
    signals: changes.stream((queue) => {
      Queue.offerUnsafe(queue, undefined)
      return Stream.fromQueue(queue)
    }),
    records: records.stream((queue) => withSkipped(Stream.fromQueue(queue), number)),
    end: Effect.sync(() => {
      changes.tell(undefined)
      changes.end()
      records.end()
    })
  }
}

/** Readers of which each has a queue of its own: what one leaves unread is no other's. */
class Readers<A> {
  readonly #capacity: number
  readonly #queues = new Set<Queue.Queue<A, Cause.Done>>()
  #hasEnded = false

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  tell(value: A): void {
    for (const queue of this.#queues) Queue.offerUnsafe(queue, value)
  }

  /** Ends every stream behind what its reader has yet to read. */
  end(): void {
    this.#hasEnded = true
    for (const queue of this.#queues) Queue.endUnsafe(queue)
  }

  /** What is told from when it is run, as `read` makes it of the queue then. */
  stream<B>(read: (queue: Queue.Queue<A, Cause.Done>) => Stream.Stream<B>): Stream.Stream<B> {
    const queue = Effect.acquireRelease(Queue.sliding<A, Cause.Done>(this.#capacity), (made) =>
      Effect.sync(() => this.#queues.delete(made))
    )
    const reading = Effect.map(queue, (made) => {
      const stream = read(made)
      this.#queues.add(made)
      if (this.#hasEnded) Queue.endUnsafe(made)
      return stream
    })
    return Stream.unwrap(reading)
  }
}

const withSkipped = <A extends object>(records: Stream.Stream<Numbered<A>>, before: number) =>
  Stream.mapAccum(
    records,
    () => before,
    (last, { number, value }) => [number, [{ ...value, skipped: number - last - 1 }]] as const
  )
