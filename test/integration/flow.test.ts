import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { type IngressEvent, OutputCommand } from "mooring"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import type { WebSocket } from "ws"
import * as Servers from "../support/servers.ts"
import { assertAccounted, assertSeen, eventually, runHost, type Seen, the } from "./support/host.ts"

const BYTES = 128
const FIREHOSE = new URL("support/firehose.mjs", import.meta.url).pathname
// What one read of a socket (64 KiB) can bring, of frames with a head of 4 bytes.
const FRAMES_PER_READ = Math.ceil(65_536 / (BYTES + 4))

/** A server in a process of its own that sends so many texts to every connection. The URL is its. */
const firehose = (frames: number): Effect.Effect<string, unknown, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [FIREHOSE, `${frames}`, `${BYTES}`], { stdio: ["ignore", "pipe", "inherit"] })
    ),
    (child) =>
      Effect.promise(async () => {
        const gone = exited(child)
        child.kill()
        await gone
      })
  ).pipe(
    Effect.flatMap((child) => Effect.tryPromise(() => once(child.stdout, "data"))),
    Effect.map(([port]) => `ws://127.0.0.1:${String(port).trim()}/`)
  )

const exited = (child: ChildProcess): Promise<unknown> =>
  child.exitCode === null && child.signalCode === null ? once(child, "exit") : Promise.resolve()

/** Checks the numbers of the texts as they are handed over; counts what it is told was dropped, and the gaps. */
class Ledger {
  texts = 0
  dropped = 0
  gaps = 0
  wrong: string | undefined = undefined
  readonly #last = new Map<string, number>()

  readonly take = (event: IngressEvent.WebSocketText): void => {
    const last = this.#last.get(event.url) ?? 0
    const gap = event.frame - last - 1
    if (gap < 0 || gap !== event.droppedBefore || event.frame !== Number.parseInt(event.text)) {
      this.wrong ??= `frame ${event.frame} after ${last}: dropped ${event.droppedBefore}, ${event.text}`
    }
    this.#last.set(event.url, event.frame)
    this.texts++
    this.dropped += event.droppedBefore
    this.gaps += gap
  }
}

/** What a run of a ledger's handler has to end with: everything came, and nothing is left. */
const drained = (ledger: Ledger, frames: number) => (seen: Seen) =>
  ledger.texts + seen.plugin.dispatchCounters.evicted === frames &&
  seen.plugin.queueDepth === 0 &&
  seen.plugin.dispatchCounters.inFlight === 0

/** A millisecond of CPU. */
const spin = (): Exit.Exit<void> => {
  const end = performance.now() + 1
  while (performance.now() < end);
  return Exit.void
}

const sum = (numbers: ReadonlyArray<number>) => numbers.reduce((total, number) => total + number, 0)

/** One of the 16 fragments of a text. */
const fragment = (nth: number) =>
  Servers.frame(nth === 0 ? Servers.TEXT : Servers.CONTINUATION, "ab", nth === 15 ? undefined : 0)

/** With all of `SendBufferFull` in one diagnostic, as they are if they come within a second. */
const merged = (seen: Seen): Seen => {
  const [first, ...others] = seen.plugin.diagnostics.filter(({ tag }) => tag === "SendBufferFull")
  if (first === undefined) return seen
  const count = sum([first, ...others].map((each) => each.count))
  const rest = seen.plugin.diagnostics.filter(({ tag }) => tag !== "SendBufferFull")
  return { ...seen, plugin: { ...seen.plugin, diagnostics: [{ ...first, count }, ...rest] } }
}

