import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { IngressEvent } from "mooring"
import type { Socket } from "node:net"
import * as Servers from "../support/servers.ts"
import { CASES, withoutBinary } from "./support/hostileFrames.ts"
import { assertAccounted, eventually, runHost } from "./support/host.ts"

/** Goes on after a case that leaves the connection open. */
const END = "that was all"

/** Writes pieces of so many bytes, each in a turn of its own. */
const inPieces = (socket: Socket, bytes: Buffer, size: number): void => {
  if (socket.destroyed || bytes.length === 0) return
  socket.write(bytes.subarray(0, size))
  setImmediate(() => inPieces(socket, bytes.subarray(size), size))
}

const isOver = (event: IngressEvent.IngressEvent): boolean =>
  event.kind === "websocket_close" || (event.kind === "websocket_text" && event.text === END)

const told = (event: IngressEvent.IngressEvent): ReadonlyArray<string> => {
  switch (event.kind) {
    case "websocket_text":
      return event.text === END ? [] : [`text of ${Buffer.byteLength(event.text)}`]
    case "websocket_binary":
      return [`binary of ${event.bytes.length}`]
    case "websocket_error":
      return [`error ${event.error.tag}`]
    case "websocket_close":
      return [`${event.code} ${event.clean ? "clean" : "unclean"}`]
    default:
      return []
  }
}

/** What a client wrote, in a few words: pongs, and the code of its close frame. Its frames are short, and masked. */
const written = (bytes: Buffer): ReadonlyArray<string> => {
  if (bytes.length < 6) return []
  const length = (bytes[1] ?? 0) & 0x7f
  const rest = written(bytes.subarray(6 + length))
  if (((bytes[0] ?? 0) & 0x0f) !== Servers.CLOSE) return [`pong of ${length}`, ...rest]
  return [`sent ${Servers.codeOfClose(bytes) ?? "none"}`, ...rest]
}

/** Plays every case to a connection of its own, all of one plugin, and fails with those that became something else. */
const play = (sizeOf: (bytes: Buffer) => number, settings = {}, takesBinary = false) =>
  Effect.gen(function* () {
    const answers = CASES.map(() => Buffer.alloc(0))
    const { url } = yield* Servers.answering((socket, request) => {
      const nth = Number(/^GET \/(\d+)/.exec(request)?.[1])
      const bytes = Buffer.concat([CASES[nth]?.bytes ?? Buffer.alloc(0), Servers.text(END)])
      socket.write(Servers.switching(request))
      socket.on("data", (data) => {
        answers[nth] = Buffer.concat([answers[nth] ?? data, data])
      })
      inPieces(socket, bytes, sizeOf(bytes))
    })
    const { handed, seen, until } = yield* runHost({
      sources: CASES.map((_, nth) => `${url}${nth}`),
      settings,
      ...(takesBinary ? { binary: () => Exit.void } : {}),
      limits: {
        connectionsPerPlugin: CASES.length,
        dialsAtOncePerPlugin: 16,
        dialsPerSecond: 10_000,
        // These servers answer nothing.
        pingIntervalMs: 0
      }
    })
    const surprises = Effect.map(seen, ({ plugin: { websocketConnections } }) =>
      CASES.map(({ becomes, name }, nth) => {
        const events = handed.filter((event) => "url" in event && event.url === `${url}${nth}`)
        const cause = websocketConnections[nth]?.lastError
        const details = cause === null || cause?.tag === "ConnectionClosed" ? [] : cause?.message.split(" ").slice(-1)
        const became = [...events.flatMap(told), ...(details ?? []), ...written(answers[nth] ?? Buffer.alloc(0))]
        const expected = takesBinary ? becomes : withoutBinary(becomes)
        return { name, became: became.join("; "), isOver: events.some(isOver), becomes: expected }
      }).filter(({ became, becomes, isOver: over }) => !over || became !== becomes)
    )
    yield* eventually(surprises, (left) => left.length === 0, 15_000)
    const { plugin } = yield* until(({ plugin: { queueDepth } }) => queueDepth === 0)
    assertAccounted(plugin)
    assert.strictEqual(plugin.lifecycle, "running")
    assert.strictEqual(plugin.dispatchCounters.dispatched, plugin.dispatchCounters.enqueued)
    assert.isAbove(CASES.length, 200)
  })

describe("what a hostile server writes", () => {
  for (const [name, settings] of [
    ["", {}],
    [", without the fast path", { fast_path: false }]
  ] as const) {
    it.live(`ends as what it is, with the right code on both sides, and hurts nothing else${name}`, () =>
      play((bytes) => bytes.length, settings)
    )

    it.live(`ends as the same where it comes byte by byte${name}`, () =>
      play((bytes) => (bytes.length < 400 ? 1 : 1013), settings)
    )

    it.live(`ends as the same where binary frames are taken${name}`, () =>
      play((bytes) => bytes.length, settings, true)
    )

    it.live(`ends as the same where they are taken and it comes byte by byte${name}`, () =>
      play((bytes) => (bytes.length < 400 ? 1 : 1013), settings, true)
    )
  }
})
