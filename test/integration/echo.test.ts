/**
 * An echo plugin against a server that plays what conformance suites play to a
 * client: it must answer every text as it was, however it came. What `ws` does
 * with the same bytes is asked in the same run.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { OutputCommand } from "mooring"
import type { Socket } from "node:net"
import type { WsClient } from "mooring/node"
import { WebSocket } from "ws"
import * as Servers from "../support/servers.ts"
import { ClientFrames } from "./support/clientFrames.ts"
import { assertAccounted, eventually, runHost } from "./support/host.ts"

const { CLOSE, CONTINUATION, PING, TEXT, frame } = Servers
const PONG = 10
const NOT_LAST = 0
const KIB = 1024
const MIB = 1024 * KIB

/** What it plays, and in pieces of how many bytes, each written in a turn of its own; `goesOn` with more once it was answered. */
interface Case {
  readonly name: string
  readonly bytes: Buffer
  readonly chop?: number
  readonly echoes: ReadonlyArray<string>
}

const LIMITS = {
  maxMessageBytes: 16 * MIB,
  sendTextBytes: 16 * MIB,
  commandPayloadBytes: 32 * MIB,
  outputBytes: 64 * MIB,
  sendBufferBytes: 64 * MIB,
  ingressQueueBytes: 64 * MIB
}

const inFragments = (text: string, size: number): Buffer => {
  const payload = Buffer.from(text)
  const count = Math.max(1, Math.ceil(payload.length / size))
  return Buffer.concat(
    Array.from({ length: count }, (_, nth) =>
      frame(
        nth === 0 ? TEXT : CONTINUATION,
        payload.subarray(nth * size, (nth + 1) * size),
        nth === count - 1 ? undefined : NOT_LAST
      )
    )
  )
}

/** Not the same byte again and again, and not one byte a character. */
const textOf = (bytes: number): string => "gr\u00fc\u00dfe \u{1f30a} ".repeat(Math.ceil(bytes / 14))

const whole = [0, 1, 125, 126, 65_535, 65_536, 64 * KIB + 1, 256 * KIB, MIB, 4 * MIB, 16 * MIB]
const CASES: ReadonlyArray<Case> = [
  ...whole.map((bytes) => ({
    name: `a text of ${bytes} bytes`,
    bytes: Servers.text("*".repeat(bytes)),
    echoes: ["*".repeat(bytes)]
  })),
  ...[64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB].map((size) => ({
    name: `1 MiB in fragments of ${size}`,
    bytes: inFragments("*".repeat(MIB), size),
    echoes: ["*".repeat(MIB)]
  })),
  { name: "65,536 fragments", bytes: inFragments("*".repeat(65_536), 1), echoes: ["*".repeat(65_536)] },
  ...[64, 128, 1000, 65_536].map((chop) => ({
    name: `1 MiB of characters of up to four bytes, chopped by ${chop}`,
    bytes: Servers.text(textOf(MIB)),
    chop,
    echoes: [textOf(MIB)]
  })),
  { name: "chopped by a byte", bytes: Servers.text(textOf(4096)), chop: 1, echoes: [textOf(4096)] },
  { name: "fragments chopped by a byte", bytes: inFragments(textOf(2048), 1), chop: 1, echoes: [textOf(2048)] },
  {
    name: "a thousand texts in one segment",
    bytes: Buffer.concat(Array.from({ length: 1000 }, (_, nth) => Servers.text(`text ${nth}`))),
    echoes: Array.from({ length: 1000 }, (_, nth) => `text ${nth}`)
  },
  {
    name: "80 pings in one segment, then a text",
    bytes: Buffer.concat([...Array.from({ length: 80 }, (_, nth) => frame(PING, `${nth}`)), Servers.text("after")]),
    echoes: [...Array.from({ length: 80 }, (_, nth) => `pong ${nth}`), "after"]
  }
]

/** Writes pieces of so many bytes, each in a turn of its own. */
const chopped = (socket: Socket, bytes: Buffer, size: number): void => {
  if (socket.destroyed || bytes.length === 0) return
  socket.write(bytes.subarray(0, size))
  setImmediate(() => chopped(socket, bytes.subarray(size), size))
}

/** A server that plays the case whose number is the path, and what was answered to each. */
const playing = (plays: ReadonlyArray<{ readonly bytes: Buffer; readonly chop?: number }>) =>
  Effect.gen(function* () {
    const answers = plays.map(() => new ClientFrames())
    const { url } = yield* Servers.answering((socket, request) => {
      const nth = Number(/^GET \/(\d+)/.exec(request)?.[1])
      const { bytes, chop } = plays[nth] ?? { bytes: Buffer.alloc(0) }
      socket.on("data", answers[nth]?.take ?? (() => {}))
      socket.write(Servers.switching(request))
      chopped(socket, bytes, chop ?? bytes.length)
    })
    return { url, answers }
  })

