/** A thread that is blocked and a process that is stopped, for real: rule 6 of the design. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { OutputCommand, PluginHost } from "mooring"
import { FakeWebSocket, Standstill } from "mooring/testing"
import { spawn } from "node:child_process"
import * as Readline from "node:readline"
import { fileURLToPath } from "node:url"
import { accountingProblem, onFake, rowOf } from "../support/host.ts"
import { GATEWAY, plugin, refOf } from "../support/plugins.ts"
import * as Servers from "../support/servers.ts"
import { eventually, runHost } from "./support/host.ts"

const STOPPED = fileURLToPath(new URL("support/stopped.mjs", import.meta.url))
const PINGING = fileURLToPath(new URL("support/pinging.mjs", import.meta.url))

/** A script in a process of its own, and the next line that it writes. */
const running = (script: string, ...args: ReadonlyArray<string>) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => spawn(process.execPath, [script, ...args], { stdio: ["ignore", "pipe", "inherit"] })),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    ),
    (child) => {
      const lines = Readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]()
      const next = Effect.promise(() => lines.next())
      return {
        kill: (signal: NodeJS.Signals) => child.kill(signal),
        line: Effect.map(next, ({ value }) => String(value))
      }
    }
  )

describe("a standstill", () => {
  it.live("of 1.3 s crashes none of 50 plugins whose handlers take 20 ms", () => {
    const urls = Array.from({ length: 50 }, (_, nth) => `ws://127.0.0.1:7700/${nth}`)
    const plugins = urls.map((url, nth) =>
      plugin({
        name: `p${nth}`,
        sources: [url],
        handlers: {
          gateway: {
            websocket_text: (event) =>
              // Two waits: after the standstill it isn't through.
              Effect.as(Effect.andThen(Effect.sleep(10), Effect.sleep(10)), {
                commands: [OutputCommand.send(event, "done")]
              })
          }
        }
      })
    )
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const remotes = yield* Effect.forEach(urls, (url) => fake.remote(url))
      yield* host.idle
      for (const remote of remotes) remote.sendText("x")
      yield* eventually(host.status, ({ plugins: rows }) => rows.every((row) => row.dispatchCounters.inFlight === 1))
      yield* Standstill.cause("1300 millis")
      yield* host.idle
      const { plugins: rows } = yield* host.status
      const charged = rows.filter((row) => row.dispatchCounters.timedOut > 0 || row.restarts > 0)
      assert.deepStrictEqual(
        charged.map(({ pluginRef }) => pluginRef),
        []
      )
      for (const row of rows) assert.isUndefined(accountingProblem(row))
      assert.isTrue(remotes.every(({ sent }) => sent.length === 1))
    }).pipe(Effect.provide(onFake({ plugins })))
  })

  it.live(
    "saves no handler that hangs: it is interrupted at its deadline, also while others keep the thread busy",
    () => {
      const hanging = plugin({ handlers: { gateway: { websocket_text: () => Effect.never } } })
      const ref = refOf(hanging)
      return Effect.gen(function* () {
        const fake = yield* FakeWebSocket.FakeWebSocket
        const host = yield* PluginHost.PluginHost
        const remote = yield* fake.remote(GATEWAY)
        yield* host.idle
        // Keeps the thread for 20 ms of every 25.
        yield* Effect.forkScoped(
          Effect.forever(Effect.andThen(Standstill.cause("20 millis"), Effect.sleep("5 millis")))
        )
        const begun = yield* Clock.monotonicTimeNanos
        remote.sendText("x")
        yield* eventually(rowOf(ref), ({ dispatchCounters }) => dispatchCounters.timedOut === 1, 12_000)
        const took = Number((yield* Clock.monotonicTimeNanos) - begun) / 1e6
        assert.isAtLeast(took, 1000)
        assert.isAtMost(took, 10_000)
      }).pipe(Effect.scoped, Effect.provide(onFake({ plugins: [hanging] })))
    }
  )

  it.live("of a process that is stopped for 3 s charges no handler, start or dial", () =>
    Effect.gen(function* () {
      const talking = yield* Servers.gateway((peer) => peer.send("x"))
      const mute = yield* Servers.tcp(() => {})
      const child = yield* running(STOPPED, talking.url, mute.url)
      assert.strictEqual(yield* child.line, "under way")
      child.kill("SIGSTOP")
      yield* Effect.sleep("3 seconds")
      child.kill("SIGCONT")
      assert.deepStrictEqual(JSON.parse(yield* child.line), [
        { diagnosticCounts: {}, timedOut: 0, restarts: 0, state: "open" },
        { diagnosticCounts: {}, timedOut: 0, restarts: 0 },
        { diagnosticCounts: {}, timedOut: 0, restarts: 0, state: "connecting" }
      ])
    })
  )

  it.live("of 2.5 s makes no flood of 80 pings a second: the socket stays open, and every text arrives", () => {
    const seen: Array<string> = []
    return Effect.gen(function* () {
      const port = yield* (yield* running(PINGING, "12.5")).line
      const host = yield* runHost({
        sources: [`ws://127.0.0.1:${port}/`],
        text: (event) => (seen.push(event.text), Exit.void)
      })
      yield* host.untilOpen(1)
      yield* host.until(() => seen.length > 20)
      yield* Standstill.cause("2500 millis")
      const before = seen.length
      yield* host.until(() => seen.length > before + 200)
      const { connection, plugin: row } = yield* host.seen
      assert.deepStrictEqual([connection.state, connection.epoch, row.diagnosticCounts], ["open", 1, {}])
      assert.deepStrictEqual(
        seen,
        seen.map((_, nth) => String(nth))
      )
    })
  })
})
