/**
 * Texts in which secrets are filled in: `{name}` stands for the secret of that
 * name, in a header also `{basic:user:name}` for the credentials of RFC 7617.
 * Braces around anything else are themselves.
 *
 * A value never leaves its place: in a URL it is percent-encoded, and a header
 * takes no value that could begin another one.
 *
 * @since 0.3.0
 */
import * as Base64 from "effect/encoding/Base64"

/** A place in which a secret belongs; `user` where it is a password of that user's. */
interface Place {
  readonly secret: string
  readonly user: string | null
}

/**
 * A text with secrets in it: what stands as it is, and places.
 *
 * @category models
 * @since 0.3.0
 */
export interface Template {
  readonly parts: ReadonlyArray<string | Place>
  /** The secrets that it names, each once. */
  readonly secrets: ReadonlyArray<string>
}

/**
 * Where a template stands.
 *
 * @category models
 * @since 0.3.0
 */
export type Where = "url" | "header"

/**
 * The value of a secret as it is now.
 *
 * @category models
 * @since 0.3.0
 */
export type ValueOf = (secret: string) => string

const BASIC = /^basic:([^:]*):([^:]+)$/

const placeOf = (inner: string, isSecret: (name: string) => boolean, where: Where): Place | undefined => {
  if (isSecret(inner)) return { secret: inner, user: null }
  const [, user, secret] = (where === "header" ? BASIC.exec(inner) : null) ?? []
  return user !== undefined && secret !== undefined && isSecret(secret) ? { secret, user } : undefined
}

/**
 * Reads a text; undefined where no secret belongs into it.
 *
 * @category parsing
 * @since 0.3.0
 */
export const parse = (text: string, isSecret: (name: string) => boolean, where: Where): Template | undefined => {
  const parts: Array<string | Place> = []
  const secrets = new Set<string>()
  let end = 0
  for (const { 0: whole, 1: inner = "", index } of text.matchAll(/\{([^{}]*)\}/g)) {
    const place = placeOf(inner, isSecret, where)
    if (place === undefined) continue
    parts.push(text.slice(end, index), place)
    secrets.add(place.secret)
    end = index + whole.length
  }
  return secrets.size === 0 ? undefined : { parts: [...parts, text.slice(end)], secrets: [...secrets] }
}

const filled = ({ parts }: Template, write: (place: Place) => string): string =>
  parts.map((part) => (typeof part === "string" ? part : write(part))).join("")

/**
 * A URL with its secrets in it.
 *
 * @category filling
 * @since 0.3.0
 */
export const inUrl = (template: Template, valueOf: ValueOf): string =>
  filled(template, ({ secret }) => encodeURIComponent(valueOf(secret)))

/**
 * A header's value with its secrets in it.
 *
 * @category filling
 * @since 0.3.0
 */
export const inHeader = (template: Template, valueOf: ValueOf): string =>
  filled(template, (place) => {
    const credentials = credentialsOf(place, valueOf)
    return credentials === undefined ? valueOf(place.secret) : `Basic ${credentials}`
  })

/**
 * The credentials that `{basic:…}` made where secrets have had these values.
 *
 * @category filling
 * @since 0.5.0
 */
export const credentials = (
  { parts }: Template,
  valuesOf: (secret: string) => ReadonlyArray<string>
): ReadonlyArray<string> =>
  parts.flatMap((part) =>
    typeof part === "string" ? [] : valuesOf(part.secret).flatMap((value) => credentialsOf(part, () => value) ?? [])
  )

const credentialsOf = ({ secret, user }: Place, valueOf: ValueOf): string | undefined =>
  user === null ? undefined : Base64.encode(`${user}:${valueOf(secret)}`)

/**
 * Whether a header may have a value: tab and printable Latin-1, which is what
 * RFC 9110, section 5.5, takes.
 *
 * @category checks
 * @since 0.3.0
 */
export const isHeaderValue = (value: string): boolean => /^[\t\x20-\x7e\xa0-\xff]*$/.test(value)
