/** How a whole host finds out that a server is gone, or sends no data, in virtual time. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { TestClock } from "effect/testing"
import {
  type Enablement,
  type GrantStore,
  type HostStatus,
  type IngressEvent,
  type Limits,
  OutputCommand,
  PluginHost
} from "mooring"
import { type FakeWebSocket, type Remote, Standstill } from "mooring/testing"
import { counted } from "../support/fibers.ts"
import { accountingProblem, onFake, opened, rowOf } from "../support/host.ts"
import { enable, GATEWAY, plugin, refOf } from "../support/plugins.ts"

const DAY = 86_400_000
const PINGS = { pingIntervalMs: 30_000 }
const utf8 = new TextEncoder()

/** Notes every event; sends back what begins with `!`, and sleeps for so many milliseconds where it is told a number. */
const noting = (ingress = {}) => {
  const events: Array<IngressEvent.IngressEvent> = []
  const note = (event: IngressEvent.IngressEvent) => {
    events.push(event)
    return Exit.void
  }
  const pkg = plugin({
    ingress,
    handlers: {
      gateway: {
        websocket_open: note,
        websocket_close: note,
        websocket_error: note,
        websocket_text: (event) => {
          if (event.text.startsWith("!")) {
            return Exit.succeed({ commands: event.text.split(" ").map((text) => OutputCommand.send(event, text)) })
          }
          return Number(event.text) > 0 ? Effect.sleep(Number(event.text)) : note(event)
        }
      }
    }
  })
  return { pkg, events }
}

const REF = refOf(noting().pkg)

const connection: Effect.Effect<HostStatus.ConnectionStatus, never, PluginHost.PluginHost> = Effect.flatMap(
  rowOf(REF),
  ({ websocketConnections: [one] }) => Effect.fromNullishOr(one)
).pipe(Effect.orDie)

interface World {
  readonly host: PluginHost.PluginHost["Service"]
  readonly fake: FakeWebSocket.FakeWebSocket["Service"]
  readonly remote: Remote.Remote
  readonly events: ReadonlyArray<IngressEvent.IngressEvent>
}

interface Settings {
  readonly limits?: Partial<Limits.Values>
  readonly source?: { readonly [key: string]: unknown }
  readonly ingress?: object
}

/** Runs against a host with one open connection. */
const watching = <E>(
  { ingress, limits = {}, source = {} }: Settings,
  test: (
    world: World
  ) => Effect.Effect<void, E, PluginHost.PluginHost | FakeWebSocket.FakeWebSocket | GrantStore.GrantEditor>
) => {
  const { events, pkg } = noting(ingress)
  const enabled: ReadonlyArray<Enablement.Enablement> = [enable(pkg, { sources: { gateway: source } })]
  return Effect.gen(function* () {
    yield* test({ ...(yield* opened(GATEWAY)), events })
    assert.isUndefined(accountingProblem(yield* rowOf(REF)))
  }).pipe(Effect.provide(onFake({ plugins: [pkg], enabled, limits: { ...PINGS, ...limits } })))
}

/** What the plugin was told of ends. */
const endsOf = (events: ReadonlyArray<IngressEvent.IngressEvent>) =>
  events.flatMap((event): ReadonlyArray<ReadonlyArray<unknown>> => {
    if (event.kind === "websocket_error") return [[event.error.tag, event.error.what, event.willReconnect]]
    if (event.kind === "websocket_close") return [[event.code, event.unconfirmed, event.willReconnect]]
    return []
  })

const numbersOf = (pings: ReadonlyArray<Uint8Array>) => pings.map((data) => Number(new TextDecoder().decode(data)))

const pongOf = (remote: Remote.Remote, number: number) => remote.pong(utf8.encode(String(number)))

