/**
 * Why a request got no answer, or none that could be handed over. `sent` says
 * whether a byte of it was handed to a socket: where it is false the server
 * can't have seen it, and it may be asked again without being done twice.
 *
 * @since 0.5.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const id = (name: string) => `mooring/requests/${name}`

/**
 * What a request goes through, in this order: its host's name is resolved, a
 * proxy is asked for a way, TCP connects, TLS is agreed upon, the request is
 * written, the headers of the answer come, its body comes and is decoded.
 *
 * @category models
 * @since 0.5.0
 */
export const RequestPhase = Schema.Literals(["dns", "proxy", "tcp", "tls", "request", "headers", "body"])

/**
 * @category models
 * @since 0.5.0
 */
export type RequestPhase = typeof RequestPhase.Type

/**
 * Headers in the order in which they stand, a name as often as it is there.
 *
 * @category models
 * @since 0.5.0
 */
export type Headers = ReadonlyArray<readonly [name: string, value: string]>

/**
 * There was no whole answer. `code` is the system's (`ECONNREFUSED`), that of a
 * certificate or of what can't be decoded, or one of the client's own.
 *
 * @category errors
 * @since 0.5.0
 */
export class RequestFailed extends Schema.TaggedError<RequestFailed>(id("RequestFailed"))("RequestFailed", {
  url: Schema.String,
  phase: RequestPhase,
  code: Schema.String,
  sent: Schema.Boolean
}) {
  override get message(): string {
    return `the request to ${this.url} got no answer: ${this.phase} failed with ${this.code}`
  }
}

/**
 * The whole answer wasn't there within the deadline, over all phases together.
 * `phase` is what it was waiting for then.
 *
 * @category errors
 * @since 0.5.0
 */
export class RequestTimeout extends Schema.TaggedError<RequestTimeout>(id("RequestTimeout"))("RequestTimeout", {
  url: Schema.String,
  phase: RequestPhase,
  deadlineMs: Schema.Int,
  sent: Schema.Boolean
}) {
  override get message(): string {
    return `the request to ${this.url} had no answer after ${this.deadlineMs} ms, waiting for ${this.phase}`
  }
}

/**
 * The body of the answer has more than `limit` bytes, decoded; or (`what` is
 * `queue`) the answer takes more memory than that, which is what the queues had
 * left. `headers` are the answer's: for who asked, and never encoded, since they
 * are a server's text.
 *
 * @category errors
 * @since 0.5.0
 */
export class ResponseTooLarge extends Schema.TaggedError<ResponseTooLarge>(id("ResponseTooLarge"))("ResponseTooLarge", {
  url: Schema.String,
  status: Schema.Int,
  what: Schema.Literals(["body", "queue"]),
  limit: Schema.Int,
  sent: Schema.Boolean,
  headers: Schema.Array(Schema.Tuple([Schema.String, Schema.String])).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed([]), { encodingStrategy: "omit" })
  )
}) {
  override get message(): string {
    return this.what === "body"
      ? `the answer of ${this.url} has a body of more than ${this.limit} bytes`
      : `the answer of ${this.url} takes more than the ${this.limit} bytes that the queues had room for`
  }
}

/**
 * The errors of this stage.
 *
 * @category errors
 * @since 0.5.0
 */
export const RequestError = Schema.Union([RequestFailed, RequestTimeout, ResponseTooLarge])

/**
 * @category errors
 * @since 0.5.0
 */
export type RequestError = typeof RequestError.Type
