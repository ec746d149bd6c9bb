/** What a plugin sends, from its command to the socket, on a whole host in virtual time. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import {
  GrantStore,
  type HostStatus,
  type IngressEvent,
  type Limits,
  OutputCommand,
  PluginHost,
  WebSocketClient
} from "mooring"
import { type FakeWebSocket, Standstill, TestHost } from "mooring/testing"
import { counted } from "../support/fibers.ts"
import { accountingProblem, onFake, opened, rowOf, settled } from "../support/host.ts"
import { enable, GATEWAY, plugin, refOf } from "../support/plugins.ts"

// Of sixteen texts in one answer.
const OUTPUT = 2_097_152

/** Answers `<size> <size> … [close]` with texts of these sizes, numbered from 1, and a close behind them. */
const sending = () => {
  const events: Array<IngressEvent.IngressEvent> = []
  let sent = 0
  const note = (event: IngressEvent.IngressEvent) => {
    events.push(event)
    return Exit.void
  }
  const pkg = plugin({
    handlers: {
      gateway: {
        websocket_open: note,
        websocket_error: note,
        websocket_close: note,
        websocket_text: (event) =>
          Exit.succeed({
            commands: event.text
              .split(" ")
              .map((word) =>
                word === "close"
                  ? OutputCommand.close(event, { code: 4000, reason: "bye" })
                  : OutputCommand.send(event, `${++sent} `.padEnd(Number(word), "x"))
              )
          })
      }
    }
  })
  return { pkg, events }
}

const REF = refOf(sending().pkg)

const connection: Effect.Effect<HostStatus.ConnectionStatus, never, PluginHost.PluginHost> = Effect.flatMap(
  rowOf(REF),
  ({ websocketConnections: [one] }) => Effect.fromNullishOr(one)
).pipe(Effect.orDie)

type Services = PluginHost.PluginHost | FakeWebSocket.FakeWebSocket | GrantStore.GrantEditor

/** Runs against a host whose plugin sends what the server asks for. */
const talking = <E>(
  limits: Partial<Limits.Values>,
  test: (
    server: Effect.Success<ReturnType<typeof opened>> & {
      readonly events: ReadonlyArray<IngressEvent.IngressEvent>
      readonly ask: (what: string) => Effect.Effect<void>
      readonly numbers: () => ReadonlyArray<number>
    }
  ) => Effect.Effect<void, E, Services>
) => {
  const { events, pkg } = sending()
  return Effect.gen(function* () {
    const server = yield* opened(GATEWAY)
    const { host, remote } = server
    const ask = (what: string) => {
      remote.sendText(what)
      return host.idle
    }
    yield* test({ ...server, events, ask, numbers: () => remote.sent.map((text) => Number.parseInt(text)) })
    assert.isUndefined(accountingProblem(yield* rowOf(REF)))
  }).pipe(Effect.provide(onFake({ plugins: [pkg], limits: { outputBytes: OUTPUT, ...limits } })))
}

const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, nth) => first + nth)

const SIXTEEN = upTo(16)
  .map(() => 60_000)
  .join(" ")

