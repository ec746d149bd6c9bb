/** Pings and what becomes of a server that is gone, over real sockets and with intervals that a test can wait for. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Net from "node:net"
import type { WebSocket } from "ws"
import { gateway } from "../support/servers.ts"
import { runHost, the } from "./support/host.ts"

const OFTEN = { pingIntervalMs: 100, pongDeadlineMs: 400 }

it.live("pings carry their numbers, are answered with them, and confirm what was sent before them", () =>
  Effect.gen(function* () {
    const payloads: Array<string> = []
    const server = yield* gateway((peer) => {
      peer.on("ping", (data) => payloads.push(data.toString()))
      peer.send("ask")
    })
    const host = yield* runHost({ sources: [server.url], limits: OFTEN })
    yield* host.untilOpen(1)
    const { connection } = yield* host.until(
      (seen) => seen.connection.roundTripMs !== null && seen.connection.lastPongAt !== null && payloads.length >= 4
    )
    assert.deepStrictEqual(payloads.slice(0, 4), ["1", "2", "3", "4"])
    assert.isAtLeast(the(connection.roundTripMs ?? undefined), 0)
    assert.isBelow(the(connection.roundTripMs ?? undefined), 5000)
    assert.deepInclude(connection, { state: "open", epoch: 1, unconfirmedFrames: 0 })
  })
)

const gone: { readonly [how: string]: (peer: WebSocket, socket: Net.Socket) => void } = {
  "reads nothing any more": (_, socket) => void socket.pause(),
  "answers no ping, and says nothing": () => {},
  "answers no ping after a while, though it sends texts": (peer) => {
    const texts = setInterval(() => peer.send("still here"), 20)
    peer.on("close", () => clearInterval(texts))
  }
}

for (const [how, goes] of Object.entries(gone)) {
  it.live(`a server that ${how} is broken off, and dialled anew`, () =>
    Effect.gen(function* () {
      const server = yield* gateway(
        (peer, socket, nth) => {
          peer.on("ping", (data) => {
            // The first few of the first connection are answered.
            if (nth > 1 || Number(data.toString()) <= 3) peer.pong(data)
            if (nth === 1 && data.toString() === "3") goes(peer, socket)
          })
        },
        { autoPong: false }
      )
      const host = yield* runHost({
        sources: [server.url],
        limits: OFTEN,
        reconnect: { initial_ms: 10, max_ms: 10 },
        recordsTexts: false
      })
      yield* host.untilOpen(2)
      const { connection, events, plugin } = yield* host.until(
        ({ connection: { roundTripMs } }) => roundTripMs !== null
      )
      assert.strictEqual(plugin.diagnosticCounts["KeepaliveTimeout"], 1)
      assert.deepInclude(connection, { state: "open", epoch: 2 })
      assert.deepInclude(connection.lastClose, { code: 1006, clean: false })
      assert.include(JSON.stringify(plugin.diagnostics), how.includes("texts") ? "unanswered" : "silent")
      assert.deepStrictEqual(events, [
        "open 1",
        "error 1 KeepaliveTimeout, dials again",
        "close 1 1006 unclean, dials again",
        "open 2"
      ])
    })
  )
}
