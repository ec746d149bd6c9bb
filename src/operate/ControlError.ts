/**
 * How the control API says no: `{ "tag", "message" }` and the status code that
 * belongs to the tag. These are tags of the API, never of a diagnostic; a
 * refused delivery alone has the tag of what the host said.
 *
 * @since 0.5.0
 */
import * as Schema from "effect/Schema"

/**
 * The status code of each tag.
 *
 * @category constants
 * @since 0.5.0
 */
export const STATUS = {
  RequestMalformed: 400,
  Unauthorized: 401,
  ForbiddenOrigin: 403,
  NotFound: 404,
  PluginUnknown: 404,
  SourceUnknown: 404,
  MethodNotAllowed: 405,
  BodyTooLarge: 413,
  TooManyRequests: 429,
  Stopping: 503,
  NotReady: 503
} as const

/**
 * A tag of the control API.
 *
 * @category models
 * @since 0.5.0
 */
export type Tag = keyof typeof STATUS

/**
 * The answer of a tag, as the API's document has it.
 *
 * @category schemas
 * @since 0.5.0
 */
export const schemaOf = <const T extends Tag>(tag: T) =>
  Schema.Struct({ tag: Schema.Literal(tag), message: Schema.String }).annotate({
    identifier: tag,
    httpApiStatus: STATUS[tag]
  })

/**
 * What is answered where the host refuses a delivery: the tag is the host's.
 *
 * @category schemas
 * @since 0.5.0
 */
export const DeliveryRefused = Schema.Struct({ tag: Schema.String, message: Schema.String }).annotate({
  identifier: "DeliveryRefused",
  httpApiStatus: 409
})

/**
 * An answer that says no.
 *
 * @category models
 * @since 0.5.0
 */
export interface Refusal<T extends string = Tag> {
  readonly tag: T
  readonly message: string
}

/**
 * @category constructors
 * @since 0.5.0
 */
export const refuse = <const T extends Tag>(tag: T, message: string): Refusal<T> => ({ tag, message })
