/** A runtime that takes events in batches, in a host. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { TestClock } from "effect/testing"
import { GrantStore, OutputCommand, PluginError, PluginHost, type PluginRuntime } from "mooring"
import { FakeWebSocket, type Remote } from "mooring/testing"
import { accountingProblem, onFake, rowOf, settled } from "../support/host.ts"
import { GATEWAY, plugin } from "../support/plugins.ts"
import { Scripted } from "./support/batching.ts"

const REF = "project:test.plugin"
const OTHER = "ws://127.0.0.1:7700/other"
const WELL = Exit.void

/** A package whose every instance is a script. */
const scripted = (
  more: Partial<PluginRuntime.Lifecycle> = {},
  sources: ReadonlyArray<string> = [GATEWAY],
  make = () => new Scripted()
) => {
  const runtimes: Array<Scripted> = []
  const starts: Array<PluginRuntime.Start> = []
  const pkg: PluginRuntime.PluginPackage = {
    ...plugin({ sources }),
    runtime: {
      start: (start) =>
        Effect.sync(() => {
          const runtime = make()
          runtimes.push(runtime)
          starts.push(start)
          return { ...runtime.instance, ...more }
        })
    }
  }
  return { pkg, starts, runtimes, runtime: () => runtimes.at(-1) ?? assert.fail("it never started") }
}

/** The first connection is open, and its open event answered. */
const running = (runtime: () => Scripted, sources = [GATEWAY]) =>
  Effect.gen(function* () {
    const fake = yield* FakeWebSocket.FakeWebSocket
    const host = yield* PluginHost.PluginHost
    const remotes: Array<Remote.Remote> = []
    for (const source of sources) {
      remotes.push(yield* fake.remote(source))
      yield* settled
    }
    while (runtime().out !== undefined) {
      runtime().work(WELL, 1)
      yield* settled
    }
    const remote = remotes[0] ?? assert.fail()
    return { fake, host, remote, remotes }
  })

/** Sends texts, of which the first is lent alone, and lends the others together once that is answered. */
const burst = (runtime: Scripted, remote: Remote.Remote, count: number) =>
  Effect.gen(function* () {
    for (let i = 0; i < count; i++) remote.sendText(`t${i}`)
    yield* settled
    while ((runtime.out?.events.length ?? 2) < 2) {
      runtime.work(WELL, 1)
      yield* settled
    }
    return runtime.out?.events.length ?? 0
  })

