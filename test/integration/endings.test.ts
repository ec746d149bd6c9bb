import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { type Limits, OutputCommand } from "mooring"
import type { Socket } from "node:net"
import type { WebSocket } from "ws"
import * as Servers from "../support/servers.ts"
import { assertSeen, errorOf, eventually, LATER, runHost, secondsUntilNext, SOON, the } from "./support/host.ts"

interface Ending {
  /** What the server does with the first connection; later ones stay open. */
  readonly server: (peer: WebSocket, socket: Socket) => void
  readonly limits?: Partial<Limits.Values>
  /** The texts that the plugin is handed before the end. */
  readonly texts?: ReadonlyArray<string>
  readonly close: { readonly code: number; readonly reason: string; readonly clean: boolean }
  /** The tag of the cause, and what its diagnostic says beside the URL. */
  readonly cause: readonly [tag: string, fields: { readonly [field: string]: unknown }]
}

/** After the end the source is dialled again, and its second epoch goes on where the first ended. */
const ends = (name: string, ending: Ending) => {
  it.live(name, () => endsAs(ending, true))
  it.live(`${name}, without the fast path`, () => endsAs(ending, false))
}

const endsAs = ({ cause, close, limits, server, texts = [] }: Ending, fastPath: boolean) =>
  Effect.gen(function* () {
    const { url, sockets } = yield* Servers.gateway((peer, socket, nth) => {
      if (nth === 1) server(peer, socket)
      else peer.send("again")
    })
    const { handed, until } = yield* runHost({
      sources: [url],
      reconnect: SOON,
      client: { fastPath },
      ...(limits && { limits })
    })
    const seen = yield* until(({ events }) => events.includes("text 2.1 again"))
    const [tag, fields] = cause
    const { clean, code } = close
    assertSeen(seen, {
      state: "open",
      epoch: 2,
      events: [
        "open 1",
        ...texts.map((text, index) => `text 1.${index + 1} ${text}`),
        ...(clean ? [] : [`error 1 ${tag}, dials again`]),
        `close 1 ${code} ${clean ? "clean" : "unclean"}, dials again`,
        "open 2",
        "text 2.1 again"
      ],
      diagnostics: [`${clean ? "info" : "warning"} ${tag} × 1`]
    })
    assert.deepStrictEqual(
      handed.map(({ droppedBefore, sequence }) => `${sequence} ${droppedBefore}`),
      handed.map((_event, index) => `${index + 1} 0`)
    )
    const ended = the(handed.find(({ kind }) => kind === "websocket_close"))
    assert.deepStrictEqual<unknown>(ended.payload, { url, ...close, unconfirmed: 0, willReconnect: true })
    assert.deepInclude(seen.connection.lastClose, close)
    assert.strictEqual(seen.connection.lastError?.tag, tag)
    assert.strictEqual(seen.connection.opens, 2)
    assert.deepStrictEqual<unknown>(errorOf(seen, tag), { _tag: tag, url, ...fields })
    yield* eventually(
      Effect.sync(() => sockets.map((socket) => socket.destroyed)),
      (destroyed) => destroyed.join() === "true,false"
    )
  })

const unclean = { code: 1006, reason: "", clean: false }
const closedUnclean = ["ConnectionClosed", unclean] as const

