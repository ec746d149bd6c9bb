/** Dials whose answer comes when it isn't wanted any more, played by a client that opens when the test says so. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import { TestClock } from "effect/testing"
import { GrantStore, type IngressEvent, PluginHost, WebSocketClient } from "mooring"
import { TestHost } from "mooring/testing"
import { accountingProblem, rowOf, settled } from "../support/host.ts"
import { enable, GATEWAY, plugin } from "../support/plugins.ts"

const REF = "project:test.plugin"

/** What a test does with one dial. */
interface Played {
  readonly open: () => void
  readonly text: (text: string) => void
  readonly close: (code: number) => void
  isTerminated: boolean
  /** What else happens in the turn in which the host closes it. */
  onClose: () => void
}

/** A client whose dials open when they are told to; one that is deaf can't be interrupted before. */
const playing = (isDeaf: boolean) => {
  const dials: Array<Played> = []
  const connect: WebSocketClient.WebSocketClient["Service"]["connect"] = (_, __, events) => {
    const end = (code: number, clean: boolean) => {
      events.closing()
      events.closed(code, "", clean)
    }
    const opens = Effect.callback<void>((resume) => {
      const played: Played = {
        open: () => {
          events.open({
            subprotocol: null,
            remoteAddress: null,
            peerCertificateExpiresAt: null,
            writeQueueSize: () => 0,
            bytesRead: () => 0,
            send: (_text, _kind, written) => written(false),
            ping: () => {},
            pong: () => {},
            read: () => {},
            close: () => {
              played.onClose()
              end(1000, true)
            },
            terminate: () => {
              played.isTerminated = true
              end(1006, false)
            }
          })
          resume(Effect.void)
        },
        text: (text) => events.text(text, text.length),
        close: (code) => end(code, true),
        isTerminated: false,
        onClose: () => {}
      }
      dials.push(played)
    })
    return isDeaf ? Effect.uninterruptible(opens) : opens
  }
  const client = Layer.succeed(WebSocketClient.WebSocketClient, { proxied: false, connect })
  return { client, dials, dial: (nth: number) => dials[nth - 1] ?? assert.fail(`no dial ${nth}`) }
}

const noting = (seen: Array<string>, sources: ReadonlyArray<string> = [GATEWAY]) => {
  const note = (event: IngressEvent.IngressEvent) => {
    seen.push(`${event.kind.replace("websocket_", "")} ${event.epoch}`)
    return Exit.void
  }
  const handlers = { websocket_open: note, websocket_text: note, websocket_close: note, websocket_error: note }
  return plugin({ sources, handlers: { gateway: handlers } })
}

const hostOf = (
  seen: Array<string>,
  client: Layer.Layer<WebSocketClient.WebSocketClient>,
  sources?: ReadonlyArray<string>
) => {
  const pkg = noting(seen, sources)
  const enabled = [enable(pkg)]
  return TestHost.failingFast(PluginHost.layer({ plugins: [pkg], enabled })).pipe(
    Layer.provideMerge(GrantStore.layerMutable(enabled)),
    Layer.provide(client),
    Layer.provideMerge(Layer.succeed(Random.Random, { nextDoubleUnsafe: () => 0.5, nextIntUnsafe: () => 1 }))
  )
}

const connection = Effect.map(rowOf(REF), ({ websocketConnections: [first] }) => first ?? assert.fail("no connection"))

const GRANTED = GrantStore.grantOf(enable(noting([])))

