/** A connection that the host breaks off, whose socket takes its time to say so, or never does. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import { TestClock } from "effect/testing"
import { GrantStore, OutputCommand, PluginHost, WebSocketClient } from "mooring"
import { TestHost } from "mooring/testing"
import { accountingProblem, rowOf, settled } from "../support/host.ts"
import { enable, GATEWAY, plugin } from "../support/plugins.ts"

const REF = "project:test.plugin"
const OTHER = `${GATEWAY}/other`
const PING = new Uint8Array()

interface Opened {
  readonly url: string
  readonly events: WebSocketClient.SocketEvents
  readonly sent: Array<string>
  isTerminated: boolean
}

/** A client whose sockets say nothing of it when they are broken off. */
const lingering = () => {
  const sockets: Array<Opened> = []
  const connect: WebSocketClient.WebSocketClient["Service"]["connect"] = (target, _, events) =>
    Effect.sync(() => {
      const socket: Opened = { url: target.url.canonical, events, sent: [], isTerminated: false }
      sockets.push(socket)
      events.open({
        subprotocol: null,
        remoteAddress: null,
        peerCertificateExpiresAt: null,
        writeQueueSize: () => 0,
        bytesRead: () => 0,
        send: (text, _kind, written) => {
          socket.sent.push(new TextDecoder().decode(text))
          written(false)
        },
        ping: () => {},
        pong: (_payload, written) => written(),
        read: () => {},
        close: () => events.closed(1000, "", true),
        terminate: () => {
          socket.isTerminated = true
        }
      })
    })
  return { connect, of: (url: string) => sockets.filter((socket) => socket.url === url) }
}

/** Sends what it is told to the gateway. */
const pkg = plugin({
  sources: [GATEWAY, OTHER],
  handlers: {
    gateway: {
      websocket_text: ({ text }) => Exit.succeed({ commands: [OutputCommand.send(GATEWAY, text)] })
    }
  }
})

const hostOf = (connect: WebSocketClient.WebSocketClient["Service"]["connect"]) => {
  const enabled = [enable(pkg)]
  return TestHost.failingFast(
    PluginHost.layer({ plugins: [pkg], enabled, limits: { pingIntervalMs: 0, controlFramesPerSecond: 10 } })
  ).pipe(
    Layer.provideMerge(GrantStore.layerMutable(enabled)),
    Layer.provide(Layer.succeed(WebSocketClient.WebSocketClient, { proxied: false, connect })),
    Layer.provideMerge(Layer.succeed(Random.Random, { nextDoubleUnsafe: () => 0.5, nextIntUnsafe: () => 1 }))
  )
}

const flooded = (of: (url: string) => ReadonlyArray<Opened>) =>
  Effect.gen(function* () {
    yield* settled
    const [first] = of(GATEWAY)
    const [other] = of(OTHER)
    if (first === undefined || other === undefined) return assert.fail("they aren't open")
    for (let ping = 0; ping < 11; ping++) first.events.ping(PING)
    assert.isTrue(first.isTerminated)
    return { first, other }
  })

describe("a connection that is broken off", () => {
  it.effect("takes no send any more, though its socket has yet to say that it is gone", () => {
    const { connect, of } = lingering()
    return Effect.gen(function* () {
      const { first, other } = yield* flooded(of)
      other.events.text("late", 4)
      yield* settled
      const row = yield* rowOf(REF)
      assert.deepInclude(row.websocketConnections[0], { state: "closing", epoch: 1, sentTextFrames: 0 })
      assert.deepInclude(row.outputCommandResults[0], { status: "rejected" })
      assert.strictEqual(row.outputCommandResults[0]?.error?.tag, "NotConnected")
      assert.deepStrictEqual(first.sent, [])
      first.events.closed(1006, "", false)
      yield* settled
      const after = yield* rowOf(REF)
      assert.deepInclude(after.websocketConnections[0], { state: "waiting", unconfirmedAtEnds: 0 })
      assert.strictEqual(after.diagnosticCounts["ControlFlood"], 1)
      assert.isUndefined(accountingProblem(after))
    }).pipe(Effect.provide(hostOf(connect)))
  })

  it.effect("is given up and dialled anew where its socket never says so", () => {
    const { connect, of } = lingering()
    return Effect.gen(function* () {
      const { first } = yield* flooded(of)
      for (let second = 0; second < 8; second++) {
        yield* TestClock.adjust(1000)
        yield* settled
      }
      assert.lengthOf(of(GATEWAY), 2)
      const row = yield* rowOf(REF)
      assert.deepInclude(row.websocketConnections[0], { state: "open", epoch: 2 })
      // What it says at last is about an epoch that is over.
      first.events.closed(1000, "", true)
      yield* settled
      assert.deepInclude((yield* rowOf(REF)).websocketConnections[0], { state: "open", epoch: 2 })
    }).pipe(Effect.provide(hostOf(connect)))
  })
})
