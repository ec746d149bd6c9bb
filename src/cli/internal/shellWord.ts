/**
 * A path as somebody can type it: one word of a shell, of which nothing is taken for an option.
 */
import { clean } from "./cells.ts"

// What no shell takes for anything but itself, and every terminal shows as it is.
const PLAIN = /^[\p{L}\p{N}_./:@%+,=-]+$/u
const CONTROLS = /[\p{Cc}]/u

/** A path as an argument of a command. */
export const shellWord = (path: string, platform: NodeJS.Platform = process.platform): string => {
  const named = path.startsWith("-") ? `./${path}` : path
  // A tilde alone, or an equals sign before a command's name (zsh), means something at the beginning only.
  if (PLAIN.test(named) && !named.startsWith("=")) return named
  // No name of a file has a double quote there.
  if (platform === "win32") return `"${clean(named)}"`
  // POSIX 2024, section 2.2.4, for what would do something to a terminal.
  return CONTROLS.test(named) || clean(named) !== named
    ? `$'${dollarQuoted(named)}'`
    : `'${named.replaceAll("'", "'\\''")}'`
}

const utf8 = new TextEncoder()

const dollarQuoted = (text: string): string =>
  Array.from(text, (character) => {
    if (character === "'" || character === "\\") return `\\${character}`
    if (clean(character) === character) return character
    return Array.from(utf8.encode(character), (byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("")
  }).join("")