describe("the end of a connection", () => {
  ends("by a close frame is a close with its code and reason, and no error", {
    server: (peer) => peer.close(4001, "bye"),
    close: { code: 4001, reason: "bye", clean: true },
    cause: ["ConnectionClosed", { code: 4001, reason: "bye", clean: true }]
  })

  ends("by a close frame without a code is 1005 and clean", {
    server: (peer) => {
      peer.send("last words")
      peer.close()
    },
    texts: ["last words"],
    close: { code: 1005, reason: "", clean: true },
    cause: ["ConnectionClosed", { code: 1005, reason: "", clean: true }]
  })

  ends("by a reset is an error, then 1006", {
    server: (_peer, socket) => socket.resetAndDestroy(),
    close: unclean,
    cause: closedUnclean
  })

  ends("by the end of the stream without a close frame is an error, then 1006", {
    server: (_peer, socket) => {
      socket.end(Servers.text("a"))
    },
    texts: ["a"],
    close: unclean,
    cause: closedUnclean
  })

  ends("by a server that dies in the middle of a frame is an error, then 1006, and the half isn't delivered", {
    server: (_peer, socket) => {
      const half = Servers.text("never whole").subarray(0, 6)
      socket.write(Buffer.concat([Servers.text("whole"), half]), () => socket.destroy())
    },
    texts: ["whole"],
    close: unclean,
    cause: closedUnclean
  })

  ends("by a message over the limit is MessageTooLarge; one of exactly the limit is delivered", {
    server: (peer) => {
      peer.send("x".repeat(1024))
      peer.send("y".repeat(1025))
      peer.send("never read")
    },
    limits: { maxMessageBytes: 1024 },
    texts: ["x".repeat(1024)],
    close: unclean,
    cause: ["MessageTooLarge", { what: "bytes", limit: 1024 }]
  })

  ends("by fragments that are together over the limit is MessageTooLarge", {
    server: (_peer, socket) => {
      socket.write(Servers.frame(Servers.TEXT, "x".repeat(1000), 0))
      socket.write(Servers.frame(Servers.CONTINUATION, "x".repeat(25)))
    },
    limits: { maxMessageBytes: 1024 },
    close: unclean,
    cause: ["MessageTooLarge", { what: "bytes", limit: 1024 }]
  })

  const violations = [
    ["a text that isn't UTF-8", Servers.frame(Servers.TEXT, Buffer.from([0x66, 0xff, 0xfe])), "INVALID_UTF8"],
    ["a reserved bit", Servers.frame(Servers.TEXT, "x", 0xc0), "UNEXPECTED_RSV_1"],
    ["an unknown opcode", Servers.frame(3, "x"), "INVALID_OPCODE"],
    ["a masked frame", Buffer.from([0x81, 0x81, 1, 2, 3, 4, 5]), "UNEXPECTED_MASK"],
    ["a close code that nobody may send", Servers.closeFrame(1006), "INVALID_CLOSE_CODE"]
  ] as const
  for (const [name, bytes, problem] of violations) {
    ends(`by ${name} is ProtocolViolation; what follows isn't delivered`, {
      server: (_peer, socket) => {
        socket.write(Buffer.concat([Servers.text("fine"), bytes, Servers.text("never read")]))
      },
      texts: ["fine"],
      close: unclean,
      cause: ["ProtocolViolation", { problem: `WS_ERR_${problem}` }]
    })
  }

  ends("by 500 pings at once is ControlFlood", {
    server: (peer) => {
      for (let ping = 0; ping < 500; ping++) peer.ping()
    },
    close: unclean,
    cause: ["ControlFlood", { limit: 100 }]
  })

  for (const [name, reconnect, state, secondsAhead] of [
    ["with one of the stop codes stops the source for 15 minutes", { stop_codes: [4004] }, "stopped close_code", 900],
    ["where the policy is never stops the source", { policy: "never" }, "stopped never", null]
  ] as const) {
    it.live(name, () =>
      Effect.gen(function* () {
        const { sockets, url } = yield* Servers.gateway((peer) => peer.close(4004))
        const { until } = yield* runHost({ sources: [url], reconnect: { ...SOON, ...reconnect } })
        const seen = yield* until(({ events }) => events.length === 2)
        const events = ["open 1", "close 1 4004 clean, stops"]
        assertSeen(seen, { state, epoch: 1, events, diagnostics: ["info ConnectionClosed × 1"] })
        assert.strictEqual(secondsUntilNext(seen), secondsAhead)
        assert.strictEqual(sockets.length, 1)
      })
    )
  }

  it.live("has begun when the server has sent its close frame: nothing is sent after it", () =>
    Effect.gen(function* () {
      const going = yield* Servers.answering(
        (socket, request) => {
          socket.write(Buffer.concat([Servers.switching(request), Servers.closeFrame(4001)]))
          // The answer to the close frame.
          socket.on("data", () => peers.forEach((peer) => peer.send("now")))
        },
        { allowHalfOpen: true }
      )
      const peers: Array<WebSocket> = []
      const staying = yield* Servers.gateway((peer) => peers.push(peer))
      const { until } = yield* runHost({
        sources: [staying.url, going.url],
        // One after the other, so that the second connection is there to tell.
        limits: { dialsAtOncePerPlugin: 1 },
        text: () => Exit.succeed({ commands: [OutputCommand.send(going.url, "too late")] })
      })
      const { plugin } = yield* until((seen) => seen.plugin.outputCommandResults.length > 0)
      const [result] = plugin.outputCommandResults
      assert.strictEqual(`${result?.status} ${result?.error?.tag}`, "rejected NotConnected")
      assert.deepInclude(plugin.websocketConnections[1], { sentTextFrames: 0, sendFailures: 0 })
    })
  )

  const stubborn = [
    [
      "sent its close frame",
      Servers.closeFrame(4001, "bye"),
      "close 1 4001 clean, dials again",
      "info ConnectionClosed × 1"
    ],
    ["broke the protocol", Servers.frame(3), "error 1 ProtocolViolation, dials again", "warning ProtocolViolation × 1"]
  ] as const
  for (const [name, bytes, event, diagnostic] of stubborn) {
    it.live(`isn't held up by a server that ${name} and never hangs up`, () =>
      Effect.gen(function* () {
        const { open, url } = yield* Servers.answering(
          (socket, request) => socket.write(Buffer.concat([Servers.switching(request), bytes])),
          { allowHalfOpen: true }
        )
        const { until } = yield* runHost({ sources: [url], reconnect: LATER })
        const told = ["open 1", ...(event.startsWith("error") ? [event, "close 1 1006 unclean, dials again"] : [event])]
        const seen = yield* until(({ events }) => events.length === told.length)
        assertSeen(seen, { state: "waiting", epoch: 1, events: told, diagnostics: [diagnostic] })
        yield* eventually(Effect.sync(open), (count) => count === 0)
      })
    )
  }
})

