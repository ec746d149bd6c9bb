import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as fs from "node:fs"
import * as net from "node:net"
import * as path from "node:path"
import { Writable } from "node:stream"
import { vi } from "vitest"
import * as Descriptor from "../../../src/cli/internal/descriptor.ts"
import { deadPipe, folder, fullPipe, opened } from "../support/files.ts"

/** A sink that takes what it is told to take, when it is told to. */
const scripted = (...steps: ReadonlyArray<number | Error>) => {
  const script = [...steps]
  let written = ""
  const sink: Parameters<typeof Descriptor.make>[0] = (bytes, taken) => {
    const step = script.shift() ?? bytes.length
    if (typeof step !== "number") return taken(step, 0)
    const part = bytes.subarray(0, step)
    written += Buffer.from(part).toString("latin1")
    taken(null, part.length)
  }
  return { descriptor: Descriptor.make(sink), written: () => written }
}

describe("a descriptor", () => {
  it("writes texts one after the other, each whole, however little is taken at a time", () => {
    const { descriptor, written } = scripted(1, 2, 1, 5, 1)
    const done: Array<string> = []
    for (const text of ["abcd", "efghij", "k"]) {
      descriptor.write(text, (error) => done.push(`${text} ${String(error)}`))
    }
    assert.strictEqual(written(), "abcdefghijk")
    assert.deepStrictEqual(done, ["abcd null", "efghij null", "k null"])
    assert.strictEqual(descriptor.taken(), 11)
  })

  it("writes once what is given while its owner is told of the text before", () => {
    const { descriptor, written } = scripted()
    descriptor.write("a", () => descriptor.write("b", () => descriptor.write("c", () => {})))
    assert.strictEqual(written(), "abc")
  })

  it("finishes what waits before the process ends, and gives up where nothing is taken", () => {
    const { descriptor, written } = scripted(3, 0, 0, 2, 0, 0, 0)
    descriptor.write("frame\n", () => {})
    descriptor.write("line\n", () => {})
    assert.strictEqual(written(), "fra")
    descriptor.finish(0)
    assert.strictEqual(written(), "fra")
    descriptor.finish(1)
    assert.strictEqual(written(), "frame")
    descriptor.finish(1)
    assert.strictEqual(written(), "frame\nline\n")
    descriptor.finish(1)
    assert.strictEqual(written(), "frame\nline\n")
  })

  it("asks nobody twice who hasn't answered yet", () => {
    const asked: Array<string> = []
    const descriptor = Descriptor.make((bytes) => void asked.push(Buffer.from(bytes).toString()))
    descriptor.write("a", () => {})
    descriptor.write("b", () => {})
    descriptor.finish(3)
    assert.deepStrictEqual(asked, ["a"])
  })

  it("tries again, ever more seldom, what isn't taken now, and soon again once something was", () => {
    vi.useFakeTimers()
    try {
      const { descriptor, written } = scripted(0, 0, 0, 0, 0, 0, 0, 1, 0)
      const done: Array<unknown> = []
      descriptor.write("ab", (error) => done.push(error))
      const waits: Array<number> = []
      while (done.length === 0) {
        const before = Date.now()
        vi.advanceTimersToNextTimer()
        waits.push(Date.now() - before)
      }
      assert.deepStrictEqual(waits, [10, 20, 40, 80, 100, 100, 100, 10])
      assert.strictEqual(written(), "ab")
    } finally {
      vi.useRealTimers()
    }
  })

  it("tells of an error whose text it was, and goes on with the next", () => {
    const full = new Error("full")
    const { descriptor, written } = scripted(2, full)
    const done: Array<unknown> = []
    descriptor.write("abcd", (error) => done.push(error))
    descriptor.write("ef", (error) => done.push(error))
    assert.deepStrictEqual(done, [full, null])
    assert.strictEqual(written(), "abef")
  })
})

/** Opens one descriptor twice; its stream is one that only notes what is written. */
const open = (fd: number, other = fd) => {
  const written: Array<string> = []
  const stream = () =>
    new Writable({
      write: (chunk, _, next) => {
        written.push(String(chunk))
        next(String(chunk).startsWith("bad") ? new Error("bad") : null)
      }
    })
  return { ...Descriptor.open({ fd, stream }, { fd: other, stream }), written }
}

/** Completes with what became of a text. */
const write = ({ write: writeTo }: Descriptor.Descriptor, text: string) =>
  Effect.callback<string>((resume) => {
    writeTo(text, (error) =>
      resume(Effect.succeed(error === null || error === undefined ? "written" : String(Reflect.get(error, "code"))))
    )
  })

