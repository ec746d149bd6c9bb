import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { TestClock } from "effect/testing"
import { ConnectionError, GrantStore, type IngressEvent, OutputCommand, PluginHost, WebSocketClient } from "mooring"
import { FakeWebSocket, TestHost } from "mooring/testing"
import { accountingProblem, onFake, rowOf, settled, type Setup } from "../support/host.ts"
import { enable, GATEWAY, plugin, refOf } from "../support/plugins.ts"
import { unhandled } from "../support/rejections.ts"

/** A plugin that notes its events and answers texts that begin with `close` by closing. */
const noting = (events: Array<IngressEvent.IngressEvent>) => {
  const note = (event: IngressEvent.IngressEvent) => {
    events.push(event)
    return event.kind === "websocket_text" && event.text === "close"
      ? Exit.succeed({ commands: [OutputCommand.close(event, { code: 4001, reason: "enough" })] })
      : Exit.void
  }
  return plugin({
    handlers: {
      gateway: { websocket_open: note, websocket_text: note, websocket_close: note, websocket_error: note }
    }
  })
}

const REF = "project:test.plugin"

const connection = Effect.map(rowOf(REF), (row) => {
  const [first] = row.websocketConnections
  if (first === undefined) throw new Error("no connection")
  return first
})

/** Runs against a host with one plugin whose source has these settings. */
const withHost = <E>(
  settings: { readonly [key: string]: unknown },
  test: (
    events: Array<IngressEvent.IngressEvent>
  ) => Effect.Effect<void, E, PluginHost.PluginHost | FakeWebSocket.FakeWebSocket | GrantStore.GrantEditor>,
  setup: Partial<Setup> = {}
) => {
  const events: Array<IngressEvent.IngressEvent> = []
  const pkg = noting(events)
  const enabled = [enable(pkg, { sources: { gateway: settings } })]
  return Effect.gen(function* () {
    yield* test(events)
    assert.isUndefined(accountingProblem(yield* rowOf(REF)))
  }).pipe(Effect.provide(onFake({ plugins: [pkg], enabled, ...setup })))
}

const kinds = (events: ReadonlyArray<IngressEvent.IngressEvent>) => events.map((event) => event.kind)
const last = (events: ReadonlyArray<IngressEvent.IngressEvent>) => events.at(-1)

const quick = { reconnect: { initial_ms: 1000, max_ms: 8000, stable_ms: 30_000 } }

const gone = (): Promise<never> => Promise.reject(new Error("gone"))

/** A host whose one source is dialled by this client. */
const dialledBy = (connect: unknown) => {
  const pkg = plugin({
    handlers: { gateway: { websocket_text: (event) => Exit.succeed({ commands: [OutputCommand.send(event, "a")] }) } }
  })
  const enabled = [enable(pkg)]
  const client = Layer.succeed(WebSocketClient.WebSocketClient, {
    connect
  } as WebSocketClient.WebSocketClient["Service"])
  return TestHost.failingFast(PluginHost.layer({ plugins: [pkg], enabled })).pipe(
    Layer.provideMerge(GrantStore.layerMutable(enabled)),
    Layer.provide(client),
    Layer.provide(Logger.layer([]))
  )
}

/** Sockets that say when they are ended, whose every call throws that is named. */
const throwing = (members: ReadonlyArray<string>) => (_: unknown, __: unknown, events: WebSocketClient.SocketEvents) =>
  Effect.sync(() => {
    const end = () => events.closed(1000, "", true)
    const socket = {
      writeQueueSize: () => 0,
      bytesRead: () => 0,
      send() {},
      ping() {},
      pong() {},
      read() {},
      close: end,
      terminate: end
    }
    const broken = members.map((member) => [member, () => assert.fail("boom")])
    events.open({ subprotocol: null, remoteAddress: null, ...socket, ...Object.fromEntries(broken) })
    events.text("a", 1)
    events.ping(new Uint8Array(1))
  })

const failingToRelease = () =>
  Effect.andThen(
    Effect.addFinalizer(() => Effect.die("boom")),
    Effect.fail(new ConnectionError.DialFailed({ url: GATEWAY, phase: "tcp", code: "ECONNREFUSED" }))
  )

