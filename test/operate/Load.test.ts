/** Who sends too much, too slowly, too often, or reads nothing: the API goes on, and so do the host's frames. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { OutputCommand, PluginHost } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import * as fs from "node:fs"
import * as Net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { GATEWAY, plugin, refOf } from "../support/plugins.ts"
import { AUTHORIZED, served, where } from "./support/api.ts"
import * as Raw from "./support/raw.ts"
import { heldFor, many } from "./support/slowReader.ts"

const echo = plugin({
  handlers: {
    gateway: { websocket_text: (event) => Exit.succeed({ commands: [OutputCommand.send(event, event.text)] }) }
  }
})
/** A folder of the test's own. */
const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "mooring-"))),
  (made) => Effect.sync(() => fs.rmSync(made, { recursive: true, force: true }))
)

const DELIVER = `POST /plugins/${encodeURIComponent(refOf(echo))}/deliver`
const GET = (target: string) => `GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`
const MIB = 1_048_576
const JSON_BODY = "Content-Type: application/json"

/** A text comes and is answered. */
const framesFlow = Effect.gen(function* () {
  const fake = yield* FakeWebSocket.FakeWebSocket
  const host = yield* PluginHost.PluginHost
  const remote = yield* fake.remote(GATEWAY)
  const before = remote.sent.length
  for (let count = 0; count < 100; count++) remote.sendText("hi")
  yield* host.idle
  assert.strictEqual(remote.sent.length, before + 100)
})

/** Connections that are opened and then only there. */
const idle = (to: Raw.Where, count: number, says = "") =>
  Effect.acquireRelease(
    Effect.callback<{ readonly sockets: ReadonlyArray<Net.Socket>; readonly closed: () => number }>((resume) => {
      let [open, closed] = [0, 0]
      const sockets = Array.from({ length: count }, () => {
        const socket = Net.connect(to)
        socket.on("error", () => {})
        socket.on("close", () => closed++)
        socket.resume()
        socket.on("connect", () => {
          socket.write(says)
          if (++open === count) resume(Effect.succeed({ sockets, closed: () => closed }))
        })
        return socket
      })
    }),
    ({ sockets }) =>
      Effect.sync(() => {
        for (const socket of sockets) socket.destroy()
      })
  )

