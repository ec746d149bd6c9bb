/**
 * Shows the status of a host: one JSON document a line on stdout, or a table on
 * stderr, which is drawn in place on a terminal and comes at the end elsewhere.
 */
import * as Effect from "effect/Effect"
import * as HostStatus from "../../host/HostStatus.ts"
import type { Reporting } from "./options.ts"
import { Output } from "./output.ts"
import type { StdoutUnwritable } from "./stdout.ts"
import { table } from "./table.ts"

/** How long a reader may take nothing before the last document is given up. */
const PATIENCE_MS = 1000
const WIDTH_WITHOUT_TERMINAL = 200

export interface Reporter {
  /** Shows the status at each interval; fails as soon as it can't be shown to whom asked for it. */
  readonly every: (status: Effect.Effect<HostStatus.HostStatus>) => Effect.Effect<never, StdoutUnwritable>
  /** Shows the last status, and waits until it has been read. */
  readonly last: (status: HostStatus.HostStatus) => Effect.Effect<void, StdoutUnwritable>
}

/** The reporter that was asked for. */
export const reporter = Effect.fnUntraced(function* (options: Reporting) {
  const { screen, stdout } = yield* Output
  const json = (status: HostStatus.HostStatus) => stdout.offer(`${JSON.stringify(HostStatus.encode(status))}\n`)
  const draw = (status: HostStatus.HostStatus) => screen.show(({ columns }) => table(status, columns))

  const every = (status: Effect.Effect<HostStatus.HostStatus>) => {
    const show = options.json ? json : draw
    // A document that nobody has read yet makes the next one wait for the next interval.
    const once = Effect.suspend(() => (options.json && !stdout.idle() ? Effect.void : Effect.map(status, show)))
    const always = Effect.forever(Effect.andThen(Effect.sleep(options.interval), once))
    return options.json ? Effect.raceFirst(always, stdout.failure) : always
  }

  const last = (status: HostStatus.HostStatus) =>
    Effect.suspend(() => {
      if (options.json) {
        json(status)
        return stdout.drained(PATIENCE_MS)
      }
      if (screen.live) draw(status)
      else for (const line of table(status, WIDTH_WITHOUT_TERMINAL)) screen.log(line)
      return Effect.void
    })

  return { every, last } satisfies Reporter
})
