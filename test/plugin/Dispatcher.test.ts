import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { TestClock } from "effect/testing"
import { type IngressEvent, OutputCommand, PluginHost } from "mooring"
import { FakeWebSocket, type Remote } from "mooring/testing"
import { accountingProblem, onFake, rowOf, settled } from "../support/host.ts"
import { enable, GATEWAY, plugin, refOf } from "../support/plugins.ts"

const answer = (event: IngressEvent.WebSocketText) => ({ commands: [OutputCommand.send(event, "done")] })

const sleeping = plugin({
  handlers: {
    gateway: {
      websocket_text: (event) => {
        const [how = "", millis = "0"] = event.text.split(" ")
        const work = Effect.as(Effect.sleep(Number(millis)), answer(event))
        return how === "stubborn" ? Effect.uninterruptible(work) : work
      }
    }
  }
})

const REF = refOf(sleeping)

const run = <E>(
  test: (remote: Remote.Remote) => Effect.Effect<void, E, PluginHost.PluginHost | FakeWebSocket.FakeWebSocket>
) =>
  Effect.gen(function* () {
    const fake = yield* FakeWebSocket.FakeWebSocket
    const host = yield* PluginHost.PluginHost
    const remote = yield* fake.remote(GATEWAY)
    yield* host.idle
    yield* test(remote)
    assert.isUndefined(accountingProblem(yield* rowOf(REF)))
  }).pipe(Effect.provide(onFake({ plugins: [sleeping], enabled: [enable(sleeping)] })))

/** Commands of which the first can be read twice. */
const thirdTime = () => {
  let looks = 0
  return Object.defineProperty([undefined], 0, {
    get: () => {
      if (++looks > 2) throw new Error("no")
      return { kind: "diagnostic_status_update", payload: {} }
    }
  })
}

