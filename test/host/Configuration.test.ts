import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { GrantStore, PluginHost } from "mooring"
import { FakeWebSocket, TestHost } from "mooring/testing"
import { enable, fine, refOf } from "../support/plugins.ts"

const digestOf = (digit: string) => `sha256:${digit.repeat(64)}`

/** A file of which each key stands at the line that the test says. */
const fileOf = (digit: string, problems: PluginHost.ConfigFile["problems"] = []): PluginHost.ConfigFile => ({
  digest: digestOf(digit),
  problems,
  located: (found) => found.map((problem) => ({ ...problem, file: "host.toml", line: 7, column: 1 }))
})

const hostOf = (file?: PluginHost.ConfigFile, enabled: ReadonlyArray<unknown> = [enable(fine)]) => {
  const entries = enabled as PluginHost.Options["enabled"]
  return TestHost.failingFast(
    PluginHost.layer({
      plugins: [fine],
      enabled: entries,
      // A first ping comes at random between half a second and one and a half.
      limits: { pingIntervalMs: 0 },
      ...(file === undefined ? {} : { file })
    })
  ).pipe(Layer.provide(GrantStore.layer([enable(fine)])), Layer.provideMerge(FakeWebSocket.layer))
}

const hostStatus = Effect.flatMap(PluginHost.PluginHost, ({ status }) => Effect.map(status, ({ host }) => host))

const STRAY = { path: "limits.restart", message: "Expected no excess property", file: "host.toml", line: 2, column: 1 }
const OF_A_ROW = {
  path: "enabled[0].limts",
  message: "Expected no excess property",
  file: "host.toml",
  line: 9,
  column: 1
}

describe("what a host was configured from", () => {
  it.effect(
    "is told by its digest, with all that is wrong, and as a diagnostic of the host what belongs to no row",
    () =>
      Effect.gen(function* () {
        const { config, diagnostics } = yield* hostStatus
        assert.deepInclude(config, { state: "partly", digest: digestOf("1"), problems: [STRAY, OF_A_ROW] })
        assert.deepStrictEqual(
          diagnostics.map((each): object => ({ ...each, at: "" })),
          [
            {
              at: "",
              stage: "host",
              tag: "HostFileInvalid",
              severity: "error",
              message: "what can't be used: host.toml:2:1: limits.restart: Expected no excess property",
              error: { _tag: "HostFileInvalid", problems: [STRAY] },
              count: 1
            }
          ]
        )
      }).pipe(Effect.provide(hostOf(fileOf("1", [STRAY, OF_A_ROW]))))
  )

  it.effect("is told of nothing where nothing is wrong, and without a file has no digest", () =>
    Effect.gen(function* () {
      const { config, diagnostics } = yield* hostStatus
      assert.deepInclude(config, { state: "applied", digest: null, problems: [] })
      assert.deepStrictEqual(diagnostics, [])
    }).pipe(Effect.provide(hostOf()))
  )

  it.effect("has what else is wrong with its entries where it stands, each once", () =>
    Effect.gen(function* () {
      const [seen] = (yield* hostStatus).config.problems
      assert.deepInclude(seen, { path: "enabled[1]", line: 7 })
      const again = fileOf("2", seen === undefined ? [] : [{ ...seen, line: 3 }])
      const { apply } = yield* PluginHost.PluginHost
      yield* apply({ enabled: [enable(fine), enable(fine)], file: again })
      assert.deepStrictEqual(
        (yield* hostStatus).config.problems.map(({ line, path }) => [path, line]),
        [["enabled[1]", 3]]
      )
    }).pipe(Effect.provide(hostOf(fileOf("1"), [enable(fine), enable(fine)])))
  )

  it.effect("is rejected until a file is applied, while everything stays as it was; each time is one diagnostic", () =>
    Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      const before = (yield* host.status).plugins
      const broken = { path: "", message: "Expected TOML", file: "host.toml", line: 1, column: 9 }
      yield* host.reject([broken])
      yield* host.reject([broken])
      yield* TestClock.adjust(1000)
      yield* host.reject([broken])
      yield* host.apply({ enabled: [enable(fine)] })
      const after = yield* host.status
      assert.deepInclude(after.host.config, { state: "rejected", digest: digestOf("1"), problems: [broken, STRAY] })
      assert.deepStrictEqual(after.plugins, before)
      const rejections = after.host.diagnostics.filter(({ tag }) => tag === "ReloadRejected")
      assert.deepStrictEqual(
        rejections.map(({ count, error, severity, stage }): unknown => ({ stage, severity, error, count })),
        [2, 1].map((count) => ({
          stage: "host",
          severity: "error",
          error: { _tag: "ReloadRejected", problems: [broken] },
          count
        }))
      )
      yield* host.apply({ enabled: [enable(fine)], file: fileOf("2") })
      const { config, diagnostics } = yield* hostStatus
      assert.deepInclude(config, { state: "applied", digest: digestOf("2"), problems: [] })
      assert.strictEqual(diagnostics.length, 3)
    }).pipe(Effect.provide(hostOf(fileOf("1", [STRAY]))))
  )

  it.effect("is told to whoever follows the host: its status, and its diagnostics as nobody's plugin's", () =>
    Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      const states: Array<string> = []
      const told: Array<readonly [string | null, string]> = []
      yield* Effect.forkScoped(
        Stream.runForEach(host.changes, (status) => Effect.sync(() => states.push(status.host.config.state))),
        { startImmediately: true }
      )
      yield* Effect.forkScoped(
        Stream.runForEach(host.diagnostics, ({ diagnostic, pluginRef }) =>
          Effect.sync(() => told.push([pluginRef, diagnostic.tag]))
        ),
        { startImmediately: true }
      )
      yield* host.reject([STRAY])
      yield* host.idle
      yield* Effect.yieldNow
      assert.strictEqual(states.at(-1), "rejected")
      assert.deepStrictEqual(told, [[null, "ReloadRejected"]])
      assert.deepStrictEqual(
        (yield* host.status).plugins.map(({ pluginRef }) => pluginRef),
        [refOf(fine)]
      )
    }).pipe(Effect.scoped, Effect.provide(hostOf()))
  )
})
