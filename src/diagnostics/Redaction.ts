/**
 * The one place where text is bounded and masked before anybody sees it.
 *
 * Foreign text (a close reason, a plugin's error message, a reported status) is
 * cut at 512 characters, loses its control and bidirectional characters, and
 * every known secret and configured string in it is masked, in each form in
 * which it can stand there: as it is, in either case, and as JSON,
 * percent-escapes and base64 write it. The host's own texts carry nothing of
 * the kind by construction; they are bounded here too, and secrets are masked
 * in them as a second line of defence.
 *
 * What is masked is prepared once for a configuration, and once for all plugins
 * where they share secrets, when the first text comes; a text then costs what it
 * is long, however much is configured.
 *
 * @since 0.1.0
 */
import type * as Schema from "effect/Schema"
import { MASK, masker } from "./internal/masking.ts"
import { Words } from "./Words.ts"

/**
 * The longest foreign text that is shown, in UTF-16 code units.
 *
 * @category constants
 * @since 0.1.0
 */
export const MAX_FOREIGN_TEXT = 512

const MAX_OWN_TEXT = 2048

/**
 * How much of a text is looked at, in UTF-16 code units. Whoever bounds a text
 * before it is shown leaves at least one more (`READ_TEXT`), so that the text is
 * known to be cut: what it ends with may be the beginning of what is masked.
 */
const MAX_READ = 4096

/**
 * How much of a foreign text is handed over to be shown: all that is looked at,
 * and one more.
 *
 * @category constants
 * @since 0.2.0
 */
export const READ_TEXT = MAX_READ + 1

/**
 * How many lines are shown of a text that is shown as lines.
 *
 * @category constants
 * @since 0.4.0
 */
export const MAX_LINES = 20

const LINE_END = /\r\n|[\n\r\u2028\u2029]/

const MAX_DEPTH = 8
const MAX_ENTRIES = 64
/** How much of a JSON value is shown: the characters of its strings and keys, and one for each value. */
const MAX_WEIGHT = 16_384
const SHORTEST_CONFIGURED = 6
/** How many texts are remembered as they are shown: a status asks for the same ones again and again. */
const MAX_REMEMBERED = 256
/** How often a text is masked anew because masking and cutting it made another value. */
const MAX_ROUNDS = 4

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
  /** The same, as lines, at most `MAX_LINES`. */
  readonly lines: (text: string) => ReadonlyArray<string>
  /** For text that the host made itself. */
  readonly own: (text: string) => string
  /** For a JSON value that came from a server or a plugin: every string and key in it. */
  readonly json: (value: Schema.Json) => Schema.Json
  /** Another one once other texts are masked. */
  readonly version: () => number
}

/**
 * Makes the redaction of a plugin from the secrets that there are and from what
 * is configured, whose strings of six or more characters are masked in foreign
 * text. Secrets may be shared with others, and become others.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: {
  readonly secrets: ReadonlyArray<string> | Words
  readonly config: Schema.Json
}): Redaction => {
  const { config } = options
  const secrets = options.secrets instanceof Words ? options.secrets : wordsOf(options.secrets)
  const configured = new Words(() => stringsOf(config))
  const foreign = shower(secrets, [configured], MAX_FOREIGN_TEXT)
  // What is masked may have line ends in it, so this comes before there are lines.
  const mask = masker([secrets, configured])
  return {
    foreign,
    lines: (text) => linesOf(mask(text.slice(0, MAX_READ), text.length > MAX_READ), text.length > MAX_READ, foreign),
    own: shower(secrets, [], MAX_OWN_TEXT),
    json: (value) => shownJson(value, foreign),
    version: () => secrets.version
  }
}

const wordsOf = (values: ReadonlyArray<string>): Words => new Words(() => values)

/** How texts are shown in which these must not be. */
const shower = (secrets: Words, others: ReadonlyArray<Words>, most: number): ((text: string) => string) => {
  const remembered = new Map<string, string>()
  const mask = masker([secrets, ...others])
  let version = secrets.version
  return (text) => {
    if (version !== secrets.version) {
      version = secrets.version
      remembered.clear()
    }
    const known = remembered.get(text)
    if (known !== undefined) return known
    const shown = show(text, mask, most)
    if (text.length > MAX_FOREIGN_TEXT) return shown
    if (remembered.size >= MAX_REMEMBERED) remembered.clear()
    remembered.set(text, shown)
    return shown
  }
}

const show = (text: string, mask: ReturnType<typeof masker>, most: number): string => {
  const isCut = text.length > MAX_READ
  const head = isCut ? text.slice(0, MAX_READ) : text
  // A text that was cut anywhere says so, though masking made it short enough.
  let shown = cut(safe(mask(head, isCut)) + (isCut ? ELLIPSIS : ""), most)
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const again = mask(shown, false)
    if (again === shown) return shown
    shown = cut(again, most)
  }
  return MASK
}

const ELLIPSIS = "\u{2026}"

const safe = (text: string): string => text.replace(UNSAFE, "\u{fffd}")

const cut = (text: string, length: number): string => {
  if (text.length <= length) return text
  const head = text.slice(0, length - 1)
  return `${/[\ud800-\udbff]$/.test(head) ? head.slice(0, -1) : head}${ELLIPSIS}`
}

const linesOf = (masked: string, isCut: boolean, foreign: (line: string) => string): ReadonlyArray<string> => {
  const lines = masked.trimEnd().split(LINE_END)
  const shown = lines.slice(0, MAX_LINES)
  const isWhole = !isCut && shown.length === lines.length
  return shown.map((line, at) => foreign(isWhole || at < shown.length - 1 ? line : line + ELLIPSIS))
}

const stringsOf = (config: Schema.Json): ReadonlyArray<string> => {
  const strings: Array<string> = []
  const left: Array<Schema.Json> = [config]
  for (let value = left.pop(); value !== undefined; value = left.pop()) {
    if (typeof value === "string") {
      if (value.length >= SHORTEST_CONFIGURED) strings.push(value)
    } else if (typeof value === "object" && value !== null) {
      for (const item of Object.values(value)) left.push(item)
    }
  }
  return strings
}

const shownJson = (value: Schema.Json, foreign: (text: string) => string): Schema.Json => {
  let left = MAX_WEIGHT
  const text = (found: string): string => {
    left -= Math.min(found.length, MAX_FOREIGN_TEXT)
    return left < 0 ? ELLIPSIS : foreign(found)
  }
  const walk = (item: Schema.Json, depth: number): Schema.Json => {
    left--
    if (typeof item === "string") return text(item)
    if (typeof item !== "object" || item === null) return item
    if (depth >= MAX_DEPTH || left < 0) return ELLIPSIS
    if (Array.isArray(item)) return item.slice(0, MAX_ENTRIES).map((inner: Schema.Json) => walk(inner, depth + 1))
    return Object.fromEntries(
      Object.entries(item)
        .slice(0, MAX_ENTRIES)
        .map(([key, inner]) => [text(key), walk(inner, depth + 1)])
    )
  }
  return walk(value, 0)
}
