/**
 * The places of a configuration where a text from outside belongs: tables of
 * exactly `from_env` or `from_file`.
 */
import * as Repeats from "./repeats.ts"

/** A place, and what is said of where its text comes from, in the form that a secret has; not checked. */
export interface Place {
  readonly path: ReadonlyArray<PropertyKey>
  readonly source: unknown
}

const KEYS: ReadonlyMap<string, string> = new Map([
  ["from_env", "env"],
  ["from_file", "file"]
])

/** What stands in place of a text, undefined where nothing does. */
export const sourceOf = (value: unknown): unknown => {
  if (!Repeats.isTable(value)) return undefined
  const [entry, ...others] = Object.entries(value)
  const key = entry === undefined || others.length > 0 ? undefined : KEYS.get(entry[0])
  return key === undefined ? undefined : { [key]: entry?.[1] }
}

export const placesIn = (value: unknown, path: ReadonlyArray<PropertyKey>): ReadonlyArray<Place> => {
  const source = sourceOf(value)
  if (source !== undefined) return [{ path, source }]
  if (typeof value !== "object" || value === null) return []
  const entries: Iterable<[PropertyKey, unknown]> = Array.isArray(value) ? value.entries() : Object.entries(value)
  return Array.from(entries).flatMap(([key, item]) => placesIn(item, [...path, key]))
}