const echoed = ({ frames }: ClientFrames): ReadonlyArray<string> =>
  frames
    .filter(({ opcode }) => opcode !== PING)
    .map(({ opcode, payload }) => (opcode === PONG ? `pong ${payload.toString()}` : payload.toString()))

const echo = (url: string, count: number, client: WsClient.Options = {}) =>
  runHost({
    sources: Array.from({ length: count }, (_, nth) => `${url}${nth}`),
    // The server answers no pings.
    limits: { ...LIMITS, connectionsPerPlugin: count, dialsAtOncePerPlugin: 4, pingIntervalMs: 0 },
    client,
    recordsTexts: false,
    text: (event) => Exit.succeed({ commands: [OutputCommand.send(event, event.text)] })
  })

/** Plays cases to a plugin that echoes what it is told. */
const answersAll = (cases: ReadonlyArray<Case>, client: WsClient.Options = {}) =>
  Effect.gen(function* () {
    const { answers, url } = yield* playing(cases)
    const { until } = yield* echo(url, cases.length, client)
    const isAnswered = (nth: number, echoes: ReadonlyArray<string>) => {
      const got = answers[nth] === undefined ? [] : echoed(answers[nth])
      return got.length === echoes.length && got.every((text, at) => text === echoes[at])
    }
    // To look at all of them again and again takes longer than all else: 40 MiB of texts each time.
    const waiting = new Map(cases.map(({ echoes }, nth) => [nth, echoes]))
    const left = Effect.sync(() => {
      for (const [nth, echoes] of waiting) if (isAnswered(nth, echoes)) waiting.delete(nth)
      return [...waiting.keys()].map((nth) => cases[nth]?.name)
    })
    yield* eventually(left, (names) => names.length === 0, 25_000)
    // And nothing more came since.
    assert.isTrue(cases.every(({ echoes }, nth) => isAnswered(nth, echoes)))
    assert.deepStrictEqual(
      answers.map(({ problem }) => problem).filter((problem) => problem !== undefined),
      []
    )
    // A frame of its own for each, not compressed.
    for (const { frames } of answers) assert.isTrue(frames.every(({ fin, reserved }) => fin && reserved === 0))
    const { plugin } = yield* until(({ plugin: { queueDepth } }) => queueDepth === 0)
    assertAccounted(plugin)
    assert.deepStrictEqual(plugin.diagnosticCounts, {})
  })

describe("an echo plugin", () => {
  it.live("answers every text as it was, whole, in fragments, and chopped", () => answersAll(CASES))

  it.live("answers the same without the fast path", () =>
    // How it is chopped is the collector's to know, which is there with it and without.
    answersAll(
      CASES.filter(({ chop }) => chop === undefined),
      { fastPath: false }
    )
  )
})

/** Beginnings that no valid text has, and of which the rest never comes. */
const FAILING = ["cebae1bdb9cf83cebcceb5f4", "cebae1bdb9cf83cebcceb5f490", "eda0", "c080", "ff"].flatMap((hex) => {
  const bytes = Buffer.from(hex, "hex")
  const long = Buffer.concat([Buffer.from([0x81, 126, 0x10, 0]), bytes])
  return [
    { name: `${hex} in a frame that goes on`, bytes: long, isInvalid: hex !== "cebae1bdb9cf83cebcceb5f4" },
    {
      name: `${hex} in a fragment`,
      bytes: frame(TEXT, bytes, NOT_LAST),
      isInvalid: hex !== "cebae1bdb9cf83cebcceb5f4"
    }
  ]
})

const closeCodeOf = ({ frames }: ClientFrames): number | undefined =>
  frames.find(({ opcode }) => opcode === CLOSE)?.payload.readUInt16BE(0)

describe("a text that can't become UTF-8 any more", () => {
  it.live("is ended by 1007 with the byte that makes it so, where ws waits for the rest", () =>
    Effect.gen(function* () {
      // A connection that says nothing for as long as it is waited for is told by one that begins after it.
      const { answers, url } = yield* playing([...FAILING, ...FAILING])
      const bare = yield* Effect.acquireRelease(
        Effect.sync(() => FAILING.map((_, nth) => new WebSocket(`${url}${FAILING.length + nth}`))),
        (clients) => Effect.sync(() => clients.forEach((client) => client.terminate()))
      )
      for (const client of bare) client.on("error", () => {})
      const { until } = yield* echo(url, FAILING.length)
      const codes = Effect.sync(() => FAILING.map((_, nth) => answers[nth] && closeCodeOf(answers[nth])))
      const expected = FAILING.map(({ isInvalid }) => (isInvalid ? 1007 : undefined))
      yield* eventually(codes, (seen) => seen.every((code, nth) => code === expected[nth]))
      const { plugin } = yield* until(
        ({ plugin: { websocketConnections } }) =>
          websocketConnections.filter(({ lastError }) => lastError?.tag === "ProtocolViolation").length === 8
      )
      assertAccounted(plugin)
      assert.deepStrictEqual(
        answers.slice(FAILING.length).map(closeCodeOf),
        FAILING.map(() => undefined)
      )
    })
  )
})
