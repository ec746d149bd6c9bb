/**
 * Hosts and paths of targets as far as a regular expression can tell them,
 * for JSON Schema: no text that is taken is refused here. What only a parser
 * knows (which digits are an address, what a name is in punycode, which
 * characters are compatible with syntax) is left to it.
 */

const HEX = "[0-9a-fA-F]"

/** A byte of UTF-8 behind the first, as an escape. */
const TAIL = `%[89abAB]${HEX}`

// RFC 3629, section 4, without the C1 controls.
const BEYOND_ASCII = [
  `%[cC]2%[abAB]${HEX}`,
  `%[cC][3-9a-fA-F]${TAIL}`,
  `%[dD]${HEX}${TAIL}`,
  `%[eE]0%[abAB]${HEX}${TAIL}`,
  `%[eE][1-9abcefABCEF](?:${TAIL}){2}`,
  `%[eE][dD]%[89]${HEX}${TAIL}`,
  `%[fF]0%[9abAB]${HEX}(?:${TAIL}){2}`,
  `%[fF][1-3](?:${TAIL}){3}`,
  `%[fF]4%8${HEX}(?:${TAIL}){2}`
].join("|")

// Neither controls and DEL nor % . / \
const ASCII = `%(?:2[0-46-9a-dA-D]|[346]${HEX}|5[0-9abd-fABD-F]|7[0-9a-eA-E])`

// Printable ASCII but # % / ? and the backslash.
const PLAIN = '[!"$&-.0->@-\\[\\]-~]'

const PARAMETERS = "(?:;|%3[bB])"
const NO_DOT_SEGMENT = `(?!(?:%20)*\\.{1,2}(?:%20)*(?:${PARAMETERS}|/|$))`
const NO_EMPTY_SEGMENT = `(?!(?:${PARAMETERS}[^/]*)?/)`

/** A path that stands alone. */
export const PATH = `^(?:/${NO_DOT_SEGMENT}${NO_EMPTY_SEGMENT}(?:${PLAIN}|${ASCII}|${BEYOND_ASCII})*)+$`

const NO_EMPTY_LABEL = "(?!\\.)(?!.*\\.\\.)"
const NAME = "[0-9A-Za-z._\\u0080-\\u{10ffff}-]+"

// A wildcard has two labels behind it, which dots of other alphabets may divide.
const WILDCARD = `\\*\\.${NO_EMPTY_LABEL}(?=.*[.\\u0080-\\u{10ffff}].)${NAME}`
const IPV6 = "(?:[0-9A-Fa-f.]*:){2,}[0-9A-Fa-f.]*"

/** A host of a target: a name, an address, a wildcard, or any. */
export const HOST = `^(?:\\*|${WILDCARD}|${NO_EMPTY_LABEL}${NAME}|${IPV6}|\\[${IPV6}\\])$`
