/**
 * Options that several subcommands share.
 */
import { Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { DurationText } from "../../internal/duration.ts"

const duration = (name: string, least: number) =>
  Flag.String(name).pipe(
    Flag.withMetavar("duration"),
    Flag.withSchema(
      DurationText.check(Schema.isGreaterThanOrEqualTo(least, { expected: `a duration of at least ${least}ms` }))
    )
  )

/** How a command that runs a host reports: as a table or as JSON, how often, and for how long. */
export const reporting = {
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Print one status document a line on stdout instead of the table"),
    Flag.withDefault(false)
  ),
  interval: duration("interval", 10).pipe(
    Flag.withDescription("How often the status is shown, like 500ms, 8s or 2m (default: 1s)"),
    Flag.withDefault(1000)
  ),
  for: duration("for", 1).pipe(Flag.withDescription("Stop after this time (default: at a signal)"), Flag.optional)
}

export interface Reporting {
  readonly json: boolean
  readonly interval: number
  readonly for: Option.Option<number>
}

/** Completes after `--for`, or never. */
export const untilDone = (options: Reporting): Effect.Effect<void> =>
  Option.match(options.for, { onNone: () => Effect.never, onSome: (millis) => Effect.sleep(millis) })
