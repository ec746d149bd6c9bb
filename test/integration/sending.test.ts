/** What is sent over real sockets to servers that read when the test says so. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { type IngressEvent, OutputCommand } from "mooring"
import type { Socket } from "node:net"
import * as Servers from "../support/servers.ts"
import { heapUsed } from "../support/memory.ts"
import { type ClientFrame, ClientFrames } from "./support/clientFrames.ts"
import { assertAccounted, eventually, runHost, the } from "./support/host.ts"

const KIB = 1024
const MIB = 1024 * KIB
const PONG = 10
const TEXT_BYTES = 60_000
const MOST = { outputBytes: 64 * MIB, commandPayloadBytes: 32 * MIB, controlFramesPerSecond: 10_000 }

const LARGE = { sendTextBytes: 16 * MIB, sendBufferBytes: 32 * MIB }

/** Reads nothing of a connection by itself once that is upgraded. */
class Reader {
  readonly frames: Array<ClientFrame> = []
  readonly #parser = new ClientFrames((frame) => this.frames.push(frame))
  readonly #socket: Socket
  #timer: NodeJS.Timeout | undefined = undefined

  constructor(socket: Socket) {
    this.#socket = socket
    socket.removeAllListeners("data")
    socket.on("readable", () => {})
    socket.on("close", () => clearInterval(this.#timer))
  }

  write(bytes: Buffer): void {
    this.#socket.write(bytes)
  }

  /** Reads so many bytes a millisecond from now on. */
  reads(bytesPerMs: number): void {
    const began = performance.now()
    let taken = 0
    const read = () => {
      for (let left = 1; left > 0;) {
        left = Math.floor((performance.now() - began) * bytesPerMs) - taken
        const chunk: Buffer | null = this.#socket.read(Math.min(left, this.#socket.readableLength))
        if (chunk === null || chunk.length === 0) return
        taken += chunk.length
        this.#parser.take(chunk)
      }
    }
    this.#socket.on("readable", read)
    this.#timer = setInterval(read, 5)
  }

  readsAll(): void {
    this.reads(Number.MAX_SAFE_INTEGER)
  }

  get texts(): ReadonlyArray<ClientFrame> {
    return this.frames.filter(({ opcode }) => opcode === Servers.TEXT)
  }

  /** The numbers that the texts begin with. */
  get numbers(): ReadonlyArray<number> {
    return this.texts.map(({ payload }) => Number.parseInt(payload.toString("latin1", 0, 12)))
  }
}

const memoryUsed = () => heapUsed() + process.memoryUsage().external

const upTo = (last: number) => Array.from({ length: last }, (_, nth) => nth + 1)

interface Setup {
  readonly isSecure?: boolean
  readonly limits?: { readonly [key: string]: number }
}

/** A host whose plugin answers `<count> <bytes> [close]` with so many texts, numbered from 1, and a close behind them. */
const hosted = ({ isSecure = false, limits = {} }: Setup) =>
  Effect.gen(function* () {
    const readers: Array<Reader> = []
    const answer = (socket: Socket, request: string) => {
      socket.write(Servers.switching(request))
      readers.push(new Reader(socket))
    }
    const { port } = yield* isSecure ? Servers.answeringSecurely(answer) : Servers.answering(answer)
    let sent = 0
    const text = (event: IngressEvent.WebSocketText) => {
      const [count, bytes, close] = event.text.split(" ")
      const texts = Array.from({ length: Number(count) }, () =>
        OutputCommand.send(event, `${++sent} `.padEnd(Number(bytes), "x"))
      )
      return Exit.succeed({ commands: close === undefined ? texts : [...texts, OutputCommand.close(event)] })
    }
    const host = yield* runHost({
      sources: [`${isSecure ? "wss" : "ws"}://127.0.0.1:${port}/`],
      limits: { ...MOST, ...limits },
      client: { ca: Servers.tlsFiles.ca.toString() },
      text
    })
    yield* host.untilOpen(1)
    const reader = the(readers[0])
    const ask = (what: string) => reader.write(Servers.text(what))
    return { ...host, reader, ask }
  })

type Hosted = Effect.Success<ReturnType<typeof hosted>>

/** Has texts sent until no more may wait, since the system is full as well. */
const fill = ({ ask, until }: Hosted) =>
  Effect.gen(function* () {
    for (let times = 1; ; times++) {
      ask(`10 ${TEXT_BYTES}`)
      const { plugin } = yield* until(({ plugin: { outputCommandResults, dispatchCounters } }) => {
        return dispatchCounters.dispatched > times && outputCommandResults.length > 0
      })
      if ((plugin.diagnosticCounts["SendBufferFull"] ?? 0) > 0) return yield* until(() => true)
    }
  })

describe("texts to a server that reads later", () => {
  it.live("wait in order, hold up no pong, and are all there once it reads", () =>
    Effect.gen(function* () {
      const host = yield* hosted({})
      const { ask, reader, until } = host
      const { connection } = yield* fill(host)
      const waiting = connection.bufferedBytes
      assert.isAtLeast(waiting, MIB - TEXT_BYTES)
      assert.isAtMost(waiting, MIB)
      reader.write(Servers.frame(Servers.PING, "now"))
      ask("0 0")
      yield* until(({ events }) => events.at(-1)?.endsWith("0 0") === true)
      reader.readsAll()
      const seen = yield* until(({ connection: { bufferedBytes } }) => bufferedBytes === 0)
      yield* eventually(
        Effect.sync(() => reader.numbers.length),
        (count) => count >= seen.connection.sentTextFrames
      )
      assert.deepStrictEqual(reader.numbers.length, seen.connection.sentTextFrames)
      assert.deepStrictEqual(
        reader.numbers,
        reader.numbers.toSorted((one, other) => one - other)
      )
      const pong = reader.frames.findIndex(({ opcode }) => opcode === PONG)
      assert.strictEqual(reader.frames[pong]?.payload.toString(), "now")
      const behind = reader.frames.slice(pong).reduce((sum, { payload }) => sum + payload.length, 0)
      // All that waited in the connection, but for what was with its socket.
      assert.isAtLeast(behind, waiting - 2 * TEXT_BYTES)
      assert.deepInclude(seen.connection, { sendFailures: 0, state: "open" })
      assertAccounted(seen.plugin)
    })
  )

  it.live("all go out before the close frame of the same answer", () =>
    Effect.gen(function* () {
      const { ask, reader, until } = yield* hosted({ limits: { ...LARGE, closeGraceMs: 5000 } })
      ask(`15 ${MIB} close`)
      yield* until(({ connection }) => connection.state === "closing" && connection.bufferedBytes > 0)
      reader.readsAll()
      yield* eventually(
        Effect.sync(() => reader.frames.at(-1)?.opcode),
        (opcode) => opcode === Servers.CLOSE
      )
      assert.deepStrictEqual(reader.numbers, upTo(15))
      reader.write(Servers.closeFrame(1000))
      const { connection } = yield* until(({ connection: { state } }) => state === "stopped")
      assert.deepInclude(connection, { sentTextFrames: 15, sendFailures: 0, bufferedBytes: 0, stopReason: "plugin" })
    })
  )

  it.live("may take far longer than a stall, many of them or a single one, over TLS too", () =>
    Effect.forEach(
      [
        { isSecure: false, what: `16 ${MIB}` },
        { isSecure: false, what: `1 ${16 * MIB}` },
        { isSecure: true, what: `1 ${16 * MIB}` }
      ],
      ({ isSecure, what }) =>
        Effect.gen(function* () {
          const { ask, reader, seen, until } = yield* hosted({ isSecure, limits: { ...LARGE, sendStallMs: 2000 } })
          ask(what)
          // Four mebibytes a second: the last ones of the text get to the system after more than three seconds.
          reader.reads(4 * KIB)
          const count = Number.parseInt(what)
          yield* until(({ connection }) => connection.sentTextFrames === count)
          yield* eventually(
            Effect.sync(() => reader.texts.length),
            (texts) => texts === count,
            25_000
          )
          const { connection, plugin } = yield* seen
          assert.deepStrictEqual(plugin.diagnostics, [])
          assert.deepInclude(connection, { state: "open", epoch: 1, sendFailures: 0, bufferedBytes: 0 })
          assert.strictEqual(
            reader.texts.reduce((sum, { payload }) => sum + payload.length, 0),
            16 * MIB
          )
        }),
      { concurrency: "unbounded" }
    )
  )
})

describe("a server that never reads", () => {
  it.live("is broken off as PeerStalled, and every text is accounted for", () =>
    Effect.gen(function* () {
      const host = yield* hosted({ limits: { sendStallMs: 1000 } })
      const { handed, reader, until } = host
      yield* fill(host)
      const { connection, events, plugin } = yield* until((seen) => seen.events.at(-1)?.startsWith("close") === true)
      const { sendFailures, sentTextFrames, unconfirmedAtEnds } = connection
      assert.deepStrictEqual(events.slice(-2), [
        "error 1 PeerStalled, dials again",
        "close 1 1006 unclean, dials again"
      ])
      assert.strictEqual(plugin.diagnosticCounts["PeerStalled"], 1)
      assert.deepInclude(connection, { state: "waiting", bufferedBytes: 0 })
      assert.strictEqual(unconfirmedAtEnds, sentTextFrames)
      const close = handed.find(({ kind }) => kind === "websocket_close")
      assert.deepInclude(close?.payload, { unconfirmed: sentTextFrames })
      assert.isAtLeast(sendFailures, Math.floor((MIB - 2 * TEXT_BYTES) / TEXT_BYTES))
      // What the system had taken it still delivers, and not a text more.
      reader.readsAll()
      yield* eventually(
        Effect.sync(() => reader.texts.length),
        (texts) => texts === sentTextFrames - sendFailures
      )
      assertAccounted(plugin)
    })
  )

  it.live("holds up the host's close no longer than its grace", () =>
    Effect.gen(function* () {
      const host = yield* hosted({})
      yield* fill(host)
      const began = performance.now()
      yield* host.stop
      const took = performance.now() - began
      assert.isAtLeast(took, 199)
      assert.isBelow(took, 2000)
      const { connection } = yield* host.seen
      assert.deepInclude(connection, { state: "stopped", bufferedBytes: 0 })
      assert.isAbove(connection.sendFailures, 0)
    })
  )

  it.live("but pings without end gets no more memory than the buffer may have", () =>
    Effect.gen(function* () {
      const host = yield* hosted({ limits: { controlFramesPerSecond: 1_000_000 } })
      const { reader, until } = host
      yield* fill(host)
      const ping = Servers.frame(Servers.PING, Buffer.alloc(125))
      const pings = Buffer.concat(Array.from({ length: 1000 }, () => ping))
      const before = memoryUsed()
      for (let times = 1; times <= 100; times++) {
        reader.write(pings)
        reader.write(Servers.text("0 0"))
        yield* until(({ events }) => events.filter((event) => event.endsWith(" 0 0")).length === times)
      }
      // All of them would be 40.
      assert.isBelow(memoryUsed() - before, 16 * MIB)
    })
  )
})
