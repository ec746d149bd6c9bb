/** Answers to the upgrade that are none, and what they say of when to come back. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Servers from "../support/servers.ts"
import { assertSeen, errorOf, runHost, secondsUntilNext, SOON } from "../integration/support/host.ts"

const at = (seconds: number) => new Date(Date.now() + seconds * 1000)
/** `Sun Nov  6 08:49:37 1994` */
const asctime = (date: Date) =>
  date.toUTCString().replace(/^(...), (\d)(\d) (...) (\d+) ([\d:]+) GMT$/, (_, ...parts: ReadonlyArray<string>) => {
    const [weekday, tens, ones, month, year, time] = parts
    return `${weekday} ${month} ${tens === "0" ? " " : tens}${ones} ${time} ${year}`
  })

describe("an upgrade that is refused", () => {
  for (const status of ["200 OK", "204 No Content", "302 Found", "404 Not Found", "426 Upgrade Required", "500 Oh"]) {
    it.live(`with ${status} is told with its status, and tried again after the backoff`, () =>
      Effect.gen(function* () {
        const code = Number(status.slice(0, 3))
        const { url } = yield* Servers.answering((socket) =>
          // A body that never comes doesn't hold it up.
          socket.write(Servers.response(status, code === 204 ? "x: y" : "content-length: 1000", "location: /elsewhere"))
        )
        const { handed, until } = yield* runHost({ sources: [url] })
        const seen = yield* until(({ events }) => events.length > 0)
        assertSeen(seen, {
          state: "waiting",
          epoch: 0,
          events: ["error 0 HandshakeRejected, dials again"],
          diagnostics: ["warning HandshakeRejected × 1"]
        })
        assert.deepInclude(errorOf(seen, "HandshakeRejected"), { status: code, retry_after_ms: null })
        assert.deepInclude(handed[0], { kind: "websocket_error", epoch: 0 })
        assert.strictEqual(secondsUntilNext(seen), 1800)
      })
    )
  }

  // What is asked for, and for how long it is obeyed in seconds; the backoff is next to nothing.
  for (const [form, value, seconds] of [
    ["seconds", "90", 90],
    ["no seconds", "0", 0],
    ["seconds with blanks around them", "  90  ", 90],
    ["more than is obeyed", "86400", 3600],
    ["more than any number holds", "9".repeat(30), 3600],
    ["a date", at(90).toUTCString(), 90],
    ["a date of the C library", asctime(at(90)), 90],
    ["a date that is past", at(-90).toUTCString(), 0],
    ["a fraction", "90.5", 91],
    ["a negative number", "-90", 0],
    ["a number with a sign", "+90", 0],
    ["a number in hexadecimal", "0x90", 0],
    ["a date of another form", at(90).toISOString(), 0],
    ["a word", "soon", 0],
    ["nothing", "", 0]
  ] as const) {
    it.live(`with 429 and a Retry-After of ${form} is obeyed for ${seconds} s`, () =>
      Effect.gen(function* () {
        const { url } = yield* Servers.answering((socket) =>
          socket.end(Servers.response("429 Too Many Requests", `retry-after: ${value}`, "content-length: 0"))
        )
        const { seen, until } = yield* runHost({ sources: [url], reconnect: SOON })
        const first = yield* until(({ connection, events }) => events.length > 0 && connection.attempts >= 1)
        if (seconds === 0) {
          yield* until(({ connection }) => connection.attempts >= 2)
          return
        }
        assert.approximately(secondsUntilNext(first) ?? 0, seconds, 1)
        const told = errorOf(first, "HandshakeRejected")["retry_after_ms"]
        assert.approximately(Number(told), seconds * 1000, 1500)
        assert.strictEqual((yield* seen).connection.attempts, 1)
      })
    )
  }

  it.live("with headers without end is given up at the deadline, and with too many at once", () =>
    Effect.gen(function* () {
      for (const [everyMs, error] of [
        [5, "OpenTimeout"],
        [0, "HandshakeRejected"]
      ] as const) {
        const { url } = yield* Servers.answering((socket) => {
          socket.write("HTTP/1.1 101 Switching Protocols\r\n")
          const line = "x-more: yes\r\n".repeat(everyMs === 0 ? 100 : 1)
          const dripping = setInterval(() => socket.write(line), everyMs)
          socket.on("close", () => clearInterval(dripping))
        })
        const { until } = yield* runHost({ sources: [url], limits: { openDeadlineMs: 300 } })
        const seen = yield* until(({ events }) => events.length > 0)
        assert.deepStrictEqual(seen.events, [`error 0 ${error}, dials again`])
      }
    })
  )
})
