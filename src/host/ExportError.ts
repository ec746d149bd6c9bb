/**
 * What an exporter of metrics or traces reports of itself.
 *
 * @since 0.5.0
 */
import * as Schema from "effect/Schema"

/**
 * Metrics or traces can't be sent to their collector: what isn't is dropped and
 * counted, and the next is tried. Reported once while it lasts. `code` is the
 * status that it answered with, or what became of the connection; never
 * anything that it said.
 *
 * @category errors
 * @since 0.5.0
 */
export class ExportFailed extends Schema.TaggedError<ExportFailed>("mooring/host/ExportFailed")("ExportFailed", {
  signal: Schema.Literals(["metrics", "traces"]),
  code: Schema.String.check(
    Schema.isPattern(/^(?:[A-Z][A-Z0-9_]{1,63}|status [1-5][0-9]{2}|no answer|it can't be reached|a defect)$/u)
  )
}) {
  override get message(): string {
    return `${this.signal} can't be exported: ${this.code}`
  }
}

/**
 * The errors of exporters.
 *
 * @category errors
 * @since 0.5.0
 */
export const ExportError = Schema.Union([ExportFailed])
