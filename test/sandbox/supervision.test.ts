/** Who is told apart from whom, for how long, and who is charged for what. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { FakeWebSocket } from "mooring/testing"
import { PluginHost } from "mooring"
import { Sandbox } from "mooring/sandbox"
import type { Worker } from "node:worker_threads"
import { accountingProblem, onFake, opened, rowOf } from "../support/host.ts"
import { enable } from "../support/plugins.ts"
import { beside, FINE, GATEWAY, OBEDIENT, sandboxed } from "./support/host.ts"

const REF = "project:test.plugin"
const NEIGHBOUR = "project:test.neighbour"
const NATIVE_LOOP = "[].join.call({ length: 2 ** 32 - 1 })"
const HOUR_MS = 3_600_000

/** Asks again until something holds. */
const until = <R>(holds: Effect.Effect<boolean, never, R>): Effect.Effect<void, never, R> =>
  Effect.flatMap(holds, (isSo) => (isSo ? Effect.void : Effect.andThen(Effect.sleep(10), until(holds))))

const workers = Effect.all([
  Effect.map(rowOf(REF), (row) => row.worker),
  Effect.map(rowOf(NEIGHBOUR), (row) => row.worker)
])

/** The clock that is never set, so much later until the scope ends. */
const later = (ms: number) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const { now } = performance
      performance.now = () => now.call(performance) + ms
      return now
    }),
    (now) => Effect.sync(() => (performance.now = now))
  )

/** Every worker that begins from now on. */
const begun = Effect.gen(function* () {
  const all: Array<Worker> = []
  const took = (worker: Worker): void => void all.push(worker)
  yield* Effect.acquireRelease(
    Effect.sync(() => process.on("worker", took)),
    () => Effect.sync(() => process.off("worker", took))
  )
  return all
})

/** Plugins of these names that do what they are told, each with a source of its own. */
const several = (names: ReadonlyArray<string>, soloWorkers: number) =>
  Layer.unwrap(
    Effect.map(Sandbox.Sandbox, (sandbox) => {
      const plugins = names.map((name) =>
        sandboxed(sandbox, OBEDIENT, { name, sources: [`ws://127.0.0.1:7700/${name}`] })
      )
      return onFake({
        plugins,
        enabled: plugins.map((pkg) => enable(pkg, { limits: { dispatch_deadline_ms: 100 } })),
        limits: { sandboxWorkers: 1, soloWorkers }
      })
    })
  ).pipe(Layer.provide(Sandbox.layer))

const workerOf = (name: string) => Effect.map(rowOf(`project:test.${name}`), ({ worker }) => worker)