describe("what is too much", () => {
  it.live("a body over 1 MiB is refused by its length, before it comes, and in chunks as it comes", () =>
    Effect.gen(function* () {
      const to = yield* where
      const headers = ["Host: localhost", AUTHORIZED, JSON_BODY]
      const byLength = yield* Raw.request(to, DELIVER, [...headers, `Content-Length: ${MIB + 1}`])
      assert.deepStrictEqual([byLength.status, Raw.tagOf(byLength)], [413, "BodyTooLarge"])
      const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`
      const inChunks = yield* Raw.request(
        to,
        DELIVER,
        [...headers, "Transfer-Encoding: chunked"],
        `${chunk.repeat(20)}0\r\n\r\n`
      )
      assert.strictEqual(inChunks.status, 413)
      yield* framesFlow
    }).pipe(Effect.provide(served({ plugins: [echo] })))
  )

  it.live("a head over 16 KiB is refused", () =>
    Effect.gen(function* () {
      const answer = yield* Raw.request(yield* where, "GET /status", [
        "Host: localhost",
        `X-Note: ${"x".repeat(17_000)}`
      ])
      assert.deepStrictEqual([answer.status, Raw.tagOf(answer)], [400, "RequestMalformed"])
      yield* framesFlow
    }).pipe(Effect.provide(served({ plugins: [echo] })))
  )

  it.live(
    "a head that comes a byte at a time has 10 s, and a body 15",
    () =>
      Effect.gen(function* () {
        const to = yield* where
        const dripping = (beginning: string) =>
          Effect.callback<string>((resume) => {
            const socket = Net.connect(to)
            let text = ""
            socket.write(beginning)
            const timer = setInterval(() => socket.write("x"), 500)
            socket.on("data", (chunk) => (text += String(chunk)))
            socket.on("error", () => {})
            socket.on("close", () => {
              clearInterval(timer)
              resume(Effect.succeed(text))
            })
            return Effect.sync(() => {
              clearInterval(timer)
              socket.destroy()
            })
          })
        const head = dripping("GET /status HTTP/1.1\r\nHost: localhost\r\nX-Note: ")
        const body = dripping(
          `${DELIVER} HTTP/1.1\r\nHost: localhost\r\n${AUTHORIZED}\r\n${JSON_BODY}\r\nContent-Length: 1000\r\n\r\n`
        )
        const answers = yield* Effect.all([head, body], { concurrency: "unbounded" })
        for (const answer of answers) assert.notInclude(Raw.statusesIn(answer), 202)
        yield* framesFlow
      }).pipe(Effect.provide(served({ plugins: [echo] }))),
    40_000
  )

  it.live("1,000 idle connections, of which 512 stay, hold up neither the API nor the host", () =>
    Effect.gen(function* () {
      const to = yield* where
      const { closed } = yield* idle(to, 1000)
      const began = yield* idle(to, 200, "GET /sta")
      const answer = yield* Raw.request(to, "GET /healthz")
      assert.strictEqual(answer.status, 200)
      yield* framesFlow
      assert.isAtLeast(closed() + began.closed(), 1200 - 512)
    }).pipe(Effect.scoped, Effect.provide(served({ plugins: [echo] })))
  )

  it.live("200 readers of the status that take none of it leave room for others", () =>
    Effect.gen(function* () {
      const to = yield* where
      const hold = yield* idle(to, 200, "GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n")
      assert.strictEqual(hold.sockets.length, 200)
      for (const probe of ["/healthz", "/readyz"]) {
        assert.strictEqual((yield* Raw.request(to, `GET ${probe}`)).status, 200)
      }
      yield* framesFlow
    }).pipe(Effect.scoped, Effect.provide(served({ plugins: [echo] })))
  )

  it.live("whoever asks for more behind an answer that never ends takes no room from others", () =>
    Effect.gen(function* () {
      const to = yield* where
      const behind = `${GET("/events")}${GET("/status").repeat(200)}`
      const { sockets } = yield* idle(to, 1, behind)
      yield* Effect.callback<void>((resume) => {
        for (const socket of sockets) socket.once("data", () => resume(Effect.void))
      })
      assert.strictEqual((yield* Raw.request(to, "GET /status")).status, 200)
      yield* framesFlow
    }).pipe(Effect.scoped, Effect.provide(served({ plugins: [echo] })))
  )

  it.live("the process says that it lives while as many requests are under way as may be", () =>
    Effect.gen(function* () {
      const to = yield* where
      const { sockets } = yield* idle(to, 32, `${GET("/events")}${GET("/status").repeat(3)}`)
      yield* Effect.forEach(
        sockets,
        (socket) => Effect.callback<void>((resume) => void socket.once("data", () => resume(Effect.void))),
        { concurrency: "unbounded", discard: true }
      )
      const refused = yield* Raw.request(to, "GET /status")
      assert.deepStrictEqual([refused.status, Raw.tagOf(refused)], [429, "TooManyRequests"])
      for (const probe of ["/healthz", "/readyz"]) {
        assert.strictEqual((yield* Raw.request(to, `GET ${probe}`)).status, 200)
      }
      yield* framesFlow
    }).pipe(Effect.scoped, Effect.provide(served({ plugins: [echo] })))
  )
})

describe("a reader of events that takes a byte a second", () => {
  it.live(
    "of 500 plugins with much to say has less than 1 MiB held for it",
    () =>
      Effect.gen(function* () {
        const to = yield* where
        const host = yield* PluginHost.PluginHost
        // What is held for all is held because of this one.
        const [fast] = (yield* idle(to, 1, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")).sockets
        yield* Effect.callback<void>((resume) => {
          let bytes = 0
          fast?.on("data", (chunk) => {
            bytes += chunk.length
            if (bytes > 2 * MIB) resume(Effect.void)
          })
        })
        const each = yield* heldFor(to, 4, (readers) =>
          Effect.gen(function* () {
            const deadline = performance.now() + 20_000
            while (readers.some(({ taken }) => taken() < 3)) {
              if (performance.now() > deadline) return assert.fail("nothing is read")
              yield* Effect.sleep(100)
              for (const { pluginRef } of (yield* host.status).plugins.slice(0, 20)) yield* host.restart(pluginRef)
            }
          })
        )
        assert.isBelow(each, MIB)
      }).pipe(
        Effect.scoped,
        Effect.provide(
          Layer.unwrap(Effect.map(folder, (root) => served({ ...many, listen: { path: path.join(root, "m.sock") } })))
        )
      ),
    60_000
  )
})