describe("a server that answers pings", () => {
  it.effect("stays connected, and the status tells of its pongs", () =>
    watching({}, ({ events, remote }) =>
      Effect.gen(function* () {
        assert.deepInclude(yield* connection, { lastPongAt: null, roundTripMs: null })
        remote.ignorePings()
        yield* TestClock.adjust(1000)
        assert.deepStrictEqual(numbersOf(remote.pings), [1])
        yield* TestClock.adjust(120)
        pongOf(remote, 1)
        assert.deepInclude(yield* connection, { lastPongAt: "1970-01-01T00:00:01.120Z", roundTripMs: 120 })
        remote.answerPings()
        yield* TestClock.adjust("10 minutes")
        assert.lengthOf(remote.pings, 21)
        assert.deepInclude(yield* connection, {
          state: "open",
          epoch: 1,
          lastPongAt: "1970-01-01T00:10:01.000Z",
          lastFrameAt: "1970-01-01T00:10:01.000Z",
          roundTripMs: 0
        })
        assert.deepStrictEqual(endsOf(events), [])
      })
    )
  )

  it.effect("is not taken for a flood, however short the interval is", () =>
    watching({ limits: { pingIntervalMs: 10, controlFramesPerSecond: 1 } }, ({ remote }) =>
      Effect.gen(function* () {
        yield* TestClock.adjust(2000)
        assert.isAbove(remote.pings.length, 150)
        assert.deepInclude(yield* connection, { state: "open", epoch: 1 })
      })
    )
  )

  it.effect("isn't pinged any more once it is being closed", () =>
    watching({ limits: { closeGraceMs: 120_000 } }, ({ host, remote }) =>
      Effect.gen(function* () {
        remote.ignoreClose()
        yield* TestClock.adjust(1000)
        yield* host.stop(REF)
        yield* TestClock.adjust(100_000)
        assert.isTrue(remote.isOpen)
        assert.lengthOf(remote.pings, 1)
        yield* TestClock.adjust(20_000)
      })
    )
  )
})

