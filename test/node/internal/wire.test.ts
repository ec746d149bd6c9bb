/** What `undici` sees of a connection, against a socket that isn't one: what is thrown at it stays here. */
import { assert, describe, it } from "@effect/vitest"
import { Socket } from "node:net"
import { Broken, Wire } from "../../../src/node/internal/wire.ts"

class FakeSocket extends Socket {
  readonly taken: Array<string> = []
  /** What the system says of what it is given; nothing while it is undefined. */
  says: ((error?: Error) => void) | undefined = undefined
  readonly #answersWrites: boolean

  constructor(answersWrites = true) {
    super()
    this.#answersWrites = answersWrites
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    this.taken.push(chunk.toString())
    if (this.#answersWrites) done()
    else this.says = done
  }

  override _read(): void {}
}

const wired = (socket = new FakeSocket()) => {
  const told: Array<string> = []
  const wire = new Wire(socket, {
    handed: () => void told.push(`handed ${socket.taken.length}`),
    written: () => void told.push("written"),
    thrown: (defect) => void told.push(`thrown ${String(defect)}`)
  })
  return { socket, told, wire }
}

const turn = () =>
  new Promise((resolve) => {
    setImmediate(resolve)
  })

const whyOf = ({ errored }: Wire): string | undefined => (errored instanceof Broken ? errored.why : undefined)

describe("the wire", () => {
  for (const [event, cause] of [
    ["readable", (socket: FakeSocket) => socket.emit("data", Buffer.from("HTTP/1.1 200 OK\r\n"))],
    ["end", (socket: FakeSocket) => socket.emit("end")],
    ["error", (socket: FakeSocket) => socket.emit("error", Object.assign(new Error("x"), { code: "ECONNRESET" }))],
    ["close", (socket: FakeSocket) => socket.emit("close", false)]
  ] as const) {
    it(`keeps what a listener of ${event} throws, and ends by it`, async () => {
      const { socket, told, wire } = wired()
      wire.on(event, () => {
        throw new Error("assertion")
      })
      if (event === "end") wire.resume()
      cause(socket)
      await turn()
      assert.deepStrictEqual(told, ["thrown Error: assertion"])
      assert.isTrue(wire.destroyed)
      // It isn't ours to end.
      assert.isFalse(socket.destroyed)
    })
  }

  it("says that bytes are handed over before they are, once for all that is written together", async () => {
    const { socket, told, wire } = wired()
    wire.cork()
    wire.write("POST", "latin1")
    wire.write(Buffer.from(" body"))
    assert.deepStrictEqual(told, [])
    wire.uncork()
    await turn()
    assert.deepStrictEqual(socket.taken, ["POST body"])
    assert.deepStrictEqual(told, ["handed 0", "written"])
  })

  it("breaks by the code of a write that fails, and says that nothing was written", async () => {
    const { socket, told, wire } = wired(new FakeSocket(false))
    socket.on("error", () => {})
    wire.write("POST")
    assert.isFalse(wire.detach())
    const again = wired(new FakeSocket(false))
    again.socket.on("error", () => {})
    again.wire.write("POST")
    again.socket.says?.(Object.assign(new Error("x"), { code: "EPIPE" }))
    await turn()
    assert.strictEqual(whyOf(again.wire), "EPIPE")
    assert.deepStrictEqual([told, again.told], [["handed 0"], ["handed 0"]])
  })

  for (const [name, before, why] of [
    ["of a socket that is gone", (socket: FakeSocket) => socket.destroy(), "ECONNRESET"],
    ["of one that isn't", () => {}, undefined]
  ] as const) {
    it(`${name} is ${why === undefined ? "open" : "broken from the start"}`, async () => {
      const socket = new FakeSocket()
      before(socket)
      const { told, wire } = wired(socket)
      await turn()
      assert.strictEqual(whyOf(wire), why)
      assert.deepStrictEqual(told, [])
    })
  }

  it("never says that a reset is the end of an answer", async () => {
    const { socket, wire } = wired()
    socket.emit("error", Object.assign(new Error("x"), { code: "ECONNRESET" }))
    await turn()
    assert.strictEqual(whyOf(wire), "ECONNRESET")
    assert.notStrictEqual((wire.errored as Broken).code, "ECONNRESET")
  })

  it("gives the socket back clean only where nothing of its request is left", async () => {
    const clean = wired()
    clean.wire.write("GET")
    await turn()
    assert.isTrue(clean.wire.detach())
    for (const event of ["data", "end", "error", "close"]) {
      assert.strictEqual(clean.socket.listenerCount(event), new FakeSocket().listenerCount(event), event)
    }

    const unread = wired()
    unread.socket.emit("data", Buffer.from("HTTP/1.1 200 OK"))
    assert.isFalse(unread.wire.detach())

    const ended = wired()
    ended.socket.emit("data", Buffer.from("x"))
    ended.socket.emit("end")
    ended.wire.resume()
    await turn()
    assert.isFalse(ended.wire.detach())

    const destroyed = wired()
    destroyed.wire.destroy()
    assert.isFalse(destroyed.wire.detach())
  })

  it("refuses an upgrade that nobody asked for", async () => {
    const { socket, wire } = wired()
    socket.emit("data", Buffer.from("HTTP/1.1 101 x\r\n\r\n"))
    await turn()
    assert.strictEqual(whyOf(wire), "UNASKED_UPGRADE")
  })
})
