/**
 * Stand-ins: texts that a plugin is handed in place of its entry's secrets, and
 * in whose place the host writes the values where a message leaves it.
 *
 * A stand-in is `mooring-secret-` and 32 random hexadecimal digits, new at every
 * start. Whatever has that form and is no stand-in of this start, or one of a
 * secret that the target doesn't open, or one in a place where no secret
 * belongs, is a refusal: then nothing is written at all. A text is looked
 * through once, so what stands in a value is nothing special. Only the form as
 * it is counts: escaped, encoded or cut in two it is a text like any other, and
 * no value takes its place.
 *
 * @since 0.5.0
 */
import * as Result from "effect/Result"
import { isHeaderValue, type ValueOf } from "./Template.ts"
import { isKey } from "./Usable.ts"

const PREFIX = "mooring-secret-"
const DIGIT_BYTES = 16

// Digits in upper case are the host's own in no case, but nobody else means anything by them.
const FORM = /mooring-secret-[0-9a-fA-F]{32}/g

/**
 * The secrets that a target opens.
 *
 * @category models
 * @since 0.5.0
 */
export interface Opening {
  opens(secret: string): boolean
}

/**
 * Why no value takes the place of what looks like a stand-in: it is none of this
 * start's (`secret` is null then), its secret isn't opened for the target, no
 * secret is filled in where it stands, or the value can't stand there.
 *
 * @category models
 * @since 0.5.0
 */
export interface Refusal {
  readonly secret: string | null
  readonly problem: "unknown" | "not opened" | "misplaced" | "unfit"
}

/**
 * What a start is handed, by the names of the secrets.
 *
 * @category models
 * @since 0.5.0
 */
export type Texts = { readonly [secret: string]: string }

/**
 * The stand-ins of one start.
 *
 * @category models
 * @since 0.5.0
 */
export class StandIns {
  readonly #texts: ReadonlyMap<string, string>
  readonly #secrets: ReadonlyMap<string, string>

  constructor(texts: ReadonlyMap<string, string>) {
    this.#texts = texts
    this.#secrets = new Map([...texts].map(([secret, text]) => [text, secret]))
  }

  /** As a start is handed them: an object of its own at each call. */
  get texts(): Texts {
    return Object.fromEntries(this.#texts)
  }

  /** The stand-in of a secret. */
  of(secret: string): string | undefined {
    return this.#texts.get(secret)
  }

  /** The secret that a text stands for. */
  secretOf(standIn: string): string | undefined {
    return this.#secrets.get(standIn)
  }
}

/**
 * Those of a plugin that runs no more, or hasn't any secrets.
 *
 * @category constructors
 * @since 0.5.0
 */
export const none = new StandIns(new Map())

/**
 * New ones for these secrets.
 *
 * @category constructors
 * @since 0.5.0
 */
export const make = (secrets: ReadonlyArray<string>): StandIns =>
  secrets.length === 0 ? none : new StandIns(new Map(secrets.map((secret) => [secret, PREFIX + randomDigits()])))

const randomDigits = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(DIGIT_BYTES)), (byte) => byte.toString(16).padStart(2, "0")).join("")

/**
 * Whether there may be a stand-in in a text: all that it costs one without any.
 *
 * @category predicates
 * @since 0.5.0
 */
export const mentions = (text: string): boolean => text.includes(PREFIX)

/**
 * Why a text may not be sent to a target; undefined where it may.
 *
 * @category checks
 * @since 0.5.0
 */
export const refusalIn = (text: string, standIns: StandIns, target: Opening): Refusal | undefined =>
  mentions(text) ? firstOf(text, (found) => refusalOf(found, standIns, target)) : undefined

/**
 * Why a text may not stand where no secret is filled in: in a scheme, a host,
 * a header's name, a close reason, the URL of a WebSocket.
 *
 * @category checks
 * @since 0.5.0
 */
export const misplacedIn = (text: string, standIns: StandIns): Refusal | undefined =>
  mentions(text) ? firstOf(text, (found) => misplaced(found, standIns)) : undefined

const firstOf = (text: string, refusalOf: (found: string) => Refusal | undefined): Refusal | undefined => {
  for (const [found] of text.matchAll(FORM)) {
    const refusal = refusalOf(found)
    if (refusal !== undefined) return refusal
  }
  return undefined
}

const refusalOf = (found: string, standIns: StandIns, target: Opening): Refusal | undefined => {
  const secret = standIns.secretOf(found)
  if (secret === undefined) return { secret: null, problem: "unknown" }
  return target.opens(secret) ? undefined : { secret, problem: "not opened" }
}

