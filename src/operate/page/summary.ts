/**
 * A plugin in one line: how it is, and in which order lines stand, what isn't
 * well first.
 */
import type { Connection, Row } from "./document.ts"
import { clean } from "./clean.ts"
import { isDown, isRecent, ofLifecycle, ofSource, told, TROUBLE, type Trouble } from "./trouble.ts"

export interface Summary {
  readonly ref: string
  readonly row: Row
  readonly trouble: Trouble
  readonly state: string
  readonly open: number
  readonly received: number
  readonly dropped: number
  /** What is wrong, or else what the plugin says of itself. */
  readonly note: string
}

const sourceOf = ({ flow, state, stop_reason }: Connection) => ({ flow, state, stopReason: stop_reason })

export const ofConnection = (connection: Connection): Trouble => ofSource(sourceOf(connection))

/** Why a source isn't there though it should be. */
export const whyDown = (connection: Connection): string | undefined => {
  if (!isDown(sourceOf(connection))) return undefined
  return told(connection.last_error) ?? (connection.stop_reason === null ? "" : `stopped: ${connection.stop_reason}`)
}

/** Frames of both kinds. */
export const received = (connection: Connection): number =>
  connection.received_text_frames + connection.received_binary_frames

export const sent = (connection: Connection): number => connection.sent_text_frames + connection.sent_binary_frames

/** What a plugin says of itself, in one line. */
export const reported = ({ reported_status }: Row): string =>
  reported_status === null
    ? ""
    : typeof reported_status === "string"
      ? reported_status
      : JSON.stringify(reported_status)

const NOTE = 300

const noteOf = (row: Row, worst: Connection | undefined, isPast: boolean): string => {
  const isWrong = ofLifecycle(row.lifecycle) !== TROUBLE.none
  const flows = worst?.flow === "sliding" ? "events are dropped" : undefined
  const why = isWrong ? told(row.last_error) : worst === undefined ? undefined : (whyDown(worst) ?? flows)
  return clean((why ?? (isPast ? told(row.last_error) : undefined) ?? reported(row)).slice(0, NOTE))
}

const sum = (row: Row, of: (connection: Connection) => number): number =>
  row.websocket_connections.reduce((total, connection) => total + of(connection), 0)

/** The source that is worst off; none where all are well. */
const worstOf = (row: Row): Connection | undefined => {
  let worst: Connection | undefined
  for (const connection of row.websocket_connections) {
    const trouble = ofConnection(connection)
    if (trouble > (worst === undefined ? TROUBLE.none : ofConnection(worst))) worst = connection
  }
  return worst
}

const stateOf = ({ lifecycle }: Row, worst: Connection | undefined): string => {
  if (lifecycle !== "running" || worst === undefined) return lifecycle
  return worst.state === "open" ? worst.flow : `source ${worst.state}`
}

const summarise = (row: Row, isPast: boolean): Summary => {
  // While a plugin isn't there neither are its sources: that is said once.
  const worst = row.lifecycle === "running" ? worstOf(row) : undefined
  return {
    ref: row.plugin_ref,
    row,
    trouble: Math.max(
      ofLifecycle(row.lifecycle),
      worst === undefined ? TROUBLE.none : ofConnection(worst),
      isPast ? TROUBLE.past : TROUBLE.none
    ) as Trouble,
    state: stateOf(row, worst),
    open: row.websocket_connections.filter(({ state }) => state === "open").length,
    received: sum(row, received),
    dropped: sum(row, ({ queue_drops }) => queue_drops),
    note: noteOf(row, worst, isPast)
  }
}

/** Summaries that stay the same objects for as long as what they are of does. */
export class Summaries {
  readonly #known = new WeakMap<Row, { readonly isPast: boolean; readonly summary: Summary }>()

  of(row: Row, at: number): Summary {
    const isPast = row.lifecycle === "running" && isRecent(row.last_error, at)
    const known = this.#known.get(row)
    if (known?.isPast === isPast) return known.summary
    const summary = summarise(row, isPast)
    this.#known.set(row, { isPast, summary })
    return summary
  }

  /** All of them, those with trouble first, else in the order of the document. */
  inOrder(rows: Iterable<Row>, at: number): ReadonlyArray<Summary> {
    return [...rows].map((row) => this.of(row, at)).toSorted((one, other) => other.trouble - one.trouble)
  }
}
