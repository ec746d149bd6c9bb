/** Processes that stand still: nobody's fault, and nothing that a clock may run for. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Limits } from "mooring"
import * as Scene from "./support/scene.ts"
import * as Silence from "./support/silence.ts"

const LOOPBACK = "127.0.0.1"

const stopped = (program: Scene.ServerProgram | Scene.HostProgram) =>
  Effect.acquireRelease(program.signal("SIGSTOP"), () => program.signal("SIGCONT"))

const STANDS_MS = Scene.isLong ? 90_000 : 3000

/** How a process stands still. */
const stands: ReadonlyArray<readonly [string, (host: Scene.HostProgram) => Effect.Effect<void>]> = [
  [
    "stopped and continued",
    (host) => Effect.andThen(host.signal("SIGSTOP"), Effect.andThen(Effect.sleep(STANDS_MS), host.signal("SIGCONT")))
  ],
  ["its one thread blocked", (host) => Effect.sync(() => host.tell({ do: "block", millis: STANDS_MS }))]
]

// Pinged often, so that some ping is out whenever the host stops, and none for long.
const PINGED_OFTEN = { pingIntervalMs: 500, pongDeadlineMs: 2500 }

const pair = (limits: Partial<Limits.Values>) =>
  Effect.gen(function* () {
    const server = yield* Scene.serve(0, [LOOPBACK])
    const source = `ws://${LOOPBACK}:${Scene.portOf(server)}/a`
    const host = yield* Scene.host({ sources: [source], target: LOOPBACK, limits })
    yield* Scene.event(host, { kind: "websocket_open", epoch: 1 })
    yield* Silence.answered(host)
    return { host, server, source }
  })

describe("a process that is stopped", { concurrent: true, skip: process.platform === "win32" }, () => {
  for (const [name, stand] of stands) {
    it.live(
      `as a host: ${name}, it ends no connection for it, and gets all that came meanwhile`,
      () =>
        Effect.gen(function* () {
          const { host, server } = yield* pair(PINGED_OFTEN)
          server.tell({ do: "pings", perSecond: 80 })
          server.tell({ do: "send", count: 100, bytes: 500 })
          yield* host.until(({ event }) => event?.number === 100 || undefined)
          // A ping goes out that isn't answered before the host stands still.
          yield* server.signal("SIGSTOP")
          yield* Effect.sleep(2 * PINGED_OFTEN.pingIntervalMs)
          const goesOn = Effect.andThen(Effect.sleep(500), server.signal("SIGCONT"))
          yield* Effect.all([stand(host), goesOn], { concurrency: 2 })
          const since = Date.now()
          server.tell({ do: "send", count: 100, bytes: 500 })
          yield* host.until(({ event }) => event?.number === 200 || undefined, 2 * STANDS_MS + 10_000)
          yield* Silence.answered(host, since)
          const { connection, faults, plugin } = yield* Scene.finish(host, server)
          assert.deepStrictEqual(faults, [])
          assert.deepInclude(connection, { epoch: 1, received_text_frames: 200 })
          assert.strictEqual(plugin.dispatch_counters.timed_out, 0)
        }),
      3 * STANDS_MS + 60_000
    )
  }

  it.live(
    "as a server: it is noticed, can't be dialled, and is open again once it goes on",
    () =>
      Effect.gen(function* () {
        const { host, server, source } = yield* pair(Scene.limits)
        const since = Scene.now()
        yield* stopped(server)
        host.tell({ do: "send", to: source, count: 3, bytes: 500 })
        const { unconfirmed, what } = yield* Silence.noticed(host, since)
        assert.strictEqual(what, "silent")
        assert.strictEqual(unconfirmed, 3)
        // The system takes connections for it, and nobody answers the upgrade.
        const failed = yield* Scene.event(host, { kind: "websocket_error", epoch: 1, nth: 2 }, Scene.RECOVERED_MS)
        assert.strictEqual(failed.what, "OpenTimeout upgrade")
        host.tell({ do: "send", to: source, count: 1, bytes: 500 })
        yield* Scene.event(host, { kind: "command_result", nth: 4 })
        const results = Scene.events(host).flatMap(({ result }) => result ?? [])
        assert.deepStrictEqual(results, ["executed", "executed", "executed", "NotConnected"])
        yield* server.signal("SIGCONT")
        yield* Scene.event(host, { kind: "websocket_open", epoch: 2 }, 30_000)
        const { faults, lost } = yield* Scene.finish(host, server)
        assert.strictEqual(faults[0], "KeepaliveTimeout")
        // What waited in the server's socket was read in the end.
        assert.strictEqual(lost, 0)
      }),
    200_000
  )
})
