/**
 * The events of a host, for many readers at once: first the whole status, then
 * the rows that changed.
 *
 * What changed is encoded once, whoever reads. A reader is handed nothing while
 * what it was handed before still waits for its socket, and once that has
 * drained one status as it is then: so a slow one misses what is old by then,
 * and all that is held for it is one piece of a document. The document itself
 * is written piece by piece, each row as it is when its turn comes.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as RcRef from "effect/RcRef"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { HostStatus } from "../../host/HostStatus.ts"
import type { PluginHost } from "../../host/PluginHost.ts"
import { type Change, Told } from "./change.ts"
import { EventReader } from "./eventReader.ts"

/** How often a row is told at most. */
const TELL_EVERY_MS = 250

/** How often somebody looks who was told of no change: counters alone are none. */
const LOOK_EVERY_MS = 1000

/** How many read at once. */
const MOST_READERS = 64

const SECOND_MS = 1000
const COMMENT_EVERY_S = 15

/** How long a reader may leave what it was handed undrained. */
const PATIENCE_S = 30

const COMMENT = Buffer.from(":\n\n")

/** Where somebody begins to read, for the life of the scope; undefined where too many do. */
export interface Events {
  /** `abandon` is called where the reader leaves what it was handed undrained. */
  readonly read: (abandon: () => void) => Effect.Effect<Stream.Stream<Uint8Array> | undefined, never, Scope.Scope>
}

export const make = (host: PluginHost["Service"]): Effect.Effect<Events, never, Scope.Scope> =>
  Effect.gen(function* () {
    const readers = new Set<EventReader>()
    const told = yield* RcRef.make({ acquire: telling(host, readers) })
    const read = (abandon: () => void) =>
      Effect.gen(function* () {
        if (readers.size >= MOST_READERS) return undefined
        const reader = new EventReader(host, abandon)
        yield* Effect.acquireRelease(
          Effect.sync(() => readers.add(reader)),
          () => Effect.sync(() => readers.delete(reader))
        )
        yield* RcRef.get(told)
        return reader.stream
      })
    return { read }
  })

/** Tells the readers what changes, for as long as there are any. */
const telling = (host: PluginHost["Service"], readers: ReadonlySet<EventReader>) =>
  Effect.gen(function* () {
    const told = new Told()
    told.since(yield* host.status)
    let last: Change | undefined
    const tell = (status: HostStatus) => {
      const change = told.since(status)
      if (change === undefined) return
      last?.giveUp()
      last = change
      for (const reader of readers) reader.tell(change)
    }
    const change = yield* Stream.toPull(host.changes)
    const looked = Effect.raceFirst(
      Effect.map(change, Arr.lastNonEmpty),
      Effect.andThen(Effect.sleep(LOOK_EVERY_MS - TELL_EVERY_MS), host.status)
    )
    const looking = Effect.forever(Effect.andThen(Effect.map(looked, tell), Effect.sleep(TELL_EVERY_MS)))
    const ended = Effect.sync(() => {
      for (const reader of readers) reader.end()
    })
    // It ends with the host.
    yield* Effect.forkScoped(Effect.andThen(Effect.exit(looking), ended), { startImmediately: true })
    yield* Effect.forkScoped(ticking(readers, () => last?.giveUp()))
  })

/** The seconds of the readers. One that the process stood still for is one second to them. */
const ticking = (readers: ReadonlySet<EventReader>, each: () => void) =>
  Effect.gen(function* () {
    for (let second = 1; ; second++) {
      yield* Effect.sleep(SECOND_MS)
      each()
      for (const reader of readers) {
        if (reader.second() >= PATIENCE_S) reader.abandon()
        else if (second % COMMENT_EVERY_S === 0) reader.comment(COMMENT)
      }
    }
  })
