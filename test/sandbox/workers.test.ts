import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { FakeWebSocket } from "mooring/testing"
import { Sandbox } from "mooring/sandbox"
import { Hog } from "../../src/sandbox/internal/hog.ts"
import { opened, onFake, rowOf } from "../support/host.ts"
import { enable } from "../support/plugins.ts"
import { beside, COUNTING, FINE, GATEWAY, sandboxed } from "./support/host.ts"

const REF = "project:test.plugin"
const NEIGHBOUR = "project:test.neighbour"
const NATIVE_LOOP = "[].join.call({ length: 2 ** 32 - 1 })"

/** Asks again until something holds. */
const until = <R>(holds: Effect.Effect<boolean, never, R>): Effect.Effect<void, never, R> =>
  Effect.flatMap(holds, (isSo) => (isSo ? Effect.void : Effect.andThen(Effect.sleep(20), until(holds))))

/** Whether somebody who was busy for so long in each second was a hog at any time. */
const after = (busy: ReadonlyArray<number>) => {
  const hog = new Hog()
  let isHog = false
  for (const [second, ms] of busy.entries()) {
    for (let part = 0; part < 10; part++) isHog = hog.busy(ms / 10, 1e6 + second * 1000 + part * 100) || isHog
  }
  return isHog
}