describe("a server that is gone", () => {
  it.effect("is found out by its silence after a ping, and dialled anew", () =>
    watching({}, ({ events, fake, remote }) =>
      Effect.gen(function* () {
        yield* TestClock.adjust(20_000)
        remote.ignorePings()
        yield* TestClock.adjust(20_900)
        assert.isTrue(remote.isOpen)
        yield* TestClock.adjust(150)
        assert.isFalse(remote.isOpen)
        yield* TestClock.adjust(1000)
        assert.deepStrictEqual(endsOf(events), [
          ["KeepaliveTimeout", "silent", true],
          [1006, 0, true]
        ])
        yield* fake.remote(GATEWAY, 2)
        const row = yield* rowOf(REF)
        assert.deepInclude(row.diagnosticCounts, { KeepaliveTimeout: 1 })
        assert.isUndefined(row.diagnosticCounts["ConnectionClosed"])
        const { lastClose, lastError } = yield* connection
        assert.deepInclude(lastClose, { code: 1006, reason: "", clean: false })
        assert.deepInclude(lastError, {
          tag: "KeepaliveTimeout",
          message: "ws://127.0.0.1:7700/gateway sent nothing for 10000 ms after a ping"
        })
      })
    )
  )

  it.effect("is found out though its texts still come, by a ping that stays unanswered", () =>
    watching({}, ({ events, remote }) =>
      Effect.gen(function* () {
        yield* TestClock.adjust(20_000)
        remote.ignorePings()
        for (let second = 0; second < 100; second += 4) {
          yield* TestClock.adjust(4000)
          remote.sendText("still here")
        }
        assert.isTrue(remote.isOpen)
        yield* TestClock.adjust(1100)
        assert.isFalse(remote.isOpen)
        yield* TestClock.adjust(1000)
        assert.deepStrictEqual(endsOf(events), [
          ["KeepaliveTimeout", "unanswered", true],
          [1006, 0, true]
        ])
      })
    )
  )

  it.effect("is not what a slow line makes of it, on which a large text comes byte by byte", () =>
    watching({}, ({ remote }) =>
      Effect.gen(function* () {
        yield* TestClock.adjust(20_000)
        remote.ignorePings()
        for (let second = 0; second < 75; second++) {
          yield* TestClock.adjust(1000)
          remote.sendBytes(8000)
        }
        pongOf(remote, 3)
        remote.answerPings()
        yield* TestClock.adjust("10 minutes")
        assert.deepInclude(yield* connection, { state: "open", epoch: 1 })
      })
    )
  )

  it.effect("is not what it is while its queue is full and nothing is read", () =>
    watching(
      { limits: { ingressQueueCapacity: 4, burstPatienceMs: DAY, dispatchDeadlineMs: DAY } },
      ({ events, host, remote }) =>
        Effect.gen(function* () {
          remote.sendBurst(["600000", "a", "b", "c"])
          assert.strictEqual(remote.reading, "off")
          yield* TestClock.adjust(599_000)
          assert.isAbove(remote.pings.length, 15)
          assert.deepInclude(yield* connection, { state: "open", epoch: 1, flow: "paused" })
          // The pongs have waited in the network.
          yield* TestClock.adjust(2000)
          yield* host.idle
          assert.strictEqual(remote.reading, "full")
          yield* TestClock.adjust(60_000)
          assert.deepInclude(yield* connection, { state: "open", epoch: 1, flow: "flowing" })
          assert.deepStrictEqual(endsOf(events), [])
        })
    )
  )

  it.effect("is not what the host makes of it by standing still, and everything is pinged after that", () =>
    watching({}, ({ events, remote }) =>
      Effect.gen(function* () {
        yield* TestClock.adjust(32_000)
        remote.ignorePings()
        yield* TestClock.adjust(30_000)
        assert.lengthOf(remote.pings, 3)
        yield* Standstill.cause("1 hour")
        yield* TestClock.adjust(1000)
        assert.lengthOf(remote.pings, 4)
        assert.deepStrictEqual(endsOf(events), [])
        pongOf(remote, 4)
        remote.answerPings()
        yield* TestClock.adjust("1 minute")
        assert.deepInclude(yield* connection, { state: "open", epoch: 1 })
      })
    )
  )

  it.effect("is not noticed where nothing is pinged", () =>
    watching({ limits: { pingIntervalMs: 0 } }, ({ events, remote }) =>
      Effect.gen(function* () {
        remote.ignorePings()
        yield* TestClock.adjust("3 hours")
        assert.lengthOf(remote.pings, 0)
        assert.isTrue(remote.isOpen)
        assert.deepStrictEqual(endsOf(events), [])
      })
    )
  )
})

