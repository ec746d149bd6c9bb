/** A line that is dead for a while. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Lab from "./support/lab.ts"
import * as Scene from "./support/scene.ts"

const PATHS = Array.from({ length: 16 }, (_, nth) => `/${nth}`)

/** How a line dies, and lives again. */
const deaths: ReadonlyArray<readonly [string, (lab: Lab.Lab) => readonly [Effect.Effect<void>, Effect.Effect<void>]]> =
  [
    ["all packets vanish", (lab) => [lab.spoilBoth({ isDown: true }), lab.heal]],
    ["the host's own device is down", (lab) => [lab.unplug, lab.plug()]]
  ]

/** For so long, in seconds; in the short form there is time for one that all connections notice. */
const outages = Scene.isLong ? [5, 30, 90] : [4]

/** From `from` on, by when each connection was open again, in milliseconds; a connection that never ended was at once. */
const reopened = (host: Scene.HostProgram, from: number) =>
  Effect.forEach(PATHS, (path) =>
    Effect.gen(function* () {
      const last = yield* Scene.lastOpen(host, path)
      return Math.max(0, last.at - from)
    })
  )

describe(`when the line is dead${Lab.skipped}`, Lab.atOnce, () => {
  it.live("for less than the deadline of a pong nothing ends, and what was sent meanwhile arrives", () =>
    Effect.gen(function* () {
      const limits = { pingIntervalMs: 1000, pongDeadlineMs: 10_000 }
      const { host, lab, server, sources } = yield* Scene.openOver(["/a"], { limits })
      yield* lab.spoilBoth({ isDown: true })
      server.tell({ do: "send", count: 10, bytes: 500 })
      host.tell({ do: "send", to: sources[0] ?? "", count: 10, bytes: 500 })
      yield* Effect.sleep(Scene.isLong ? 5000 : 1000)
      yield* lab.heal
      yield* host.until(({ event }) => event?.number === 10 || undefined)
      yield* Scene.arrived(server, "/a", 10)
      const { connection, faults, lost } = yield* Scene.finish(host, server)
      assert.deepStrictEqual(faults, [])
      assert.strictEqual(lost, 0)
      assert.deepInclude(connection, { epoch: 1, received_text_frames: 10, sent_text_frames: 10 })
    })
  )

  for (const [name, death] of deaths) {
    for (const seconds of outages) {
      it.live(
        `as ${name} for ${seconds} s, what dies of it is open again within seconds of its end`,
        () =>
          Effect.gen(function* () {
            const { host, lab, server, sources } = yield* Scene.openOver(PATHS)
            const [dies, lives] = death(lab)
            yield* dies
            for (const to of sources) host.tell({ do: "send", to, count: 3, bytes: 500 })
            yield* Effect.sleep(seconds * 1000)
            yield* lives
            const from = Scene.now()
            // What was asked before the end may still be found unanswered after it.
            yield* Effect.sleep(Scene.limits.pongDeadlineMs)
            yield* Scene.allOpen(host, Scene.RECOVERED_MS)
            const waits = yield* reopened(host, from)
            const { plugin } = yield* Scene.finish(host, server)
            const opens = plugin.websocket_connections.map(({ opens: count }) => count)
            // All had the time to notice.
            if (seconds * 1000 > Scene.limits.pingIntervalMs + Scene.limits.pongDeadlineMs + 2000) {
              assert.isAtLeast(Math.min(...opens), 2)
            }
            assert.isBelow(Scene.median(waits), Scene.WAIT_MS + 1000, waits.map(Math.round).join(" "))
          }),
        300_000
      )
    }
  }
})
