import { afterEach, assert, beforeEach, describe, it, vi } from "@effect/vitest"
import type { WebSocket } from "ws"
import { Turn, WsSocket } from "../../../src/node/internal/wsSocket.ts"

const LARGE = 65_536
const HALF = 32_768

const agreed = { subprotocol: "v1", remoteAddress: "127.0.0.1", peerCertificateExpiresAt: 7 }

type Done = (error?: Error | null) => void

const NOTHING = () => {}

const connected = { bytesRead: 123, _handle: { writeQueueSize: 7 } }

/** A `ws` that writes down what it is told, as far as this needs one; on Node's own socket, if that is said. */
const play = (turn = new Turn(), onNode = false, extensions = "") => {
  const calls: Array<string> = []
  const handle = {
    reading: true,
    readStop: () => calls.push("stop"),
    readStart: () => calls.push("start")
  }
  let written: Done | undefined
  const ws = {
    extensions,
    pause: () => calls.push("pause"),
    resume: () => calls.push("resume"),
    ping: (data: Uint8Array, mask: undefined, done: Done) => {
      calls.push(`ping ${data.length} ${mask}`)
      written = done
    },
    pong: (data: Uint8Array, mask: undefined, done: Done) => {
      calls.push(`pong ${data.length} ${mask}`)
      written = done
    },
    close: (code: number, reason: string) => calls.push(`close ${code} ${reason}`),
    terminate: () => calls.push("terminate"),
    send: (text: Uint8Array, options: unknown, done: Done) => {
      calls.push(`send ${text} ${JSON.stringify(options)}`)
      written = done
    }
  }
  const beneath = onNode ? { bytesRead: 123, _handle: handle } : connected
  const socket = new WsSocket(ws as unknown as WebSocket, beneath, agreed, turn)
  return { socket, handle, calls: () => calls.splice(0), written: (error?: Error | null) => written?.(error) }
}

