/**
 * Text from outside in a line of a terminal: no character that moves the
 * cursor or turns the direction, and as wide as it looks.
 */
import { CliOutput } from "effect/cli"

export { clean } from "../../operate/page/clean.ts"

const ELLIPSIS = "\u2026"

const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" })

/** How many columns a text takes. */
export const widthOf = CliOutput.displayWidth

/** The text cut to so many columns. */
export const cut = (text: string, width: number): string => {
  // No character takes more bytes than this for one column, so that a long text isn't measured in whole.
  const bounded = text.length > 64 * width ? text.slice(0, 64 * width) : text
  if (bounded === text && widthOf(text) <= width) return text
  let kept = ""
  let columns = 0
  for (const { segment } of graphemes.segment(bounded)) {
    columns += widthOf(segment)
    if (columns > width - 1) break
    kept += segment
  }
  return width < 1 ? "" : kept + ELLIPSIS
}

/** The text filled up with spaces to so many columns. */
export const pad = (text: string, width: number, side: "left" | "right"): string => {
  const spaces = " ".repeat(Math.max(0, width - widthOf(text)))
  return side === "left" ? spaces + text : text + spaces
}
