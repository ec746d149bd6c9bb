/**
 * A line of 64 kbit with the clocks that a host has by default; in the short form both are thirty times as fast. What
 * waits for the line is eight seconds of it, as with a cheap modem.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Lab from "./support/lab.ts"
import * as Scene from "./support/scene.ts"

const TIMES = Scene.isLong ? 1 : 30
const LINE = { bitsPerSecond: 64_000 * TIMES, queueBytes: 65_536 }
// No deadline is shorter than what a busy machine may keep a process waiting.
const limits = {
  pingIntervalMs: 30_000 / TIMES,
  pongDeadlineMs: Scene.isLong ? 10_000 : 1000,
  sendStallMs: 30_000 / TIMES
}
// Three times what the line needs for the larger of the two.
const WITHIN_MS = 360_000 / TIMES
const SOURCE = `ws://${Lab.FAR}/a`

const opened = Effect.gen(function* () {
  const lab = yield* Lab.make
  const server = yield* Scene.serve(80, [Lab.FAR], lab.far)
  const host = yield* Scene.host({ sources: [SOURCE], target: Lab.FAR, limits }, lab.host)
  yield* Scene.event(host, { kind: "websocket_open", epoch: 1 })
  yield* lab.spoilBoth(LINE)
  return { host, lab, server }
})

describe(`on a line of 64 kbit${Lab.skipped}`, Lab.atOnce, () => {
  it.live(
    "a text of 600 kB arrives in one session",
    () =>
      Effect.gen(function* () {
        const { host, lab, server } = yield* opened
        const since = performance.now()
        server.tell({ do: "send", count: 1, bytes: 600_000 })
        const { bytes } = yield* host.until(({ event }) => (event?.number === 1 ? event : undefined), WITHIN_MS)
        assert.strictEqual(bytes, 600_000)
        assert.isAbove(performance.now() - since, (600_000 * 8000) / LINE.bitsPerSecond)
        yield* lab.heal
        const { connection, faults } = yield* Scene.finish(host, server)
        assert.deepInclude(connection, { epoch: 1, received_text_frames: 1 })
        assert.deepStrictEqual(faults, [])
      }),
    WITHIN_MS + 30_000
  )

  it.live(
    "sixteen texts of 60 kB that the plugin sends all arrive in one session, and pings are answered meanwhile",
    () =>
      Effect.gen(function* () {
        const { host, lab, server } = yield* opened
        host.tell({ do: "send", to: SOURCE, count: 16, bytes: 60_000 })
        yield* Scene.arrived(server, "/a", 1, WITHIN_MS)
        server.tell({ do: "pings", perSecond: Scene.isLong ? 0.5 : 5 })
        yield* Scene.arrived(server, "/a", 16, WITHIN_MS)
        assert.isAtLeast((yield* Scene.report(server)).pongs, 3)
        yield* lab.heal
        const { connection, faults, lost } = yield* Scene.finish(host, server)
        assert.strictEqual(lost, 0)
        assert.deepInclude(connection, { epoch: 1, sent_text_frames: 16, send_failures: 0 })
        assert.deepStrictEqual(faults, [])
      }),
    WITHIN_MS + 30_000
  )
})
