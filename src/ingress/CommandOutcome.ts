/**
 * The result of a command as a document: what stands in the status and in
 * events of the kind `command_result`.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { Timestamp } from "../diagnostics/Diagnostic.ts"
import * as Wire from "../internal/wire.ts"

/**
 * @category schemas
 * @since 0.1.0
 */
export const Status = Schema.Literals(["executed", "recorded", "rejected", "unsupported"])

/**
 * The schema of a result. `error` is there when the command was not executed
 * or recorded, with milliseconds to wait where a rate was used up.
 *
 * @category schemas
 * @since 0.1.0
 */
export const CommandOutcome = Wire.struct({
  commandId: Schema.String,
  correlationId: Schema.String,
  sourceEventId: Schema.String,
  kind: Schema.NullOr(Schema.String),
  status: Status,
  error: Schema.optionalKey(
    Wire.struct({ tag: Schema.String, message: Schema.String, retryAfterMs: Schema.optionalKey(Schema.Int) })
  ),
  recordedAt: Timestamp
}).annotate({ identifier: "CommandResult" })

/**
 * @category models
 * @since 0.1.0
 */
export type CommandOutcome = typeof CommandOutcome.Type