describe("what was sent", () => {
  it.effect("is unconfirmed until a ping behind it is answered, and told at the end of its epoch", () =>
    watching({}, ({ events, host, remote }) =>
      Effect.gen(function* () {
        remote.sendText("!a !b !c")
        yield* host.idle
        assert.deepInclude(yield* connection, { sentTextFrames: 3, unconfirmedFrames: 3, unconfirmedAtEnds: 0 })
        yield* TestClock.adjust(1000)
        assert.deepInclude(yield* connection, { sentTextFrames: 3, unconfirmedFrames: 0 })
        remote.ignorePings()
        remote.sendText("!d !e")
        yield* host.idle
        yield* TestClock.adjust(30_000)
        remote.sendText("!f")
        yield* host.idle
        // Of a ping that was answered, and of none.
        pongOf(remote, 1)
        remote.pong()
        assert.deepInclude(yield* connection, { unconfirmedFrames: 3 })
        pongOf(remote, 2)
        assert.deepInclude(yield* connection, { unconfirmedFrames: 1 })
        remote.sendText("!g")
        yield* host.idle
        remote.breakOff()
        yield* TestClock.adjust(1000)
        assert.deepStrictEqual(endsOf(events), [
          ["ConnectionClosed", undefined, true],
          [1006, 2, true]
        ])
        assert.deepInclude(yield* connection, { epoch: 2, unconfirmedFrames: 0, unconfirmedAtEnds: 2 })
      })
    )
  )

  it.effect("is not confirmed by a ping that overtook it in the connection's own buffer", () =>
    watching({ limits: { commandPayloadBytes: 80_000 } }, ({ events, host, remote }) =>
      Effect.gen(function* () {
        remote.stopDraining()
        const large = `!${"x".repeat(60_000)}`
        remote.sendText(`${large} ${large}`)
        yield* host.idle
        yield* TestClock.adjust(1000)
        remote.drain()
        assert.lengthOf(remote.pings, 1)
        assert.lengthOf(remote.sent, 2)
        assert.deepInclude(yield* connection, { sentTextFrames: 2, unconfirmedFrames: 1, bufferedBytes: 0 })
        remote.close(1000)
        yield* TestClock.adjust(1000)
        assert.deepStrictEqual(endsOf(events), [[1000, 1, true]])
      })
    )
  )

  it.effect("is unconfirmed also where it still waited in the buffer at the end", () =>
    watching({}, ({ events, host, remote }) =>
      Effect.gen(function* () {
        remote.stopDraining()
        const large = `!${"x".repeat(60_000)}`
        remote.sendText(`${large} ${large} ${large}`)
        yield* host.idle
        remote.breakOff()
        yield* TestClock.adjust(1000)
        assert.deepStrictEqual(endsOf(events).at(-1), [1006, 3, true])
        assert.deepInclude(yield* connection, { unconfirmedAtEnds: 3 })
      })
    )
  )

  it.effect("may still be confirmed while the connection is being closed", () =>
    watching({}, ({ events, host, remote }) =>
      Effect.gen(function* () {
        remote.ignorePings()
        remote.ignoreClose()
        remote.sendText("!a !b")
        yield* host.idle
        yield* TestClock.adjust(1000)
        yield* host.reconnect(REF, GATEWAY)
        pongOf(remote, 1)
        remote.close(1001)
        yield* host.idle
        assert.deepStrictEqual(endsOf(events), [[1001, 0, true]])
      })
    )
  )

  it.effect("of a new epoch is nothing to the pings of the one before it", () =>
    watching({}, ({ fake, host, remote }) =>
      Effect.gen(function* () {
        remote.ignorePings()
        yield* TestClock.adjust(1000)
        yield* host.reconnect(REF, GATEWAY)
        const second = yield* fake.remote(GATEWAY, 2)
        second.ignorePings()
        second.sendText("!a")
        yield* host.idle
        // This epoch has pinged nothing yet.
        pongOf(second, 1)
        assert.deepInclude(yield* connection, { unconfirmedFrames: 1 })
        yield* TestClock.adjust(1000)
        pongOf(second, 1)
        assert.deepInclude(yield* connection, { unconfirmedFrames: 0 })
      })
    )
  )
})

const stale = (source: object = {}) => ({ source: { stale_after_ms: 20_000, ...source } })

const stales = Effect.map(rowOf(REF), ({ diagnosticCounts }) => diagnosticCounts["DataStale"] ?? 0)