describe("a flood of frames", () => {
  for (const [name, connections, frames] of [
    ["one connection", 1, 200_000],
    ["16 connections at once", 16, 12_500]
  ] as const) {
    it.live(`of ${name} into a plugin that keeps up loses none and keeps the order`, () =>
      Effect.gen(function* () {
        const url = yield* firehose(frames)
        const ledger = new Ledger()
        const { until } = yield* runHost({
          sources: Array.from({ length: connections }, (_, index) => `${url}${index}`),
          recordsTexts: false,
          text: (event) => {
            ledger.take(event)
            return Exit.void
          }
        })
        const { plugin } = yield* until(drained(ledger, connections * frames))
        assert.isUndefined(ledger.wrong)
        assertAccounted(plugin)
        const all = connections * frames
        assert.deepInclude(plugin.dispatchCounters, {
          enqueued: all + connections,
          dispatched: all + connections,
          evicted: 0
        })
        assert.deepInclude(ledger, { texts: all, dropped: 0, gaps: 0 })
        for (const connection of plugin.websocketConnections) {
          assert.deepInclude(connection, { state: "open", epoch: 1, flow: "flowing", queueDrops: 0, rejectedText: 0 })
          assert.strictEqual(connection.receivedTextFrames, frames)
        }
        assert.deepStrictEqual(plugin.diagnosticCounts, {})
      })
    )
  }

  for (const [name, work] of [
    ["takes a millisecond of CPU", spin],
    ["sleeps for a millisecond", () => Effect.sleep("1 millis")]
  ] as const) {
    it.live(`into a handler that ${name} drops the oldest, and every count agrees at any moment`, () =>
      Effect.gen(function* () {
        const frames = 20_000
        const capacity = 64
        const url = yield* firehose(frames)
        const ledger = new Ledger()
        const { until } = yield* runHost({
          sources: [url],
          limits: { ingressQueueCapacity: capacity, burstPatienceMs: 50 },
          recordsTexts: false,
          text: (event) => {
            ledger.take(event)
            return work()
          }
        })
        const samples: Array<Seen> = []
        const began = performance.now()
        const last = yield* until((seen) => {
          samples.push(seen)
          return drained(ledger, frames)(seen)
        })
        assert.isBelow(performance.now() - began, 5000)
        assert.isUndefined(ledger.wrong)
        for (const { connection, plugin } of samples) {
          assertAccounted(plugin)
          assert.strictEqual(plugin.dispatchCounters.evicted, connection.queueDrops)
          assert.isAtMost(connection.queueDepth, capacity + FRAMES_PER_READ)
        }
        assert.includeMembers(
          samples.map(({ connection }) => connection.flow),
          ["paused", "sliding"]
        )
        const suspended = samples.some(({ plugin }) => plugin.dispatchCounters.inFlight === 1)
        assert.strictEqual(suspended, work !== spin)
        const { connection, plugin } = last
        assert.deepInclude(connection, { state: "open", flow: "flowing", receivedTextFrames: frames, rejectedText: 0 })
        assert.isAbove(connection.queueDrops, 0)
        // The last text is never the oldest, so every gap is followed by a text that tells of it.
        assert.deepInclude(ledger, {
          texts: frames - connection.queueDrops,
          dropped: connection.queueDrops,
          gaps: connection.queueDrops
        })
        assert.strictEqual(plugin.dispatchCounters.dispatched, ledger.texts + 1)
        assert.deepStrictEqual(plugin.diagnosticCounts, { QueueOverflow: connection.queueDrops })
        assert.strictEqual(sum(plugin.diagnostics.map(({ count }) => count)), connection.queueDrops)
      })
    )
  }
})

describe("a burst", () => {
  it.live("that the queue can't hold is no overload: the server waits, nothing is lost, the close comes last", () =>
    Effect.gen(function* () {
      const texts = 400
      const { url } = yield* Servers.gateway((peer) => {
        for (let sent = 1; sent <= texts; sent++) peer.send(`${sent} `.padEnd(1024, "."))
        peer.close(4001)
      })
      const ledger = new Ledger()
      const { handed, until } = yield* runHost({
        sources: [url],
        limits: { ingressQueueCapacity: 32, burstPatienceMs: 60_000 },
        recordsTexts: false,
        text: (event) => {
          ledger.take(event)
          return Effect.sleep("1 millis")
        }
      })
      const flows = new Set<string>()
      const seen = yield* until(({ connection, events }) => {
        flows.add(connection.flow)
        assert.isAtMost(connection.queueDepth, 32 + 65)
        return events.length === 2
      })
      assert.isUndefined(ledger.wrong)
      assert.deepInclude(ledger, { texts, dropped: 0 })
      assert.deepStrictEqual([...flows].toSorted(), ["flowing", "paused"])
      const events = ["open 1", "close 1 4001 clean, dials again"]
      assertSeen(seen, { state: "waiting", epoch: 1, events, diagnostics: ["info ConnectionClosed × 1"] })
      assert.strictEqual(the(handed[1]).sequence, texts + 2)
    })
  )
})

