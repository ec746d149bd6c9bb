import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { TestClock } from "effect/testing"
import { PluginError, type PluginRuntime } from "mooring"
import { accountingProblem, onFake, opened, rowOf, settled } from "../support/host.ts"
import { GATEWAY, plugin } from "../support/plugins.ts"

const REF = "project:test.plugin"

type Handle = PluginRuntime.Instance["handle"]

const runtime = (handle: Handle, more: Partial<PluginRuntime.Instance> = {}) => {
  const starts: Array<PluginRuntime.Start> = []
  const pkg: PluginRuntime.PluginPackage = {
    ...plugin({}),
    runtime: {
      start: (start) => {
        starts.push(start)
        return Effect.succeed({ handle, stop: Effect.void, keepsDeadlines: true, ...more })
      }
    }
  }
  return { pkg, starts }
}

const onText =
  (answer: Effect.Effect<PluginRuntime.Output | void, unknown>): Handle =>
  ({ kind }) =>
    kind === "websocket_text" ? answer : Exit.void

describe("a runtime with a clock of its own", () => {
  it.effect("rule 6: is interrupted by nobody else, and says itself what was past its deadline", () => {
    const late = Effect.andThen(
      Effect.sleep(5000),
      Effect.die(new PluginError.DispatchTimeout({ during: "event", deadlineMs: 77 }))
    )
    const { pkg } = runtime(onText(late))
    return Effect.gen(function* () {
      const { host, remote } = yield* opened(GATEWAY)
      remote.sendText("x")
      yield* settled
      yield* TestClock.adjust(4000)
      assert.deepInclude((yield* rowOf(REF)).dispatchCounters, { inFlight: 1, timedOut: 0 })
      yield* TestClock.adjust(1000)
      yield* host.idle
      const row = yield* rowOf(REF)
      assert.deepInclude(row, { lifecycle: "restarting", restarts: 1 })
      assert.deepInclude(row.dispatchCounters, { timedOut: 1, failed: 0 })
      assert.deepInclude(row.diagnostics.find(({ tag }) => tag === "DispatchTimeout")?.error, {
        deadline_ms: 77,
        during: "event"
      })
      assert.isUndefined(accountingProblem(row))
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  for (const error of [
    new PluginError.GuestError({ name: "TypeError", message: "no\u202e function", position: "plugin.js:7:15" }),
    new PluginError.OutOfMemory({ limit: 4096 }),
    new PluginError.OutputTooLarge({ bytes: 9, limit: 8 })
  ]) {
    it.effect(`rule 10: says ${error._tag} of an event that failed with it, and goes on`, () => {
      const { pkg } = runtime(onText(Exit.fail(error)))
      return Effect.gen(function* () {
        const { host, remote } = yield* opened(GATEWAY)
        remote.sendText("x")
        yield* host.idle
        const row = yield* rowOf(REF)
        assert.deepInclude(row, { lifecycle: "running", restarts: 0 })
        assert.deepInclude(row.dispatchCounters, { failed: 1, dispatched: 1 })
        assert.strictEqual(row.lastError?.tag, error._tag)
        assert.deepInclude(row.diagnostics.at(-1), { tag: error._tag, stage: "runtime" })
        assert.notInclude(JSON.stringify(row), "\u202e")
      }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
    })
  }

  it.effect("tells where an instance runs for as long as it runs, and its first status and state", () => {
    const { pkg, starts } = runtime(onText(Exit.die("dead")), {
      initial: { status: { ready: true }, state: [1] },
      sandbox: () => ({ worker: 3, consoleLines: 12 })
    })
    return Effect.gen(function* () {
      const { host, remote } = yield* opened(GATEWAY)
      assert.deepInclude(yield* rowOf(REF), { worker: 3, consoleLines: 12, reportedStatus: { ready: true } })
      remote.sendText("x")
      yield* host.idle
      assert.deepInclude(yield* rowOf(REF), { lifecycle: "restarting", worker: null, consoleLines: 0 })
      yield* TestClock.adjust(100)
      yield* host.idle
      assert.deepStrictEqual(
        starts.map(({ limits, reason, state }) => [limits.stateBytes, reason, state]),
        [
          [16384, "first", null],
          [16384, "crash", [1]]
        ]
      )
      assert.strictEqual(starts[0]?.key, starts[1]?.key)
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("says StartTimeout of a start that was past its deadline by its own clock", () => {
    const pkg: PluginRuntime.PluginPackage = {
      ...plugin({}),
      runtime: {
        keepsStartDeadline: true,
        start: () => Effect.andThen(Effect.sleep(6000), Effect.fail(new PluginError.StartTimeout({ deadlineMs: 5 })))
      }
    }
    return Effect.gen(function* () {
      yield* settled
      yield* TestClock.adjust(5900)
      assert.deepInclude(yield* rowOf(REF), { lifecycle: "starting" })
      yield* TestClock.adjust(100)
      yield* settled
      assert.deepInclude(yield* rowOf(REF), { lifecycle: "failed" })
      assert.strictEqual((yield* rowOf(REF)).lastError?.tag, "StartTimeout")
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })
})
