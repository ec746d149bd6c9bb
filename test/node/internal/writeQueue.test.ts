import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Net from "node:net"
import * as Tls from "node:tls"
import { writeQueueSize } from "../../../src/node/internal/writeQueue.ts"
import * as Servers from "../../support/servers.ts"

const MIB = 1_048_576

/** Reads 64 KiB every five milliseconds. */
const slowly = (socket: Net.Socket) => {
  socket.on("readable", () => {})
  const timer = setInterval(() => void socket.read(Math.min(65_536, socket.readableLength)), 5)
  socket.on("close", () => clearInterval(timer))
}

const connected = ({ port }: Servers.Server, isSecure: boolean) =>
  Effect.acquireRelease(
    Effect.callback<Net.Socket>((resume) => {
      const to = { port, host: "127.0.0.1" }
      const open = () => resume(Effect.succeed(socket))
      const socket: Net.Socket = isSecure
        ? Tls.connect({ ...to, ca: Servers.tlsFiles.ca }, open)
        : Net.connect(to, open)
      socket.on("error", () => {})
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

describe("what of a write the system hasn't taken", () => {
  for (const isSecure of [false, true]) {
    it.live(`falls in the middle of it, ${isSecure ? "over TLS" : "over TCP"}`, () =>
      Effect.gen(function* () {
        const server = yield* isSecure ? Servers.answeringSecurely(slowly) : Servers.tcp(slowly)
        const socket = yield* connected(server, isSecure)
        assert.strictEqual(writeQueueSize(socket), 0)
        // What begins it, for the server that waits for a request.
        socket.write("x")
        const written = new Set<string>()
        socket.write(Buffer.alloc(16 * MIB), () => written.add("all"))
        const sizes = new Set<number>()
        const deadline = performance.now() + 10_000
        while (sizes.size < 4 && written.size === 0 && performance.now() < deadline) {
          sizes.add(writeQueueSize(socket))
          yield* Effect.sleep("2 millis")
        }
        assert.strictEqual(written.size, 0)
        assert.isAtLeast(sizes.size, 4)
        const all = [...sizes].slice(1)
        assert.deepStrictEqual(
          all,
          all.toSorted((one, other) => other - one)
        )
      })
    )
  }

  it.each([
    ["the socket beneath", { _handle: { writeQueueSize: 9, _parent: { writeQueueSize: 5, _parent: null } } }, 5],
    ["none where there is no handle", { _handle: null }, 0],
    ["none of another runtime", {}, 0],
    ["none where it isn't a number", { _handle: { writeQueueSize: "7" } }, 0]
  ])("is that of %s", (_, socket, expected) => {
    assert.strictEqual(writeQueueSize(socket as Partial<Net.Socket>), expected)
  })
})
