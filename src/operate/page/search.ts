/**
 * The diagnostics of all plugins and of the host as one list that is searched.
 */
import { clean } from "./clean.ts"
import type { Diagnostic, Document } from "./document.ts"

/** A diagnostic and whose it is: null for the host itself. */
export interface Found {
  readonly plugin: string | null
  readonly diagnostic: Diagnostic
}

export interface Results {
  readonly found: ReadonlyArray<Found>
  /** How many there are in all. */
  readonly count: number
}

/** How many are listed. */
const MOST = 100

const matches = (
  words: ReadonlyArray<string>,
  plugin: string | null,
  { message, severity, stage, tag }: Diagnostic
) => {
  if (words.length === 0) return true
  const text = `${plugin ?? "host"} ${tag} ${stage} ${severity} ${message}`.toLowerCase()
  return words.every((word) => text.includes(word))
}

export const wordsOf = (text: string): ReadonlyArray<string> =>
  text
    .toLowerCase()
    .split(/\s+/u)
    .filter((word) => word !== "")

/** Those that have each word of the text, the newest first. */
export const search = ({ host, rows }: Document, text: string): Results => {
  const words = wordsOf(text)
  const newest: Array<Found> = []
  let all = 0
  const look = (plugin: string | null, diagnostics: ReadonlyArray<Diagnostic>) => {
    const matching = words.length === 0 ? diagnostics : diagnostics.filter((each) => matches(words, plugin, each))
    all += matching.length
    // They stand in the order of time: of each there are so many at the most in the list.
    for (const diagnostic of matching.slice(-MOST)) newest.push({ plugin, diagnostic })
  }
  look(null, host?.diagnostics ?? [])
  for (const [ref, { diagnostics }] of rows) look(ref, diagnostics)
  return { found: newest.toSorted(later).slice(0, MOST), count: all }
}

const later = ({ diagnostic: { at: one } }: Found, { diagnostic: { at: other } }: Found): number =>
  one < other ? 1 : one > other ? -1 : 0

/** Whether a plugin's name or what is said of it has each word. */
export const hasWords = (words: ReadonlyArray<string>, ...texts: ReadonlyArray<string>): boolean => {
  const text = clean(texts.join(" ")).toLowerCase()
  return words.every((word) => text.includes(word))
}
