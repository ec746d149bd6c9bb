/**
 * A client of `ws` over a socket that is none: what a server wrote comes in
 * reads that the test cuts, and what is told and written is noted. With the
 * host's own listeners, the lane on or off, or as `ws` is by itself.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Socket } from "node:net"
import { Duplex } from "node:stream"
import { WebSocket } from "ws"
import type * as WebSocketClient from "../../../src/connection/WebSocketClient.ts"
import { upgrade } from "../../../src/node/internal/upgrade.ts"
import { codeOf } from "../../../src/node/internal/errorCode.ts"
import { Turn } from "../../../src/node/internal/wsSocket.ts"
import { ClientFrames } from "../../integration/support/clientFrames.ts"
import { authorityOf, subject } from "../../support/grants.ts"
import * as Servers from "../../support/servers.ts"

const URL = "ws://127.0.0.1:7700/"
const websocket = [{ scheme: "ws", host: "127.0.0.1", port: 7700, pathPrefixes: ["/"] }] as const

const QUIET_TURNS = 4

/** What the listener does when it is told of the n-th text, binary message, ping or pong. */
export type Act = "pause" | "close" | "terminate" | "send"
export type Acts = ReadonlyMap<number, Act>

export interface Play {
  readonly reads: ReadonlyArray<Buffer>
  /** Whether each read is one of a turn of its own, as most are. */
  readonly apart: boolean
  readonly acts: Acts
  readonly bytes: number
  readonly fragments: number
  /** The answer of the server to an offer to compress, where there is one; empty: none. */
  readonly compression?: string
}

/** How it is read: by `ws` itself, or by what the host has, with the lane or without, by whose word. */
export type Reader = "ws" | "source off" | "client off" | "lane"

/** A socket whose other end is the test. */
class Line extends Duplex {
  readonly written = new ClientFrames()
  readonly #reads: ReadonlyArray<Buffer>
  readonly #apart: boolean
  readonly #extensions: ReadonlyArray<string>
  #request = ""
  #isOpen = false
  bytesRead = 0

