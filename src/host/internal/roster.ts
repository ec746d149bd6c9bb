/**
 * Which plugins a host runs, and how it comes to run others: what is new is
 * started, what is gone is stopped, what changed is restarted, and nothing else
 * is touched.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { Problem } from "../../internal/wire.ts"
import type { PluginPackage } from "../../plugin/PluginRuntime.ts"
import * as Assemble from "./assemble.ts"
import { Configuration, type ConfigFile } from "./configuration.ts"
import type { Shared } from "./shared.ts"
import * as Wanted from "./wanted.ts"
import * as Entries from "./entries.ts"

interface Entry {
  readonly row: Assemble.Row
  readonly scope: Scope.Closeable
}

/** What becomes of one entry. */
interface Step {
  readonly wanted: Wanted.Wanted
  readonly entry: Entry | undefined
  readonly isSame: boolean
}

/** What is to run. Without packages or a file they stay the ones that there are. */
interface Change {
  readonly plugins?: ReadonlyArray<PluginPackage>
  readonly enabled: ReadonlyArray<unknown>
  readonly file?: ConfigFile
}

export interface Roster {
  /** In the order in which they are enabled; behind them those that are being stopped, the last first. */
  readonly rows: ReadonlyArray<Assemble.Row>
  readonly find: (ref: string) => Assemble.Row | undefined
  /** The same; where it is disabled, what still runs under this reference. */
  readonly findLast: (ref: string) => Assemble.Row | undefined
  readonly configuration: Configuration
  /** What the entries name and isn't there, or can't be used. */
  readonly lacking: ReadonlyArray<Problem>
  /** One after the other. Completes when every plugin has been told. */
  readonly apply: (change: Change) => Effect.Effect<void>
  /** Secrets may have changed. */
  readonly refresh: Effect.Effect<void>
}

/** An empty roster; closing the scope stops every plugin, side by side. */
export const make = (
  packages: ReadonlyArray<PluginPackage>,
  shared: Shared
): Effect.Effect<Roster, never, Scope.Scope> =>
  Effect.gen(function* () {
    const running = yield* Scope.make("parallel")
    yield* Effect.addFinalizer(() => Scope.close(running, Exit.void))
    const oneByOne = Semaphore.makeUnsafe(1)
    const configuration = new Configuration({
      clock: shared.clock,
      capacity: shared.limits.diagnosticsKept,
      secrets: shared.knownSecrets.words,
      changeLog: shared.changeLog,
      recorded: (record) => shared.recorded(null, record.diagnostic)
    })
    let known = packages
    let entries: ReadonlyMap<string, Entry> = new Map()
    const leaving = new Set<Entry>()
    // What has left and still runs, because it didn't end when it was told to.
    const haunting = new Map<string, Assemble.Row["instance"]["ghosts"]>()
    let rows = 0

    const leave = (entry: Entry) => {
      leaving.add(entry)
      // What it had stays masked, as what it had before.
      shared.knownSecrets.set(entry.row.ref, new Map())
      const { ghosts } = entry.row.instance
      const { ref } = entry.row
      const ended = Effect.sync(() => {
        leaving.delete(entry)
        // Nothing has run beside what haunts it already.
        if (ghosts.areAbout && haunting.get(ref)?.areAbout !== true) haunting.set(ref, ghosts)
        const isThere = entries.has(ref) || [...leaving].some(({ row }) => row.ref === ref)
        if (!isThere) shared.observers.gone(ref)
        shared.changed()
      })
      // The host doesn't close before it has ended, either.
      return Effect.forkIn(
        Effect.uninterruptible(Effect.ensuring(Scope.close(entry.scope, Exit.void), ended)),
        running,
        { startImmediately: true }
      )
    }

    const enter = (wanted: Wanted.Wanted) =>
      Effect.gen(function* () {
        // What runs under this reference still, though it was disabled.
        const left = [...leaving].filter(({ row }) => row.ref === wanted.ref).at(-1)?.row.instance.ghosts
        const former = left ?? haunting.get(wanted.ref)
        const row = yield* Assemble.row(wanted, `${shared.runKey}-${rows++}`, shared, former)
        return { row, scope: yield* Scope.fork(running) }
      })

    const enact = ({ entry, isSame, wanted }: Step): Effect.Effect<Entry> => {
      if (entry === undefined) return enter(wanted)
      if (!isSame) return Effect.as(Assemble.change(entry.row, wanted, shared), entry)
      return Effect.as(Assemble.regrant(entry.row, wanted, shared), entry)
    }

    const apply = ({ enabled, file }: Change) =>
      Effect.gen(function* () {
        const read = Entries.read(enabled)
        const before = entries
        const plan = read.entries.map((each) => {
          const wanted = Wanted.want(each, known)
          const entry = before.get(wanted.ref)
          return { wanted, entry, isSame: entry !== undefined && Assemble.isSame(entry.row, wanted) }
        })
        const staying = new Set(plan.map(({ wanted }) => wanted.ref))
        entries = new Map([...before].filter(([ref]) => staying.has(ref)))
        for (const [ref, entry] of before) if (!staying.has(ref)) yield* leave(entry)
        for (const [ref, ghosts] of haunting) if (!ghosts.areAbout) haunting.delete(ref)
        // Side by side: a grant store that is slow to answer is so once, not once for each plugin.
        const next = yield* Effect.forEach(plan, enact, { concurrency: "unbounded" })
        entries = new Map(next.map((entry) => [entry.row.ref, entry]))
        for (const { row } of next) if (!before.has(row.ref)) shared.observers.entered(row)
        for (const entry of next) {
          if (!before.has(entry.row.ref)) yield* Scope.provide(entry.row.instance.supervised, entry.scope)
        }
        configuration.applied({ file, places: next.map(({ row }) => row.wanted.at), problems: read.problems })
        shared.changed()
      })

    return {
      get rows() {
        const gone = [...leaving].filter(({ row }) => !entries.has(row.ref)).toReversed()
        return [...entries.values(), ...gone].map(({ row }) => row)
      },
      find: (ref) => entries.get(ref)?.row,
      findLast: (ref) => entries.get(ref)?.row ?? [...leaving].findLast(({ row }) => row.ref === ref)?.row,
      configuration,
      get lacking() {
        return [...entries.values()].flatMap(({ row: { held, wanted } }) =>
          (held?.problems ?? []).map(({ message, path }) => ({ path: `${wanted.at}.${path}`, message }))
        )
      },
      apply: (change) =>
        Effect.suspend(() => {
          known = change.plugins ?? known
          return apply(change)
        }).pipe(oneByOne.withPermits(1), Effect.uninterruptible),
      refresh: Effect.suspend(() =>
        Effect.forEach([...entries.values()], ({ row }) => Assemble.refresh(row, shared), {
          concurrency: "unbounded",
          discard: true
        })
      ).pipe(oneByOne.withPermits(1), Effect.uninterruptible)
    }
  })
