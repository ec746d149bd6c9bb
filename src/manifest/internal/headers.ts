/**
 * Headers that somebody may add to what the host sends: any but those of which
 * the message itself consists.
 */
import * as Schema from "effect/Schema"

// JSON Schema has no flag for this.
export const inAnyCase = (pattern: string): string =>
  pattern.replace(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`)

/** A token of RFC 9110, section 5.6.2, as a class of characters. */
export const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]"

/** The name of a header that isn't one of these, which is a regular expression in lower case. */
export const nameOf = (reserved: string, expected: string) =>
  Schema.String.check(
    Schema.isPattern(new RegExp(`^(?!${inAnyCase(`(?:${reserved})`)}$)${TOKEN}+$`, "u"), {
      expected: `a header name that is not ${expected}`
    })
  )

/** Values by such names, in the characters that a configuration has. */
export const recordOf = (reserved: string, expected: string) =>
  Schema.Record(
    nameOf(reserved, expected),
    Schema.String.check(Schema.isPattern(/^[\t\x20-\x7e]*$/u, { expected: "a header value of printable ASCII" }))
  ).annotate({ messageUnexpectedKey: `Expected a header name that is not ${expected}` })
