/**
 * How a file is followed: it is looked at four times a second, and is another
 * one as soon as it has stayed the same for half a second. Whoever writes it
 * piece by piece is waited for.
 */

export const LOOK_EVERY_MS = 250
const SAME_FOR_MS = 500

/** A file as somebody who follows it knows it: as it was last told, as it was last seen, and for how long that. */
export interface Look {
  readonly told: string
  readonly seen: string
  readonly sameMs: number
}

/** A file that was told of as it is. */
export const first = (seen: string): Look => ({ told: seen, seen, sameMs: 0 })

/** The next look, and whether there is something to tell. */
export const next = (before: Look, seen: string): { readonly look: Look; readonly isNew: boolean } => {
  const sameMs = seen === before.seen ? before.sameMs + LOOK_EVERY_MS : 0
  const isNew = seen !== before.told && sameMs >= SAME_FOR_MS
  return { look: { told: isNew ? seen : before.told, seen, sameMs }, isNew }
}
