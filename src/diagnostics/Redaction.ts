/**
 * The one place where text is bounded and masked before anybody sees it.
 *
 * Foreign text (a close reason, a plugin's error message, a reported status) is
 * cut at 512 characters, loses its control and bidirectional characters, and
 * every known secret and configured string in it is masked. The host's own
 * texts carry nothing of the kind by construction; they are bounded here too,
 * and secrets are masked in them as a second line of defence.
 *
 * @since 0.1.0
 */
import type * as Schema from "effect/Schema"

/**
 * The longest foreign text that is shown, in UTF-16 code units.
 *
 * @category constants
 * @since 0.1.0
 */
export const MAX_FOREIGN_TEXT = 512

const MAX_OWN_TEXT = 2048
const MAX_DEPTH = 8
const MAX_ENTRIES = 64
const SHORTEST_CONFIGURED = 6
const MASK = "***"

// C0 and C1 controls, bidirectional marks, embeddings, overrides and isolates, line and paragraph separators, lone surrogates.
const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

/**
 * Masks and bounds text for one plugin.
 *
 * @category models
 * @since 0.1.0
 */
export interface Redaction {
  /** For text that came from a server or a plugin. */
  readonly foreign: (text: string) => string
  /** For text that the host made itself. */
  readonly own: (text: string) => string
  /** For a JSON value that came from a server or a plugin: every string and key in it. */
  readonly json: (value: Schema.Json) => Schema.Json
}

/**
 * Makes the redaction of a plugin from its secrets and from its configuration,
 * whose strings of six or more characters are masked in foreign text.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: { readonly secrets: ReadonlyArray<string>; readonly config: Schema.Json }): Redaction => {
  const secrets = options.secrets.flatMap(forms)
  const known = masker([...secrets, ...stringsOf(options.config).flatMap(forms)])
  const secret = masker(secrets)
  const foreign = (text: string) => cut(known(text).replace(UNSAFE, "\u{fffd}"), MAX_FOREIGN_TEXT)
  return {
    foreign,
    own: (text) => cut(secret(text).replace(UNSAFE, "\u{fffd}"), MAX_OWN_TEXT),
    json: (value) => mapStrings(value, foreign, 0)
  }
}

/** A secret as it stands, and as it stands in a URL. */
const forms = (text: string): ReadonlyArray<string> => {
  if (text === "") return []
  const encoded = encodeURIComponent(text.toWellFormed())
  return encoded === text ? [text] : [text, encoded]
}

/** Replaces each of the texts, the longest first. */
const masker = (texts: ReadonlyArray<string>): ((text: string) => string) => {
  const sorted = [...new Set(texts)].toSorted((a, b) => b.length - a.length)
  return (text) => sorted.reduce((masked, secret) => masked.replaceAll(secret, MASK), text)
}

const cut = (text: string, length: number): string => {
  if (text.length <= length) return text
  const head = text.slice(0, length - 1)
  return `${/[\ud800-\udbff]$/.test(head) ? head.slice(0, -1) : head}\u{2026}`
}

const stringsOf = (value: Schema.Json): ReadonlyArray<string> => {
  if (typeof value === "string") return value.length >= SHORTEST_CONFIGURED ? [value] : []
  if (Array.isArray(value)) return value.flatMap((item: Schema.Json) => stringsOf(item))
  if (typeof value === "object" && value !== null) return Object.values(value).flatMap((item) => stringsOf(item))
  return []
}

const mapStrings = (value: Schema.Json, f: (text: string) => string, depth: number): Schema.Json => {
  if (typeof value === "string") return f(value)
  if (typeof value !== "object" || value === null) return value
  if (depth >= MAX_DEPTH) return "\u{2026}"
  if (Array.isArray(value)) {
    return value.slice(0, MAX_ENTRIES).map((item: Schema.Json) => mapStrings(item, f, depth + 1))
  }
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, MAX_ENTRIES)
      .map(([key, item]) => [f(key), mapStrings(item, f, depth + 1)])
  )
}