/** A turn of the event loop goes by. */
const turnOver = () => vi.advanceTimersToNextTimer()

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe("an open socket", () => {
  it("hands on what is asked of it", () => {
    const { calls, socket } = play()
    socket.ping(new Uint8Array(2), NOTHING)
    socket.pong(new Uint8Array(3), NOTHING)
    socket.close(4000, "bye")
    socket.terminate()
    assert.deepStrictEqual(calls(), ["ping 2 undefined", "pong 3 undefined", "close 4000 bye", "terminate"])
    assert.deepInclude(socket, agreed)
    assert.strictEqual(socket.writeQueueSize(), 7)
    assert.strictEqual(socket.bytesRead(), 123)
  })

  it.each(["text", "binary"] as const)("lets %s frames from 1 KiB on be compressed", (kind) => {
    const binary = kind === "binary"
    const { calls, socket } = play()
    for (const bytes of [0, 1023, 1024]) socket.send(new Uint8Array(bytes), kind, () => {})
    assert.deepStrictEqual(
      calls().map((call) => call.replace(/ [\d,]* \{/u, " {")),
      [
        `send {"binary":${binary},"compress":false}`,
        `send {"binary":${binary},"compress":false}`,
        `send {"binary":${binary}}`
      ]
    )
  })

  it("compresses nothing that has a secret in it, however long", () => {
    const { calls, socket } = play()
    socket.send(new Uint8Array(5000), "text", () => {}, true)
    assert.include(calls()[0], '{"binary":false,"compress":false}')
  })

  it("tells whoever sent a text what became of it", () => {
    const { calls, socket, written } = play()
    const told: Array<string> = []
    const tell = (failed: boolean) => told.push(`one ${failed}`)
    socket.send(Uint8Array.of(1), "text", tell)
    written()
    socket.send(Uint8Array.of(2), "text", tell)
    written(null)
    socket.send(Uint8Array.of(3), "text", (failed) => told.push(`other ${failed}`))
    written(new Error("EPIPE"))
    socket.send(Uint8Array.of(4), "text", tell)
    written(new Error("EPIPE"))
    assert.deepStrictEqual(
      calls(),
      [1, 2, 3, 4].map((text) => `send ${text} {"binary":false,"compress":false}`)
    )
    assert.deepStrictEqual(told, ["one false", "one false", "other true", "one true"])
  })

  for (const kind of ["ping", "pong"] as const) {
    it(`tells when a ${kind} was written, and not when it can't be`, () => {
      const { socket, written } = play()
      let times = 0
      socket[kind](new Uint8Array(1), () => times++)
      written()
      assert.strictEqual(times, 1)
      written(new Error("EPIPE"))
      assert.strictEqual(times, 1)
    })
  }
})

describe("the pace of reading", () => {
  it("is one large read a turn", () => {
    const { calls, socket } = play()
    socket.received(HALF - 1)
    assert.deepStrictEqual(calls(), [])
    socket.received(1)
    assert.deepStrictEqual(calls(), ["pause"])
    // What was already read is taken in.
    socket.received(LARGE)
    assert.deepStrictEqual(calls(), [])
    turnOver()
    assert.deepStrictEqual(calls(), ["resume"])
    socket.received(LARGE)
    assert.deepStrictEqual(calls(), ["pause"])
  })

  it("counts small reads of one turn together, those of different turns not", () => {
    const { calls, socket } = play()
    for (let turn = 0; turn < 5; turn++) {
      socket.received(HALF / 2)
      turnOver()
    }
    assert.deepStrictEqual(calls(), [])
    socket.received(HALF / 2)
    socket.received(HALF / 2)
    assert.deepStrictEqual(calls(), ["pause"])
  })

  it("counts for each socket by itself, turns for all together", () => {
    const turn = new Turn()
    const [one, other] = [play(turn), play(turn)]
    one.socket.received(LARGE)
    other.socket.received(HALF - 1)
    assert.deepStrictEqual([one.calls(), other.calls()], [["pause"], []])
    // The turn of both, and the hold of the first.
    assert.strictEqual(vi.getTimerCount(), 2)
  })

  it("counts turns only while something is read", () => {
    const { socket } = play()
    socket.received(1)
    assert.strictEqual(vi.getTimerCount(), 1)
    vi.runAllTimers()
    assert.strictEqual(vi.getTimerCount(), 0)
  })

  it("stops and goes on as it is told", () => {
    const { calls, socket } = play()
    socket.read("off")
    socket.read("full")
    assert.deepStrictEqual(calls(), ["pause", "resume"])
  })

  it("stays stopped after a turn that was held, until it is told otherwise", () => {
    const { calls, socket } = play()
    socket.received(LARGE)
    socket.read("off")
    assert.deepStrictEqual(calls(), ["pause", "pause"])
    vi.runAllTimers()
    assert.deepStrictEqual(calls(), [])
    socket.read("full")
    assert.deepStrictEqual(calls(), ["resume"])
  })

  it("holds for the rest of the turn even if it is told to go on", () => {
    const { calls, socket } = play()
    socket.received(LARGE)
    socket.read("full")
    assert.deepStrictEqual(calls(), ["pause"])
    turnOver()
    assert.deepStrictEqual(calls(), ["resume"])
  })

  it("is, when slow, one read of any size every ten milliseconds", () => {
    const { calls, socket } = play()
    socket.read("slow")
    assert.deepStrictEqual(calls(), ["resume"])
    for (let read = 0; read < 3; read++) {
      socket.received(1)
      assert.deepStrictEqual(calls(), ["pause"])
      socket.received(1)
      vi.advanceTimersByTime(9)
      assert.deepStrictEqual(calls(), [])
      vi.advanceTimersByTime(1)
      assert.deepStrictEqual(calls(), ["resume"])
    }
  })

  it("is full again at once when it is told so while it is slow", () => {
    const { calls, socket } = play()
    socket.read("slow")
    socket.received(1)
    socket.read("full")
    assert.deepStrictEqual(calls(), ["resume", "pause", "resume"])
    vi.advanceTimersByTime(1000)
    assert.deepStrictEqual(calls(), [])
    socket.received(HALF)
    assert.deepStrictEqual(calls(), ["pause"])
  })

  it("stays stopped when it is stopped while it is slow, and goes on at once when it is told to", () => {
    const { calls, socket } = play()
    socket.read("slow")
    socket.received(1)
    socket.read("off")
    vi.advanceTimersByTime(1000)
    assert.deepStrictEqual(calls(), ["resume", "pause", "pause"])
    socket.read("slow")
    assert.deepStrictEqual(calls(), ["resume"])
    socket.received(1)
    assert.deepStrictEqual(calls(), ["pause"])
  })

  it("goes on no more after the end, and keeps nothing alive", () => {
    const { calls, socket } = play()
    socket.received(LARGE)
    socket.ended()
    vi.runAllTimers()
    assert.deepStrictEqual(calls(), ["pause"])
    const slow = play()
    slow.socket.read("slow")
    slow.socket.received(1)
    turnOver()
    slow.calls()
    slow.socket.ended()
    assert.strictEqual(vi.getTimerCount(), 0)
    assert.deepStrictEqual(slow.calls(), [])
  })

  it("is held beneath the stream where that can be, and goes on there whatever was said meanwhile", () => {
    const { calls, socket } = play(undefined, true)
    socket.received(LARGE)
    assert.deepStrictEqual(calls(), ["stop"])
    socket.received(LARGE)
    turnOver()
    assert.deepStrictEqual(calls(), ["start", "resume"])
    socket.received(LARGE)
    socket.read("off")
    turnOver()
    // Its stream is paused, and stops by itself what it doesn't want.
    assert.deepStrictEqual(calls(), ["stop", "pause", "start"])
    socket.read("full")
    socket.received(LARGE)
    socket.read("off")
    socket.read("full")
    turnOver()
    assert.deepStrictEqual(calls(), ["resume", "stop", "pause", "start", "resume"])
    socket.received(LARGE)
    socket.read("slow")
    turnOver()
    assert.deepStrictEqual(calls(), ["stop", "start", "resume"])
  })

  it("is held by the stream where it is slow, and where messages are inflated, which stops with it", () => {
    const slow = play(undefined, true)
    slow.socket.read("slow")
    slow.socket.received(1)
    vi.runAllTimers()
    assert.deepStrictEqual(slow.calls(), ["resume", "pause", "resume"])
    const inflating = play(undefined, true, "permessage-deflate")
    inflating.socket.received(LARGE)
    turnOver()
    assert.deepStrictEqual(inflating.calls(), ["pause", "resume"])
  })

  it("leaves alone what its stream has stopped, or starts by itself, or has ended", () => {
    const stopped = play(undefined, true)
    stopped.handle.reading = false
    stopped.socket.received(LARGE)
    turnOver()
    assert.deepStrictEqual(stopped.calls(), ["pause", "resume"])
    const later = play(undefined, true)
    later.socket.received(LARGE)
    later.handle.reading = false
    later.socket.ended()
    vi.runAllTimers()
    assert.deepStrictEqual(later.calls(), ["stop"])
  })
})