describe("what a plugin sends", () => {
  it.effect("is handed over in order as the server takes it, and counted until it has", () =>
    talking({}, ({ ask, numbers, remote }) =>
      Effect.gen(function* () {
        remote.stopDraining()
        yield* ask(SIXTEEN)
        assert.deepStrictEqual(numbers(), [1])
        assert.deepInclude(yield* connection, { sentTextFrames: 16, bufferedBytes: 960_000, sendFailures: 0 })
        remote.takeTexts(3)
        assert.deepStrictEqual(numbers(), [1, 2, 3, 4])
        assert.deepInclude(yield* connection, { sentTextFrames: 16, bufferedBytes: 780_000 })
        remote.takeBytes(59_999)
        assert.deepInclude(yield* connection, { bufferedBytes: 780_000 })
        yield* ask("100")
        remote.drain()
        assert.deepStrictEqual(numbers(), upTo(17))
        assert.deepInclude(yield* connection, { sentTextFrames: 17, bufferedBytes: 0, sendFailures: 0 })
      })
    )
  )

  it.effect("is refused where it has no room, which nothing but what waits takes away: no ping and no pong", () =>
    talking({ sendBufferBytes: 65_536 }, ({ ask, numbers, remote }) =>
      Effect.gen(function* () {
        remote.stopDraining()
        for (let ping = 0; ping < 60; ping++) remote.ping(new Uint8Array(125))
        yield* ask("60000 5536 10")
        assert.deepInclude(yield* connection, { sentTextFrames: 2, bufferedBytes: 65_536 })
        assert.strictEqual((yield* rowOf(REF)).diagnosticCounts["SendBufferFull"], 1)
        // A text behind what waits has its turn when that has gone.
        remote.takeTexts(1)
        yield* ask("60000 10")
        assert.deepInclude(yield* connection, { sentTextFrames: 3, bufferedBytes: 65_536 })
        remote.drain()
        assert.deepStrictEqual(numbers(), [1, 2, 4])
      })
    )
  )

  it.effect("doesn't hold up the answer to a ping, however much waits", () =>
    talking({}, ({ ask, remote }) =>
      Effect.gen(function* () {
        remote.stopDraining()
        yield* ask(SIXTEEN)
        remote.ping(new Uint8Array([7]))
        assert.deepStrictEqual(remote.pongs, [new Uint8Array([7])])
        assert.lengthOf(remote.sent, 1)
        remote.drain()
      })
    )
  )

  it.effect("can't be written where the connection ends first, and isn't taken into the next epoch", () =>
    talking({}, ({ ask, events, fake, host, numbers, remote }) =>
      Effect.gen(function* () {
        remote.stopDraining()
        yield* ask(SIXTEEN)
        remote.takeTexts(2)
        remote.breakOff()
        yield* host.idle
        assert.deepStrictEqual(numbers(), [1, 2, 3])
        const row = yield* connection
        assert.deepInclude(row, { sentTextFrames: 16, sendFailures: 14, bufferedBytes: 0, unconfirmedAtEnds: 16 })
        assert.deepInclude(events.at(-1)?.payload, { code: 1006, unconfirmed: 16 })
        yield* TestClock.adjust("1 minute")
        const second = yield* fake.remote(GATEWAY, 2)
        yield* host.idle
        assert.deepStrictEqual(second.sent, [])
        second.sendText("10")
        yield* host.idle
        assert.lengthOf(second.sent, 1)
        assert.deepInclude(yield* connection, { bufferedBytes: 0, unconfirmedFrames: 1, sendFailures: 14 })
      })
    )
  )
})

const stalls = (events: ReadonlyArray<IngressEvent.IngressEvent>) =>
  events.filter((event) => event.kind === "websocket_error").map((event) => event.error.tag)

