import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Net from "node:net"
import * as Tls from "node:tls"
import * as ReadStop from "../../../src/node/internal/readStop.ts"
import * as Servers from "../../support/servers.ts"

const MIB = 1_048_576
// One of Node's; what a record of TLS has beside its text is less.
const ONE_READ = 65_536

const flooding = (socket: Net.Socket) => {
  socket.on("error", () => {})
  socket.write(Buffer.alloc(16 * MIB))
}

const connected = ({ port }: Servers.Server, isSecure: boolean) =>
  Effect.acquireRelease(
    Effect.sync((): Net.Socket => {
      const to = { port, host: "127.0.0.1" }
      return (isSecure ? Tls.connect({ ...to, ca: Servers.tlsFiles.ca }) : Net.connect(to)).on("error", () => {})
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

const nothing = () => {}

const turns = (count: number) =>
  Effect.promise(async () => {
    for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
  })

describe("reading that is stopped beneath the stream", () => {
  for (const isSecure of [false, true]) {
    it.live(`brings nothing but what was read, and goes on where it was, ${isSecure ? "over TLS" : "over TCP"}`, () =>
      Effect.gen(function* () {
        const server = yield* isSecure ? Servers.answeringSecurely(flooding) : Servers.tcp(flooding)
        const socket = yield* connected(server, isSecure)
        let bytes = 0
        let wake = nothing
        socket.on("data", (data: Buffer) => {
          if (bytes === 0) assert.isTrue(ReadStop.stop(socket))
          bytes += data.length
          wake()
        })
        // What begins it, for the server that waits for a request.
        socket.write("x")
        const came = Effect.callback<void>((resume) => {
          wake = () => resume(Effect.void)
        })
        yield* came
        yield* turns(50)
        assert.isAtMost(bytes, ONE_READ)
        assert.strictEqual(socket.readableLength, 0)
        // The stream believes that it reads.
        socket.resume()
        socket.read(0)
        const before = bytes
        yield* turns(50)
        assert.strictEqual(bytes, before)
        const goesOn = came
        ReadStop.start(socket)
        yield* goesOn
        assert.isAbove(bytes, before)
        socket.destroy()
        assert.isFalse(ReadStop.stop(socket))
        ReadStop.start(socket)
      })
    )
  }

  it.each([
    ["another runtime", {}],
    ["another kind of handle", { _handle: { reading: true } }],
    ["one that can only be stopped", { _handle: { reading: true, readStop: () => assert.fail("it can't go on") } }],
    ["one that doesn't say whether it reads", { _handle: { readStop: () => assert.fail(), readStart: () => {} } }],
    ["no socket any more", { _handle: null }]
  ])("isn't there for a socket of %s", (_, socket) => {
    assert.isFalse(ReadStop.stop(socket as Partial<Net.Socket>))
    ReadStop.start(socket as Partial<Net.Socket>)
  })
})
