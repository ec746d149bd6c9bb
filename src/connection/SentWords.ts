/**
 * What a server is sent in queries and headers, as the words that it may say
 * back.
 *
 * @since 0.3.0
 */
import * as Masking from "../secrets/Masking.ts"

// What is shorter stands in any text.
const SHORTEST = 6

/**
 * A URL's query, and each value in it, as written and as it reads.
 *
 * @category getters
 * @since 0.3.0
 */
export const ofQuery = (url: string): ReadonlyArray<string> => {
  const start = url.indexOf("?")
  if (start < 0) return []
  const query = url.slice(start + 1)
  const written = query.split("&").map((part) => part.slice(part.indexOf("=") + 1))
  return [query, ...written, ...new URLSearchParams(query).values()]
}

/**
 * A header's value, and what stands behind the name of a scheme: `Bearer …`.
 *
 * @category getters
 * @since 0.3.0
 */
export const ofHeader = (value: string): ReadonlyArray<string> => [value, value.replace(/^\S+\s+/, "")]

/**
 * A text without these words, but for those that are too short to say anything.
 * It is for short texts: one that a word doesn't fit into isn't searched for it.
 *
 * @category combinators
 * @since 0.3.0
 */
export const masked = (text: string, words: ReadonlyArray<string>): string => {
  const fitting = words.filter(({ length }) => length >= SHORTEST && length <= text.length)
  return fitting.length === 0 ? text : Masking.make(fitting)(text)
}
