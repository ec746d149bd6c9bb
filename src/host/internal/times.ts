/**
 * Times as texts. Each is written once for as long as it is asked for: a quarter
 * of what a status costs, most of whose times stay what they were.
 */

// Whatever is planned is told as a time that a reader takes: none after the year 9999.
const LAST_TIME = Date.UTC(9999, 11, 31, 23, 59, 59, 999)

/** As many as a plugin has with a good many connections; of one with more each is written anew. */
const MOST_KEPT = 256

export class Times {
  readonly #texts = new Map<number, string>()

  readonly of = (millis: number): string => {
    const known = this.#texts.get(millis)
    if (known !== undefined) return known
    const text = new Date(Math.min(LAST_TIME, millis)).toISOString()
    if (this.#texts.size >= MOST_KEPT) this.#texts.clear()
    this.#texts.set(millis, text)
    return text
  }

  readonly orNull = (millis: number | null): string | null => (millis === null ? null : this.of(millis))
}