describe("a runtime that takes events in batches", () => {
  it.effect("rule 2: is lent what waits, which waits in plugin and connection until it begins", () => {
    const { pkg, runtime } = scripted()
    return Effect.gen(function* () {
      const { remote } = yield* running(runtime)
      const lent = yield* burst(runtime(), remote, 12)
      assert.isAtLeast(lent, 2)
      const before = yield* rowOf(REF)
      const waits = before.queueDepth
      assert.strictEqual(before.websocketConnections[0]?.queueDepth, waits)
      assert.isAtLeast(waits, lent)
      assert.deepInclude(before.dispatchCounters, { inFlight: 0 })
      runtime().begin()
      const begun = yield* rowOf(REF)
      assert.strictEqual(begun.queueDepth, waits - 1)
      assert.strictEqual(begun.websocketConnections[0]?.queueDepth, waits - 1)
      assert.deepInclude(begun.dispatchCounters, { inFlight: 1 })
      assert.isUndefined(accountingProblem(begun))
      while (runtime().out !== undefined) {
        runtime().work(WELL, 1)
        yield* settled
      }
      const after = yield* rowOf(REF)
      assert.deepInclude(after.dispatchCounters, { dispatched: 13, inFlight: 0 })
      assert.strictEqual(after.queueDepth, 0)
      assert.isUndefined(accountingProblem(after))
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("rule 1: takes up nothing more once its grant is gone, and what hadn't begun is discarded", () => {
    const { pkg, runtime } = scripted()
    return Effect.gen(function* () {
      const { remote } = yield* running(runtime)
      const grants = yield* GrantStore.GrantEditor
      yield* burst(runtime(), remote, 12)
      runtime().begin()
      const { queueDepth } = yield* rowOf(REF)
      yield* grants.revoke(REF)
      yield* settled
      assert.isTrue(runtime().out?.isRecalled)
      assert.isFalse(runtime().begin())
      const row = yield* rowOf(REF)
      assert.strictEqual(row.queueDepth, 0)
      assert.isAtLeast(row.dispatchCounters.discarded, queueDepth)
      assert.isUndefined(accountingProblem(row))
      runtime().done(WELL)
      runtime().end()
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("rule 6: is interrupted when it is stopped, and nothing follows before it has ended", () => {
    const stopped: Array<boolean> = []
    const { pkg, runtime } = scripted({ stop: Effect.sync(() => void stopped.push(true)) })
    return Effect.gen(function* () {
      const { host, remote } = yield* running(runtime)
      const lent = yield* burst(runtime(), remote, 12)
      runtime().begin()
      yield* host.stop(REF)
      yield* settled
      yield* TestClock.adjust(1000)
      assert.deepInclude(runtime().out, { isRecalled: true, isInterrupted: true })
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "stopping")
      assert.deepStrictEqual(stopped, [])
      assert.isAtLeast(lent, 2)
      // Too late: it was discarded.
      runtime().done(Exit.succeed({ status: "late" }))
      runtime().end()
      yield* host.stopped(REF)
      const row = yield* rowOf(REF)
      assert.deepStrictEqual(stopped, [true])
      assert.deepInclude(row, { lifecycle: "stopped", reportedStatus: null, queueDepth: 0 })
      assert.isUndefined(accountingProblem(row))
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("rule 6: fails as unstoppable where it never says that the batch has ended", () => {
    const { pkg, runtime } = scripted()
    return Effect.gen(function* () {
      const { remote } = yield* running(runtime)
      remote.sendText("x")
      yield* settled
      runtime().begin()
      yield* TestClock.adjust(1100)
      assert.deepInclude((yield* rowOf(REF)).dispatchCounters, { timedOut: 1, inFlight: 0 })
      yield* TestClock.adjust(6000)
      const row = yield* rowOf(REF)
      assert.strictEqual(row.lifecycle, "failed")
      assert.strictEqual(row.lastError?.tag, "InstanceUnstoppable")
      assert.isUndefined(accountingProblem(row))
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("rule 6: judges each event of a batch by itself, from when it began", () => {
    const { pkg, runtime } = scripted()
    return Effect.gen(function* () {
      const { remote } = yield* running(runtime)
      const lent = yield* burst(runtime(), remote, 30)
      assert.isAtLeast(lent, 2)
      for (let i = 1; i < lent; i++) {
        runtime().begin()
        yield* TestClock.adjust(900)
        runtime().done(WELL)
      }
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "running")
      // Waiting in the batch is nobody's time.
      yield* TestClock.adjust(5000)
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "running")
      runtime().begin()
      yield* TestClock.adjust(1100)
      const row = yield* rowOf(REF)
      assert.deepInclude(row.dispatchCounters, { timedOut: 1, failed: 0 })
      assert.isTrue(runtime().out?.isInterrupted)
      assert.isUndefined(accountingProblem(row))
      runtime().done(WELL)
      runtime().end()
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("rule 6: charges a deadline that it judges itself to the event that it was", () => {
    const { pkg, runtime } = scripted({ keepsDeadlines: true })
    return Effect.gen(function* () {
      const { remote } = yield* running(runtime)
      yield* burst(runtime(), remote, 12)
      runtime().begin()
      yield* TestClock.adjust(5000)
      assert.deepInclude((yield* rowOf(REF)).dispatchCounters, { timedOut: 0, inFlight: 1 })
      runtime().done(WELL)
      runtime().begin()
      const { dispatched } = (yield* rowOf(REF)).dispatchCounters
      runtime().done(Exit.die(new PluginError.DispatchTimeout({ during: "event", deadlineMs: 77 })))
      runtime().end()
      yield* settled
      const row = yield* rowOf(REF)
      assert.deepInclude(row.dispatchCounters, { timedOut: 1, failed: 0, dispatched })
      assert.strictEqual(row.lastError?.tag, "DispatchTimeout")
      assert.isUndefined(accountingProblem(row))
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect(
    "rule 12: loses with its sandbox what it had begun and nothing else, where that ended for a neighbour",
    () => {
      const { pkg, runtime, runtimes, starts } = scripted()
      return Effect.gen(function* () {
        const { remote } = yield* running(runtime)
        const lent = yield* burst(runtime(), remote, 12)
        const [first, second] = runtime().out?.events ?? []
        runtime().claim()
        const { queueDepth } = yield* rowOf(REF)
        yield* Deferred.succeed(runtime().lost, "neighbour")
        yield* settled
        assert.isAtLeast(lent, 2)
        assert.deepStrictEqual(
          starts.map(({ reason }) => reason),
          ["first", "neighbour"]
        )
        assert.isTrue(remote.isOpen)
        const row = yield* rowOf(REF)
        assert.deepInclude(row.dispatchCounters, { failed: 1, discarded: 0 })
        assert.strictEqual(row.queueDepth, queueDepth - 1)
        assert.strictEqual(first?.sequence, (second?.sequence ?? 0) - 1)
        assert.lengthOf(runtimes, 2)
        assert.strictEqual(runtime().out?.events[0]?.sequence, second?.sequence)
        assert.strictEqual(runtime().out?.events[0]?.droppedBefore, 0)
        assert.isUndefined(accountingProblem(row))
        while (runtime().out !== undefined) {
          runtime().work(WELL, 1)
          yield* settled
        }
      }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
    }
  )

  it.effect("has a timer cleared by an earlier answer, though its event waits, and never hears of it", () => {
    const { pkg, runtime } = scripted()
    return Effect.gen(function* () {
      const { remote } = yield* running(runtime)
      remote.sendText("sets")
      yield* settled
      runtime().begin()
      runtime().done(Exit.succeed({ commands: [OutputCommand.setTimer("beat", { afterMs: 100, url: GATEWAY })] }))
      remote.sendText("clears")
      runtime().end(0)
      yield* settled
      yield* TestClock.adjust(200)
      yield* settled
      // It waits behind the batch that is out, and ends the next one.
      assert.deepStrictEqual(runtime().shown.length, 1)
      runtime().begin()
      runtime().done(Exit.succeed({ commands: [OutputCommand.clearTimer("beat")] }))
      runtime().end(0)
      yield* settled
      assert.isUndefined(runtime().out)
      const row = yield* rowOf(REF)
      assert.deepInclude(row.dispatchCounters, { discarded: 1 })
      assert.deepStrictEqual(row.timers, [])
      assert.isUndefined(accountingProblem(row))
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("rule 8: may send to another connection only while that is at the epoch of when the event was lent", () => {
    const { pkg, runtime } = scripted({}, [GATEWAY, OTHER])
    return Effect.gen(function* () {
      const { fake, remotes } = yield* running(runtime, [GATEWAY, OTHER])
      const [remote, other] = remotes
      if (remote === undefined || other === undefined) return assert.fail()
      const lent = yield* burst(runtime(), remote, 12)
      assert.isAtLeast(lent, 2)
      const toOther = Exit.succeed({ commands: [OutputCommand.send(OTHER, "x")] })
      const verdict = Effect.map(rowOf(REF), (row) => row.outputCommandResults.at(-1)?.error?.tag ?? "executed")
      runtime().begin()
      runtime().done(toOther)
      assert.strictEqual(yield* verdict, "executed")
      other.close(1000, "")
      yield* settled
      yield* TestClock.adjust(1000)
      yield* fake.remote(OTHER, 2)
      yield* settled
      // It began after the other was open again, but was lent before.
      assert.isTrue(runtime().begin())
      runtime().done(toOther)
      assert.strictEqual(yield* verdict, "StaleEpoch")
      runtime().work(WELL, 1)
      yield* settled
      runtime().begin()
      runtime().done(toOther)
      assert.strictEqual(yield* verdict, "executed")
      runtime().work(WELL, 1)
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("is lent at most so many bytes at once, but for an event that is larger by itself", () => {
    const { pkg, runtime } = scripted({}, [GATEWAY], () => new Scripted(64, 4096))
    return Effect.gen(function* () {
      const { remote } = yield* running(runtime)
      for (let i = 0; i < 6; i++) remote.sendText("x".repeat(1000))
      remote.sendText("x".repeat(10_000))
      remote.sendText("y")
      yield* settled
      const sizes: Array<number> = []
      while (runtime().out !== undefined) {
        sizes.push(runtime().out?.events.length ?? 0)
        runtime().work(WELL, 0)
        yield* settled
      }
      assert.deepStrictEqual(sizes, [2, 2, 2, 1, 1])
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("is lent fewer where it took long, from when the first began, if it doesn't say itself how long", () => {
    const { pkg, runtime } = scripted()
    return Effect.gen(function* () {
      const { remote } = yield* running(runtime)
      const lent = yield* burst(runtime(), remote, 40)
      assert.isAtLeast(lent, 2)
      // Nobody's time but the runtime's.
      yield* TestClock.adjust(30_000)
      runtime().work(WELL)
      yield* settled
      const next = runtime().out?.events.length ?? 0
      assert.strictEqual(next, lent * 2)
      runtime().begin()
      runtime().done(WELL)
      yield* TestClock.adjust(20)
      runtime().work(WELL)
      yield* settled
      assert.strictEqual(runtime().out?.events.length, Math.floor((next * 10) / 20))
      while (runtime().out !== undefined) {
        runtime().work(WELL)
        yield* settled
      }
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("is asked for its status between two batches", () => {
    let asked = 0
    const status = Effect.sync(() => {
      asked++
      assert.isUndefined(runtime().out)
      return asked
    })
    const { pkg, runtime } = scripted({ status })
    return Effect.gen(function* () {
      const { remote } = yield* running(runtime)
      assert.strictEqual(asked, 1)
      remote.sendText("x")
      yield* settled
      runtime().claim()
      yield* TestClock.adjust(20_000)
      assert.strictEqual(asked, 1)
      runtime().work(WELL)
      yield* settled
      assert.strictEqual(asked, 2)
      assert.strictEqual((yield* rowOf(REF)).reportedStatus, 2)
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  describe("that breaks", () => {
    /** What each does wrong, at the second batch or while it is out. */
    const broken: ReadonlyArray<readonly [string, (runtime: Scripted, remote: Remote.Remote) => void, number]> = [
      [
        "in dispatch",
        (runtime, remote) => {
          runtime.dispatch = () => {
            throw new Error("no worker")
          }
          remote.sendText("a")
        },
        0
      ],
      [
        "in recall",
        (runtime, remote) => {
          runtime.onRecall = () => {
            throw new Error("no worker")
          }
          remote.sendText("a")
        },
        0
      ],
      ["by ending a batch before what has begun", (_, remote) => remote.sendText("a"), 1]
    ]
    for (const [how, breaks, failed] of broken) {
      it.effect(`rules 2 and 10: ${how} has crashed, and everything is accounted for`, () => {
        const { pkg, runtime } = scripted()
        return Effect.gen(function* () {
          const { remote } = yield* running(runtime)
          breaks(runtime(), remote)
          yield* settled
          if (failed > 0) {
            runtime().begin()
            runtime().out?.told.ended()
          }
          if (how === "in recall") {
            // The first of them goes to make room.
            remote.sendBurst(["b", "c", "d", "e"])
            runtime().end()
          }
          yield* settled
          const row = yield* rowOf(REF)
          assert.deepInclude(row.dispatchCounters, { dispatched: 1, failed, inFlight: 0 })
          assert.strictEqual(row.queueDepth, 0)
          assert.isUndefined(accountingProblem(row))
          assert.strictEqual(row.lifecycle, "restarting")
          assert.strictEqual(row.lastError?.tag, "InstanceLost")
        }).pipe(Effect.provide(onFake({ plugins: [pkg], limits: { ingressQueueCapacity: 2, burstPatienceMs: 0 } })))
      })
    }

    const BATCHES = new Scripted()
    const forms: ReadonlyArray<readonly [string, object]> = [
      ["takes its events in both ways", { handle: () => WELL, batches: BATCHES }],
      ["takes them in neither", {}],
      ["has no dispatch", { batches: { mostEvents: 1, mostBytes: 1 } }],
      ["may be lent none", { batches: { mostEvents: 0, mostBytes: 1, dispatch: () => BATCHES } }]
    ]
    for (const [what, takes] of forms) {
      it.effect(`is no instance where it ${what}`, () => {
        const instance: unknown = { ...takes, stop: Effect.void }
        const start = () => Effect.succeed(instance as PluginRuntime.Instance)
        const pkg = { ...plugin({}), runtime: { start } }
        return Effect.gen(function* () {
          const host = yield* PluginHost.PluginHost
          yield* host.idle
          const row = yield* rowOf(REF)
          assert.strictEqual(row.lifecycle, "failed")
          assert.strictEqual(row.lastError?.tag, "StartFailed")
        }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
      })
    }
  })
})
