import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { IngressEventWire, OutputCommand } from "mooring"
import { randomBytes } from "node:crypto"
import * as Servers from "../support/servers.ts"
import { assertSeen, eventually, runHost } from "./support/host.ts"

describe("frames", () => {
  it.live("carries texts both ways, numbered from 1, after the open", () =>
    Effect.gen(function* () {
      const texts = ["", "grüße \u{1f30a}", "x".repeat(60_000)]
      const answers: Array<string> = []
      const { url } = yield* Servers.gateway((peer) => {
        for (const text of texts) peer.send(text)
        peer.on("message", (data: Buffer) => answers.push(data.toString()))
      })
      const { handed, until } = yield* runHost({
        sources: [url],
        text: (event) => Exit.succeed({ commands: [OutputCommand.send(event, `re: ${event.text}`)] })
      })
      yield* eventually(
        Effect.sync(() => answers.length),
        (count) => count === texts.length
      )
      assert.deepStrictEqual(
        answers,
        texts.map((text) => `re: ${text}`)
      )
      const seen = yield* until(({ events }) => events.length === 4)
      assertSeen(seen, {
        state: "open",
        epoch: 1,
        events: ["open 1", ...texts.map((text, index) => `text 1.${index + 1} ${text}`)],
        diagnostics: []
      })
      const { connection, plugin } = seen
      assert.deepInclude(connection, {
        url,
        opens: 1,
        attempts: 0,
        receivedTextFrames: 3,
        enqueuedText: 3,
        sentTextFrames: 3,
        queueDrops: 0,
        remoteAddress: "127.0.0.1",
        lastError: null,
        lastClose: null
      })
      assert.deepStrictEqual(
        plugin.outputCommandResults.map(({ kind, status }) => `${kind} ${status}`),
        texts.map(() => "websocket_send executed")
      )
      const common = {
        source: `websocket:${url}`,
        source_id: connection.id,
        ingress_name: "gateway",
        attempt: 1,
        epoch: 1,
        dropped_before: 0
      }
      const wire = handed.map((event) => {
        const { correlation_id: _id, created_at: _at, ...rest } = IngressEventWire.encode(event)
        return rest
      })
      assert.deepStrictEqual<unknown>(wire, [
        { kind: "websocket_open", ...common, sequence: 1, frame: 0, payload: { url, attempts: 1, subprotocol: null } },
        ...texts.map((text, index) => ({
          kind: "websocket_text",
          ...common,
          sequence: index + 2,
          frame: index + 1,
          payload: { url, text }
        }))
      ])
      assert.strictEqual(new Set(handed.map(({ correlationId }) => correlationId)).size, 4)
    })
  )

  it.live("delivers texts that come in the same packet as the 101, after the open and in order", () =>
    Effect.gen(function* () {
      const { url } = yield* Servers.answering((socket, request) => {
        socket.write(Buffer.concat([Servers.switching(request), ...["a", "b", "c"].map(Servers.text)]))
      })
      const { until } = yield* runHost({ sources: [url] })
      const seen = yield* until(({ events }) => events.length >= 4)
      const events = ["open 1", "text 1.1 a", "text 1.2 b", "text 1.3 c"]
      assertSeen(seen, { state: "open", epoch: 1, events, diagnostics: [] })
    })
  )

  it.live("delivers a whole epoch that came in one packet with the 101, close frame included", () =>
    Effect.gen(function* () {
      const { url } = yield* Servers.answering((socket, request) => {
        socket.write(Buffer.concat([Servers.switching(request), Servers.text("a"), Servers.closeFrame(4001, "bye")]))
      })
      const { until } = yield* runHost({ sources: [url] })
      const seen = yield* until(({ connection, events }) => connection.state === "waiting" && events.length >= 3)
      assertSeen(seen, {
        state: "waiting",
        epoch: 1,
        events: ["open 1", "text 1.1 a", "close 1 4001 clean, dials again"],
        diagnostics: ["info ConnectionClosed × 1"]
      })
    })
  )

  it.live("takes the fragments of a text, with a ping between them, for one frame", () =>
    Effect.gen(function* () {
      const pongs: Array<string> = []
      const { url } = yield* Servers.gateway((peer, socket) => {
        peer.on("pong", (data) => pongs.push(data.toString()))
        socket.write(Servers.frame(Servers.TEXT, "hel", 0))
        socket.write(Servers.frame(Servers.PING, "still there?"))
        socket.write(Buffer.concat([Servers.frame(Servers.CONTINUATION, "lo"), Servers.text("next")]))
      })
      const { until } = yield* runHost({ sources: [url] })
      const seen = yield* until(({ events }) => events.length >= 3 && pongs.length > 0)
      assertSeen(seen, {
        state: "open",
        epoch: 1,
        events: ["open 1", "text 1.1 hello", "text 1.2 next"],
        diagnostics: []
      })
      assert.deepStrictEqual(pongs, ["still there?"])
      assert.strictEqual(seen.connection.receivedTextFrames, 2)
    })
  )

  it.live("counts and reports a binary frame, doesn't deliver it, and stays open", () =>
    Effect.gen(function* () {
      const { url } = yield* Servers.gateway((peer) => {
        peer.send(Buffer.from([1, 2, 3]))
        peer.send("later")
      })
      const { seen, until } = yield* runHost({ sources: [url] })
      yield* until(({ events }) => events.length >= 2)
      const after = yield* seen
      assertSeen(after, {
        state: "open",
        epoch: 1,
        events: ["open 1", "text 1.1 later"],
        diagnostics: ["warning BinaryUnsupported × 1"]
      })
      assert.deepInclude(after.connection, { receivedBinaryFrames: 1, receivedTextFrames: 1 })
      assert.deepInclude(after.plugin.diagnostics[0]?.error, { url, bytes: 3 })
    })
  )

  const LARGEST = 1_048_576

  it.live.each([
    ["with the fast path", { settings: {}, compression: false }],
    ["without it", { settings: { fast_path: false }, compression: false }],
    ["compressed", { settings: { compression: true }, compression: true }]
  ] as const)("carries binary frames of any length both ways among texts, %s", ([, { compression, settings }]) =>
    Effect.gen(function* () {
      const sizes = [0, 1, 125, 126, 65_535, 65_536, LARGEST]
      // Of nothing that a text could say; and where it is compressed nothing that grows by that, over the limit.
      const sent = sizes.map((size) =>
        compression ? Buffer.alloc(size, Buffer.from([0, 255, 195])) : randomBytes(size)
      )
      const answers: Array<Buffer> = []
      const { url } = yield* Servers.gateway(
        (peer) => {
          for (const bytes of sent) {
            peer.send(bytes)
            peer.send(`${bytes.length}`)
          }
          peer.on("message", (data: Buffer, isBinary) =>
            answers.push(Buffer.concat([Buffer.from([Number(isBinary)]), data]))
          )
        },
        { perMessageDeflate: compression }
      )
      const { handed, until } = yield* runHost({
        sources: [url],
        settings,
        limits: {
          sendTextBytes: LARGEST,
          commandPayloadBytes: LARGEST + 8192,
          sendBufferBytes: 8 * LARGEST,
          outputBytes: 2 * LARGEST
        },
        text: (event) => Exit.succeed({ commands: [OutputCommand.send(event, event.text)] }),
        binary: (event) => Exit.succeed({ commands: [OutputCommand.send(event, event.bytes)] })
      })
      yield* eventually(
        Effect.sync(() => answers.length),
        (count) => count === 2 * sizes.length
      )
      const expected = sent.flatMap((bytes) => [
        Buffer.concat([Buffer.from([1]), bytes]),
        Buffer.from(`\0${bytes.length}`)
      ])
      for (const [nth, answer] of answers.entries())
        assert.isTrue(answer.equals(expected[nth] ?? Buffer.alloc(0)), `${nth}`)
      const { connection, plugin } = yield* until(
        ({ plugin: { dispatchCounters } }) => dispatchCounters.dispatched === 15
      )
      assert.deepInclude(connection, {
        receivedBinaryFrames: 7,
        enqueuedBinary: 7,
        rejectedBinary: 0,
        unsupportedBinary: 0,
        sentBinaryFrames: 7,
        receivedTextFrames: 7,
        sentTextFrames: 7
      })
      assert.deepStrictEqual(plugin.diagnosticCounts, {})
      const frames = handed.filter(({ frame }) => frame > 0)
      assert.deepStrictEqual(
        frames.map(({ frame, kind }) => `${frame} ${kind}`),
        frames.map((_, nth) => `${nth + 1} ${nth % 2 === 0 ? "websocket_binary" : "websocket_text"}`)
      )
      // None keeps alive what it came with.
      for (const event of frames) {
        if (event.kind === "websocket_binary") assert.strictEqual(event.bytes.buffer.byteLength, event.bytes.length)
      }
    })
  )

  it.live("ends a connection by a binary frame of a byte too many, whether frames are taken or not", () =>
    Effect.gen(function* () {
      for (const taken of [{}, { binary: () => Exit.void }]) {
        const { url } = yield* Servers.gateway((peer) => peer.send(Buffer.alloc(LARGEST + 1)))
        const { until } = yield* runHost({ sources: [url], ...taken })
        const seen = yield* until(({ connection, events }) => connection.state === "waiting" && events.length >= 3)
        assertSeen(seen, {
          state: "waiting",
          epoch: 1,
          events: ["open 1", "error 1 MessageTooLarge, dials again", "close 1 1006 unclean, dials again"],
          diagnostics: ["warning MessageTooLarge × 1"]
        })
        assert.strictEqual(seen.connection.receivedBinaryFrames, 0)
      }
    })
  )

  it.live("answers 50 pings at once with pongs that carry the same data", () =>
    Effect.gen(function* () {
      const data = Array.from({ length: 50 }, (_, index) => `ping ${index}`)
      const pongs: Array<string> = []
      const { url } = yield* Servers.gateway((peer) => {
        peer.on("pong", (pong) => pongs.push(pong.toString()))
        for (const ping of data) peer.ping(ping)
      })
      const { seen } = yield* runHost({ sources: [url] })
      yield* eventually(
        Effect.sync(() => pongs.length),
        (count) => count >= data.length
      )
      assert.deepStrictEqual(pongs, data)
      const after = yield* seen
      assertSeen(after, { state: "open", epoch: 1, events: ["open 1"], diagnostics: [] })
      assert.isNotNull(after.connection.lastFrameAt)
    })
  )

  it.live("offers the subprotocols in their order and shows the server's choice in event and status", () =>
    Effect.gen(function* () {
      const offers: Array<ReadonlyArray<string>> = []
      const handleProtocols = (offered: Set<string>) => {
        offers.push([...offered])
        return "v1.chat"
      }
      const { url } = yield* Servers.gateway(() => {}, { handleProtocols })
      const { handed, untilOpen } = yield* runHost({ sources: [url], subprotocols: ["v2.chat", "v1.chat", "plain"] })
      const seen = yield* untilOpen(1)
      assert.deepStrictEqual(offers, [["v2.chat", "v1.chat", "plain"]])
      assertSeen(seen, { state: "open", epoch: 1, events: ["open 1"], diagnostics: [] })
      assert.strictEqual(seen.connection.subprotocol, "v1.chat")
      assert.deepStrictEqual(handed[0]?.payload, { url, attempts: 1, subprotocol: "v1.chat" })
    })
  )
})
