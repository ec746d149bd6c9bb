/**
 * A text that doesn't stand where it is configured: it is a variable of the
 * environment, or the content of a file, whose path may be relative.
 *
 * @since 0.3.0
 */
import * as Schema from "effect/Schema"

const Variable = Schema.String.check(
  Schema.isPattern(/^[^=\0]+$/u, { expected: "the name of a variable of the environment" })
)
const Path = Schema.String.check(Schema.isPattern(/^[^\0]+$/u, { expected: "the path of a file" }))

/**
 * Where a text comes from, as it is written.
 *
 * @category schemas
 * @since 0.3.0
 */
export const Outside = Schema.Union([Schema.Struct({ env: Variable }), Schema.Struct({ file: Path })])

/**
 * @category models
 * @since 0.3.0
 */
export type Outside = typeof Outside.Type

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
