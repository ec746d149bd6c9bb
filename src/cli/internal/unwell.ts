/**
 * Ends with exit code 3: what was asked about can't be used. An empty problem
 * is one that was reported already.
 */
import * as Schema from "effect/Schema"

export class Unwell extends Schema.TaggedError<Unwell>("mooring/cli/Unwell")("Unwell", { problem: Schema.String }) {
  override get message(): string {
    return this.problem
  }
}