describe("a dial that opens too late", () => {
  it.effect.each(["target", "all"])(
    "rules 1 and 8: is no epoch where its grant was withdrawn meanwhile and is back by then: %s",
    (what) => {
      const seen: Array<string> = []
      const { client, dial, dials } = playing(true)
      return Effect.gen(function* () {
        const grants = yield* GrantStore.GrantEditor
        yield* settled
        assert.lengthOf(dials, 1)
        if (what === "all") yield* grants.revoke(REF)
        else yield* grants.set(REF, { ...GRANTED, websocket: [] })
        yield* settled
        yield* grants.set(REF, GRANTED)
        yield* settled
        dial(1).open()
        dial(1).text("to nobody")
        yield* settled
        yield* TestClock.adjust(5000)
        yield* settled
        assert.isTrue(dial(1).isTerminated)
        assert.lengthOf(dials, 2)
        dial(2).open()
        yield* settled
        assert.deepInclude(yield* connection, { state: "open", epoch: 1, receivedTextFrames: 0 })
        dial(2).close(1000)
        yield* settled
        yield* TestClock.adjust(1000)
        yield* settled
        dial(3).open()
        yield* settled
        assert.deepStrictEqual(seen, ["open 1", "close 1", "open 2"])
        assert.isUndefined(accountingProblem(yield* rowOf(REF)))
      }).pipe(Effect.provide(hostOf(seen, client)))
    }
  )

  it.effect("rule 1: is no epoch where the grant is gone already and its connection is yet to be told", () => {
    const seen: Array<string> = []
    const { client, dial, dials } = playing(false)
    return Effect.gen(function* () {
      const grants = yield* GrantStore.GrantEditor
      yield* settled
      assert.lengthOf(dials, 2)
      dial(1).open()
      yield* settled
      // The first connection is told before the second one, and closes.
      dial(1).onClose = () => {
        dial(2).open()
        assert.isTrue(dial(2).isTerminated)
      }
      yield* grants.revoke(REF)
      yield* settled
      assert.isTrue(dial(2).isTerminated)
      const { websocketConnections } = yield* rowOf(REF)
      assert.deepStrictEqual(
        websocketConnections.map(({ opens, stopReason }) => [opens, stopReason]),
        [
          [1, "grant"],
          [0, "grant"]
        ]
      )
      assert.deepStrictEqual(seen, ["open 1"])
    }).pipe(Effect.provide(hostOf(seen, client, [GATEWAY, `${GATEWAY}/second`])))
  })

  it.effect.each(["before the next dial", "during it", "during its epoch"] as const)(
    "rule 8: is broken off, and its socket is nothing to the next dial or epoch: %s",
    (when) => {
      const seen: Array<string> = []
      const { client, dial } = playing(false)
      const opensLate = Effect.gen(function* () {
        const before = yield* connection
        dial(1).open()
        dial(1).text("late")
        yield* settled
        assert.isTrue(dial(1).isTerminated)
        const { epoch, state } = yield* connection
        assert.deepStrictEqual([epoch, state], [before.epoch, before.state])
      })
      return Effect.gen(function* () {
        yield* settled
        yield* TestClock.adjust(10_000)
        yield* settled
        assert.deepInclude(yield* connection, { state: "waiting" })
        assert.strictEqual((yield* connection).lastError?.tag, "OpenTimeout")
        if (when === "before the next dial") yield* opensLate
        yield* TestClock.adjust(1000)
        yield* settled
        assert.strictEqual((yield* connection).state, "connecting")
        if (when === "during it") yield* opensLate
        dial(2).open()
        yield* settled
        if (when === "during its epoch") yield* opensLate
        dial(1).text("later")
        dial(1).close(4004)
        dial(2).text("heard")
        yield* settled
        assert.deepInclude(yield* connection, { state: "open", epoch: 1, receivedTextFrames: 1, lastClose: null })
        assert.deepStrictEqual(seen, ["error 0", "open 1", "text 1"])
      }).pipe(Effect.provide(hostOf(seen, client)))
    }
  )

  it.effect("rule 1: is no epoch where the service is being stopped", () => {
    const seen: Array<string> = []
    const { client, dial } = playing(true)
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* settled
      yield* host.stop(REF)
      yield* settled
      dial(1).open()
      yield* settled
      assert.isTrue(dial(1).isTerminated)
      assert.deepInclude(yield* connection, { state: "stopped", stopReason: "service", epoch: 0 })
      assert.deepStrictEqual(seen, [])
    }).pipe(Effect.provide(hostOf(seen, client)))
  })
})
