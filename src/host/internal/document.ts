/**
 * The status document: what the host says of itself, and a row for each plugin.
 */
import * as Effect from "effect/Effect"
import { VERSION } from "../../internal/version.ts"
import { monotonic } from "../../internal/monotonic.ts"
import type { HostStatus } from "../HostStatus.ts"
import { lagProbe } from "./lagProbe.ts"
import * as Report from "./report.ts"
import { residentSize } from "./residentSize.ts"
import type { Roster } from "./roster.ts"
import type { Shared } from "./shared.ts"

/** The document of a host that starts now. */
export const make = (
  { client, clock, dials, limits }: Shared,
  roster: Roster
): Effect.Effect<Effect.Effect<HostStatus>> =>
  Effect.gen(function* () {
    const lag = yield* lagProbe(clock)
    const rssBytes = residentSize()
    const uptime = monotonic(clock)
    const startedUp = uptime()
    const startedAt = new Date(clock.currentTimeMillisUnsafe()).toISOString()
    return Effect.sync((): HostStatus => {
      const now = clock.currentTimeMillisUnsafe()
      return {
        schema: 1,
        host: {
          version: VERSION,
          at: new Date(now).toISOString(),
          startedAt,
          uptimeMs: Math.floor(uptime() - startedUp),
          eventLoopLagMs: lag(),
          rssBytes: rssBytes(),
          dialsWaiting: dials.waiting(),
          // A client need not be written in TypeScript.
          proxy: client.proxied === true,
          config: roster.configuration.status(roster.lacking),
          diagnostics: roster.configuration.diagnostics.entries()
        },
        plugins: roster.rows.map((row) => Report.plugin(row, limits, now))
      }
    })
  })