const isBlocking = (fd: number) =>
  (Number.parseInt(/flags:\s+(\d+)/.exec(fs.readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1] ?? "", 8) &
    fs.constants.O_NONBLOCK) ===
  0

describe("an opened descriptor", () => {
  it.live("is a file as it is, and one queue where both are one", () =>
    Effect.gen(function* () {
      const place = yield* folder
      const [one, two] = [path.join(place, "one"), path.join(place, "two")]
      const fd = yield* opened(one, fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_APPEND)
      const again = yield* opened(one, fs.constants.O_WRONLY | fs.constants.O_APPEND)
      const other = yield* opened(two, fs.constants.O_WRONLY | fs.constants.O_CREAT)
      const same = open(fd, again)
      assert.strictEqual(same.stdout, same.stderr)
      const apart = open(fd, other)
      assert.notStrictEqual(apart.stdout, apart.stderr)
      assert.strictEqual(yield* write(apart.stdout, ""), "written")
      assert.strictEqual(yield* write(apart.stdout, "a\u00e9"), "written")
      assert.strictEqual(yield* write(apart.stderr, "b"), "written")
      assert.strictEqual(fs.readFileSync(one, "utf8") + fs.readFileSync(two, "utf8"), "a\u00e9b")
      assert.strictEqual(apart.stdout.taken(), 3)
    }).pipe(Effect.scoped)
  )

  it.live("tells of a disk that is full and of a descriptor that isn't open", () =>
    Effect.gen(function* () {
      const full = open(yield* opened("/dev/full", fs.constants.O_WRONLY))
      assert.strictEqual(yield* write(full.stdout, "a"), "ENOSPC")
      assert.strictEqual(yield* write(full.stdout, "b"), "ENOSPC")
      const closed = open(1_000_000)
      assert.notStrictEqual(closed.stdout, closed.stderr)
      assert.strictEqual(yield* write(closed.stdout, "a"), "EBADF")
    }).pipe(Effect.scoped)
  )

  it.live("waits for room in a pipe without stopping anybody, and leaves the pipe's own descriptor as it was", () =>
    Effect.gen(function* () {
      const { name, write: fd } = yield* fullPipe
      const { stdout, written } = open(fd)
      assert.isTrue(isBlocking(fd))
      const text = "x".repeat(100_000)
      const writing = yield* Effect.forkChild(write(stdout, text), { startImmediately: true })
      yield* Effect.sleep(0)
      assert.isUndefined(writing.pollUnsafe())
      const reader = yield* opened(name, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
      let read = 0
      const readOn = Effect.sync(() => {
        try {
          read += fs.readSync(reader, new Uint8Array(65_536))
        } catch {
          // Nothing there yet.
        }
      })
      yield* Effect.repeat(Effect.andThen(readOn, Effect.sleep(1)), { until: () => writing.pollUnsafe() !== undefined })
      assert.strictEqual(yield* Fiber.join(writing), "written")
      yield* readOn
      assert.isAtLeast(read, text.length)
      assert.deepStrictEqual(written, [])
    }).pipe(Effect.scoped)
  )

  it.live("tells of a pipe without a reader", () =>
    Effect.gen(function* () {
      const { stdout, written } = open(yield* deadPipe)
      assert.strictEqual(yield* write(stdout, "a"), "EPIPE")
      assert.deepStrictEqual(written, [])
    }).pipe(Effect.scoped)
  )

  it.live("is Node's stream at a socket, slice by slice", () =>
    Effect.gen(function* () {
      const socket = yield* connected
      const { stdout, written } = open(Number(Reflect.get(Reflect.get(socket, "_handle"), "fd")))
      assert.strictEqual(yield* write(stdout, "x".repeat(40_000)), "written")
      assert.deepStrictEqual(
        written.map((slice) => slice.length),
        [16_384, 16_384, 7232]
      )
      assert.strictEqual(stdout.taken(), 40_000)
      assert.strictEqual(yield* write(stdout, "bad"), "undefined")
      assert.strictEqual(stdout.taken(), 40_000)
    }).pipe(Effect.scoped)
  )
})

/** A socket that is connected to somebody. */
const connected = Effect.gen(function* () {
  const server = yield* Effect.acquireRelease(
    Effect.callback<net.Server>((resume) => {
      const listening = net.createServer((peer) => peer.on("error", () => {}))
      listening.listen(0, "127.0.0.1", () => resume(Effect.succeed(listening)))
    }),
    (listening) => Effect.sync(() => listening.close())
  )
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return yield* Effect.acquireRelease(
    Effect.callback<net.Socket>((resume) => {
      const socket = net.connect(port, "127.0.0.1", () => resume(Effect.succeed(socket)))
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )
})