describe("the workers of a sandbox", () => {
  it.live("rule 12: one that had to be ended is its culprit's alone from then on, and the neighbour's a new one", () =>
    Effect.gen(function* () {
      const { fake, host, remote } = yield* opened(GATEWAY)
      const { remote: other } = yield* opened(FINE)
      const before = [(yield* rowOf(REF)).worker, (yield* rowOf(NEIGHBOUR)).worker]
      assert.deepStrictEqual(before, [1, 1])
      remote.sendText(NATIVE_LOOP)
      other.sendText("x")
      const again = yield* fake.remote(GATEWAY, 2)
      yield* host.idle
      const [own, neighbour] = [yield* rowOf(REF), yield* rowOf(NEIGHBOUR)]
      assert.notStrictEqual(own.worker, neighbour.worker)
      assert.deepInclude(own, { lifecycle: "running", restarts: 1 })
      assert.deepInclude(neighbour, { lifecycle: "running", restarts: 0 })
      // Its event waited, and is with the next instance.
      assert.deepInclude(neighbour.dispatchCounters, { failed: 0, discarded: 0, inFlight: 0 })
      assert.deepStrictEqual(other.sent, ["neighbour 1"])
      // Alone it can hurt nobody any more.
      again.sendText(NATIVE_LOOP)
      for (let text = 0; text < 20; text++) {
        other.sendText("x")
        yield* Effect.sleep(20)
      }
      yield* host.idle
      assert.deepStrictEqual((yield* rowOf(NEIGHBOUR)).dispatchCounters.failed, neighbour.dispatchCounters.failed)
      assert.strictEqual((yield* rowOf(NEIGHBOUR)).worker, neighbour.worker)
    }).pipe(Effect.provide(beside({})))
  )

  it.live("rule 12: where there are none for culprits, they share with all others", () =>
    Effect.gen(function* () {
      const { fake, host, remote } = yield* opened(GATEWAY)
      yield* opened(FINE)
      remote.sendText(NATIVE_LOOP)
      yield* fake.remote(GATEWAY, 2)
      yield* host.idle
      assert.strictEqual((yield* rowOf(REF)).worker, (yield* rowOf(NEIGHBOUR)).worker)
    }).pipe(Effect.provide(beside({ limits: { soloWorkers: 0 } })))
  )

  it.live("rule 12: one with many events lets its neighbour have its turn, however many it was lent at once", () =>
    Effect.gen(function* () {
      const { host, remote } = yield* opened(GATEWAY)
      const { remote: other } = yield* opened(FINE)
      const quick = Array.from({ length: 200 }, () => "answer = 'x'")
      // It has shown that many fit into a turn, and from now on they don't.
      for (let burst = 0; burst < 3; burst++) {
        remote.sendBurst(quick)
        yield* host.idle
      }
      const before = remote.sent.length
      const slow = "const end = Date.now() + 20; while (Date.now() < end); 'x'"
      remote.sendBurst(Array.from({ length: 40 }, () => slow))
      yield* until(Effect.map(rowOf(REF), ({ dispatchCounters }) => dispatchCounters.inFlight === 1))
      other.sendText("x")
      assert.deepStrictEqual(yield* other.received(1), ["first 1"])
      // Two or three have ended meanwhile; all of them, where a turn lasts as long as a batch.
      assert.isBelow(remote.sent.length - before, 20)
      yield* host.idle
      assert.strictEqual(remote.sent.length - before, 40)
    }).pipe(Effect.provide(beside({ deadlineMs: 5000 })))
  )

  it.live("rule 12: one that takes too much for too long is told apart, and isn't charged", () =>
    Effect.gen(function* () {
      const { host, remote } = yield* opened(GATEWAY)
      const { remote: other } = yield* opened(FINE)
      const busy = "const end = Date.now() + 90; while (Date.now() < end); 'x'"
      yield* until(
        Effect.gen(function* () {
          remote.sendText(busy)
          yield* host.idle
          return (yield* rowOf(REF)).worker !== (yield* rowOf(NEIGHBOUR)).worker
        })
      )
      other.sendText("x")
      yield* host.idle
      assert.deepInclude(yield* rowOf(REF), { lifecycle: "running", restarts: 0 })
      assert.strictEqual((yield* rowOf(REF)).dispatchCounters.failed, 0)
      assert.deepStrictEqual(other.sent, ["first 1"])
      assert.isTrue(remote.isOpen)
    }).pipe(Effect.provide(beside({ deadlineMs: 5000 })))
  )

  it("a hog is who takes more than a quarter of each of five seconds on end", () => {
    assert.isTrue(after([260, 260, 260, 260, 260, 260]))
    assert.isFalse(after([250, 250, 250, 250, 250, 250, 250, 250]))
    assert.isFalse(after([900, 900, 900, 900, 0, 900, 900, 900, 900, 0]))
    assert.isFalse(after([900, 900, 900, 900]))
  })

  it.live("plugins are spread over as many as there may be", () => {
    const names = ["a", "b", "c", "d", "e"]
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      for (const name of names) yield* fake.remote(`ws://127.0.0.1:7700/${name}`)
      const workers = yield* Effect.forEach(names, (name) => rowOf(`project:test.${name}`))
      assert.deepStrictEqual(workers.map(({ worker }) => worker).toSorted(), [1, 1, 2, 2, 3])
    }).pipe(
      Effect.provide(
        Layer.unwrap(
          Effect.map(Sandbox.Sandbox, (sandbox) => {
            const plugins = names.map((name) =>
              sandboxed(sandbox, COUNTING, { name, sources: [`ws://127.0.0.1:7700/${name}`] })
            )
            return onFake({ plugins, enabled: plugins.map((pkg) => enable(pkg)), limits: { sandboxWorkers: 3 } })
          })
        ).pipe(Layer.provide(Sandbox.layer))
      )
    )
  })

  it.live("an instance has its config, reason, state and status, and is asked to stop", () =>
    Effect.gen(function* () {
      const { host, remote } = yield* opened(GATEWAY)
      assert.deepInclude(yield* rowOf(REF), { reportedStatus: { reason: "first", config: { a: [1] } } })
      remote.sendText("keep")
      remote.sendText("lines")
      yield* host.idle
      assert.strictEqual((yield* rowOf(REF)).consoleLines, 3)
      yield* host.restart(REF)
      yield* until(Effect.map(rowOf(REF), ({ lifecycle }) => lifecycle === "running"))
      assert.deepInclude(yield* rowOf(REF), {
        reportedStatus: { reason: "reload", config: { a: [1] }, state: "kept" },
        consoleLines: 3
      })
    }).pipe(
      Effect.provide(
        beside({
          config: { a: [1] },
          code: `
export const start = async (config, { reason, state }) =>
  ({ status: { reason, config, ...(state === null ? {} : { state }) }, state: "started" })
export const handleIngress = (name, { kind, payload }) => {
  if (payload.text === "lines") for (const line of [1, 2, 3]) console.log(line)
  if (payload.text === "keep") return { state: "kept" }
}
export const stop = async () => {}`
        })
      )
    )
  )

  it.live("rule 6: a plugin that is stopped while it spins ends soon", () =>
    Effect.gen(function* () {
      const { host, remote } = yield* opened(GATEWAY)
      const { remote: other } = yield* opened(FINE)
      remote.sendText("for (;;);")
      yield* until(Effect.map(rowOf(REF), ({ dispatchCounters }) => dispatchCounters.inFlight === 1))
      yield* host.stop(REF)
      yield* until(Effect.map(rowOf(REF), ({ lifecycle }) => lifecycle === "stopped"))
      other.sendText("x")
      yield* host.idle
      assert.deepStrictEqual(other.sent, ["first 1"])
      // The event, and the close of its connection.
      assert.deepInclude((yield* rowOf(REF)).dispatchCounters, { discarded: 2, timedOut: 0 })
    }).pipe(Effect.provide(beside({ deadlineMs: 1000 })))
  )

  it(
    "rule 12: where there is no room for another guest, it says so, and the others run",
    { timeout: 60_000 },
    () =>
      new Promise<void>((resolve, reject) => {
        const program = new URL("support/crowdedProgram.ts", import.meta.url).pathname
        // Three or so find their 10 GB in this.
        const limit = "--as=40000000000"
        execFile("prlimit", [limit, process.execPath, program], { timeout: 50_000 }, (error, stdout) => {
          if (error !== null) return reject(error)
          const { refusal, running, told } = JSON.parse(stdout)
          assert.match(refusal, /^NoRoom: there is no room for another sandboxed plugin: RangeError: .*memory/)
          assert.isAbove(running, 0)
          assert.deepStrictEqual(
            told,
            Array.from({ length: running }, () => "well")
          )
          resolve()
        })
      })
  )

  it(
    "rule 9: leave nothing behind when the host's scope closes: the process ends by itself",
    { timeout: 30_000 },
    () =>
      new Promise<void>((resolve, reject) => {
        const program = new URL("support/leavingProgram.ts", import.meta.url).pathname
        execFile(process.execPath, [program], { timeout: 20_000 }, (error, stdout) => {
          if (error !== null) return reject(error)
          assert.strictEqual(stdout, "running in 2 workers\nclosed\n")
          resolve()
        })
      })
  )
})
