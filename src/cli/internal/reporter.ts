/**
 * Shows the status of a host: one JSON document a line on stdout, or a table on
 * stderr, which is drawn in place on a terminal and comes at the end elsewhere.
 */
import * as Effect from "effect/Effect"
import * as HostStatus from "../../host/HostStatus.ts"
import type { Reporting } from "./options.ts"
import { clean, cut } from "./cells.ts"
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

/** On a terminal that is shown the table: says what is going on while nothing can be shown yet. */
export const during =
  (options: Reporting, words: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Output> =>
    Effect.flatMap(Output, ({ screen }) => {
      if (options.json) return effect
      screen.show(({ columns }) => [cut(clean(`${words}\u2026`), columns)])
      return Effect.onError(effect, () => Effect.sync(() => screen.show(() => [])))
    })

/** The reporter that was asked for. */
export const reporter = Effect.fnUntraced(function* (options: Reporting) {
  const { screen, stdout } = yield* Output
  const json = (status: HostStatus.HostStatus) => stdout.offer(`${JSON.stringify(HostStatus.encode(status))}\n`)
  const draw = (status: HostStatus.HostStatus) =>
    screen.show((size) => table(status, { ...size, isColoured: screen.isColoured }))

  const every = (status: Effect.Effect<HostStatus.HostStatus>) => {
    const show = options.json ? json : draw
    // A document that nobody has read yet makes the next one wait for the next interval.
    const once = Effect.suspend(() => (options.json && !stdout.idle() ? Effect.void : Effect.map(status, show)))
    const always = Effect.forever(Effect.andThen(Effect.sleep(options.interval), once))
    if (screen.live && !options.json) return Effect.andThen(once, always)
    return options.json ? Effect.raceFirst(always, stdout.failure) : always
  }

  const last = (status: HostStatus.HostStatus) =>
    Effect.suspend(() => {
      if (options.json) {
        json(status)
        return stdout.drained(PATIENCE_MS)
      }
      if (screen.live) draw(status)
      else for (const line of table(status, { columns: WIDTH_WITHOUT_TERMINAL })) screen.log(line)
      return Effect.void
    })

  return { every, last } satisfies Reporter
})
