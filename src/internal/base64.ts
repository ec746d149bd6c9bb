/**
 * Bytes as JSON carries them: base64 of the standard alphabet with padding (RFC
 * 4648, section 4), and nothing else in it, no line ends either.
 */
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"

const ALPHABET = /^[A-Za-z0-9+/]*={0,2}$/u
// What JSON Schema can say of it. As a check it would take the stack of the engine for a text of some megabytes.
const FORM = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"

/** Whether a text stands for bytes. */
export const isBase64 = (text: string): boolean => text.length % 4 === 0 && ALPHABET.test(text)

/** Bytes, and the text that stands for them. */
export const Bytes = Schema.String.check(
  Schema.makeFilter(isBase64, {
    expected: "base64 of the standard alphabet, with its padding",
    toJsonSchema: () => ({ pattern: FORM })
  })
).pipe(Schema.decodeTo(Schema.Uint8Array, SchemaTransformation.uint8ArrayFromBase64String))