describe("a source without data", () => {
  it.effect("is told of once a silence, and stays", () =>
    watching(stale(), ({ events, remote }) =>
      Effect.gen(function* () {
        yield* TestClock.adjust(15_000)
        remote.sendText("a")
        yield* TestClock.adjust(19_900)
        assert.strictEqual(yield* stales, 0)
        yield* TestClock.adjust(150)
        assert.strictEqual(yield* stales, 1)
        assert.deepInclude((yield* connection).lastError, {
          tag: "DataStale",
          message: "ws://127.0.0.1:7700/gateway sent no data for 20000 ms"
        })
        yield* TestClock.adjust(200_000)
        assert.strictEqual(yield* stales, 1)
        remote.sendText("b")
        yield* TestClock.adjust(20_100)
        assert.strictEqual(yield* stales, 2)
        assert.deepInclude(yield* connection, { state: "open", epoch: 1 })
        assert.deepStrictEqual(endsOf(events), [])
      })
    )
  )

  it.effect("is dialled anew where the operator says so", () =>
    watching(stale({ stale_reconnect: true }), ({ events, fake, remote }) =>
      Effect.gen(function* () {
        yield* TestClock.adjust(20_100)
        assert.isFalse(remote.isOpen)
        yield* TestClock.adjust(1000)
        assert.deepStrictEqual(endsOf(events), [
          ["DataStale", undefined, true],
          [1006, 0, true]
        ])
        assert.strictEqual(yield* stales, 1)
        assert.strictEqual((yield* connection).lastError?.tag, "DataStale")
        yield* fake.remote(GATEWAY, 2)
      })
    )
  )

  it.effect("may be pinged or not", () =>
    watching({ ...stale(), limits: { pingIntervalMs: 0 } }, () =>
      Effect.gen(function* () {
        yield* TestClock.adjust(20_100)
        assert.strictEqual(yield* stales, 1)
      })
    )
  )

  it.effect("is one whose texts are all ignored, answered by the host, or binary", () =>
    watching(
      { ...stale(), ingress: { eventKinds: ["websocket_open"], autoReplies: [{ text: "ping", reply: "pong" }] } },
      ({ remote }) =>
        Effect.gen(function* () {
          for (let time = 0; time < 21_000; time += 1000) {
            yield* TestClock.adjust(1000)
            remote.sendText("ping")
            remote.sendText("ignored")
            remote.sendBinary(10)
            remote.ping()
          }
          const { autoReplied, ignoredText, receivedBinaryFrames } = yield* connection
          assert.deepStrictEqual([autoReplied, ignoredText, receivedBinaryFrames], [21, 21, 21])
          assert.strictEqual(yield* stales, 1)
        })
    )
  )

  it.effect("is not one that brings binary frames, where those are taken", () =>
    watching({ ...stale(), ingress: { eventKinds: ["websocket_binary"] } }, ({ remote }) =>
      Effect.gen(function* () {
        for (let time = 0; time < 60_000; time += 10_000) {
          yield* TestClock.adjust(10_000)
          remote.sendText("ignored")
          remote.sendBinary(Uint8Array.of(1))
        }
        assert.strictEqual(yield* stales, 0)
        yield* TestClock.adjust(20_100)
        assert.strictEqual(yield* stales, 1)
      })
    )
  )

  it.effect("is not one that isn't read, nor one that isn't open, nor what the host itself slept through", () =>
    watching(
      { ...stale(), limits: { ingressQueueCapacity: 4, burstPatienceMs: DAY, dispatchDeadlineMs: DAY } },
      ({ fake, host, remote }) =>
        Effect.gen(function* () {
          yield* TestClock.adjust(10_000)
          remote.sendBurst(["600000", "a", "b", "c"])
          yield* TestClock.adjust(600_100)
          yield* host.idle
          assert.strictEqual(yield* stales, 0)
          yield* TestClock.adjust(10_000)
          yield* Standstill.cause("1 hour")
          yield* TestClock.adjust(8000)
          assert.strictEqual(yield* stales, 0)
          yield* fake.answer(GATEWAY, { kind: "refuse", status: 503 })
          remote.breakOff()
          yield* TestClock.adjust(100_000)
          assert.strictEqual(yield* stales, 0)
        })
    )
  )
})

/** How many fibers run while so many connections are open and idle. */
const fibersOf = (connections: number) =>
  counted((running) => {
    const sources = Array.from({ length: connections }, (_, index) => `ws://127.0.0.1:7700/${index}`)
    const limits = { ...PINGS, connectionsPerPlugin: connections, dialsPerSecond: 1000 }
    return Effect.gen(function* () {
      const { idle } = yield* PluginHost.PluginHost
      yield* idle
      yield* TestClock.adjust("1 minute")
      yield* idle
      const { websocketConnections } = yield* rowOf(REF)
      assert.isTrue(websocketConnections.every(({ roundTripMs, state }) => state === "open" && roundTripMs === 0))
      assert.lengthOf(websocketConnections, connections)
      return running()
    }).pipe(Effect.provide(onFake({ plugins: [plugin({ sources })], limits })))
  })

it.effect("an open, idle connection holds no fiber, though it is pinged", () =>
  Effect.gen(function* () {
    assert.strictEqual(yield* fibersOf(200), yield* fibersOf(1))
  })
)
