/**
 * Ends with exit code 2: what was asked for can't be done, whatever is on disk.
 */
import * as Schema from "effect/Schema"

export class WrongUsage extends Schema.TaggedError<WrongUsage>("mooring/cli/WrongUsage")("WrongUsage", {
  problem: Schema.String
}) {
  override get message(): string {
    return this.problem
  }
}