describe("Dispatcher", () => {
  it.effect("rule 6: a handler that finishes at 999 ms is answered", () =>
    run((remote) =>
      Effect.gen(function* () {
        remote.sendText("sleep 999")
        yield* settled
        yield* TestClock.adjust(999)
        yield* remote.received(1)
        const row = yield* rowOf(REF)
        assert.deepInclude(row.dispatchCounters, { timedOut: 0 })
        assert.strictEqual(row.lifecycle, "running")
      })
    )
  )

  it.effect("rule 6: a handler that would finish at 1,001 ms is interrupted, and its commands never run", () =>
    run((remote) =>
      Effect.gen(function* () {
        remote.sendText("sleep 1001")
        yield* settled
        yield* TestClock.adjust(999)
        assert.deepInclude((yield* rowOf(REF)).dispatchCounters, { inFlight: 1, timedOut: 0 })
        yield* TestClock.adjust(2)
        const row = yield* rowOf(REF)
        assert.deepInclude(row.dispatchCounters, { inFlight: 0, timedOut: 1, dispatched: 1 })
        assert.strictEqual(row.lastError?.tag, "DispatchTimeout")
        assert.strictEqual(row.restarts, 1)
        assert.deepStrictEqual(remote.sent, [])
      })
    )
  )

  it.effect("rule 6: what an uninterruptible handler returns late is dropped, and no instance starts beside it", () =>
    run((remote) =>
      Effect.gen(function* () {
        const fake = yield* FakeWebSocket.FakeWebSocket
        remote.sendText("stubborn 3000")
        yield* settled
        yield* TestClock.adjust(1001)
        assert.deepInclude((yield* rowOf(REF)).dispatchCounters, { inFlight: 0, timedOut: 1 })
        yield* TestClock.adjust(1900)
        // The old instance still runs: nothing was started, nothing dialled.
        assert.strictEqual((yield* fake.dials).length, 1)
        yield* TestClock.adjust(1000)
        yield* fake.remote(GATEWAY, 2)
        assert.deepStrictEqual(remote.sent, [])
      })
    )
  )

  it.effect("rule 6: an instance that can't be stopped makes its service failed, for good", () =>
    run((remote) =>
      Effect.gen(function* () {
        const fake = yield* FakeWebSocket.FakeWebSocket
        remote.sendText("stubborn 100000")
        yield* settled
        yield* TestClock.adjust(1000)
        yield* TestClock.adjust(5000)
        const row = yield* rowOf(REF)
        assert.deepInclude(row, { lifecycle: "failed", retryAt: null })
        assert.strictEqual(row.lastError?.tag, "InstanceUnstoppable")
        yield* TestClock.adjust("1 hour")
        assert.strictEqual((yield* fake.dials).length, 1)
      })
    )
  )

  it.effect("rule 5: takes turns between sources, so that one that floods can't starve another", () => {
    const order: Array<string> = []
    const sources = ["ws://127.0.0.1:7700/flood", "ws://127.0.0.1:7700/quiet"]
    const pkg = plugin({
      sources,
      ingress: { eventKinds: ["websocket_text"] },
      handlers: {
        gateway: {
          websocket_text: (event) => {
            order.push(event.text)
            return Exit.void
          }
        }
      }
    })
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const flood = yield* fake.remote(sources[0] ?? "")
      const quiet = yield* fake.remote(sources[1] ?? "")
      yield* host.idle
      flood.sendBurst(Array.from({ length: 100 }, (_, i) => `flood ${i}`))
      quiet.sendBurst(["quiet 0", "quiet 1"])
      yield* host.idle
      assert.deepStrictEqual(order.slice(0, 5), ["flood 0", "quiet 0", "flood 1", "quiet 1", "flood 2"])
      assert.strictEqual(order.length, 102)
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("a failed dispatch drops its commands, status and state whole, and the service goes on", () => {
    const pkg = plugin({
      handlers: {
        gateway: {
          websocket_text: (event) =>
            Exit.succeed({
              accepted: event.text !== "refuse",
              status: event.text,
              state: event.text,
              commands: [OutputCommand.send(event, event.text)]
            })
        }
      }
    })
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const remote = yield* fake.remote(GATEWAY)
      for (const text of ["one", "refuse", "two"]) remote.sendText(text)
      yield* host.idle
      const row = yield* rowOf(REF)
      assert.deepStrictEqual(remote.sent, ["one", "two"])
      assert.strictEqual(row.reportedStatus, "two")
      assert.strictEqual(row.outputCommandResults.length, 2)
      assert.deepInclude(row.dispatchCounters, { dispatched: 3, failed: 1 })
      assert.strictEqual(row.diagnosticCounts["DispatchFailed"], 1)
      assert.strictEqual(row.lifecycle, "running")
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("rule 10: a command is looked at once, and what it says by then is executed", () => {
    const pkg = plugin({
      handlers: {
        gateway: {
          websocket_text: (event) => {
            let looks = 0
            const fickle = {
              kind: "diagnostic_status_update" as const,
              get payload() {
                if (++looks > 1) throw new Error("no")
                return {}
              }
            }
            return Exit.succeed({
              commands: [OutputCommand.send(event, "one"), fickle, OutputCommand.send(event, "two")]
            })
          }
        }
      }
    })
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const remote = yield* fake.remote(GATEWAY)
      remote.sendText("text")
      yield* host.idle
      const row = yield* rowOf(REF)
      assert.deepStrictEqual(remote.sent, ["one", "two"])
      assert.deepStrictEqual(
        row.outputCommandResults.map(({ status }) => status),
        ["executed", "recorded", "executed"]
      )
      assert.strictEqual(row.lifecycle, "running")
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("rule 2: finds every event, whenever it comes while the runner goes to sleep", () => {
    // The runner yields after so many operations, wherever it is: the bursts move that point across all of its code.
    const pkg = plugin({ handlers: { gateway: { websocket_text: () => Effect.sync(() => {}) } } })
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const remote = yield* fake.remote(GATEWAY)
      yield* host.idle
      for (let size = 1; size < 500; size++) {
        remote.sendBurst(Array.from({ length: size }, () => "x"))
        for (let more = 0; more < 6; more++) {
          yield* Effect.yieldNow
          remote.sendText("y")
        }
        yield* host.idle
        assert.strictEqual((yield* rowOf(REF)).queueDepth, 0)
      }
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  const unreadable = Object.defineProperty(new Error(), "message", {
    get: () => {
      throw new Error("no")
    }
  })
  const deep = Array.from({ length: 20_000 }).reduce<Error>((cause) => new Error("n", { cause }), new Error("0"))
  for (const [what, result] of [
    ["fails with what can't be looked at", () => Exit.fail(revoked.proxy)],
    ["dies of what can't be looked at", () => Exit.die(revoked.proxy)],
    ["fails with an error that can't be read", () => Exit.fail(unreadable)],
    ["fails with causes without end", () => Exit.fail(deep)],
    ["answers with commands that change", () => Exit.succeed({ commands: thirdTime() })],
    ["interrupts its own fiber", () => Effect.withFiber((fiber) => Effect.sync(() => fiber.interruptUnsafe()))],
    ["returns a promise", () => Promise.resolve({})],
    ["returns no effect", () => ({ commands: [] })]
  ] as const) {
    it.effect(`rule 10: a handler that ${what} costs one event or one crash, and the service goes on`, () => {
      let calls = 0
      const pkg = plugin({
        handlers: {
          // What JavaScript may do and TypeScript wouldn't let through.
          gateway: { websocket_text: () => (calls++ === 0 ? (result() as Effect.Effect<never>) : Exit.void) }
        }
      })
      return Effect.gen(function* () {
        const fake = yield* FakeWebSocket.FakeWebSocket
        const remote = yield* fake.remote(GATEWAY)
        remote.sendText("bad")
        yield* settled
        yield* TestClock.adjust("1 second")
        yield* settled
        const again = (yield* fake.remotes(GATEWAY)).at(-1)
        again?.sendText("good")
        yield* settled
        const row = yield* rowOf(REF)
        assert.strictEqual(calls, 2)
        assert.deepInclude(row, { lifecycle: "running", queueDepth: 0 })
        assert.strictEqual(row.dispatchCounters.timedOut, 0)
        assert.isUndefined(accountingProblem(row))
      }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
    })
  }
})
