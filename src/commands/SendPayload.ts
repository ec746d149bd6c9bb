/**
 * The payload of a `websocket_send`: which connection is meant, and the text or
 * the bytes that go out as one frame.
 *
 * @since 0.5.0
 */
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import * as Base64 from "../internal/base64.ts"
import * as Wire from "../internal/wire.ts"
import { Name } from "../manifest/Permission.ts"

/** @internal Half a surrogate pair has no encoding in UTF-8: what goes out instead is another text than the plugin's. */
export const Text = Schema.String.check(
  Schema.isPattern(Wire.WELL_FORMED, { expected: "a text without half a surrogate pair" })
)

const Epoch = Schema.Union([
  Schema.Int.check(Schema.isGreaterThanOrEqualTo(0, { expected: "a whole number from 0" })),
  Schema.Literal("any")
])

/** @internal How the payload of any command names a connection. */
export const connection = {
  url: Text,
  ingressName: Schema.optionalKey(Name),
  epoch: Schema.optionalKey(Epoch)
}

const oneOf = Schema.makeFilter(
  ({ base64, text }: { readonly text?: string; readonly base64?: string }) =>
    (text === undefined) === (base64 === undefined) ? "Expected text or base64, one of them" : undefined,
  {
    expected: "text or base64, one of them",
    toJsonSchema: () => ({
      oneOf: [
        { properties: { text: {} }, required: ["text"] },
        { properties: { base64: {} }, required: ["base64"] }
      ]
    })
  }
)

const Written = Schema.Struct({
  url: connection.url,
  ingress_name: connection.ingressName,
  epoch: connection.epoch,
  text: Schema.optionalKey(Text),
  base64: Schema.optionalKey(Base64.Text)
}).check(oneOf)

// It was judged above: a union would say of each member what is wrong with it.
const Sent = Schema.Union([
  Schema.Struct({ ...connection, text: Text }),
  Schema.Struct({ ...connection, bytes: Schema.Uint8Array })
])

/**
 * A payload in its wire form.
 *
 * @category encoding
 * @since 0.5.0
 */
export const written = (sent: typeof Sent.Type): typeof Written.Type => {
  const { epoch, ingressName, url } = sent
  return {
    url,
    ...(ingressName === undefined ? {} : { ingress_name: ingressName }),
    ...(epoch === undefined ? {} : { epoch }),
    ...("text" in sent ? { text: sent.text } : { base64: Base64.encode(sent.bytes) })
  }
}

const NO_BYTES = new Uint8Array()

/**
 * The payload on the wire, with a `text`, or with `base64` for the `bytes`.
 *
 * @category schemas
 * @since 0.5.0
 */
export const SendPayload = Written.pipe(
  Schema.decodeTo(
    Sent,
    SchemaTransformation.transform<typeof Sent.Type, typeof Written.Type>({
      decode: ({ base64 = "", ingress_name: ingressName, text, ...rest }) => ({
        ...rest,
        ...(ingressName === undefined ? {} : { ingressName }),
        ...(text === undefined ? { bytes: Base64.decode(base64) ?? NO_BYTES } : { text })
      }),
      encode: (sent) => written(sent)
    })
  )
)

/**
 * @category models
 * @since 0.5.0
 */
export type SendPayload = typeof SendPayload.Type

/**
 * What goes out: a text, or the bytes of a binary frame.
 *
 * @category getters
 * @since 0.5.0
 */
export const dataOf = (payload: SendPayload): string | Uint8Array => ("text" in payload ? payload.text : payload.bytes)