describe("as many texts as one read can bring", () => {
  const EMPTY = Servers.text("")
  const TEXTS = 65_536 / EMPTY.length

  it.live("empty ones, are all taken in and handed over, at whatever capacity", () =>
    Effect.gen(function* () {
      const { url } = yield* Servers.gateway((_peer, socket) => {
        // A second read for what was cut off the first.
        for (let read = 0; read < 2; read++) socket.write(Buffer.concat(Array.from({ length: TEXTS }, () => EMPTY)))
      })
      let last = 0
      const { until } = yield* runHost({
        sources: [url],
        limits: { ingressQueueCapacity: 4, burstPatienceMs: 60_000 },
        recordsTexts: false,
        text: (event) => {
          assert.strictEqual(event.frame, ++last)
          assert.strictEqual(event.droppedBefore, 0)
          return Exit.void
        }
      })
      const { connection, plugin } = yield* until((seen) => {
        assertAccounted(seen.plugin)
        assert.isAtMost(seen.connection.queueDepth, 4 + TEXTS)
        return seen.plugin.dispatchCounters.dispatched === 2 * TEXTS + 1
      })
      assert.deepInclude(connection, { state: "open", receivedTextFrames: 2 * TEXTS, queueDrops: 0 })
      assert.strictEqual(plugin.dispatchCounters.failed, 0)
    })
  )

  it.live("each in 16 fragments with a ping between them, are one text each, and every ping is answered", () =>
    Effect.gen(function* () {
      const texts = 400
      let pongs = 0
      const { url } = yield* Servers.gateway((peer, socket) => {
        peer.on("pong", () => pongs++)
        const text = Buffer.concat([
          fragment(0),
          Servers.frame(Servers.PING),
          ...Array.from({ length: 15 }, (_, nth) => fragment(nth + 1))
        ])
        socket.write(Buffer.concat(Array.from({ length: texts }, () => text)))
      })
      const lengths: Array<number> = []
      const { until } = yield* runHost({
        sources: [url],
        limits: { controlFramesPerSecond: texts },
        recordsTexts: false,
        text: (event) => {
          lengths.push(event.text.length)
          return Exit.void
        }
      })
      const seen = yield* until(() => lengths.length === texts && pongs === texts)
      assertSeen(seen, { state: "open", epoch: 1, events: ["open 1"], diagnostics: [] })
      assert.deepStrictEqual([...new Set(lengths)], [32])
    })
  )
})

describe("a handler that takes a millisecond of CPU for each of 400 texts", () => {
  for (const [name, handler] of [
    ["answers with an Exit", spin],
    ["answers with an effect", () => Effect.suspend(spin)]
  ] as const) {
    it.live(`and ${name} leaves the event loop to others every few milliseconds`, () =>
      Effect.gen(function* () {
        const texts = 400
        const { url } = yield* Servers.gateway((peer) => {
          for (let sent = 0; sent < texts; sent++) peer.send("x")
        })
        let inThisTurn = 0
        let most = 0
        let turning = setImmediate(function turn() {
          most = Math.max(most, inThisTurn)
          inThisTurn = 0
          turning = setImmediate(turn)
        })
        yield* Effect.addFinalizer(() => Effect.sync(() => clearImmediate(turning)))
        const { until } = yield* runHost({
          sources: [url],
          recordsTexts: false,
          text: () => {
            inThisTurn++
            return handler()
          }
        })
        const after = yield* until(({ plugin }) => plugin.dispatchCounters.dispatched === texts + 1)
        assertSeen(after, { state: "open", epoch: 1, events: ["open 1"], diagnostics: [] })
        assert.isAbove(most, 0)
        assert.isAtMost(most, 50)
      })
    )
  }
})

