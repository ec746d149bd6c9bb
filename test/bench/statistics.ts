/** What is said of figures that were measured several times: the middle one, and how far they were apart. */

/** The middle of the values; of an even number the mean of the two in the middle. NaN of none. */
export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]]
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2
}

/** The value that so great a share of them doesn't exceed (nearest rank). NaN of none. */
export const percentile = (values: ReadonlyArray<number>, share: number): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}

/** A figure of several rounds: those of rounds that failed are left out. */
export interface Summary {
  readonly median: number
  readonly least: number
  readonly most: number
  readonly rounds: number
}

export const summary = (values: ReadonlyArray<number>): Summary => {
  const known = values.filter(Number.isFinite)
  const [least, most] = known.length === 0 ? [Number.NaN, Number.NaN] : [Math.min(...known), Math.max(...known)]
  return { median: median(known), least, most, rounds: known.length }
}

/**
 * The ratio of two contestants, round by round: what the machine does in a
 * round it does to both, so the ratios are closer together than the figures.
 */
export const ratios = (own: ReadonlyArray<number>, peer: ReadonlyArray<number>): ReadonlyArray<number> =>
  own.map((value, round) => value / (peer[round] ?? Number.NaN))
