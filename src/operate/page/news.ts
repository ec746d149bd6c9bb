/**
 * What somebody who doesn't look at the page is told: which plugins have got
 * worse since, and which are well again, in one sentence each time.
 */
import type { Summary } from "./summary.ts"
import { TROUBLE, type Trouble } from "./trouble.ts"

/** How many are named, so that a hundred that fail at once are one sentence. */
const MOST = 3

const listed = (names: ReadonlyArray<string>): string => {
  const more = names.length - MOST
  return names.slice(0, MOST).join("; ") + (more > 0 ? `; and ${more} more` : "")
}

export class News {
  #before: ReadonlyMap<string, Trouble> | undefined

  /** What has changed since it was last asked; empty where nothing has. At first: what isn't well. */
  since(summaries: ReadonlyArray<Summary>): string {
    const before = this.#before ?? new Map<string, Trouble>()
    this.#before = new Map(summaries.map(({ ref, trouble }) => [ref, trouble]))
    const worse: Array<string> = []
    const well: Array<string> = []
    for (const { note, ref, state, trouble } of summaries) {
      const was = before.get(ref) ?? TROUBLE.none
      if (trouble > was && trouble >= TROUBLE.passing)
        worse.push(note === "" ? `${ref}: ${state}` : `${ref}: ${state}, ${note}`)
      else if (was >= TROUBLE.passing && trouble < TROUBLE.passing) well.push(ref)
    }
    return [
      worse.length === 0 ? "" : `Not well: ${listed(worse)}.`,
      well.length === 0 ? "" : `Well again: ${listed(well)}.`
    ]
      .filter((sentence) => sentence !== "")
      .join(" ")
  }
}