describe("a server that takes nothing", () => {
  it.effect("is broken off after 30 s, said as PeerStalled, and dialled anew", () =>
    talking({}, ({ ask, events, fake, host, remote }) =>
      Effect.gen(function* () {
        remote.stopDraining()
        yield* ask(SIXTEEN)
        yield* ask("60000 60000")
        assert.strictEqual((yield* rowOf(REF)).diagnosticCounts["SendBufferFull"], 1)
        yield* TestClock.adjust(29_900)
        yield* host.idle
        assert.isTrue(remote.isOpen)
        yield* TestClock.adjust(1200)
        yield* host.idle
        assert.isFalse(remote.isOpen)
        assert.deepStrictEqual(stalls(events), ["PeerStalled"])
        const closes = events.filter(({ kind }) => kind === "websocket_close")
        assert.deepInclude(closes[0]?.payload, { code: 1006, clean: false, unconfirmed: 17, willReconnect: true })
        const row = yield* rowOf(REF)
        assert.deepInclude(row.diagnostics.find(({ tag }) => tag === "PeerStalled")?.error, {
          url: GATEWAY,
          stalled_ms: 30_000,
          buffered_bytes: 1_020_000
        })
        assert.deepInclude(yield* connection, {
          sentTextFrames: 17,
          sendFailures: 17,
          bufferedBytes: 0,
          unconfirmedAtEnds: 17
        })
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual((yield* fake.remote(GATEWAY, 2)).sent, [])
      })
    )
  )

  it.effect("isn't one that takes a byte now and then, in the middle of a text too", () =>
    talking({}, ({ ask, events, host, numbers, remote }) =>
      Effect.gen(function* () {
        remote.stopDraining()
        yield* ask("60000 60000")
        for (let times = 0; times < 20; times++) {
          yield* TestClock.adjust(28_000)
          remote.takeBytes(1)
        }
        assert.isTrue(remote.isOpen)
        assert.deepStrictEqual(numbers(), [1])
        yield* TestClock.adjust(32_000)
        yield* host.idle
        assert.isFalse(remote.isOpen)
        assert.deepStrictEqual(stalls(events), ["PeerStalled"])
      })
    )
  )

  it.effect("isn't one that still answers pings which the system took before", () =>
    talking({ pingIntervalMs: 20_000, pongDeadlineMs: 100_000 }, ({ ask, events, host, remote }) =>
      Effect.gen(function* () {
        remote.ignorePings()
        yield* TestClock.adjust(45_000)
        assert.lengthOf(remote.pings, 3)
        remote.stopDraining()
        yield* ask("60000 60000")
        for (const ping of remote.pings) {
          yield* TestClock.adjust(25_000)
          remote.pong(ping)
        }
        yield* TestClock.adjust(29_000)
        assert.isTrue(remote.isOpen)
        yield* TestClock.adjust(3000)
        yield* host.idle
        assert.deepStrictEqual(stalls(events), ["PeerStalled"])
      })
    )
  )

  it.effect("isn't one for which nothing waits, and one whose time begins with the next text", () =>
    talking({}, ({ ask, host, remote }) =>
      Effect.gen(function* () {
        yield* ask("10")
        yield* TestClock.adjust("1 hour")
        remote.stopDraining()
        yield* TestClock.adjust("1 hour")
        assert.isTrue(remote.isOpen)
        yield* ask("10")
        yield* TestClock.adjust(29_900)
        assert.isTrue(remote.isOpen)
        yield* TestClock.adjust(1200)
        yield* host.idle
        assert.isFalse(remote.isOpen)
      })
    )
  )

  it.effect("has the time in which the process stood still", () =>
    talking({}, ({ ask, host, remote }) =>
      Effect.gen(function* () {
        remote.stopDraining()
        yield* ask("10")
        yield* TestClock.adjust(10_000)
        yield* Standstill.cause("10 minutes")
        yield* TestClock.adjust(18_000)
        yield* host.idle
        assert.isTrue(remote.isOpen)
        yield* TestClock.adjust(3000)
        yield* host.idle
        assert.isFalse(remote.isOpen)
      })
    )
  )

  it.effect("is waited for as long as its limit says", () =>
    talking({ sendStallMs: 200 }, ({ ask, host, remote }) =>
      Effect.gen(function* () {
        remote.stopDraining()
        yield* ask("10")
        yield* TestClock.adjust(190)
        assert.isTrue(remote.isOpen)
        yield* TestClock.adjust(100)
        yield* host.idle
        assert.isFalse(remote.isOpen)
      })
    )
  )

  it.effect("costs no fiber, as long as it takes what it is sent", () =>
    counted((running) =>
      talking({}, ({ ask }) =>
        Effect.gen(function* () {
          yield* TestClock.adjust("10 seconds")
          const before = running()
          for (let times = 0; times < 10; times++) yield* ask("10 10")
          yield* TestClock.adjust("10 seconds")
          assert.strictEqual(running(), before)
        })
      )
    )
  )
})

