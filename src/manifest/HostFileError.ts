/**
 * What is wrong with a host file that can't be said of the manifest or the
 * grant.
 *
 * @since 0.3.0
 */
import * as Schema from "effect/Schema"
import * as Wire from "../internal/wire.ts"

/**
 * An entry needs what isn't there, or what can't be used as it is: a variable
 * that isn't set, a file that can't be read, a value that can't stand where it
 * is to be filled in, limits that can't work together. `problems` are all of
 * them, by their keys in the host file.
 *
 * @category errors
 * @since 0.3.0
 */
export class HostFileInvalid extends Schema.TaggedError<HostFileInvalid>("mooring/manifest/HostFileInvalid")(
  "HostFileInvalid",
  { problems: Schema.Array(Wire.Problem) }
) {
  override get message(): string {
    return `the entry can't be used: ${this.problems.map(Wire.formatProblem).join("; ")}`
  }
}

/**
 * The errors of this stage.
 *
 * @category errors
 * @since 0.3.0
 */
export const HostFileError = Schema.Union([HostFileInvalid])

/**
 * @category errors
 * @since 0.3.0
 */
export type HostFileError = typeof HostFileError.Type
