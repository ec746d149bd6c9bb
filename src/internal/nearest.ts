/**
 * The name that somebody most likely meant who wrote another one.
 */

/** Whoever writes more than this didn't slip. */
const LONGEST = 64

/** The known name that is nearest to a written one, where one is near enough to be what was meant. */
export const nearest = (written: string, known: Iterable<string>): string | undefined => {
  if (written.length > LONGEST) return undefined
  let found: string | undefined
  let least = 1 + Math.max(1, Math.floor(written.length / 3))
  for (const name of known) {
    const far = Math.abs(name.length - written.length) < least ? distance(written, name) : least
    if (far < least) [found, least] = [name, far]
  }
  return found
}

/** How many characters must be put in, left out, changed or swapped with the next (optimal string alignment). */
const distance = (from: string, to: string): number => {
  let before: ReadonlyArray<number> = []
  let row = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let line = 1; line <= from.length; line++) {
    const next = [line]
    for (let column = 1; column <= to.length; column++) {
      const isSame = from[line - 1] === to[column - 1]
      const isSwapped = from[line - 1] === to[column - 2] && from[line - 2] === to[column - 1]
      next.push(
        Math.min(
          at(row, column) + 1,
          at(next, column - 1) + 1,
          at(row, column - 1) + (isSame ? 0 : 1),
          isSwapped ? at(before, column - 2) + 1 : Infinity
        )
      )
    }
    ;[before, row] = [row, next]
  }
  return at(row, to.length)
}

const at = (row: ReadonlyArray<number>, column: number): number => row[column] ?? Infinity