const openingTwice = (target: unknown, options: unknown, events: WebSocketClient.SocketEvents) =>
  Effect.andThen(throwing([])(target, options, events), throwing([])(target, options, events))

describe("Connection", () => {
  it.effect("dials again after an end, counts the epoch, and says so in the close event", () =>
    withHost(quick, (events) =>
      Effect.gen(function* () {
        const host = yield* PluginHost.PluginHost
        const fake = yield* FakeWebSocket.FakeWebSocket
        const remote = yield* fake.remote(GATEWAY)
        remote.sendText("a")
        remote.close(4000, "bye")
        yield* host.idle
        assert.deepStrictEqual(kinds(events), ["websocket_open", "websocket_text", "websocket_close"])
        const closed = last(events)
        assert.deepInclude(closed?.payload, { code: 4000, reason: "bye", clean: true, willReconnect: true })
        const row = yield* connection
        assert.strictEqual(row.state, "waiting")
        assert.isNotNull(row.nextAttemptAt)
        assert.deepInclude(row.lastClose, { code: 4000, reason: "bye", clean: true })
        yield* TestClock.adjust(1000)
        yield* fake.remote(GATEWAY, 2)
        yield* host.idle
        assert.strictEqual((yield* connection).epoch, 2)
        assert.deepInclude(last(events)?.payload, { attempts: 1 })
      })
    )
  )

  it.effect("says an end without a close frame as an error and a close with code 1006", () =>
    withHost(quick, (events) =>
      Effect.gen(function* () {
        const host = yield* PluginHost.PluginHost
        const fake = yield* FakeWebSocket.FakeWebSocket
        const remote = yield* fake.remote(GATEWAY)
        remote.breakOff()
        yield* host.idle
        assert.deepStrictEqual(kinds(events), ["websocket_open", "websocket_error", "websocket_close"])
        assert.deepInclude(last(events)?.payload, { code: 1006, clean: false, willReconnect: true })
        const row = yield* rowOf(REF)
        assert.strictEqual(row.diagnosticCounts["ConnectionClosed"], 1)
      })
    )
  )

  it.effect("delivers texts that came in the same burst as the 101 after the open", () =>
    withHost(quick, (events) =>
      Effect.gen(function* () {
        const host = yield* PluginHost.PluginHost
        const fake = yield* FakeWebSocket.FakeWebSocket
        const first = yield* fake.remote(GATEWAY)
        yield* fake.answer(GATEWAY, { kind: "accept", subprotocol: "v2", early: ["one", "two"] })
        first.breakOff()
        yield* TestClock.adjust(1000)
        yield* fake.remote(GATEWAY, 2)
        yield* host.idle
        const own = events.filter((event) => event.epoch === 2)
        assert.deepStrictEqual(
          own.map((event) => (event.kind === "websocket_text" ? event.text : event.kind)),
          ["websocket_open", "one", "two"]
        )
        assert.strictEqual((yield* connection).subprotocol, "v2")
      })
    )
  )

  it.effect("gives up a dial that isn't answered in time, and not a millisecond earlier", () =>
    withHost(
      quick,
      (events) =>
        Effect.gen(function* () {
          const host = yield* PluginHost.PluginHost
          const fake = yield* FakeWebSocket.FakeWebSocket
          const remote = yield* fake.remote(GATEWAY)
          yield* fake.answer(GATEWAY, { kind: "never" })
          remote.breakOff()
          yield* TestClock.adjust(1000)
          yield* fake.dialled(GATEWAY, 2)
          const dialledAt = (yield* connection).since
          const elapsed = Date.parse((yield* host.status).host.at) - Date.parse(dialledAt)
          yield* TestClock.adjust(4999 - elapsed)
          assert.strictEqual((yield* connection).state, "connecting")
          yield* TestClock.adjust(1)
          yield* host.idle
          const row = yield* connection
          assert.strictEqual(row.state, "waiting")
          assert.strictEqual(row.lastError?.tag, "OpenTimeout")
          assert.strictEqual(row.lastError?.message, `${GATEWAY} was not open after 5000 ms, waiting for upgrade`)
          const error = last(events)
          assert.strictEqual(error?.kind, "websocket_error")
        }),
      { limits: { openDeadlineMs: 5000 } }
    )
  )

  for (const [asked, obeyed] of [
    [4000, 4000],
    [5000, 5000],
    [5001, 5000],
    [86_400_000, 5000]
  ] as const) {
    it.effect(
      `leaves a server alone that asks for ${asked} ms for ${obeyed}, where no more is obeyed, and says so`,
      () =>
        withHost(
          { reconnect: { initial_ms: 1, max_ms: 1 } },
          () =>
            Effect.gen(function* () {
              const host = yield* PluginHost.PluginHost
              const fake = yield* FakeWebSocket.FakeWebSocket
              const remote = yield* fake.remote(GATEWAY)
              yield* fake.answer(GATEWAY, { kind: "refuse", status: 503, retryAfterMs: asked })
              remote.breakOff()
              yield* TestClock.adjust(1)
              yield* fake.dialled(GATEWAY, 2)
              yield* host.idle
              const { nextAttemptAt } = yield* connection
              const { at } = (yield* host.status).host
              assert.strictEqual(Date.parse(nextAttemptAt ?? "") - Date.parse(at), obeyed)
              const { diagnostics } = yield* rowOf(REF)
              assert.strictEqual(diagnostics.at(-1)?.error["retry_after_ms"], obeyed)
            }),
          { limits: { retryAfterMs: 5000 } }
        )
    )
  }

  it.effect("enqueues one error of failed dials while it waits, and none beside it", () => {
    const gate = { open: false }
    const events: Array<string> = []
    const pkg = plugin({
      handlers: {
        gateway: {
          websocket_open: () => Effect.sleep(gate.open ? 0 : 900),
          websocket_error: (event) => {
            events.push(event.error.tag)
            return Exit.void
          }
        }
      }
    })
    const settings = { reconnect: { initial_ms: 1, max_ms: 1 } }
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const remote = yield* fake.remote(GATEWAY)
      yield* TestClock.adjust(1)
      const failure = new ConnectionError.DialFailed({ url: GATEWAY, phase: "tcp", code: "ECONNREFUSED" })
      yield* fake.answer(GATEWAY, { kind: "fail", error: failure })
      remote.close(1000)
      yield* TestClock.adjust(100)
      const waiting = yield* rowOf(REF)
      assert.isAbove(waiting.diagnosticCounts["DialFailed"] ?? 0, 5)
      // The close of the first epoch, and one error.
      assert.strictEqual(waiting.queueDepth, 2)
      yield* fake.answer(GATEWAY, { kind: "never" })
      yield* TestClock.adjust(900)
      assert.deepStrictEqual(events, ["DialFailed"])
      yield* host.stop(REF)
    }).pipe(Effect.provide(onFake({ plugins: [pkg], enabled: [enable(pkg, { sources: { gateway: settings } })] })))
  })

  it.effect("rule 3: doesn't dial a third epoch while the state events of two wait", () => {
    const gate = Promise.withResolvers<void>()
    const pkg = plugin({ handlers: { gateway: { websocket_open: () => Effect.promise(() => gate.promise) } } })
    const settings = { reconnect: { initial_ms: 1, max_ms: 1 } }
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      for (const nth of [1, 2]) {
        const remote = yield* fake.remote(GATEWAY, nth)
        yield* TestClock.adjust(1)
        remote.close(1000)
        yield* TestClock.adjust(10)
      }
      const row = yield* connection
      // The first open is in the handler; its close waits, and the open and close of the second.
      assert.strictEqual(row.epoch, 2)
      assert.strictEqual(row.state, "waiting")
      assert.isNull(row.nextAttemptAt)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* fake.remotes(GATEWAY)).length, 2)
      gate.resolve()
      yield* fake.remote(GATEWAY, 3)
    }).pipe(
      Effect.provide(
        onFake({
          plugins: [pkg],
          enabled: [enable(pkg, { sources: { gateway: settings } })],
          limits: { dispatchDeadlineMs: 86_400_000 }
        })
      )
    )
  })

  for (const [answer, reason, dials] of [
    [{ kind: "refuse", status: 401 }, "http", 3],
    [{ kind: "refuse", status: 403 }, "http", 3],
    [{ kind: "fail", error: new ConnectionError.AddressDenied({ url: "", address: "10.0.0.1" }) }, "address", 6]
  ] as const) {
    it.effect(`stops after ${answer.kind === "refuse" ? answer.status : answer.error._tag}`, () =>
      withHost(quick, (events) =>
        Effect.gen(function* () {
          const host = yield* PluginHost.PluginHost
          const fake = yield* FakeWebSocket.FakeWebSocket
          const remote = yield* fake.remote(GATEWAY)
          yield* fake.answer(GATEWAY, answer)
          remote.breakOff()
          yield* TestClock.adjust(1000)
          yield* host.idle
          const row = yield* connection
          assert.strictEqual(row.state, "stopped")
          assert.strictEqual(row.stopReason, reason)
          assert.isNotNull(row.nextAttemptAt)
          assert.deepInclude(last(events)?.payload, { willReconnect: false })
          for (let minute = 0; minute < 16; minute++) {
            yield* TestClock.adjust("1 minute")
            yield* host.idle
          }
          assert.strictEqual((yield* fake.dials).length, dials)
        })
      )
    )
  }

  it.effect("stops after a stop code, and tries again after stopped_retry_ms", () =>
    withHost({ reconnect: { stop_codes: [4004] } }, () =>
      Effect.gen(function* () {
        const host = yield* PluginHost.PluginHost
        const fake = yield* FakeWebSocket.FakeWebSocket
        const remote = yield* fake.remote(GATEWAY)
        remote.close(4004)
        yield* host.idle
        assert.deepInclude(yield* connection, { state: "stopped", stopReason: "close_code" })
        yield* TestClock.adjust("15 minutes")
        yield* fake.remote(GATEWAY, 2)
      })
    )
  )

  it.effect("stays down where the policy is never", () =>
    withHost({ reconnect: { policy: "never" } }, (events) =>
      Effect.gen(function* () {
        const host = yield* PluginHost.PluginHost
        const fake = yield* FakeWebSocket.FakeWebSocket
        const remote = yield* fake.remote(GATEWAY)
        remote.close(1000)
        yield* host.idle
        assert.deepInclude(yield* connection, { state: "stopped", stopReason: "never", nextAttemptAt: null })
        assert.deepInclude(last(events)?.payload, { willReconnect: false })
        yield* TestClock.adjust("1 day")
        assert.strictEqual((yield* fake.dials).length, 1)
      })
    )
  )

  it.effect("stops when the budget of its window is used up", () =>
    withHost({ reconnect: { initial_ms: 1, max_ms: 1, max_attempts: 3, window_ms: 60_000 } }, () =>
      Effect.gen(function* () {
        const fake = yield* FakeWebSocket.FakeWebSocket
        for (const nth of [1, 2, 3]) {
          const remote = yield* fake.remote(GATEWAY, nth)
          remote.breakOff()
          yield* TestClock.adjust(10)
        }
        assert.deepInclude(yield* connection, { state: "stopped", stopReason: "exhausted" })
        assert.strictEqual((yield* rowOf(REF)).diagnosticCounts["ReconnectExhausted"], 1)
      })
    )
  )

  it.effect("closes for the plugin with its code, and stays closed", () =>
    withHost(quick, (events) =>
      Effect.gen(function* () {
        const host = yield* PluginHost.PluginHost
        const fake = yield* FakeWebSocket.FakeWebSocket
        const remote = yield* fake.remote(GATEWAY)
        remote.sendText("close")
        yield* host.idle
        assert.deepStrictEqual(remote.closeFrame, { code: 4001, reason: "enough" })
        assert.deepInclude(yield* connection, { state: "stopped", stopReason: "plugin" })
        assert.deepInclude(last(events)?.payload, { code: 4001, clean: true, willReconnect: false })
        yield* TestClock.adjust("1 day")
        assert.strictEqual((yield* fake.dials).length, 1)
      })
    )
  )

  it.effect("terminates a peer that doesn't answer the close frame, after the grace period", () =>
    withHost(quick, () =>
      Effect.gen(function* () {
        const fake = yield* FakeWebSocket.FakeWebSocket
        const host = yield* PluginHost.PluginHost
        const remote = yield* fake.remote(GATEWAY)
        remote.ignoreClose()
        yield* host.stop(REF)
        yield* TestClock.adjust(4999)
        assert.isTrue(remote.isOpen)
        assert.strictEqual((yield* connection).state, "closing")
        remote.sendText("too late")
        yield* TestClock.adjust(1)
        yield* remote.closed
        yield* host.idle
        const row = yield* connection
        assert.deepInclude(row, { state: "stopped", stopReason: "service", rejectedText: 1 })
        assert.deepStrictEqual(remote.closeFrame, { code: 1001, reason: "" })
      })
    )
  )

  it.effect("rule 1: closes what a changed grant no longer covers, and dials what it covers again", () =>
    withHost(quick, (events) =>
      Effect.gen(function* () {
        const fake = yield* FakeWebSocket.FakeWebSocket
        const host = yield* PluginHost.PluginHost
        const grants = yield* GrantStore.GrantEditor
        const pkg = noting([])
        const grant = GrantStore.grantOf(enable(pkg))
        const remote = yield* fake.remote(GATEWAY)
        yield* host.idle
        yield* grants.set(REF, { ...grant, websocket: [] })
        yield* remote.closed
        remote.sendText("unheard")
        yield* host.idle
        assert.deepStrictEqual(kinds(events), ["websocket_open"])
        assert.deepInclude(yield* connection, { state: "stopped", stopReason: "grant" })
        assert.strictEqual((yield* connection).lastError?.tag, "GrantRevoked")
        assert.strictEqual((yield* rowOf(REF)).diagnosticCounts["GrantRevoked"], 1)
        yield* grants.set(REF, grant)
        yield* fake.remote(GATEWAY, 2)
        yield* host.idle
        assert.strictEqual((yield* connection).state, "open")
      })
    )
  )

  it.effect("rule 1: denies a dial that was in flight when its grant was withdrawn", () => {
    const pkg = noting([])
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const grants = yield* GrantStore.GrantEditor
      const first = yield* fake.remote(GATEWAY)
      yield* fake.answer(GATEWAY, { kind: "never" })
      first.breakOff()
      yield* TestClock.adjust(1000)
      yield* fake.dialled(GATEWAY, 2)
      yield* grants.revoke(refOf(pkg))
      yield* host.idle
      assert.deepInclude(yield* rowOf(REF), { lifecycle: "failed" })
      assert.strictEqual((yield* rowOf(REF)).lastError?.tag, "PermissionMissing")
      assert.strictEqual((yield* fake.remotes(GATEWAY)).length, 1)
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("answers pings, and ends a connection that floods them", () =>
    withHost(
      quick,
      (events) =>
        Effect.gen(function* () {
          const host = yield* PluginHost.PluginHost
          const fake = yield* FakeWebSocket.FakeWebSocket
          const remote = yield* fake.remote(GATEWAY)
          const data = new Uint8Array([1, 2, 3])
          for (let i = 0; i < 10; i++) remote.ping(data)
          assert.deepStrictEqual(remote.pongs.length, 10)
          assert.deepStrictEqual(remote.pongs[0], data)
          remote.ping(data)
          yield* host.idle
          assert.isFalse(remote.isOpen)
          assert.strictEqual((yield* rowOf(REF)).diagnosticCounts["ControlFlood"], 1)
          assert.deepInclude(last(events)?.payload, { code: 1006, willReconnect: true })
        }),
      { limits: { controlFramesPerSecond: 10 } }
    )
  )

  it.effect("has no more connections than it may have", () => {
    const urls = [1, 2, 3].map((n) => `ws://127.0.0.1:7700/${n}`)
    const pkg = plugin({ sources: urls })
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      const fake = yield* FakeWebSocket.FakeWebSocket
      yield* host.idle
      const row = yield* rowOf(REF)
      assert.deepStrictEqual(
        row.websocketConnections.map(({ state, stopReason }) => [state, stopReason]),
        [
          ["open", null],
          ["open", null],
          ["stopped", "limit"]
        ]
      )
      assert.strictEqual((yield* fake.dials).length, 2)
    }).pipe(Effect.provide(onFake({ plugins: [pkg], limits: { connectionsPerPlugin: 2 } })))
  })

  it.effect("keeps its backoff while its service restarts, and forgets a stop when the operator starts anew", () =>
    withHost({ reconnect: { policy: "never" } }, () =>
      Effect.gen(function* () {
        const host = yield* PluginHost.PluginHost
        const fake = yield* FakeWebSocket.FakeWebSocket
        const remote = yield* fake.remote(GATEWAY)
        remote.close(1000)
        yield* host.idle
        assert.deepInclude(yield* connection, { state: "stopped", stopReason: "never" })
        yield* host.stop(REF)
        yield* host.idle
        yield* host.start(REF)
        yield* fake.remote(GATEWAY, 2)
      })
    )
  )

  it.effect("refuses settings of an ingress that the manifest doesn't have", () => {
    const pkg = plugin({})
    const enabled = [enable(pkg, { sources: { gatewya: { urls: [] } } })]
    return Effect.gen(function* () {
      const row = yield* rowOf(REF)
      assert.strictEqual(row.lifecycle, "failed")
      assert.strictEqual(row.lastError?.tag, "ManifestInvalid")
      assert.include(row.lastError?.message ?? "", "sources.gatewya")
    }).pipe(Effect.provide(onFake({ plugins: [pkg], enabled })))
  })

  it.effect("counts against the budget only the dials of the window", () =>
    withHost({ reconnect: { initial_ms: 1, max_ms: 1, max_attempts: 1, window_ms: 600_000 } }, () =>
      Effect.gen(function* () {
        const fake = yield* FakeWebSocket.FakeWebSocket
        const remote = yield* fake.remote(GATEWAY)
        yield* TestClock.adjust("10 hours")
        remote.close(1000)
        yield* settled
        assert.isNull((yield* connection).stopReason)
      })
    )
  )

  it.effect("takes a client that dies for a dial that failed, and waits before the next", () => {
    let dials = 0
    const pkg = plugin({})
    const enabled = [enable(pkg)]
    const broken = Layer.succeed(WebSocketClient.WebSocketClient, {
      proxied: false,
      connect: () =>
        Effect.suspend(() => {
          dials++
          throw new Error("broken")
        })
    })
    const host = TestHost.failingFast(PluginHost.layer({ plugins: [pkg], enabled })).pipe(
      Layer.provide(GrantStore.layer(enabled)),
      Layer.provide(broken)
    )
    return Effect.gen(function* () {
      yield* settled
      assert.strictEqual(dials, 1)
      assert.deepInclude(yield* connection, { state: "waiting" })
      assert.strictEqual((yield* rowOf(REF)).diagnosticCounts["DialFailed"], 1)
    }).pipe(Effect.provide(host), Effect.provide(Logger.layer([])))
  })

  it.effect.each<readonly [what: string, connect: () => unknown]>([
    ["returns a promise", gone],
    ["returns nothing", () => undefined],
    ["fails with a promise", () => Effect.fail(gone())],
    ["fails with nothing", () => Effect.fail(undefined)],
    ["fails with what is no DialError", () => Effect.fail({ _tag: "DialFailed" })],
    ["dies of a promise", () => Effect.die(gone())]
  ])("takes a client for one that died, and ends no process: one that %s", ([, connect]) => {
    const run = Effect.gen(function* () {
      yield* settled
      const { lastError, state } = yield* connection
      assert.deepInclude(lastError, {
        tag: "DialFailed",
        message: `${GATEWAY} can't be reached: client failed with EDEFECT`
      })
      assert.strictEqual(state, "waiting")
    }).pipe(Effect.provide(dialledBy(connect)))
    return Effect.map(unhandled(run), (seen) => assert.deepStrictEqual(seen, []))
  })

  it.effect("takes a client that interrupts itself for one that failed, and waits for its backoff", () => {
    let dials = 0
    const interrupting = () => {
      dials++
      return Effect.interrupt
    }
    return Effect.gen(function* () {
      yield* settled
      assert.deepInclude(yield* connection, { state: "waiting" })
      assert.strictEqual(
        (yield* connection).lastError?.message,
        `${GATEWAY} can't be reached: client failed with EINTERRUPTED`
      )
      assert.strictEqual(dials, 1)
      yield* TestClock.adjust("10 minutes")
      yield* settled
      assert.isBelow(dials, 100)
    }).pipe(Effect.provide(dialledBy(interrupting)))
  })

  it.effect("goes on though the client dies while it releases what a failed dial acquired", () => {
    return Effect.gen(function* () {
      yield* settled
      assert.strictEqual((yield* connection).state, "waiting")
    }).pipe(Effect.provide(dialledBy(failingToRelease)))
  })

  for (const members of [
    ["close"],
    ["read", "close"],
    ["send"],
    ["pong"],
    ["close", "terminate"],
    ["writeQueueSize", "bytesRead", "send", "ping", "pong", "read", "close", "terminate"]
  ]) {
    it.effect(`rule 9: the host closes, and an operator is heard, over sockets whose ${members.join(", ")} throw`, () =>
      Effect.gen(function* () {
        yield* Effect.gen(function* () {
          const host = yield* PluginHost.PluginHost
          yield* settled
          for (let times = 0; times < 2; times++) {
            yield* Effect.exit(host.reconnect(REF, GATEWAY))
            yield* TestClock.adjust("1 minute")
            yield* settled
          }
          const row = yield* connection
          assert.isAbove(row.epoch, 2)
          assert.include(["open", "waiting"], row.state)
          assert.isAbove((yield* rowOf(REF)).diagnosticCounts["DialFailed"] ?? 0, 0)
        }).pipe(Effect.provide(dialledBy(throwing(members))))
      })
    )
  }

  it.effect("rule 9: the host closes though a dial opened twice", () =>
    Effect.gen(function* () {
      yield* Effect.gen(function* () {
        yield* settled
        assert.deepInclude(yield* connection, { state: "open", epoch: 1 })
      }).pipe(Effect.provide(dialledBy(openingTwice)))
    })
  )

  it.effect("stays closed for the plugin through a crash, until the operator starts it again", () => {
    const other = "ws://127.0.0.1:7700/other"
    const pkg = plugin({
      sources: [GATEWAY, other],
      handlers: {
        gateway: {
          websocket_text: (event) =>
            event.text === "close" ? Exit.succeed({ commands: [OutputCommand.close(event)] }) : Exit.die("boom")
        }
      }
    })
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const [one, two] = [yield* fake.remote(GATEWAY), yield* fake.remote(other)]
      one.sendText("close")
      yield* host.idle
      two.sendText("crash")
      yield* settled
      yield* TestClock.adjust("1 minute")
      yield* fake.remote(other, 2)
      yield* host.idle
      assert.deepInclude(yield* connection, { state: "stopped", stopReason: "plugin", epoch: 1 })
      yield* host.stop(REF)
      yield* host.idle
      yield* host.start(REF)
      yield* fake.remote(GATEWAY, 2)
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("gives back the turn of a dial that isn't wanted any more", () => {
    const pkg = plugin({})
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      const fake = yield* FakeWebSocket.FakeWebSocket
      yield* fake.remote(GATEWAY)
      for (let cycle = 0; cycle < 60; cycle++) {
        yield* host.stop(REF)
        yield* settled
        yield* host.start(REF)
        yield* settled
      }
      yield* TestClock.adjust("2 seconds")
      yield* settled
      assert.strictEqual((yield* connection).state, "open")
    }).pipe(Effect.provide(onFake({ plugins: [pkg], limits: { dialsPerSecond: 1 } })))
  })
})