describe("a close", () => {
  it.effect("comes behind what the same answer sent before it, as the server takes it", () =>
    talking({}, ({ ask, host, numbers, remote }) =>
      Effect.gen(function* () {
        remote.stopDraining()
        remote.sendText(`${SIXTEEN.slice(6)} close`)
        yield* settled
        assert.deepInclude(yield* connection, { state: "closing", sentTextFrames: 15 })
        for (let text = 1; text <= 15; text++) {
          if (text < 15) assert.isNull(remote.closeFrame)
          assert.deepStrictEqual(numbers(), upTo(text))
          remote.takeTexts(1)
        }
        assert.deepStrictEqual(remote.closeFrame, { code: 4000, reason: "bye" })
        remote.drain()
        yield* host.idle
        assert.deepInclude(yield* connection, { state: "stopped", stopReason: "plugin", sendFailures: 0 })
        yield* ask("10")
      })
    )
  )

  it.effect("waits no longer than its grace for a server that takes nothing", () =>
    talking({}, ({ host, remote }) =>
      Effect.gen(function* () {
        remote.stopDraining()
        remote.sendText("60000 60000 60000 close")
        yield* settled
        yield* TestClock.adjust(4999)
        assert.isTrue(remote.isOpen)
        yield* TestClock.adjust(1)
        yield* host.idle
        assert.isFalse(remote.isOpen)
        assert.isNull(remote.closeFrame)
        assert.deepInclude(yield* connection, { sendFailures: 3, unconfirmedAtEnds: 3, bufferedBytes: 0 })
      })
    )
  )

  it.effect("of the whole host comes behind everything that was sent", () =>
    Effect.gen(function* () {
      const { pkg } = sending()
      const { remote } = yield* Effect.gen(function* () {
        const server = yield* opened(GATEWAY)
        server.remote.stopDraining()
        server.remote.sendText(SIXTEEN)
        yield* server.host.idle
        yield* Effect.forkDetach(
          Effect.andThen(
            Effect.sleep(1000),
            Effect.sync(() => server.remote.drain())
          )
        )
        yield* Effect.forkDetach(TestClock.adjust(1000))
        return server
      }).pipe(Effect.provide(onFake({ plugins: [pkg], limits: { outputBytes: OUTPUT } })))
      assert.lengthOf(remote.sent, 16)
      assert.deepStrictEqual(remote.closeFrame, { code: 1001, reason: "" })
    })
  )

  it.effect("after a withdrawn grant comes at once: what waits is never written, and stays unconfirmed", () =>
    talking({}, ({ ask, numbers, remote }) =>
      Effect.gen(function* () {
        const grants = yield* GrantStore.GrantEditor
        remote.stopDraining()
        yield* ask(SIXTEEN)
        yield* grants.revoke(REF)
        yield* settled
        assert.deepInclude(remote.closeFrame, { code: 1001 })
        remote.drain()
        yield* settled
        assert.isFalse(remote.isOpen)
        assert.deepStrictEqual(numbers(), [1])
        assert.deepInclude(yield* connection, {
          sentTextFrames: 16,
          sendFailures: 15,
          unconfirmedAtEnds: 16,
          bufferedBytes: 0
        })
      })
    )
  )

  it.effect("that waits behind texts goes out at once, without them, when the grant is withdrawn", () =>
    talking({}, ({ numbers, remote }) =>
      Effect.gen(function* () {
        const grants = yield* GrantStore.GrantEditor
        remote.stopDraining()
        remote.sendText("60000 60000 60000 close")
        yield* settled
        const code = () => remote.closeFrame?.code
        assert.isUndefined(code())
        yield* grants.revoke(REF)
        yield* settled
        assert.strictEqual(code(), 4000)
        remote.drain()
        yield* settled
        assert.deepStrictEqual(numbers(), [1])
      })
    )
  )
})

