/**
 * What is wrong with a host file that can't be said of the manifest or the
 * grant.
 *
 * @since 0.3.0
 */
import * as Schema from "effect/Schema"
import * as Wire from "../internal/wire.ts"

/**
 * A part of the file can't be used. Of an entry: it needs what isn't there, or
 * what can't be used as it is (a variable that isn't set, a file that can't be
 * read, a value that can't stand where it is to be filled in, limits that can't
 * work together). Of the host itself: what belongs to no entry that has a row.
 * `problems` are all of them, by their keys in the host file.
 *
 * @category errors
 * @since 0.3.0
 */
export class HostFileInvalid extends Schema.TaggedError<HostFileInvalid>("mooring/manifest/HostFileInvalid")(
  "HostFileInvalid",
  { problems: Schema.Array(Wire.Problem) }
) {
  override get message(): string {
    return `what can't be used: ${this.problems.map(Wire.formatProblem).join("; ")}`
  }
}

/**
 * A file that took the place of the one that was applied is of no use: it can't
 * be read, isn't TOML or says nothing of plugins. Nothing has changed.
 *
 * @category errors
 * @since 0.4.0
 */
export class ReloadRejected extends Schema.TaggedError<ReloadRejected>("mooring/manifest/ReloadRejected")(
  "ReloadRejected",
  { problems: Schema.Array(Wire.Problem) }
) {
  override get message(): string {
    return `the file is of no use, and nothing has changed: ${this.problems.map(Wire.formatProblem).join("; ")}`
  }
}

/**
 * The errors of this stage.
 *
 * @category errors
 * @since 0.3.0
 */
export const HostFileError = Schema.Union([HostFileInvalid, ReloadRejected])

/**
 * @category errors
 * @since 0.3.0
 */
export type HostFileError = typeof HostFileError.Type
