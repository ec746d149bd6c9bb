/**
 * The bounded log of one plugin's diagnostics: the last few as records, all of
 * them as exact counts.
 *
 * A repeat of the same tag at the same connection within a second raises the
 * count of the record that is there, so a flood of one error neither pushes
 * the others out nor costs more than a number.
 *
 * @since 0.1.0
 */
import type { Diagnostic, Encoded, Reportable } from "./Diagnostic.ts"

const REPEAT_WITHIN_MS = 1000

interface Record {
  readonly key: string
  readonly sourceId: string | null
  readonly at: number
  readonly encoded: Encoded
  count: number
}

/**
 * A bounded log over an encoding.
 *
 * **Details**
 *
 * `report` takes the error or a function that makes it; the function isn't
 * called for a repeat. `sourceId` names the source that a diagnostic belongs to,
 * null for none.
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
 * milliseconds; `changed` is called for each new record, not for repeats.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <E extends Reportable>(options: {
  readonly capacity: number
  readonly now: () => number
  readonly encode: (error: E) => Encoded
  readonly changed: () => void
}): DiagnosticLog<E> => {
  const records: Array<Record> = []
  const latest = new Map<string, Record>()
  const counts = new Map<string, number>()

  const report = (tag: E["_tag"], sourceId: string | null, makeError: () => E): void => {
    counts.set(tag, (counts.get(tag) ?? 0) + 1)
    const key = `${tag} ${sourceId ?? ""}`
    const at = options.now()
    const last = latest.get(key)
    if (last !== undefined && at >= last.at && at - last.at < REPEAT_WITHIN_MS) {
      last.count++
      return
    }
    const record: Record = { key, sourceId, at, encoded: options.encode(makeError()), count: 1 }
    records.push(record)
    latest.set(key, record)
    if (records.length > options.capacity) {
      const oldest = records.shift()
      if (oldest !== undefined && latest.get(oldest.key) === oldest) latest.delete(oldest.key)
    }
    options.changed()
  }

  return {
    report,
    add: (error, sourceId = null) => report(error._tag, sourceId, () => error),
    entries: () =>
      records.map(({ at, count, encoded, sourceId }) => ({
        ...encoded,
        ...(sourceId === null ? {} : { sourceId }),
        at: new Date(at).toISOString(),
        count
      })),
    counts: () => Object.fromEntries(counts)
  }
}