/** A client whose sockets and dials do nothing by themselves. */
const byHand = (opensAtOnce: boolean) => {
  interface Dialled {
    readonly events: WebSocketClient.SocketEvents
    readonly socket: WebSocketClient.Socket
    readonly written: Array<(failed: boolean) => void>
    isTerminated: boolean
    /** Opens it. */
    open: () => void
  }
  const dials: Array<Dialled> = []
  const connect = (_: unknown, __: unknown, events: WebSocketClient.SocketEvents) =>
    Effect.suspend(() => {
      const written: Dialled["written"] = []
      const socket: WebSocketClient.Socket = {
        subprotocol: null,
        remoteAddress: null,
        peerCertificateExpiresAt: null,
        writeQueueSize: () => 0,
        bytesRead: () => 0,
        send: (_text, _kind, done) => void written.push(done),
        ping: () => {},
        pong: () => {},
        read: () => {},
        close: () => events.closed(1000, "", true),
        terminate: () => {
          dialled.isTerminated = true
          events.closed(1006, "", false)
        }
      }
      const dialled: Dialled = { events, socket, written, isTerminated: false, open: () => events.open(socket) }
      dials.push(dialled)
      return Effect.callback<void>((resume) => {
        dialled.open = () => {
          events.open(socket)
          resume(Effect.void)
        }
        if (opensAtOnce) dialled.open()
      })
    })
  const { events, pkg } = sending()
  const enabled = [enable(pkg)]
  const layer = TestHost.failingFast(PluginHost.layer({ plugins: [pkg], enabled })).pipe(
    Layer.provideMerge(GrantStore.layerMutable(enabled)),
    Layer.provide(Layer.succeed(WebSocketClient.WebSocketClient, { proxied: false, connect })),
    Layer.provide(Standstill.layer)
  )
  return { dials, events, layer }
}

const the = <A>(value: A | undefined): A => value ?? assert.fail("there is none")

describe("an epoch", () => {
  it.effect("isn't told what became of a text of the one before it", () => {
    const { dials, layer } = byHand(true)
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      const first = the(dials[0])
      first.events.text("100 200", 7)
      yield* host.idle
      first.events.closed(1006, "", false)
      yield* TestClock.adjust("1 minute")
      yield* host.idle
      const second = the(dials[1])
      second.events.text("400", 3)
      yield* host.idle
      const before = yield* connection
      assert.deepInclude(before, { epoch: 2, state: "open", bufferedBytes: 400, unconfirmedFrames: 1, sendFailures: 0 })
      first.written[0]?.(false)
      assert.deepStrictEqual(yield* connection, before)
      first.written[1]?.(true)
      // Counted, for it was sent; and nothing else has changed.
      assert.deepStrictEqual(yield* connection, { ...before, sendFailures: 1 })
      // Nor is it progress of the new one.
      for (let times = 0; times < 31; times++) {
        first.written[0]?.(false)
        yield* TestClock.adjust(1000)
      }
      yield* host.idle
      assert.strictEqual((yield* connection).lastError?.tag, "PeerStalled")
    }).pipe(Effect.provide(layer))
  })

  it.effect("isn't begun by a dial that was given up, nor ended by what that says", () => {
    const { dials, events, layer } = byHand(false)
    return Effect.gen(function* () {
      yield* settled
      yield* TestClock.adjust("11 seconds")
      yield* settled
      assert.strictEqual((yield* connection).lastError?.tag, "OpenTimeout")
      const late = the(dials[0])
      late.open()
      late.events.text("10", 2)
      yield* settled
      assert.isTrue(late.isTerminated)
      assert.deepInclude(yield* connection, { state: "connecting", attempts: 2, epoch: 0, receivedTextFrames: 0 })
      const second = the(dials[1])
      late.open()
      second.open()
      late.events.closing()
      late.events.closed(4000, "late", true)
      yield* settled
      assert.deepInclude(yield* connection, { state: "open", epoch: 1, receivedTextFrames: 0 })
      assert.deepStrictEqual(
        events.filter(({ kind }) => kind === "websocket_open" || kind === "websocket_close").length,
        1
      )
    }).pipe(Effect.provide(layer))
  })
})