  constructor({ apart, compression, reads }: Play) {
    super({ allowHalfOpen: false })
    this.#reads = reads
    this.#apart = apart
    this.#extensions = (compression ?? "") === "" ? [] : [`sec-websocket-extensions: ${compression}`]
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    done()
    if (this.#isOpen) return this.written.take(chunk)
    this.#request += chunk.toString("latin1")
    if (!this.#request.endsWith("\r\n\r\n")) return
    this.#isOpen = true
    this.push(Servers.switching(this.#request, ...this.#extensions))
    setImmediate(() => void this.#play())
  }

  async #play(): Promise<void> {
    for (const read of this.#reads) {
      if (this.destroyed) return
      // The memory of a read is its reader's, but only its part of it.
      this.bytesRead += read.length
      this.push(Buffer.from(read))
      if (this.#apart) await turn()
    }
    // The end comes when all was read, and whoever paused went on.
    for (let quiet = 0; quiet < QUIET_TURNS && !this.destroyed; quiet++) {
      await turn()
      if (this.readableLength > 0 || this.isPaused()) quiet = 0
    }
    if (!this.destroyed) this.push(null)
  }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

const short = (data: Uint8Array | string): string => {
  const bytes = Buffer.from(data)
  return bytes.length > 40 ? `${bytes.toString("hex", 0, 40)}… of ${bytes.length}` : bytes.toString("hex")
}

/** Notes what is told, and does what the play wants at that. */
class Notes {
  readonly told: Array<string> = []
  readonly ended = Promise.withResolvers<void>()
  readonly #acts: Acts
  #count = 0

  constructor(acts: Acts) {
    this.#acts = acts
  }

  data(line: string, act: (what: Act) => void): void {
    this.told.push(line)
    const what = this.#acts.get(this.#count++)
    if (what !== undefined) act(what)
  }

  closed(code: number, reason: string): void {
    this.told.push(`closed ${code} ${short(reason)}`)
    this.ended.resolve()
  }
}

/** As `ws` is used by itself, with the host's limits, telling what the host's listeners tell. */
const alone = (line: Line, { acts, bytes, compression, fragments }: Play): Notes => {
  const notes = new Notes(acts)
  const untyped = { maxFragments: fragments, maxBufferedChunks: 0, closeTimeout: 60_000 }
  const ws = new WebSocket(URL, {
    createConnection: () => line as unknown as Socket,
    autoPong: false,
    maxPayload: bytes,
    perMessageDeflate: compression !== undefined,
    ...untyped
  })
  const act = (what: Act) => {
    if (what === "send") ws.send("an answer")
    else if (what === "close") ws.close(4000, "enough")
    else if (what === "terminate") ws.terminate()
    else {
      ws.pause()
      setImmediate(() => ws.resume())
    }
  }
  ws.on("message", (data: Buffer, isBinary) =>
    notes.data(isBinary ? `binary ${data.length} ${short(data)}` : `text ${data.length} ${short(data.toString())}`, act)
  )
  ws.on("ping", (data) => {
    ws.pong(data)
    notes.data(`ping ${short(data)}`, act)
  })
  ws.on("pong", (data) => notes.data(`pong ${short(data)}`, act))
  ws.on("error", (error) => notes.told.push(`failed ${tagOf(codeOf(error))}`))
  ws.on("close", (code, reason) => notes.closed(code, reason.toString()))
  return notes
}

const tagOf = (code: string): string => {
  if (code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH" || code === "WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH") return "bytes"
  return code === "WS_ERR_TOO_MANY_BUFFERED_PARTS" ? "fragments" : code
}

const authority = await Effect.runPromise(Effect.scoped(authorityOf(subject({ websocket }), { websocket })))
const target = Result.getOrThrow(authority.authorize("gateway", URL))

/** As the host reads it. */
const hosted = (line: Line, { acts, bytes, compression, fragments }: Play, reader: Reader): Notes => {
  const notes = new Notes(acts)
  let socket: WebSocketClient.Socket | undefined = undefined
  const act = (what: Act) => {
    if (what === "send") socket?.send(Buffer.from("an answer"), "text", () => {})
    else if (what === "close") socket?.close(4000, "enough")
    else if (what === "terminate") socket?.terminate()
    else {
      socket?.read("off")
      setImmediate(() => socket?.read("full"))
    }
  }
  const events: WebSocketClient.SocketEvents = {
    open: (opened) => {
      socket = opened
    },
    text: (text, length) => notes.data(`text ${length} ${short(text)}`, act),
    binary: (data) => notes.data(`binary ${data.length} ${short(data)}`, act),
    ping: (data) => {
      socket?.pong(data, () => {})
      notes.data(`ping ${short(data)}`, act)
    },
    pong: (data) => notes.data(`pong ${short(data)}`, act),
    closing: () => {},
    failed: (error) => {
      if (error._tag === "ProtocolViolation") notes.told.push(`failed ${error.problem}`)
      else notes.told.push(`failed ${error._tag === "MessageTooLarge" ? error.what : error._tag}`)
    },
    closed: (code, reason) => notes.closed(code, reason)
  }
  const options: WebSocketClient.ConnectOptions = {
    headers: {},
    tls: undefined,
    compression: compression !== undefined,
    fastPath: reader !== "source off",
    maxMessageBytes: bytes,
    maxMessageFragments: fragments,
    lookups: { take: Effect.succeed((lookup) => lookup) },
    entered: () => {}
  }
  const fastPath = reader !== "client off"
  const upgrading = { target, options, events, turn: new Turn(), fastPath, remoteAddress: null }
  Effect.runFork(upgrade(line as unknown as Socket, { ...upgrading, opened: () => {} }))
  return notes
}

export interface Outcome {
  readonly told: ReadonlyArray<string>
  /** The frames that were written, in a few words. */
  readonly wrote: ReadonlyArray<string>
}

/** Plays it to the end. */
export const play = async (reader: Reader, plan: Play): Promise<Outcome> => {
  const line = new Line(plan)
  const notes = reader === "ws" ? alone(line, plan) : hosted(line, plan, reader)
  await notes.ended.promise
  line.destroy()
  const wrote = line.written.frames.map(({ opcode, payload, reserved }) => `${opcode} ${reserved} ${short(payload)}`)
  return { told: notes.told, wrote }
}
