/**
 * Bytes as JSON carries them: base64 of the standard alphabet with padding (RFC
 * 4648, section 4), and nothing else in it, no line ends either.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import * as Base64 from "effect/encoding/Base64"

const ALPHABET = /^[A-Za-z0-9+/]*={0,2}$/u
// What JSON Schema can say of it. As a check it would take the stack of the engine for a text of some megabytes.
const FORM = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"

/** Whether a text stands for bytes. */
export const isBase64 = (text: string): boolean => text.length % 4 === 0 && ALPHABET.test(text)

/** A text that stands for bytes. */
export const Text = Schema.String.check(
  Schema.makeFilter(isBase64, {
    expected: "base64 of the standard alphabet, with its padding",
    toJsonSchema: () => ({ pattern: FORM })
  })
)

/** The bytes that it stands for. */
export const Bytes = Text.pipe(Schema.decodeTo(Schema.Uint8Array, SchemaTransformation.uint8ArrayFromBase64String))

/** The bytes that a text stands for; undefined where it stands for none. */
export const decode = (text: string): Uint8Array | undefined =>
  isBase64(text) ? Result.getOrUndefined(Base64.decode(text)) : undefined

/** The text that stands for bytes. */
export const encode = (bytes: Uint8Array): string => Base64.encode(bytes)

/** How long that text is. */
export const lengthOf = (bytes: Uint8Array): number => Math.ceil(bytes.length / 3) * 4