const misplaced = (found: string, standIns: StandIns): Refusal => {
  const secret = standIns.secretOf(found)
  return secret === undefined ? { secret: null, problem: "unknown" } : { secret, problem: "misplaced" }
}

/**
 * What fills secrets in: their stand-ins, who is to have them, and their values
 * now.
 *
 * @category models
 * @since 0.5.0
 */
export interface Filler {
  readonly standIns: StandIns
  readonly target: Opening
  readonly valueOf: ValueOf
}

/**
 * A text, or a request's body, with values in the places of their stand-ins.
 * Where the number of unescaped double quotes before it is odd, a value is
 * escaped once, as in a JSON string; elsewhere it stands as it is. A text
 * without stand-ins is given back itself.
 *
 * @category filling
 * @since 0.5.0
 */
export const inText = (text: string, filler: Filler): Result.Result<string, Refusal> => {
  if (!mentions(text)) return Result.succeed(text)
  const quotes = new Quotes(text)
  return swapped(text, filler, (value, at) => (quotes.isInside(at) ? JSON.stringify(value).slice(1, -1) : value))
}

/**
 * A header's value with values in the places of their stand-ins, as they are.
 *
 * @category filling
 * @since 0.5.0
 */
export const inHeader = (text: string, filler: Filler): Result.Result<string, Refusal> => {
  if (!mentions(text)) return Result.succeed(text)
  let unfit: string | undefined
  const filled = swapped(text, filler, (value, _, secret) => {
    if (!isHeaderValue(value)) unfit ??= secret
    return value
  })
  return unfit === undefined ? filled : Result.fail({ secret: unfit, problem: "unfit" })
}

// RFC 3986, section 3.2. A host is the same in either case.
const AUTHORITY = /^[^/?#]*\/\/[^/?#]*/

/**
 * A request's URL with values in the places of their stand-ins, percent-encoded:
 * in its path, and in the values of its query. Whether manifest and grant cover
 * what comes of it is for the caller to ask.
 *
 * @category filling
 * @since 0.5.0
 */
export const inUrl = (url: string, filler: Filler): Result.Result<string, Refusal> => {
  const authority = AUTHORITY.exec(url)?.[0] ?? ""
  const refusal = misplacedIn(authority.toLowerCase(), filler.standIns)
  if (refusal !== undefined) return Result.fail(refusal)
  if (!mentions(url)) return Result.succeed(url)
  const query = url.indexOf("?")
  const wrong = query < 0 ? undefined : misplacedInQuery(url.slice(query + 1), filler.standIns)
  return wrong === undefined ? swapped(url, filler, encodeURIComponent) : Result.fail(wrong)
}

/** A query is pairs of a name and a value; what has no equals sign is a name. */
const misplacedInQuery = (query: string, standIns: StandIns): Refusal | undefined => {
  for (const pair of query.split("&")) {
    const refusal = misplacedIn(pair.split("=", 1)[0] ?? "", standIns)
    if (refusal !== undefined) return refusal
  }
  return undefined
}

const swapped = (
  text: string,
  { standIns, target, valueOf }: Filler,
  write: (value: string, at: number, secret: string) => string
): Result.Result<string, Refusal> => {
  const refusal = refusalIn(text, standIns, target) ?? firstOf(text, (found) => keyAt(found, standIns, valueOf))
  if (refusal !== undefined) return Result.fail(refusal)
  return Result.succeed(
    text.replaceAll(FORM, (found, at: number) => {
      const secret = standIns.secretOf(found) ?? ""
      return write(valueOf(secret), at, secret)
    })
  )
}

const keyAt = (found: string, standIns: StandIns, valueOf: ValueOf): Refusal | undefined => {
  const secret = standIns.secretOf(found)
  return secret !== undefined && isKey(valueOf(secret)) ? { secret, problem: "unfit" } : undefined
}

/** Counts the unescaped double quotes of a text, on and on from its beginning. */
class Quotes {
  readonly #text: string
  #at = 0
  #isInside = false

  constructor(text: string) {
    this.#text = text
  }

  /** Whether a place, behind any that was asked for before, has an odd number before it. */
  isInside(place: number): boolean {
    while (this.#at < place) {
      const unit = this.#text[this.#at]
      if (unit === '"') this.#isInside = !this.#isInside
      this.#at += unit === "\\" ? 2 : 1
    }
    return this.#isInside
  }
}
