import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import { TestClock } from "effect/testing"
import { type Enablement, GrantStore, OutputCommand, PluginHost, ServicePlugin } from "mooring"
import { FakeWebSocket, type Remote } from "mooring/testing"
import { accountingProblem, onFake } from "../support/host.ts"
import { enable, refOf, target } from "../support/plugins.ts"

const PLUGINS = 20
const MINUTE_MS = 60_000
const STEP_MS = 20
const FRAMES_PER_STEP = 20

/** A plugin that answers every text, and counts its starts. */
const echo = (n: number) => {
  const starts: Array<string> = []
  const url = `ws://127.0.0.1:7700/${n}`
  const pkg = ServicePlugin.make({
    id: `test.p${n}`,
    version: "1.0.0",
    ingresses: { gateway: { sources: [url] } },
    websocket: [target],
    handlers: ({ reason }) =>
      Effect.sync(() => {
        starts.push(reason)
        return {
          gateway: {
            websocket_text: (event) => Exit.succeed({ commands: [OutputCommand.send(event, event.text)] })
          }
        }
      })
  })
  return { pkg, ref: refOf(pkg), starts, url }
}

describe("applying under load", () => {
  it.effect(
    "1,000 frames a second into 20 plugins for a minute while enablements change at random",
    () => {
      const all = Array.from({ length: PLUGINS }, (_, n) => echo(n))
      const plugins = all.map(({ pkg }) => pkg)
      const entryOf = (n: number, version: number) => {
        const one = all[n]
        if (one === undefined) throw new Error("no such plugin")
        return enable(one.pkg, version === 0 ? {} : { config: { version } })
      }
      return Effect.gen(function* () {
        const fake = yield* FakeWebSocket.FakeWebSocket
        const host = yield* PluginHost.PluginHost
        const grants = yield* GrantStore.GrantEditor
        const random = yield* Random.Random
        yield* host.idle

        // The reference: who is enabled with which configuration, and how often each was started.
        const versions = new Map(all.map((_, n) => [n, 0]))
        const started = all.map(() => 1)
        const enabled = (): ReadonlyArray<Enablement.Enablement> =>
          [...versions].map(([n, version]) => entryOf(n, version))
        let changes = 0
        const counted = new Map<string, number>()
        let frames = 0

        for (let ms = 0; ms < MINUTE_MS; ms += STEP_MS) {
          const open: Array<Remote.Remote> = []
          for (const { url } of all) {
            const remote = (yield* fake.remotes(url)).at(-1)
            if (remote?.isOpen === true) open.push(remote)
          }
          for (let frame = 0; frame < FRAMES_PER_STEP; frame++) {
            open[frame % open.length]?.sendText(String(frames++))
          }
          if (random.nextDoubleUnsafe() < 0.1) {
            changes++
            const n = Math.floor(random.nextDoubleUnsafe() * PLUGINS)
            const version = versions.get(n)
            if (version === undefined) {
              versions.set(n, 0)
              started[n] = (started[n] ?? 0) + 1
              counted.delete(all[n]?.ref ?? "")
            } else if (random.nextDoubleUnsafe() < 0.5) {
              versions.delete(n)
            } else {
              versions.set(n, version + 1)
              started[n] = (started[n] ?? 0) + 1
            }
            yield* grants.replace(enabled())
            yield* host.apply({ enabled: enabled() })
          }
          yield* TestClock.adjust(STEP_MS)
          if (ms % 1000 === 0) {
            yield* host.idle
            const { plugins: rows } = yield* host.status
            assert.sameMembers(
              rows.map(({ pluginRef }) => pluginRef),
              [...versions.keys()].map((n) => all[n]?.ref ?? "")
            )
            for (const row of rows) {
              assert.isUndefined(accountingProblem(row))
              assert.deepInclude(row, { restarts: 0, lifecycle: "running" })
              assert.isAtLeast(row.dispatchCounters.enqueued, counted.get(row.pluginRef) ?? 0)
              counted.set(row.pluginRef, row.dispatchCounters.enqueued)
            }
          }
        }
        yield* host.idle
        assert.isAbove(changes, 200)
        assert.isAbove(frames, 59_000)
        // Nobody was started who wasn't touched, and everybody who was, once for each time.
        assert.deepStrictEqual(
          all.map(({ starts }) => starts.length),
          started
        )
        for (const n of versions.keys()) {
          const remote = (yield* fake.remotes(all[n]?.url ?? "")).at(-1)
          remote?.sendText("last")
          yield* host.idle
          assert.strictEqual(remote?.sent.at(-1), "last")
        }
      }).pipe(
        // The host's own jitter is fixed; what the test draws is its own.
        Random.withSeed("apply under load"),
        Effect.provide(onFake({ plugins, limits: { dialsPerSecond: 1000 } }))
      )
    },
    60_000
  )
})
