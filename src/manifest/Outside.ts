/**
 * A text that doesn't stand where it is configured: it is a variable of the
 * environment, or the content of a file, whose path may be relative.
 *
 * @since 0.3.0
 */
import * as Schema from "effect/Schema"
import * as FromOutside from "./internal/fromOutside.ts"

const Variable = Schema.String.check(
  Schema.isPattern(/^[^=\u0000]+$/u, { expected: "the name of a variable of the environment" })
)
const Path = Schema.String.check(Schema.isPattern(/^[^\u0000]+$/u, { expected: "the path of a file" }))

/**
 * Where a text comes from, as it is written.
 *
 * @category schemas
 * @since 0.3.0
 */
export const Outside = Schema.Union([Schema.Struct({ env: Variable }), Schema.Struct({ file: Path })]).annotate({
  // Who writes the value itself is told where it belongs.
  expected: '{ env = "NAME" } or { file = "path" }'
})

/**
 * @category models
 * @since 0.3.0
 */
export type Outside = typeof Outside.Type

/**
 * Whether a value says where a text comes from.
 *
 * @category predicates
 * @since 0.3.0
 */
export const isOutside = Schema.is(Outside)

/**
 * The same, or the value itself, where an enablement is made in the program's
 * own text.
 *
 * @category schemas
 * @since 0.3.0
 */
export const OutsideOrValue = Schema.Union([...Outside.members, Schema.Redacted(Schema.String)])

/**
 * @category models
 * @since 0.3.0
 */
export type OutsideOrValue = typeof OutsideOrValue.Type

/**
 * A table of a configuration that stands for a text: exactly `from_env` or
 * `from_file`.
 *
 * @category models
 * @since 0.3.0
 */
export interface Place {
  readonly path: ReadonlyArray<PropertyKey>
  readonly from: Outside
}

/**
 * The places of a configuration where a text from outside belongs.
 *
 * @category getters
 * @since 0.3.0
 */
export const placesIn = (config: Schema.Json): ReadonlyArray<Place> =>
  FromOutside.placesIn(config, []).flatMap(({ path, source }) => (isOutside(source) ? [{ path, from: source }] : []))

/**
 * A configuration with a text in each of those places, in their order.
 *
 * @category combinators
 * @since 0.3.0
 */
export const withTexts = (config: Schema.Json, texts: ReadonlyArray<string>): Schema.Json => {
  let next = 0
  const walk = (value: Schema.Json): Schema.Json => {
    if (isOutside(FromOutside.sourceOf(value))) return texts[next++] ?? ""
    if (Array.isArray(value)) return value.map((item: Schema.Json) => walk(item))
    if (typeof value !== "object" || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, walk(item)]))
  }
  return texts.length === 0 ? config : walk(config)
}
