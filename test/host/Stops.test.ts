/** What a source is stopped for, who lifts that, and what its status says meanwhile. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { TestClock } from "effect/testing"
import { ConnectionError, GrantStore, OutputCommand, type PluginRuntime } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import { onFake, opened, rowOf, settled } from "../support/host.ts"
import { enable, GATEWAY, plugin } from "../support/plugins.ts"

const REF = "project:test.plugin"

const connection = Effect.map(rowOf(REF), ({ websocketConnections: [first] }) => first ?? assert.fail("no connection"))

/** Lets seconds pass, and what they bring. */
const pass = (seconds: number) =>
  Effect.gen(function* () {
    for (let second = 0; second < seconds; second++) {
      yield* TestClock.adjust(1000)
      yield* settled
    }
  })

const DENIED: FakeWebSocket.Answer = {
  kind: "fail",
  error: new ConnectionError.AddressDenied({ url: GATEWAY, address: "10.0.0.1" })
}

describe("a stop", () => {
  it.effect("of a budget that is used up is lifted by the operator with a whole budget", () => {
    const pkg = plugin({})
    const reconnect = { initial_ms: 1000, max_ms: 1000, max_attempts: 3, window_ms: 600_000 }
    return Effect.gen(function* () {
      const { fake, host, remote } = yield* opened(GATEWAY)
      yield* fake.answer(GATEWAY, { kind: "refuse", status: 500 })
      remote.breakOff()
      yield* pass(10)
      assert.deepInclude(yield* connection, { state: "stopped", stopReason: "exhausted" })
      assert.lengthOf(yield* fake.dials, 3)
      yield* host.reconnect(REF, GATEWAY)
      yield* pass(10)
      assert.deepInclude(yield* connection, { state: "stopped", stopReason: "exhausted" })
      assert.lengthOf(yield* fake.dials, 6)
      assert.strictEqual((yield* rowOf(REF)).diagnosticCounts["ReconnectExhausted"], 2)
    }).pipe(Effect.provide(onFake({ plugins: [pkg], enabled: [enable(pkg, { sources: { gateway: { reconnect } } })] })))
  })

  it.effect("for a denied address ends with a change of the grants, and with no other plugin's", () => {
    const pkg = plugin({})
    const grant = GrantStore.grantOf(enable(pkg))
    return Effect.gen(function* () {
      const { fake, remote } = yield* opened(GATEWAY)
      const grants = yield* GrantStore.GrantEditor
      yield* fake.answer(GATEWAY, DENIED)
      remote.breakOff()
      yield* pass(2)
      assert.deepInclude(yield* connection, { state: "stopped", stopReason: "address" })
      assert.isNotNull((yield* connection).nextAttemptAt)
      yield* fake.answer(GATEWAY, { kind: "accept" })
      yield* grants.set("project:test.other", grant)
      yield* settled
      assert.deepInclude(yield* connection, { state: "stopped", stopReason: "address" })
      const websocket = grant.websocket.map((target) => ({ ...target, privateAddresses: true }))
      yield* grants.set(REF, { ...grant, websocket })
      yield* settled
      assert.deepInclude(yield* connection, { state: "open", epoch: 2 })
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("for an address that was wrong for four seconds, as a captive portal's, ends within a minute", () => {
    const pkg = plugin({})
    return Effect.gen(function* () {
      const { fake, remote } = yield* opened(GATEWAY)
      yield* fake.answer(GATEWAY, DENIED)
      remote.breakOff()
      yield* pass(4)
      yield* fake.answer(GATEWAY, { kind: "accept" })
      assert.deepInclude(yield* connection, { state: "stopped", stopReason: "address" })
      yield* pass(60)
      assert.deepInclude(yield* connection, { state: "open", epoch: 2 })
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("is heeded no sooner than a server's Retry-After asks for", () => {
    const pkg = plugin({})
    return Effect.gen(function* () {
      const { fake, host, remote } = yield* opened(GATEWAY)
      yield* fake.answer(GATEWAY, { kind: "refuse", status: 403, retryAfterMs: 1_800_000 })
      remote.breakOff()
      yield* pass(2)
      const { nextAttemptAt, since, stopReason } = yield* connection
      assert.strictEqual(stopReason, "http")
      assert.strictEqual(Date.parse(nextAttemptAt ?? "") - Date.parse(since), 1_800_000)
      yield* host.reconnect(REF, GATEWAY)
      yield* settled
      assert.lengthOf(yield* fake.dials, 3)
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("is said with its reason of a service that was stopped, also where the operator dials the source", () => {
    const pkg = plugin({})
    const seen: Array<string> = []
    const note = Effect.map(connection, ({ nextAttemptAt, state, stopReason }) => {
      seen.push(`${state} ${stopReason}`)
      assert.isNull(nextAttemptAt)
    })
    return Effect.gen(function* () {
      const { fake, host, remote } = yield* opened(GATEWAY)
      yield* fake.answer(GATEWAY, { kind: "refuse", status: 403 })
      remote.breakOff()
      yield* pass(2)
      yield* host.stop(REF)
      yield* host.idle
      yield* note
      for (let times = 0; times < 2; times++) {
        yield* host.reconnect(REF, GATEWAY)
        yield* host.idle
        yield* note
      }
      yield* host.start(REF)
      yield* host.idle
      assert.deepStrictEqual(seen, ["stopped http", "stopped service", "stopped service"])
      assert.lengthOf(yield* fake.dials, 3)
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })
})

/** A plugin whose sandbox can be lost, and whose handler or next start may never end. */
const lossy = (hangs: "handler" | "start" | "nothing") => {
  let starts = 0
  const lost = Deferred.makeUnsafe<PluginRuntime.Loss>()
  const pkg: PluginRuntime.PluginPackage = {
    ...plugin({}),
    runtime: {
      start: () =>
        Effect.suspend(() => {
          starts++
          if (starts > 1 && hangs === "start") return Effect.never
          const handle = () => (hangs === "handler" ? Effect.uninterruptible(Effect.never) : Exit.void)
          return Effect.succeed({ handle, stop: Effect.void, lost: starts === 1 ? Deferred.await(lost) : Effect.never })
        })
    }
  }
  return { pkg, lose: Deferred.succeed(lost, "neighbour") }
}

describe("the status", () => {
  it.effect.each(["handler", "start", "nothing"] as const)(
    "never says that a source is stopped whose socket is open, on the way of a lost neighbour: %s hangs",
    (hangs) => {
      const { lose, pkg } = lossy(hangs)
      return Effect.gen(function* () {
        const fake = yield* FakeWebSocket.FakeWebSocket
        yield* settled
        const remote = yield* fake.remote(GATEWAY)
        remote.ignoreClose()
        yield* settled
        yield* lose
        const seen = new Set<string>()
        for (let step = 0; step < 400; step++) {
          yield* settled
          const { state, stopReason } = yield* connection
          seen.add(state)
          if (remote.isOpen) assert.include(["open", "closing"], state, `${stopReason} after ${step * 50} ms`)
          else assert.notInclude(["open", "closing"], state)
          yield* TestClock.adjust(50)
        }
        assert.strictEqual(seen.has("closing"), hangs !== "nothing")
        // Nobody is left to wait for its grace.
        remote.breakOff()
      }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
    }
  )
})

describe("a peer that never answers a close", () => {
  const OTHERS = [1, 2, 3].map((nth) => `ws://127.0.0.1:7700/other${nth}`)

  it.effect("doesn't hold up the other sources of a service that restarts, and is dialled after its own grace", () => {
    const pkg = plugin({
      sources: [GATEWAY, ...OTHERS],
      handlers: { gateway: { websocket_text: (event) => (event.text === "die" ? Exit.die("boom") : Exit.void) } }
    })
    return Effect.gen(function* () {
      const { fake, host, remote } = yield* opened(GATEWAY)
      remote.ignoreClose()
      const others = []
      for (const url of OTHERS) others.push(yield* fake.remote(url))
      yield* host.idle
      others[0]?.sendText("die")
      // The restart's own backoff.
      for (let passed = 0; passed < 200; passed += 50) {
        yield* settled
        yield* TestClock.adjust(50)
      }
      yield* settled
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "running")
      for (const url of OTHERS) assert.lengthOf(yield* fake.remotes(url), 2)
      assert.isTrue(remote.isOpen)
      assert.strictEqual((yield* connection).state, "closing")
      yield* TestClock.adjust(4700)
      yield* settled
      assert.isTrue(remote.isOpen)
      yield* TestClock.adjust(200)
      yield* settled
      assert.isFalse(remote.isOpen)
      assert.lengthOf(yield* fake.remotes(GATEWAY), 2)
      assert.deepInclude(yield* connection, { state: "open", epoch: 2 })
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  const crashing = plugin({
    sources: [GATEWAY],
    handlers: { gateway: { websocket_text: (event) => (event.text === "die" ? Exit.die("boom") : Exit.void) } }
  })

  /** A service that crashed and is about to be started again, while its old socket is still being closed. */
  const restarting = Effect.gen(function* () {
    const { fake, host, remote } = yield* opened(GATEWAY)
    remote.ignoreClose()
    remote.sendText("die")
    yield* settled
    assert.deepInclude(yield* rowOf(REF), { lifecycle: "restarting" })
    assert.deepInclude(yield* connection, { state: "closing" })
    return { fake, host, remote }
  })

  it.effect("has its grace also where something else takes the place of the service that crashed", () =>
    Effect.gen(function* () {
      const { fake, host, remote } = yield* restarting
      const config = { other: true }
      yield* host.apply({ enabled: [enable(crashing, { config })] })
      yield* pass(4)
      assert.isTrue(remote.isOpen)
      assert.lengthOf(yield* fake.dials, 1)
      yield* pass(2)
      assert.isFalse(remote.isOpen)
      assert.deepInclude(yield* connection, { state: "open", epoch: 2 })
    }).pipe(Effect.provide(onFake({ plugins: [crashing] })))
  )

  it.effect("has its grace also where the service is stopped meanwhile, or started anew", () =>
    Effect.gen(function* () {
      const { fake, host, remote } = yield* restarting
      yield* host.stop(REF)
      yield* settled
      assert.deepInclude(yield* rowOf(REF), { lifecycle: "stopping" })
      yield* host.start(REF)
      yield* pass(4)
      assert.isTrue(remote.isOpen)
      assert.lengthOf(yield* fake.dials, 1)
      yield* pass(2)
      assert.deepInclude(yield* connection, { state: "open", epoch: 2 })
    }).pipe(Effect.provide(onFake({ plugins: [crashing] })))
  )

  it.effect.each(["restart", "reconnect"] as const)(
    "that its plugin asked for is lifted by an operator's %s, though its service has crashed meanwhile",
    (wish) => {
      const other = "ws://127.0.0.1:7700/other"
      const pkg = plugin({
        sources: [GATEWAY, other],
        handlers: {
          gateway: {
            websocket_text: (event) =>
              event.text === "die" ? Exit.die("boom") : Exit.succeed({ commands: [OutputCommand.close(event)] })
          }
        }
      })
      return Effect.gen(function* () {
        const { fake, host, remote } = yield* opened(GATEWAY)
        remote.ignoreClose()
        remote.sendText("close")
        yield* settled
        const second = yield* fake.remote(other)
        second.sendText("die")
        yield* settled
        assert.deepInclude(yield* rowOf(REF), { lifecycle: "restarting" })
        assert.deepInclude(yield* connection, { state: "closing" })
        yield* wish === "restart" ? host.restart(REF) : host.reconnect(REF, GATEWAY)
        yield* pass(6)
        assert.isFalse(remote.isOpen)
        assert.deepInclude(yield* connection, { state: "open", epoch: 2 })
      }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
    }
  )

  it.effect("rule 9: is waited for by the end of a plugin that crashed before", () =>
    Effect.gen(function* () {
      const { fake, host, remote } = yield* restarting
      yield* host.apply({ enabled: [] })
      yield* settled
      const hasStopped = yield* Effect.forkChild(host.stopped(REF))
      yield* pass(4)
      assert.isTrue(remote.isOpen)
      assert.isUndefined(hasStopped.pollUnsafe())
      yield* pass(2)
      assert.isFalse(remote.isOpen)
      assert.isDefined(hasStopped.pollUnsafe())
      assert.lengthOf(yield* fake.dials, 1)
    }).pipe(Effect.provide(onFake({ plugins: [crashing] })))
  )

  it.effect("isn't dialled for a second service that crashes while the first one's socket is still closed", () =>
    Effect.gen(function* () {
      const other = "ws://127.0.0.1:7700/other"
      const { fake, remote } = yield* restarting
      for (let crash = 2; crash <= 4; crash++) {
        yield* pass(1)
        const next = (yield* fake.remotes(other)).at(-1)
        assert.isTrue(next?.isOpen)
        next?.sendText("die")
        yield* settled
      }
      assert.lengthOf(yield* fake.remotes(GATEWAY), 1)
      yield* pass(4)
      assert.isFalse(remote.isOpen)
      assert.lengthOf(yield* fake.remotes(GATEWAY), 2)
      assert.deepInclude(yield* connection, { state: "open", epoch: 2 })
    }).pipe(
      Effect.provide(
        onFake({
          plugins: [
            plugin({
              sources: [GATEWAY, "ws://127.0.0.1:7700/other"],
              handlers: {
                gateway: { websocket_text: (event) => (event.text === "die" ? Exit.die("boom") : Exit.void) }
              }
            })
          ]
        })
      )
    )
  )

  it.effect("doesn't hold up what its plugin asks of another source", () => {
    const [other = ""] = OTHERS
    const pkg = plugin({
      sources: [GATEWAY, other],
      handlers: {
        gateway: {
          websocket_text: () =>
            Exit.succeed({ commands: [OutputCommand.reconnect(GATEWAY), OutputCommand.reconnect(other)] })
        }
      }
    })
    return Effect.gen(function* () {
      const { fake, host, remote } = yield* opened(GATEWAY)
      yield* fake.remote(other)
      yield* host.idle
      remote.ignoreClose()
      remote.sendText("both")
      yield* pass(1)
      assert.lengthOf(yield* fake.remotes(other), 2)
      assert.lengthOf(yield* fake.remotes(GATEWAY), 1)
      yield* pass(5)
      assert.lengthOf(yield* fake.remotes(GATEWAY), 2)
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })
})
