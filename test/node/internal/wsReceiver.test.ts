import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { EventEmitter, once } from "node:events"
import { Socket } from "node:net"
import { Writable } from "node:stream"
import { WebSocket } from "ws"
import { collectFrames } from "../../../src/node/internal/wsReceiver.ts"
import { heapUsed } from "../../support/memory.ts"
import * as Servers from "../../support/servers.ts"
import { LIMITS } from "../support/received.ts"

/** A socket of another runtime's `ws`, as far as this looks at one. */
const foreign = (inside: object): WebSocket => inside as WebSocket

/** What is told of two texts and a ping, the first text cut in two, and what the receiver gets of them. */
const played = (offering?: Socket) => {
  const told: Array<string> = []
  const receiver = new Writable({
    write: (bytes: Buffer, _encoding, done) => {
      told.push(`receiver ${bytes.length}`)
      done()
    }
  })
  const inside = foreign(Object.assign(new EventEmitter(), { _receiver: receiver, extensions: "" }))
  const text = (line: string, bytes: number) => void told.push(`text ${bytes} ${line}`)
  collectFrames(inside, {
    limits: LIMITS,
    pace: { received: (bytes) => void told.push(`read ${bytes}`) },
    texts: { text },
    offering
  })
  const hello = Servers.text("hello")
  receiver.write(hello.subarray(0, 3))
  receiver.write(Buffer.concat([hello.subarray(3), hello, Servers.frame(Servers.PING)]))
  return told
}

describe("collecting frames before they are parsed", () => {
  it("hands the receiver of a socket what is whole", () => {
    const written: Array<string> = []
    const receiver = new Writable({
      write: (bytes: Buffer, _encoding, done) => {
        written.push(bytes.toString("latin1"))
        done()
      }
    })
    const reads: Array<number> = []
    collectFrames(foreign({ _receiver: receiver }), {
      limits: LIMITS,
      pace: { received: (bytes) => void reads.push(bytes) }
    })
    const text = Servers.text("hello")
    assert.isTrue(receiver.write(text.subarray(0, 3)))
    assert.deepStrictEqual(written, [])
    receiver.write(Buffer.concat([text.subarray(3), text]))
    assert.deepStrictEqual(
      written,
      [text, text].map((bytes) => bytes.toString("latin1"))
    )
  })

  it("hands whole texts to whoever wants them, unless compression was offered or it isn't Node", () => {
    assert.deepStrictEqual(played(), ["read 3", "read 13", "text 5 hello", "text 5 hello", "receiver 2"])
    assert.deepStrictEqual(played(new Socket()), ["read 3", "read 13", "receiver 7", "receiver 9"])
    for (const runtime of ["bun", "deno"]) {
      Object.defineProperty(process.versions, runtime, { value: "1.0.0", configurable: true })
      assert.deepStrictEqual(played(), ["read 3", "read 13", "receiver 7", "receiver 9"])
      Reflect.deleteProperty(process.versions, runtime)
    }
  })

  it("counts frames of a socket that has no such receiver", () => {
    for (const inside of [{}, { _receiver: undefined }, { _receiver: new EventEmitter() }]) {
      const socket = Object.assign(new EventEmitter(), inside)
      const reads: Array<number> = []
      collectFrames(foreign(socket), { limits: LIMITS, pace: { received: (bytes) => void reads.push(bytes) } })
      socket.emit("message", Buffer.alloc(3), false)
      socket.emit("ping", Buffer.alloc(2))
      socket.emit("pong", Buffer.alloc(1))
      assert.deepStrictEqual(reads, [3, 2, 1])
    }
  })

  it.live("keeps the fragments of messages that never end as bytes: 20 of 50,000 are 5 MB, not 200", () =>
    Effect.gen(function* () {
      const connections = 20
      const fragments = Buffer.concat([
        Servers.frame(Servers.TEXT, "x", 0),
        Buffer.concat(Array.from({ length: 50_000 }, () => Servers.frame(Servers.CONTINUATION, "x", 0))),
        // Answered, so that it is known when all was read.
        Servers.frame(Servers.PING, "all")
      ])
      const { url } = yield* Servers.gateway((_peer, socket) => socket.write(fragments))
      const before = heapUsed()
      const sockets = yield* Effect.acquireRelease(
        Effect.promise(() =>
          Promise.all(
            Array.from({ length: connections }, async () => {
              const socket = new WebSocket(url, { perMessageDeflate: false })
              socket.on("open", () => collectFrames(socket, { limits: LIMITS, pace: { received: () => {} } }))
              await once(socket, "ping")
              return socket
            })
          )
        ),
        (opened) => Effect.sync(() => opened.forEach((socket) => socket.terminate()))
      )
      assert.strictEqual(sockets.length, connections)
      assert.isBelow(heapUsed() - before, 20_000_000)
    })
  )
})
