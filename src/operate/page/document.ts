/**
 * The status document as it comes over the wire, and what events change of it.
 * Nothing of it is changed in place: what hasn't changed is the same object as
 * before, by which the view knows what to leave alone.
 */
import type { Encoded } from "../../host/HostStatus.ts"

export type Row = Encoded["plugins"][number]
export type Connection = Row["websocket_connections"][number]
export type Diagnostic = Row["diagnostics"][number]
export type Host = Encoded["host"]

/** What is known of a host; without one, nothing yet. */
export interface Document {
  readonly host: Host | undefined
  readonly rows: ReadonlyMap<string, Row>
}

export const NOTHING: Document = { host: undefined, rows: new Map() }

/** An event as it stands in the stream. */
export interface Told {
  readonly name: string
  readonly data: string
}

/** Of two rows of one reference the first is the one that is enabled. */
const byReference = (rows: ReadonlyArray<Row>): Map<string, Row> => {
  const known = new Map<string, Row>()
  for (const row of rows) if (!known.has(row.plugin_ref)) known.set(row.plugin_ref, row)
  return known
}

/** What is known once these were told. An event that nobody knows says nothing. */
export const after = (document: Document, events: ReadonlyArray<Told>): Document => {
  let { host } = document
  let rows = new Map(document.rows)
  for (const { data, name } of events) {
    if (name === "status") {
      const whole: Encoded = JSON.parse(data)
      host = whole.host
      rows = byReference(whole.plugins)
    } else if (name === "plugin") {
      const row: Row = JSON.parse(data)
      rows.set(row.plugin_ref, row)
    } else if (name === "removed") {
      const gone: { readonly plugin_ref: string } = JSON.parse(data)
      rows.delete(gone.plugin_ref)
    }
  }
  return { host, rows }
}
