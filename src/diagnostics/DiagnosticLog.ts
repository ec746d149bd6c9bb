/**
 * The bounded log of one plugin's diagnostics: the last few as records, all of
 * them as exact counts.
 *
 * A repeat of the same tag at the same connection within a second raises the
 * count of the record that is there, so a flood of one error costs no more
 * than a number. Of each tag the last few stay as long as they fit, so a flood
 * of many different ones pushes out its own kind and no other.
 *
 * @since 0.1.0
 */
import type { Diagnostic, Encoded, Reportable } from "./Diagnostic.ts"

const REPEAT_WITHIN_MS = 1000
/** How many records of a tag stay whatever else is reported, as far as they fit. */
const KEPT_OF_EACH_TAG = 4

interface Record {
  readonly key: string
  readonly order: number
  /** Unix milliseconds, and the same as text. */
  readonly at: number
  readonly time: string
  readonly encoded: Omit<Diagnostic, "at" | "count">
  count: number
  /** The next record of the same tag. */
  next: Record | undefined
}

/** The records of one tag, the oldest first, and how often it was ever reported. */
interface Chain {
  total: number
  kept: number
  first: Record | undefined
  last: Record | undefined
}

/**
 * A new record: the error as it was reported, and as it is shown.
 *
 * @category models
 * @since 0.2.0
 */
export interface Recorded<E extends Reportable> {
  readonly error: E
  readonly diagnostic: Diagnostic
}

/**
 * A bounded log over an encoding.
 *
 * **Details**
 *
 * `report` takes the error or a function that makes it; the function isn't
 * called for a repeat. `sourceId` names the source that a diagnostic belongs to,
 * null for none; never what a plugin made up. A tag belongs to one stage.
 *
 * @category models
 * @since 0.1.0
 */
export interface DiagnosticLog<E extends Reportable> {
  readonly report: (tag: E["_tag"], sourceId: string | null, make: () => E) => void
  readonly add: (error: E, sourceId?: string | null) => void
  /** The records kept, the oldest first. */
  readonly entries: () => ReadonlyArray<Diagnostic>
  /** How often each tag was ever reported. */
  readonly counts: () => { readonly [tag: string]: number }
}

/**
 * Makes a log that keeps `capacity` records. `now` is Unix time in
 * milliseconds; `recorded` is called for each new record, not for repeats.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <E extends Reportable>(options: {
  readonly capacity: number
  readonly now: () => number
  readonly encode: (error: E) => Encoded
  readonly recorded: (record: Recorded<E>) => void
}): DiagnosticLog<E> => {
  const chains = new Map<string, Chain>()
  const latest = new Map<string, Record>()
  let kept = 0
  let made = 0

  const chainOf = (tag: string): Chain => {
    const known = chains.get(tag)
    if (known !== undefined) return known
    const chain: Chain = { total: 0, kept: 0, first: undefined, last: undefined }
    chains.set(tag, chain)
    return chain
  }

  const evict = (): void => {
    const oldest = oldestOf(chains.values(), KEPT_OF_EACH_TAG) ?? oldestOf(chains.values(), 0)
    if (oldest?.first === undefined) return
    const { first } = oldest
    if (latest.get(first.key) === first) latest.delete(first.key)
    oldest.first = first.next
    oldest.kept--
    kept--
  }

  const append = (chain: Chain, record: Record): void => {
    if (chain.first === undefined || chain.last === undefined) chain.first = record
    else chain.last.next = record
    chain.last = record
    chain.kept++
    kept++
    latest.set(record.key, record)
    if (kept > options.capacity) evict()
  }

  const report = (tag: E["_tag"], sourceId: string | null, makeError: () => E): void => {
    const chain = chainOf(tag)
    chain.total++
    const key = `${tag} ${sourceId ?? ""}`
    const at = options.now()
    const last = latest.get(key)
    if (last !== undefined && at >= last.at && at - last.at < REPEAT_WITHIN_MS) {
      last.count++
      return
    }
    const error = makeError()
    const encoded = { ...options.encode(error), ...(sourceId === null ? {} : { sourceId }) }
    const record = { key, order: made++, at, time: new Date(at).toISOString(), encoded, count: 1, next: undefined }
    append(chain, record)
    options.recorded({ error, diagnostic: shown(record) })
  }

  return {
    report,
    add: (error, sourceId = null) => report(error._tag, sourceId, () => error),
    entries: () =>
      kept === 0
        ? []
        : [...chains.values()]
            .flatMap(recordsOf)
            .toSorted((one, other) => one.order - other.order)
            .map(shown),
    counts: () => Object.fromEntries([...chains].map(([tag, { total }]) => [tag, total]))
  }
}

const shown = ({ count, encoded, time }: Record): Diagnostic => ({ ...encoded, at: time, count })

/** Of the tags with more records than this the one with the oldest of all. */
const oldestOf = (chains: Iterable<Chain>, moreThan: number): Chain | undefined => {
  let oldest: Chain | undefined
  for (const chain of chains) {
    if (chain.kept <= moreThan || chain.first === undefined) continue
    if (oldest?.first === undefined || chain.first.order < oldest.first.order) oldest = chain
  }
  return oldest
}

const recordsOf = ({ first }: Chain): ReadonlyArray<Record> => {
  const records: Array<Record> = []
  for (let record = first; record !== undefined; record = record.next) records.push(record)
  return records
}
