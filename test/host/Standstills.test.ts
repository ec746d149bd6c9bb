/** Rule 6 of the design: while the process stood still, no clock ran against anybody. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { TestClock } from "effect/testing"
import { GrantStore, OutputCommand, PluginHost } from "mooring"
import { FakeWebSocket, Standstill } from "mooring/testing"
import { int, list, oneOf } from "../support/arbitraries.ts"
import { onFake, opened, rowOf, settled } from "../support/host.ts"
import { GATEWAY, plugin, refOf } from "../support/plugins.ts"

// The most that a standstill counts.
const SLICE_MS = 50

const connectionOf = (ref: string) =>
  Effect.flatMap(rowOf(ref), ({ websocketConnections: [one] }) => Effect.fromNullishOr(one))

describe("a process that stands still", () => {
  it.effect("times no handler out: 50 plugins whose handlers take 20 ms, and a thread blocked for 1.3 s", () => {
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
      yield* settled
      yield* TestClock.adjust(5)
      yield* Standstill.cause(1300)
      yield* settled
      yield* TestClock.adjust(10)
      yield* host.idle
      const { plugins: rows } = yield* host.status
      assert.deepStrictEqual(
        rows.filter(({ dispatchCounters, restarts }) => restarts > 0 || dispatchCounters.timedOut > 0),
        []
      )
      assert.isTrue(remotes.every(({ sent }) => sent.length === 1))
    }).pipe(Effect.provide(onFake({ plugins })))
  })

  it.effect("leaves a handler that hangs the time that it had, and not more", () => {
    const hanging = plugin({ handlers: { gateway: { websocket_text: () => Effect.never } } })
    const ref = refOf(hanging)
    return Effect.gen(function* () {
      const { remote } = yield* opened(GATEWAY)
      remote.sendText("x")
      yield* settled
      yield* TestClock.adjust(400)
      yield* Standstill.cause("1 hour")
      yield* TestClock.adjust(1000 - 400 - 51)
      assert.strictEqual((yield* rowOf(ref)).dispatchCounters.timedOut, 0)
      yield* TestClock.adjust(51)
      yield* settled
      assert.strictEqual((yield* rowOf(ref)).dispatchCounters.timedOut, 1)
    }).pipe(Effect.provide(onFake({ plugins: [hanging] })))
  })

  const script = {
    waits: int(1, 150),
    steps: list(oneOf({ kind: "run", ms: 50 }, { kind: "run", ms: 230 }, { kind: "stand", ms: 1200 }), 0, 12)
  }

  it.effect.prop(
    "rule 6: times a handler out if and only if it had its time, whatever was given to it and taken from it",
    script,
    ({ steps, waits }) => {
      let through = 0
      // Of each standstill it uses up at most one wait.
      const working = plugin({
        handlers: {
          gateway: {
            websocket_text: () =>
              Effect.map(Effect.repeat(Effect.sleep(10), { times: waits - 1 }), () => (through++, {}))
          }
        }
      })
      const counters = Effect.map(rowOf(refOf(working)), ({ dispatchCounters }) => dispatchCounters)
      return Effect.gen(function* () {
        const { remote } = yield* opened(GATEWAY)
        remote.sendText("x")
        yield* settled
        let had = 0
        let standstills = 0
        for (const { kind, ms } of [...steps, { kind: "run", ms: 2000 }]) {
          if (kind === "run") had += ms
          else standstills++
          yield* kind === "run" ? TestClock.adjust(ms) : Standstill.cause(ms)
          yield* settled
          const { timedOut } = yield* counters
          // What it was charged for at the most, and at the least.
          if (had + standstills * SLICE_MS < 1000) assert.strictEqual(timedOut, 0)
          if (10 * waits + SLICE_MS * standstills < 1000) assert.strictEqual(timedOut, 0)
          if (had >= 1000 + SLICE_MS && 10 * (waits - standstills) > 1000 + SLICE_MS) assert.strictEqual(timedOut, 1)
        }
        const { inFlight, timedOut } = yield* counters
        assert.deepStrictEqual([inFlight, timedOut + through], [0, 1])
      }).pipe(Effect.provide(onFake({ plugins: [working] })))
    },
    { arbitrary: { runs: 100 } }
  )

  it.effect("ends no dial: a deadline of 10 s, and a standstill of 30", () => {
    const pkg = plugin({})
    const ref = refOf(pkg)
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      yield* fake.dialled(GATEWAY, 1)
      yield* TestClock.adjust("1 second")
      yield* Standstill.cause("30 seconds")
      yield* TestClock.adjust(8949)
      assert.strictEqual((yield* connectionOf(ref)).state, "connecting")
      yield* TestClock.adjust(51)
      yield* settled
      const { lastError, state } = yield* connectionOf(ref)
      assert.deepStrictEqual([state, lastError?.tag], ["waiting", "OpenTimeout"])
    }).pipe(Effect.provide(onFake({ plugins: [pkg], answers: { [GATEWAY]: { kind: "never" } } })))
  })

  it.effect("breaks no close off before its grace was had", () => {
    const pkg = plugin({
      handlers: { gateway: { websocket_text: (event) => Exit.succeed({ commands: [OutputCommand.close(event)] }) } }
    })
    const ref = refOf(pkg)
    return Effect.gen(function* () {
      const { remote } = yield* opened(GATEWAY)
      remote.ignoreClose()
      remote.sendText("x")
      yield* settled
      yield* TestClock.adjust("1 second")
      yield* Standstill.cause("30 seconds")
      yield* TestClock.adjust(3949)
      assert.deepStrictEqual([remote.isOpen, (yield* connectionOf(ref)).state], [true, "closing"])
      yield* TestClock.adjust(51)
      assert.isFalse(remote.isOpen)
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("leaves a close after a revocation its 500 ms, also where it shortens a close under way", () => {
    const pkg = plugin({
      handlers: { gateway: { websocket_text: (event) => Exit.succeed({ commands: [OutputCommand.close(event)] }) } }
    })
    return Effect.gen(function* () {
      const { remote } = yield* opened(GATEWAY)
      const grants = yield* GrantStore.GrantEditor
      remote.ignoreClose()
      remote.sendText("x")
      yield* settled
      yield* Standstill.cause("30 seconds")
      yield* grants.revoke(refOf(pkg))
      yield* settled
      yield* TestClock.adjust(440)
      assert.isTrue(remote.isOpen)
      yield* Standstill.cause("30 seconds")
      yield* settled
      assert.isTrue(remote.isOpen)
      yield* TestClock.adjust(60)
      assert.isFalse(remote.isOpen)
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("fails no start: a deadline of 5 s, and a standstill of an hour", () =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const pkg = plugin({
        handlers: () =>
          Effect.as(Effect.andThen(Deferred.succeed(begun, undefined), Effect.sleep("2 seconds")), { gateway: {} })
      })
      const ref = refOf(pkg)
      yield* Effect.gen(function* () {
        yield* Deferred.await(begun)
        yield* TestClock.adjust("1 second")
        yield* Standstill.cause("1 hour")
        const host = yield* PluginHost.PluginHost
        yield* host.awaitRunning(ref)
        yield* host.idle
        assert.deepStrictEqual((yield* rowOf(ref)).lastError, null)
      }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
    })
  )

  it.effect("hurries no start that hangs, and ends it at its deadline", () => {
    const pkg = plugin({ handlers: () => Effect.never })
    const ref = refOf(pkg)
    return Effect.gen(function* () {
      yield* settled
      yield* TestClock.adjust("1 second")
      yield* Standstill.cause("1 hour")
      yield* TestClock.adjust(3949)
      assert.strictEqual((yield* rowOf(ref)).lifecycle, "starting")
      yield* TestClock.adjust(51)
      yield* settled
      assert.strictEqual((yield* rowOf(ref)).lastError?.tag, "StartTimeout")
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("charges no stop, nor makes one unstoppable", () => {
    const pkg = plugin({ stop: Effect.uninterruptible(Effect.sleep("9 seconds")) })
    const ref = refOf(pkg)
    return Effect.gen(function* () {
      yield* opened(GATEWAY)
      const host = yield* PluginHost.PluginHost
      yield* host.stop(ref)
      yield* settled
      yield* TestClock.adjust("4 seconds")
      yield* Standstill.cause("1 second")
      yield* settled
      assert.strictEqual((yield* rowOf(ref)).lifecycle, "stopping")
      // Past the deadline, it has 5 s more.
      yield* TestClock.adjust("1 second")
      yield* Standstill.cause("2 seconds")
      yield* TestClock.adjust("1 second")
      yield* host.stopped(ref)
      const { diagnosticCounts, lifecycle } = yield* rowOf(ref)
      assert.deepStrictEqual([lifecycle, diagnosticCounts], ["stopped", { ConnectionClosed: 1, DispatchTimeout: 1 }])
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  describe("is no flood of control frames", () => {
    for (const [name, everyMs, limit, standsMs] of [
      ["80 pings a second, and a standstill of 2.5 s", 12.5, 100, 2500],
      ["a ping a second, and an outage of 90 s", 1000, 10, 90_000],
      ["as many pings as the limit, and a standstill of a minute", 100, 10, 60_000]
    ] as const) {
      it.effect(name, () => {
        const pkg = plugin({})
        const ref = refOf(pkg)
        return Effect.gen(function* () {
          const { remote } = yield* opened(GATEWAY)
          const pings = (ms: number) =>
            Effect.repeat(
              Effect.andThen(
                TestClock.adjust(everyMs),
                Effect.sync(() => remote.ping())
              ),
              { times: Math.floor(ms / everyMs) - 1 }
            )
          yield* pings(20_000)
          yield* Standstill.cause(standsMs)
          // TCP brings at once what the peer had sent meanwhile.
          for (let sent = 0; sent < Math.floor(standsMs / everyMs); sent++) remote.ping()
          yield* pings(20_000)
          yield* settled
          const { epoch, state } = yield* connectionOf(ref)
          assert.deepStrictEqual([state, epoch, (yield* rowOf(ref)).diagnosticCounts], ["open", 1, {}])
        }).pipe(Effect.provide(onFake({ plugins: [pkg], limits: { controlFramesPerSecond: limit } })))
      })
    }
  })
})
