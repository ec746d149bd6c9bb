/**
 * The payload of a `host_request_dispatch`: what a plugin may ask for of an
 * HTTP request, judged as far as the payload alone tells. Which requests are
 * granted, and which headers are the grant's, is asked later.
 *
 * @since 0.5.0
 */
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import * as Base64 from "../internal/base64.ts"
import * as Wire from "../internal/wire.ts"
import { TOKEN } from "../manifest/internal/headers.ts"
import { HeaderName } from "../manifest/RequestTarget.ts"
import { Text } from "./SendPayload.ts"

/** RFC 9110, section 5.5, without the controls that a header could be ended by, or hidden in. */
const VALUE = /^[\t\x20-\x7e\xa0-\xff]*$/u

const MOST_HEADERS = 32

/** @internal Names and values of all headers together. */
export const MOST_HEADER_BYTES = 16_384

/** Any method may be asked for: which ones are granted is another question. */
const Method = Schema.String.check(
  Schema.isPattern(new RegExp(`^${TOKEN}{1,64}$`, "u"), { expected: "a method: a token of HTTP" })
)

type HeaderTable = { readonly [name: string]: string }

/** What is wrong with the headers as a whole. Never a piece of them: names and values are the plugin's. */
const mistakeOf = (headers: HeaderTable): string | undefined => {
  const names = Object.keys(headers)
  if (names.length > MOST_HEADERS) return `at most ${MOST_HEADERS} headers`
  if (new Set(names.map((name) => name.toLowerCase())).size < names.length) return "each name once, in whichever case"
  // Each character is a byte.
  const bytes = Object.entries(headers).reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  return bytes > MOST_HEADER_BYTES ? `at most ${MOST_HEADER_BYTES} bytes of names and values` : undefined
}

const Headers = Schema.Record(
  HeaderName,
  Schema.String.check(Schema.isPattern(VALUE, { expected: "tab and printable Latin-1" }))
)
  .annotate({ messageUnexpectedKey: "Expected a header name that is not the host's own" })
  .check(
    Schema.makeFilter(
      (headers: HeaderTable) => {
        const mistake = mistakeOf(headers)
        return mistake === undefined ? undefined : `Expected ${mistake}`
      },
      { expected: "headers that a request may have", toJsonSchema: () => ({ maxProperties: MOST_HEADERS }) }
    )
  )

const LONGEST_TIMEOUT_MS = 86_400_000

const fields = {
  method: Method,
  url: Text,
  headers: Schema.optionalKey(Headers),
  text: Schema.optionalKey(Text)
}

const Timeout = Schema.optionalKey(Wire.wholeNumber(1, LONGEST_TIMEOUT_MS))

const oneBody = (other: "base64" | "bytes") =>
  Schema.makeFilter(
    (payload: { readonly text?: string; readonly base64?: unknown; readonly bytes?: unknown }) =>
      payload.text === undefined || payload[other] === undefined ? undefined : "Expected text or base64, not both",
    {
      expected: "text or base64, not both",
      toJsonSchema: () => ({ not: { properties: { text: {}, [other]: {} }, required: ["text", other] } })
    }
  )

const bytesOf = Schema.decodeSync(Base64.Bytes)
const base64Of = Schema.encodeSync(Base64.Bytes)

// What JSON Schema can say of two keys has to be said of what is written.
const Written = Schema.Struct({
  ...fields,
  base64: Schema.optionalKey(Schema.toEncoded(Base64.Bytes)),
  timeout_ms: Timeout
}).check(oneBody("base64"))

const Named = Schema.Struct({
  ...fields,
  bytes: Schema.optionalKey(Schema.Uint8Array),
  timeoutMs: Timeout
}).check(oneBody("bytes"))

/**
 * The payload on the wire. A body is a text or base64, not both; `timeout_ms` is
 * at most the host's `request_deadline_ms`, which only the host knows.
 *
 * @category schemas
 * @since 0.5.0
 */
export const RequestPayload = Written.pipe(
  Schema.decodeTo(
    Named,
    SchemaTransformation.transform<typeof Named.Type, typeof Written.Type>({
      decode: ({ base64, timeout_ms: timeoutMs, ...rest }) => ({
        ...rest,
        ...(base64 === undefined ? {} : { bytes: bytesOf(base64) }),
        ...(timeoutMs === undefined ? {} : { timeoutMs })
      }),
      encode: ({ bytes, timeoutMs: timeout_ms, ...rest }) => ({
        ...rest,
        ...(bytes === undefined ? {} : { base64: base64Of(bytes) }),
        ...(timeout_ms === undefined ? {} : { timeout_ms })
      })
    })
  )
)

/**
 * @category models
 * @since 0.5.0
 */
export type RequestPayload = typeof RequestPayload.Type