describe("the supervision of sandboxed plugins", () => {
  for (const [name, ms, isForgiven] of [
    ["an hour without an incident", HOUR_MS + 1000, true],
    ["less than an hour", HOUR_MS - 60_000, false]
  ] as const) {
    it.live(
      `rule 12: a culprit ${isForgiven ? "shares again" : "is still alone"} at its first start after ${name}`,
      () =>
        Effect.gen(function* () {
          const { fake, host, remote } = yield* opened(GATEWAY)
          const { remote: other } = yield* opened(FINE)
          remote.sendText(NATIVE_LOOP)
          const again = yield* fake.remote(GATEWAY, 2)
          yield* host.idle
          const apart = yield* workers
          assert.notStrictEqual(apart[0], apart[1])
          yield* later(ms)
          // It isn't moved while it runs well.
          again.sendText("'well'")
          yield* host.idle
          assert.deepStrictEqual(yield* workers, apart)
          again.sendText("for (;;);")
          yield* fake.remote(GATEWAY, 3)
          yield* host.idle
          const [own, neighbour] = yield* workers
          assert.strictEqual(own === neighbour, isForgiven)
          other.sendText("x")
          yield* host.idle
          assert.match(other.sent.at(-1) ?? "", /^neighbour \d$/)
          assert.strictEqual((yield* rowOf(NEIGHBOUR)).restarts, 0)
        }).pipe(Effect.scoped, Effect.provide(beside({})))
    )
  }

  it.live("rule 12: an entry that changes is no culprit any more", () =>
    Effect.gen(function* () {
      const { fake, host, remote } = yield* opened(GATEWAY)
      yield* opened(FINE)
      remote.sendText(NATIVE_LOOP)
      yield* fake.remote(GATEWAY, 2)
      yield* host.idle
      const [own, neighbour] = yield* workers
      assert.notStrictEqual(own, neighbour)
      yield* host.restart(REF)
      yield* fake.remote(GATEWAY, 3)
      yield* host.idle
      const [shared] = yield* workers
      assert.strictEqual(shared, neighbour)
    }).pipe(Effect.provide(beside({})))
  )

  it.live("rule 12: where all solo workers are taken, a culprit joins the one with the fewest", () => {
    const names = ["a", "b", "c", "d", "good"]
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      for (const name of names) yield* fake.remote(`ws://127.0.0.1:7700/${name}`)
      yield* host.idle
      for (const name of ["a", "b", "c", "d"]) {
        const remote = yield* fake.remote(`ws://127.0.0.1:7700/${name}`)
        remote.sendText(NATIVE_LOOP)
        yield* fake.remote(`ws://127.0.0.1:7700/${name}`, 2)
        yield* host.idle
      }
      const all = yield* Effect.forEach(names, workerOf)
      const sizes = new Map<number | null, number>()
      for (const worker of all) sizes.set(worker, (sizes.get(worker) ?? 0) + 1)
      // Two and two, and who did nothing has the shared one for itself.
      assert.deepStrictEqual([...sizes.values()].toSorted(), [1, 2, 2])
      assert.strictEqual(sizes.get(all.at(-1) ?? null), 1)
      const rows = yield* Effect.forEach(names, (name) => rowOf(`project:test.${name}`))
      assert.deepStrictEqual(
        rows.map(({ restarts }) => restarts),
        [1, 1, 1, 1, 0]
      )
    }).pipe(Effect.provide(several(names, 2)))
  })

  it.live(
    "rule 12: a plugin that works 990 ms an event for ever gets a worker of its own, and answers every event",
    () =>
      Effect.gen(function* () {
        const { host, remote } = yield* opened(GATEWAY)
        const { remote: other } = yield* opened(FINE)
        const busy = "const end = Date.now() + 990; while (Date.now() < end); 'x'"
        let sent = 0
        const isApart = Effect.map(workers, ([own, neighbour]) => own !== neighbour)
        while (!(yield* isApart) && sent < 12) {
          for (const at = performance.now(); performance.now() - at < 990;) {
            if (remote.sent.length + 2 > sent) {
              remote.sendText(busy)
              sent++
            }
            yield* Effect.sleep(10)
          }
        }
        assert.isTrue(yield* isApart)
        const { dispatchCounters } = yield* rowOf(REF)
        assert.deepInclude(dispatchCounters, { timedOut: 0 })
        assert.isAtMost(dispatchCounters.failed, 1)
        // Now it hurts nobody: its neighbour is answered while it is busy.
        remote.sendText(busy)
        yield* until(Effect.map(rowOf(REF), (row) => row.dispatchCounters.inFlight === 1))
        for (let text = 1; text <= 5; text++) {
          other.sendText("x")
          yield* until(Effect.sync(() => other.sent.length === text))
        }
        assert.deepStrictEqual(
          other.sent.map((text) => text.split(" ")[1]),
          ["1", "2", "3", "4", "5"]
        )
        assert.strictEqual((yield* rowOf(REF)).dispatchCounters.inFlight, 1)
        yield* host.idle
        const row = yield* rowOf(REF)
        assert.deepInclude(row, { lifecycle: "running", restarts: 0 })
        assert.isUndefined(accountingProblem(row))
        assert.isTrue(remote.isOpen)
      }).pipe(Effect.provide(beside({ deadlineMs: 5000 })))
  )

  it.live("rule 12: a worker that dies by itself while it is idle costs nobody anything but its memory", () =>
    Effect.gen(function* () {
      const all = yield* begun
      yield* Effect.gen(function* () {
        const { host, remote } = yield* opened(GATEWAY)
        const { remote: other } = yield* opened(FINE)
        other.sendText("x")
        yield* host.idle
        yield* Effect.promise(() => Promise.all(all.map((worker) => worker.terminate())))
        yield* until(Effect.map(workers, ([own, neighbour]) => own !== null && neighbour !== null))
        other.sendText("x")
        remote.sendText("'works'")
        yield* until(Effect.sync(() => remote.sent.length + other.sent.length === 3))
        assert.deepStrictEqual([remote.sent, other.sent], [["works"], ["first 1", "neighbour 2"]])
        for (const ref of [REF, NEIGHBOUR]) {
          const row = yield* rowOf(ref)
          assert.deepInclude(row, { lifecycle: "running", restarts: 0 })
          assert.deepInclude(row.dispatchCounters, { failed: 0, timedOut: 0, discarded: 0 })
        }
        assert.isTrue(remote.isOpen && other.isOpen)
      }).pipe(Effect.provide(beside({})))
    }).pipe(Effect.scoped)
  )

  it.live("rule 12: a worker that dies by itself charges who was busy in it, and nobody else", () =>
    Effect.gen(function* () {
      const all = yield* begun
      yield* Effect.gen(function* () {
        const { fake, host, remote } = yield* opened(GATEWAY)
        const { remote: other } = yield* opened(FINE)
        remote.sendText("for (;;);")
        yield* until(Effect.map(rowOf(REF), ({ dispatchCounters }) => dispatchCounters.inFlight === 1))
        for (let text = 0; text < 3; text++) other.sendText("x")
        yield* Effect.promise(() => Promise.all(all.map((worker) => worker.terminate())))
        const again = yield* fake.remote(GATEWAY, 2)
        yield* host.idle
        again.sendText("'works'")
        yield* host.idle
        assert.deepStrictEqual([again.sent, other.sent], [["works"], ["neighbour 1", "neighbour 2", "neighbour 3"]])
        const [row, neighbour] = [yield* rowOf(REF), yield* rowOf(NEIGHBOUR)]
        assert.strictEqual(row.lastError?.tag, "InstanceLost")
        assert.deepInclude(row.dispatchCounters, { failed: 1, timedOut: 0 })
        assert.strictEqual(row.restarts, 1)
        assert.deepInclude(neighbour, { lifecycle: "running", restarts: 0, lastError: null })
        assert.deepInclude(neighbour.dispatchCounters, { failed: 0, timedOut: 0, discarded: 0 })
        assert.isTrue(other.isOpen)
      }).pipe(Effect.provide(beside({ deadlineMs: 20_000 })))
    }).pipe(Effect.scoped)
  )

  it.live(
    "rule 12: where there is no room for a worker after one was ended, no event that waits for it is charged",
    () =>
      Effect.gen(function* () {
        let isRoom = true
        const refuse = (worker: Worker): void => void (isRoom || worker.terminate())
        yield* Effect.acquireRelease(
          Effect.sync(() => process.on("worker", refuse)),
          () => Effect.sync(() => process.off("worker", refuse))
        )
        yield* Effect.gen(function* () {
          const { fake, host, remote } = yield* opened(GATEWAY)
          const { remote: other } = yield* opened(FINE)
          other.sendText("x")
          yield* host.idle
          isRoom = false
          remote.sendText(NATIVE_LOOP)
          yield* until(Effect.map(rowOf(REF), ({ dispatchCounters }) => dispatchCounters.inFlight === 1))
          for (let text = 0; text < 3; text++) other.sendText("x")
          yield* until(Effect.map(rowOf(NEIGHBOUR), ({ lifecycle }) => lifecycle === "failed"))
          const { diagnosticCounts, dispatchCounters, lastError, restarts, retryAt } = yield* rowOf(NEIGHBOUR)
          assert.strictEqual(lastError?.tag, "StartFailed")
          assert.include(lastError?.message, "there is no room")
          assert.isNotNull(retryAt)
          // No start is tried that would be in vain.
          assert.deepStrictEqual([restarts, diagnosticCounts["StartFailed"]], [0, 1])
          assert.deepInclude(dispatchCounters, { dispatched: 2, failed: 0, timedOut: 0 })
          isRoom = true
          yield* fake.remote(GATEWAY, 2)
          const again = yield* fake.remote(FINE, 2)
          again.sendText("x")
          yield* host.idle
          assert.deepStrictEqual([other.sent, again.sent.length], [["first 1"], 1])
          const row = yield* rowOf(NEIGHBOUR)
          assert.strictEqual(row.lifecycle, "running")
          assert.deepInclude(row.dispatchCounters, { failed: 0, timedOut: 0 })
          assert.isUndefined(accountingProblem(row))
        }).pipe(Effect.provide(beside({ limits: { failedRetryMs: 300 } })))
      }).pipe(Effect.scoped)
  )
})
