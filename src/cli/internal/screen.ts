/**
 * Stderr: lines that stay, and below them, on a terminal, a table that is
 * drawn anew in its place.
 *
 * Nothing here waits or fails. While a reader stalls, the newest table takes
 * the place of the one that waits, and lines wait up to a bound; what is over
 * it, or can't be written, is counted, and the count is told as soon as
 * something can be written again.
 */
import * as Effect from "effect/Effect"
import { widthOf } from "./cells.ts"
import type { Descriptor } from "./descriptor.ts"

const MOST_LINES = 1000
const MOST_CHARACTERS = 262_144

export interface Size {
  readonly columns: number
  readonly rows: number
}

/** A terminal that says nothing of its size, or that it has none, is taken for one of this. */
const USUAL: Size = { columns: 80, rows: 24 }

/** The lines of a table for a terminal of a size. */
export type Table = (size: Size) => ReadonlyArray<string>

export interface Screen {
  /** Whether there is a terminal on which a table can be drawn in place. */
  readonly live: boolean
  /** Whether it shows colours. */
  readonly isColoured: boolean
  /** Adds a line that stays, or several. */
  readonly log: (text: string) => void
  /** Draws this table, and again whenever something moved it. */
  readonly show: (table: Table) => void
  /** Waits until everything is written, or until nothing was taken for so many milliseconds. */
  readonly drained: (patience: number) => Effect.Effect<void>
}

/** Where stderr is a terminal: what tells its size, 0 or nothing of use where it has none, and when that has changed. */
export interface Terminal {
  readonly size: () => Size
  readonly onResize: (listener: () => void) => void
  /** The program goes on after it was suspended: others have written since. */
  readonly onResume: (listener: () => void) => void
  /** Calls once what has happened until now has been told: timers run before signals do. */
  readonly later: (call: () => void) => void
  readonly isColoured: boolean
}

/** A screen on a descriptor; without a terminal there are only lines. */
export const make = (descriptor: Descriptor, terminal: Terminal | undefined): Screen => {
  const lines: Array<string> = []
  let characters = 0
  // Lines that couldn't be written stood before those that wait, and those for which there was no room come after them.
  let failed = 0
  let left = 0
  let busy = false
  let isPlanned = false
  let table: Table | undefined
  let moved = false
  let drawn: ReadonlyArray<string> = []
  let idle: (() => void) | undefined

  const log = (text: string) => {
    if (lines.length >= MOST_LINES || characters + text.length > MOST_CHARACTERS) {
      left++
      return
    }
    lines.push(text)
    characters += text.length
    plan()
  }

  /** Where a table stands, others may have written below it while the program was suspended, of which it isn't told yet. */
  const plan = () => {
    if (terminal === undefined || drawn.length === 0) return flush()
    if (isPlanned) return
    isPlanned = true
    terminal.later(() => {
      isPlanned = false
      flush()
    })
  }

  const take = () => {
    const kept = lines.splice(0)
    const taken = { entries: failed + kept.length + left, text: [...note(failed), ...kept, ...note(left)] }
    failed = 0
    left = 0
    characters = 0
    return taken
  }

  const flush = () => {
    if (busy) return
    if (lines.length === 0 && !moved) {
      idle?.()
      return
    }
    const { entries, text } = take()
    moved = false
    busy = true
    descriptor.write(terminal === undefined ? written(text) : frame(text, sizeOf(terminal)), (error) => {
      busy = false
      if (error !== null) failed += entries
      flush()
    })
  }

  /** Lines and table in place of the table that stands there. */
  const frame = (above: ReadonlyArray<string>, size: Size): string => {
    const up = rowsOf(drawn, size)
    // One column and one row stay free: a cursor behind the last one has wrapped at some terminals and not at others.
    drawn = table?.({ ...size, columns: size.columns - 1 }).slice(0, Math.max(1, size.rows - 1)) ?? []
    const start = up === 0 ? "" : `\u001b[${up}A\r`
    const cleared = above.length === 0 ? "" : `\u001b[J${written(above)}`
    return `${start}${cleared}${drawn.map((line) => `${line}\u001b[K\n`).join("")}\u001b[J`
  }

  const moveOn = () => {
    moved = true
    plan()
  }

  const drained = (patience: number): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (!busy && !isPlanned) return Effect.void
      const before = descriptor.taken()
      const settled = Effect.callback<void>((resume) => {
        idle = () => resume(Effect.void)
      })
      const stalled = Effect.suspend(() => (descriptor.taken() === before ? Effect.void : drained(patience)))
      return Effect.raceFirst(settled, Effect.andThen(Effect.sleep(patience), stalled))
    })

  terminal?.onResize(() => {
    if (table !== undefined) moveOn()
  })

  terminal?.onResume(() => {
    drawn = []
    if (table !== undefined) moveOn()
  })

  return {
    live: terminal !== undefined,
    isColoured: terminal?.isColoured === true,
    log,
    show: (next) => {
      table = next
      if (terminal !== undefined) moveOn()
    },
    drained
  }
}

const note = (lost: number): ReadonlyArray<string> => (lost === 0 ? [] : [`${lost} log lines were lost`])

const written = (lines: ReadonlyArray<string>): string => lines.map((line) => `${line}\n`).join("")

const sizeOf = (terminal: Terminal): Size => {
  const { columns, rows } = terminal.size()
  return { columns: orUsual(columns, USUAL.columns), rows: orUsual(rows, USUAL.rows) }
}

const orUsual = (value: number, usual: number): number => (value > 0 ? value : usual)

/** How many rows lines take that were drawn, at a width that may have become smaller since: then they have wrapped. */
const rowsOf = (lines: ReadonlyArray<string>, { columns, rows }: Size): number => {
  const all = lines.reduce((sum, line) => sum + Math.max(1, Math.ceil(widthOf(line) / columns)), 0)
  return Math.min(all, rows - 1)
}