describe("a server that stops reading", () => {
  const SENDS = 400
  const ANSWER = "x".repeat(60_000)

  /** A plugin that has sent as much as it may to a server that reads nothing. */
  const full = Effect.gen(function* () {
    const peers: Array<WebSocket> = []
    let received = 0
    const { sockets, url } = yield* Servers.gateway((peer, socket, nth) => {
      peers.push(peer)
      if (nth > 1) return
      socket.pause()
      peer.on("message", (data: Buffer) => {
        if (data.length === ANSWER.length) received++
      })
      for (let sent = 0; sent < SENDS; sent++) peer.send("more")
    })
    const { until } = yield* runHost({
      sources: [url],
      limits: { commandResultsKept: SENDS },
      recordsTexts: false,
      text: (event) => Exit.succeed({ commands: [OutputCommand.send(event, ANSWER)] })
    })
    const seen = yield* until(({ connection, plugin }) => {
      assert.isAtMost(connection.bufferedBytes, 1_048_576)
      return plugin.outputCommandResults.length === SENDS
    })
    const refused = seen.plugin.outputCommandResults.filter(({ status }) => status === "rejected")
    const receives = (count: number) =>
      eventually(
        Effect.sync(() => received),
        (now) => now >= count
      )
    return {
      until,
      seen,
      refused,
      executed: SENDS - refused.length,
      peer: the(peers[0]),
      socket: the(sockets[0]),
      receives
    }
  })

  it.live("makes sends be refused once the buffer is full; the rest arrives when it reads again", () =>
    Effect.gen(function* () {
      const { executed, peer, receives, refused, seen, socket, until } = yield* full
      assert.isAbove(refused.length, 0)
      assert.deepStrictEqual([...new Set(refused.map(({ error }) => error?.tag))], ["SendBufferFull"])
      assert.isAbove(seen.connection.bufferedBytes, 1_048_576 - 2 * ANSWER.length)
      assert.deepInclude(seen.connection, { sentTextFrames: executed, sendFailures: 0 })
      assert.strictEqual(seen.plugin.dispatchCounters.dispatched, SENDS + 1)
      const diagnostics = [`warning SendBufferFull × ${refused.length}`]
      assertSeen(merged(seen), { state: "open", epoch: 1, events: ["open 1"], diagnostics })

      socket.resume()
      yield* receives(executed)
      yield* until(({ connection }) => connection.bufferedBytes === 0)
      peer.send("more")
      yield* receives(executed + 1)
      const after = yield* until(({ connection }) => connection.sentTextFrames === executed + 1)
      assertSeen(merged(after), { state: "open", epoch: 1, events: ["open 1"], diagnostics })
      assert.strictEqual(after.connection.sendFailures, 0)
    })
  )

  it.live("and is gone then makes the sends that were never written count as failures", () =>
    Effect.gen(function* () {
      const { executed, refused, seen, socket, until } = yield* full
      socket.resetAndDestroy()
      const after = yield* until(({ connection, events }) => connection.sendFailures > 0 && events.length === 3)
      assertSeen(merged(after), {
        state: "waiting",
        epoch: 1,
        events: ["open 1", "error 1 ConnectionClosed, dials again", "close 1 1006 unclean, dials again"],
        diagnostics: [`warning SendBufferFull × ${refused.length}`, "warning ConnectionClosed × 1"]
      })
      const { bufferedBytes, sendFailures, sentTextFrames } = after.connection
      assert.strictEqual(sentTextFrames, executed)
      assert.isAtLeast(sendFailures, Math.floor(seen.connection.bufferedBytes / (ANSWER.length + 14)))
      assert.isBelow(sendFailures, executed)
      assert.strictEqual(bufferedBytes, 0)
    })
  )
})
