import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Socket } from "node:net"
import { atRest, resources } from "../support/resources.ts"
import * as Servers from "../support/servers.ts"
import { assertAccounted, assertSeen, eventually, LATER, runHost, SOON } from "./support/host.ts"

const stopped = { state: "stopped service", epoch: 1, events: ["open 1"] }

/** How many milliseconds an effect takes. */
const timed = (effect: Effect.Effect<void>) =>
  Effect.suspend(() => {
    const began = performance.now()
    return Effect.map(effect, () => performance.now() - began)
  })

/** A server that accepts by hand and hands over what comes after the upgrade, once there is a close frame. */
const byHand = (closed: (socket: Socket, code: number | undefined) => void) =>
  Servers.answering(
    (socket, request) => {
      socket.write(Servers.switching(request))
      socket.on("data", (bytes) => closed(socket, Servers.codeOfClose(bytes)))
    },
    { allowHalfOpen: true }
  )

describe("closing the host's scope", () => {
  for (const [name, code, settings] of [
    ["1001", 1001, {}],
    ["the source's close code", 3001, { close_code: 3001 }]
  ] as const) {
    it.live(`closes every socket with ${name}, and the server sees a clean close`, () =>
      Effect.gen(function* () {
        const codes: Array<number> = []
        const { open, url } = yield* Servers.gateway((peer) => peer.on("close", (closed) => codes.push(closed)))
        const { stop, until } = yield* runHost({
          sources: [`${url}a`, `${url}b`],
          reconnect: { ...LATER, ...settings },
          limits: { closeGraceMs: 5000 }
        })
        yield* until(({ events }) => events.length === 2)
        assert.isBelow(yield* timed(stop), 2000)
        const seen = yield* until(() => true)
        assertSeen(seen, {
          ...stopped,
          events: ["open 1", "open 1"],
          diagnostics: ["info ConnectionClosed × 1", "info ConnectionClosed × 1"]
        })
        for (const { lastClose, nextAttemptAt } of seen.plugin.websocketConnections) {
          assert.deepInclude(lastClose, { code, reason: "", clean: true })
          assert.isNull(nextAttemptAt)
        }
        // The ends of the two epochs are accounted for, though nobody is left to be told.
        assert.strictEqual(seen.plugin.dispatchCounters.discarded, 2)
        yield* eventually(Effect.sync(open), (count) => count === 0)
        assert.deepStrictEqual(codes, [code, code])
      })
    )
  }

  it.live("terminates a socket whose server never answers the close frame, after the grace period", () =>
    Effect.gen(function* () {
      const codes: Array<number | undefined> = []
      const { open, url } = yield* byHand((_socket, code) => codes.push(code))
      const { stop, until, untilOpen } = yield* runHost({ sources: [url] })
      yield* untilOpen(1)
      const millis = yield* timed(stop)
      assert.isAtLeast(millis, 199)
      assert.isBelow(millis, 2000)
      const seen = yield* until(() => true)
      assertSeen(seen, { ...stopped, diagnostics: ["warning ConnectionClosed × 1"] })
      assert.deepInclude(seen.connection.lastClose, { code: 1006, reason: "", clean: false })
      assert.deepStrictEqual(codes, [1001])
      yield* eventually(Effect.sync(open), (count) => count === 0)
    })
  )

  it.live("takes the answer of a server that never hangs up for the clean close that it is", () =>
    Effect.gen(function* () {
      const { open, url } = yield* byHand((socket) => socket.write(Servers.closeFrame(1001, "see you")))
      const { stop, until, untilOpen } = yield* runHost({ sources: [url] })
      yield* untilOpen(1)
      assert.isBelow(yield* timed(stop), 2000)
      const seen = yield* until(() => true)
      assertSeen(seen, { ...stopped, diagnostics: ["info ConnectionClosed × 1"] })
      assert.deepInclude(seen.connection.lastClose, { code: 1001, reason: "see you", clean: true })
      yield* eventually(Effect.sync(open), (count) => count === 0)
    })
  )

  it.live("reads a paused socket to its clean end and counts what still comes as rejected", () =>
    Effect.gen(function* () {
      const frames = 20_000
      const { url } = yield* Servers.gateway((peer) => {
        for (let sent = 0; sent < frames; sent++) peer.send("x".repeat(128))
      })
      const { stop, until } = yield* runHost({
        sources: [url],
        limits: { closeGraceMs: 5000, ingressQueueCapacity: 16, burstPatienceMs: 60_000, dispatchDeadlineMs: 60_000 },
        recordsTexts: false,
        text: () => Effect.never
      })
      const before = yield* until(({ connection }) => connection.flow === "paused")
      assert.isBelow(before.connection.receivedTextFrames, frames)
      assert.isBelow(yield* timed(stop), 4000)
      const seen = yield* until(() => true)
      assertSeen(seen, { ...stopped, diagnostics: ["info ConnectionClosed × 1"] })
      const { enqueuedText, lastClose, queueDrops, receivedTextFrames, rejectedText } = seen.connection
      assert.deepInclude(lastClose, { code: 1001, clean: true })
      assert.strictEqual(receivedTextFrames, frames)
      assert.strictEqual(enqueuedText, before.connection.enqueuedText)
      assert.strictEqual(rejectedText, frames - enqueuedText)
      assert.strictEqual(queueDrops, 0)
      // Of all events the open was answered; the rest was discarded: texts, the one in flight, and the close.
      assert.deepInclude(seen.plugin.dispatchCounters, { dispatched: 1, discarded: enqueuedText + 1 })
    })
  )

  it.live(
    "reads on to the clean end, and counts what comes after the close as rejected, wherever that cuts the bytes",
    () =>
      Effect.gen(function* () {
        const first = Servers.text("first")
        const bytes = Buffer.concat([first, Servers.text("second")])
        const cuts = Array.from({ length: bytes.length + 1 }, (_, cut) => cut)
        const before = (cut: number) => Number(cut >= first.length) + Number(cut === bytes.length)
        const { url } = yield* Servers.answering((socket, request) => {
          const cut = Number(/^GET \/(\d+)/.exec(request)?.[1])
          socket.once("data", () =>
            socket.write(Buffer.concat([bytes.subarray(cut), Servers.closeFrame(1001, "late")]))
          )
          socket.write(Buffer.concat([Servers.switching(request), bytes.subarray(0, cut)]))
        })
        const { handed, stop, until } = yield* runHost({
          sources: cuts.map((cut) => `${url}${cut}`),
          limits: { closeGraceMs: 5000, connectionsPerPlugin: cuts.length, dialsAtOncePerPlugin: cuts.length }
        })
        const early = cuts.reduce((sum, cut) => sum + before(cut), 0)
        yield* until(() => handed.length === cuts.length + early)
        yield* stop
        const { plugin } = yield* until(() => true)
        assertAccounted(plugin)
        plugin.websocketConnections.forEach(({ enqueuedText, lastClose, receivedTextFrames, rejectedText }, cut) => {
          assert.deepStrictEqual(
            { enqueuedText, rejectedText, receivedTextFrames },
            { enqueuedText: before(cut), rejectedText: 2 - before(cut), receivedTextFrames: 2 },
            `cut at ${cut}`
          )
          assert.deepInclude(lastClose, { code: 1001, reason: "late", clean: true })
        })
      })
  )

  it.live("gives up a dial under way at once", () =>
    Effect.gen(function* () {
      const { open, sockets, url } = yield* Servers.tcp(() => {})
      const { stop, until } = yield* runHost({ sources: [url] })
      yield* eventually(
        Effect.sync(() => sockets.length),
        (count) => count === 1
      )
      assert.isBelow(yield* timed(stop), 1000)
      const seen = yield* until(() => true)
      assertSeen(seen, { ...stopped, epoch: 0, events: [], diagnostics: [] })
      yield* eventually(Effect.sync(open), (count) => count === 0)
    })
  )

  it.live("leaves no socket and no timer behind, whatever the connections were doing", () =>
    Effect.gen(function* () {
      const peaceful = yield* Servers.gateway(() => {})
      const flooding = yield* Servers.gateway((peer) => {
        for (let sent = 0; sent < 20_000; sent++) peer.send("x".repeat(128))
      })
      const mute = yield* Servers.tcp(() => {})
      const refusing = yield* Servers.answering((socket) => socket.end(Servers.response("500 Internal Server Error")))
      const hangingUp = yield* Servers.gateway((peer) => peer.close())
      const before = yield* atRest
      const { stop, until } = yield* runHost({
        sources: [peaceful.url, flooding.url, mute.url, refusing.url, hangingUp.url, `${refusing.url}again`],
        limits: { ingressQueueCapacity: 64, burstPatienceMs: 0, dialsAtOncePerPlugin: 16, pingIntervalMs: 10_000 },
        reconnect: { ...SOON, max_ms: 1000 },
        recordsTexts: false,
        text: () => Effect.sleep("1 millis")
      })
      const seen = yield* until(
        ({ plugin: { websocketConnections } }) =>
          websocketConnections.map(({ state }) => state).join() === "open,open,connecting,waiting,waiting,waiting" &&
          websocketConnections[1]?.flow === "sliding"
      )
      const during = yield* resources
      assert.isAbove(during.TCPSocketWrap, before.TCPSocketWrap)
      assert.isAbove(during.Timeout, before.Timeout)
      assert.isAbove(seen.connection.opens, 0)
      yield* stop
      yield* eventually(
        resources,
        ({ Immediate, TCPSocketWrap, Timeout }) =>
          TCPSocketWrap === before.TCPSocketWrap && Timeout <= before.Timeout && Immediate <= before.Immediate,
        // Sooner than the longer timers of a host would end by themselves.
        800
      )
      const after = yield* until(() => true)
      for (const { state, stopReason } of after.plugin.websocketConnections) {
        assert.strictEqual(`${state} ${stopReason}`, "stopped service")
      }
    })
  )
})
