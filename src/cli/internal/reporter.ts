/**
 * Shows the status of a host at each interval: one JSON document a line on
 * stdout, or a table on stderr, redrawn in place on a terminal.
 */
import * as Effect from "effect/Effect"
import * as HostStatus from "../../host/HostStatus.ts"
import type { Reporting } from "./options.ts"
import { write } from "./output.ts"
import { table } from "./table.ts"

const WIDTH_WITHOUT_TERMINAL = 200

/** Shows the status once. Each call replaces what the one before it drew. */
export const reporter = (options: Reporting): ((status: HostStatus.HostStatus) => Effect.Effect<void>) => {
  if (options.json) return (status) => write(process.stdout, `${JSON.stringify(HostStatus.encode(status))}\n`)
  const { stderr } = process
  if (!stderr.isTTY) {
    return (status) => write(stderr, `${table(status, WIDTH_WITHOUT_TERMINAL).join("\n")}\n\n`)
  }
  let drawn = 0
  return (status) => {
    const lines = table(status, stderr.columns).slice(0, stderr.rows - 1)
    const up = drawn === 0 ? "" : `\u001b[${drawn}A`
    drawn = lines.length
    return write(stderr, `${up}\r${lines.map((line) => `${line}\u001b[K`).join("\n")}\n\u001b[J`)
  }
}

/** Shows the status at each interval, for ever. */
export const every = (
  options: Reporting,
  show: (status: HostStatus.HostStatus) => Effect.Effect<void>,
  status: Effect.Effect<HostStatus.HostStatus>
): Effect.Effect<never> => Effect.forever(Effect.andThen(Effect.sleep(options.interval), Effect.flatMap(status, show)))