describe("a text with the end right behind it", () => {
  const text = Servers.text("Hello")
  for (const [name, end] of [
    ["a close frame", Servers.closeFrame(1000)],
    ["a broken frame", Servers.frame(Servers.TEXT, "x", 0xc0)]
  ] as const) {
    it.live(
      `(${name}) is handed over, and its answer judged by what it was answered in sight of, wherever the bytes are cut`,
      () =>
        Effect.gen(function* () {
          const bytes = Buffer.concat([text, end])
          const cuts = Array.from({ length: bytes.length }, (_, cut) => cut)
          const answered = cuts.map(() => 0)
          const { url } = yield* Servers.answering((socket, request) => {
            const cut = Number(/^GET \/(\d+)/.exec(request)?.[1])
            socket.setNoDelay()
            socket.on("data", (data) => {
              // Another is a close frame.
              if (data[0] === 0x81) answered[cut] = data.length
              if (cut >= text.length) rest()
            })
            const rest = () => socket.write(bytes.subarray(cut))
            socket.write(Buffer.concat([Servers.switching(request), bytes.subarray(0, cut)]))
            // A whole text is answered before the rest comes.
            if (cut < text.length) setImmediate(rest)
          })
          const { handed, until } = yield* runHost({
            sources: cuts.map((cut) => `${url}${cut}`),
            limits: { connectionsPerPlugin: cuts.length, dialsAtOncePerPlugin: cuts.length },
            text: (event) =>
              Exit.succeed({
                commands: [OutputCommand.send(event, "hi", { commandId: `cut-${event.url.slice(url.length)}` })]
              })
          })
          const { plugin } = yield* until(
            ({ plugin: { outputCommandResults } }) =>
              outputCommandResults.length === cuts.length &&
              handed.filter(({ kind }) => kind === "websocket_close").length === cuts.length
          )
          for (const cut of cuts) {
            const isApart = cut >= text.length
            const result = plugin.outputCommandResults.find(({ commandId }) => commandId === `cut-${cut}`)
            const became = `${result?.status} ${result?.error?.tag ?? ""}`
            // What breaks the protocol is known with its first byte, a close frame with its last.
            const isKnown = name === "a broken frame" && cut > text.length + 1
            // One that is handed over as it comes is answered before what stands behind it is looked at; one that waits for
            // its turn, after that.
            const may =
              isApart && !isKnown ? ["executed "] : ["rejected NotConnected", ...(isApart ? [] : ["executed "])]
            assert.include(may, became, `cut at ${cut}`)
            assert.strictEqual(answered[cut], became === "executed " ? 8 : 0, `cut at ${cut}`)
            const events = handed.filter((event) => "url" in event && event.url === `${url}${cut}`)
            const kinds = events.map(({ kind }) => kind.replace("websocket_", "")).join()
            assert.strictEqual(kinds, name === "a close frame" ? "open,text,close" : "open,text,error,close")
            // What was executed and is confirmed by nothing is told as such, whether it arrived or not.
            const close = the(events.find((event) => event.kind === "websocket_close"))
            assert.deepInclude(close.payload, { unconfirmed: became === "executed " ? 1 : 0 }, `cut at ${cut}`)
          }
        })
    )
  }
})
