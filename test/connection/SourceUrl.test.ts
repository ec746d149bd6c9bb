import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { TestClock } from "effect/testing"
import { OutputCommand, PluginHost, SourceUrl, type WebSocketTarget } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import * as Redaction from "../../src/diagnostics/Redaction.ts"
import * as Reason from "../../src/connection/internal/reason.ts"
import { idOf } from "../../src/connection/Source.ts"
import { onFake, rowOf } from "../support/host.ts"
import { enable, GATEWAY, plugin } from "../support/plugins.ts"
import { unhandled } from "../support/rejections.ts"

const REF = "project:test.plugin"
const URL = `${GATEWAY}?room=1`
const CONFIG = { greeting: "hello there", nested: { list: [1] } }

const websocket: ReadonlyArray<WebSocketTarget.WebSocketTarget> = [
  { scheme: "ws", host: "127.0.0.1", port: 7700, pathPrefixes: ["/gateway"] }
]

type Resolve = (request: SourceUrl.Request) => Effect.Effect<SourceUrl.Answer, unknown>

interface Options {
  readonly change?: { readonly [key: string]: unknown }
  readonly limits?: { readonly retryAfterMs?: number }
}

/** A host with one source, whose every dial is asked of this. */
const asking = (resolve: Resolve, { change = {}, limits = {} }: Options = {}) => {
  const pkg = plugin({ sources: [URL], websocket })
  const layer = onFake({ plugins: [pkg], enabled: [enable(pkg, { config: CONFIG, ...change })], limits })
  return Effect.provide(Layer.provide(layer, Layer.succeed(SourceUrl.SourceUrl, { resolve })))
}

/** The same with these answers, one after the other; the last one again and again. */
const answering = (...answers: ReadonlyArray<SourceUrl.Answer>) => {
  const asked: Array<SourceUrl.Request> = []
  const resolve: Resolve = (request) =>
    Effect.sync(() => answers[Math.min(asked.push(request), answers.length) - 1] ?? request.url)
  return { asked, resolve }
}

const connection = Effect.map(rowOf(REF), (row) => row.websocketConnections[0] ?? assert.fail("no connection"))

const both = Effect.all({ fake: FakeWebSocket.FakeWebSocket, host: PluginHost.PluginHost })

const atMillis = (text: string | null) => (text === null ? null : Date.parse(text))

const sources = { gateway: { reconnect: { max_attempts: 2 }, headers: { "X-Room": "old", "x-kept": "kept" } } }

/** Dialled again by itself tomorrow only. */
const patient = { gateway: { reconnect: { initial_ms: 86_400_000, max_ms: 86_400_000 } } }

/** Has it asked again, late enough for what comes of it to be no repeat. */
const again = (host: PluginHost.PluginHost["Service"]) =>
  Effect.andThen(TestClock.adjust(2000), host.reconnect(REF, URL))

const thrown = (value: unknown): never => {
  throw value
}

const gone = (): Promise<never> => Promise.reject(new Error("the ticket server is down"))

const ticketed: Resolve = () =>
  Effect.succeed(SourceUrl.dial(`${GATEWAY}?v=2&ticket=T1CKET%2F1`, { authorization: "Ticket H34DER", "x-v": "1" }))

const authorized: Resolve = ({ dialUrl, url }) =>
  Effect.succeed(SourceUrl.dial(dialUrl ?? url, { authorization: "Ticket H34DER" }))

describe("SourceUrl", () => {
  it.effect("rule 11: has nothing of what it answers in the status, though a server says it back", () => {
    return Effect.gen(function* () {
      const { fake, host } = yield* both
      const first = yield* fake.remote(`${GATEWAY}?v=2&ticket=T1CKET%2F1`)
      first.close(4000, `v 2: T1CKET/1, T1CKET%2F1, H34DER, ${btoa("ab H34DER")}`)
      yield* host.idle
      assert.strictEqual((yield* connection).lastClose?.reason, "v 2: ***, ***, ***, YWIg***")
      const text = JSON.stringify(yield* rowOf(REF))
      for (const word of ["T1CKET", "H34DER"]) assert.notInclude(text, word)
    }).pipe(asking(ticketed))
  })

  it.effect("rule 11: nor is what the plugin asks for, which alone it is told as it is", () => {
    const seen: Array<string> = []
    const resume = `${GATEWAY}?session=5E55ION`
    const pkg = plugin({
      sources: [URL],
      websocket,
      handlers: {
        gateway: {
          websocket_text: (event) => Exit.succeed({ commands: [OutputCommand.reconnect(event, { dialUrl: resume })] }),
          websocket_close: ({ payload }) => {
            seen.push(payload.reason)
            return Exit.void
          }
        }
      }
    })
    return Effect.gen(function* () {
      const { fake, host } = yield* both
      const first = yield* fake.remote(URL)
      first.sendText("resume")
      yield* host.idle
      first.close(1000)
      yield* TestClock.adjust("1 minute")
      const second = yield* fake.remote(resume)
      second.close(4000, "5E55ION is unknown to H34DER")
      yield* host.idle
      assert.strictEqual((yield* connection).lastClose?.reason, "*** is unknown to ***")
      assert.notInclude(JSON.stringify(yield* rowOf(REF)), "5E55ION")
      assert.strictEqual(seen.at(-1), "5E55ION is unknown to ***")
    }).pipe(
      Effect.provide(
        Layer.provide(
          onFake({ plugins: [pkg], enabled: [enable(pkg)] }),
          Layer.succeed(SourceUrl.SourceUrl, { resolve: authorized })
        )
      )
    )
  })

  it.effect("is asked with the source and the enablement, whose config it may do with what it likes", () => {
    const { asked, resolve } = answering(URL)
    const spoiling: Resolve = (request) => {
      Object.assign(request.enablement.config ?? {}, { nested: { list: asked.length } })
      return resolve(request)
    }
    return Effect.gen(function* () {
      const { fake, host } = yield* both
      const ref = `${REF}#cp17`
      const remote = yield* fake.remote(URL)
      yield* host.idle
      remote.breakOff()
      yield* TestClock.adjust("1 minute")
      yield* fake.remote(URL, 2)
      const expected = (list: number) => ({
        pluginRef: ref,
        enablement: { id: REF, instance: "cp17", config: { ...CONFIG, nested: { list } } },
        ingressName: "gateway",
        sourceId: idOf("gateway", URL),
        url: URL,
        dialUrl: null
      })
      assert.deepStrictEqual(asked, [expected(0), expected(1)])
    }).pipe(asking(spoiling, { change: { instance: "cp17" } }))
  })

  it.effect("is told that an enablement has no instance", () => {
    const { asked, resolve } = answering(URL)
    return Effect.gen(function* () {
      yield* (yield* both).host.idle
      assert.deepStrictEqual(asked[0]?.enablement, { id: REF, instance: null, config: CONFIG })
    }).pipe(asking(resolve))
  })

  it.effect("answers headers, which take the place of those of the same name in any case", () => {
    const { resolve } = answering(
      SourceUrl.dial(`${URL}&ticket=1`, { "x-room": "new", authorization: "Bearer 1" }),
      SourceUrl.dial(URL)
    )
    return Effect.gen(function* () {
      const { fake, host } = yield* both
      const first = yield* fake.remote(`${URL}&ticket=1`)
      yield* host.idle
      first.breakOff()
      yield* TestClock.adjust("1 minute")
      yield* fake.remote(URL)
      assert.deepStrictEqual(
        (yield* fake.dials).map(({ headers }) => headers),
        [
          { "x-kept": "kept", "x-room": "new", authorization: "Bearer 1" },
          { "X-Room": "old", "x-kept": "kept" }
        ]
      )
    }).pipe(asking(resolve, { change: { sources } }))
  })

  it.effect("puts a dial off until a time, is asked again then, and that was no dial", () => {
    const until = 90_000
    const { asked, resolve } = answering(
      SourceUrl.notBefore(until),
      SourceUrl.notBefore(until + 1000),
      SourceUrl.notBefore(until + 2000),
      URL
    )
    return Effect.gen(function* () {
      const { fake, host } = yield* both
      yield* host.idle
      const waiting = { state: "waiting" as const, stopReason: null, attempts: 0, lastError: null }
      for (const at of [until, until + 1000, until + 2000]) {
        const row = yield* connection
        assert.deepInclude(row, waiting)
        assert.strictEqual(atMillis(row.nextAttemptAt), at)
        yield* TestClock.setTime(at - 1)
        yield* host.idle
        assert.deepInclude(yield* connection, waiting)
        yield* TestClock.setTime(at)
        yield* host.idle
      }
      assert.lengthOf(asked, 4)
      // Its budget is two dials in ten minutes: one of them is left.
      const remote = yield* fake.remote(URL)
      remote.breakOff()
      yield* TestClock.adjust("1 minute")
      yield* host.idle
      assert.deepInclude(yield* connection, { state: "open", epoch: 2 })
      assert.deepStrictEqual((yield* rowOf(REF)).diagnosticCounts, { ConnectionClosed: 1 })
    }).pipe(asking(resolve, { change: { sources } }))
  })

  it.effect(
    "puts a dial off for retry_after_ms at most, and is not asked again at once for a time that is past",
    () => {
      const { asked, resolve } = answering(
        SourceUrl.notBefore(8_640_000_000_000_000),
        SourceUrl.notBefore(-1),
        SourceUrl.notBefore(Number.MIN_SAFE_INTEGER),
        URL
      )
      return Effect.gen(function* () {
        const { fake, host } = yield* both
        yield* host.idle
        assert.strictEqual(atMillis((yield* connection).nextAttemptAt), 5000)
        yield* TestClock.setTime(5000)
        yield* host.idle
        assert.strictEqual(atMillis((yield* connection).nextAttemptAt), 5100)
        yield* TestClock.setTime(5100)
        yield* host.idle
        assert.strictEqual(atMillis((yield* connection).nextAttemptAt), 5200)
        assert.lengthOf(asked, 3)
        yield* TestClock.setTime(5200)
        yield* fake.remote(URL)
      }).pipe(asking(resolve, { limits: { retryAfterMs: 5000 } }))
    }
  )

  it.effect("is asked at once where the operator doesn't want to wait", () => {
    const { asked, resolve } = answering(SourceUrl.notBefore(90_000), URL)
    return Effect.gen(function* () {
      const { fake, host } = yield* both
      yield* host.idle
      yield* host.reconnect(REF, URL)
      yield* fake.remote(URL)
      assert.lengthOf(asked, 2)
    }).pipe(asking(resolve))
  })

  it.effect("stops a source for good, until the operator says otherwise, and that was no dial", () => {
    const { asked, resolve } = answering(SourceUrl.never, SourceUrl.never, URL)
    return Effect.gen(function* () {
      const { fake, host } = yield* both
      yield* host.idle
      const stopped = {
        state: "stopped" as const,
        stopReason: "never" as const,
        nextAttemptAt: null,
        attempts: 0,
        lastError: null
      }
      assert.deepInclude(yield* connection, stopped)
      yield* TestClock.adjust("10 days")
      yield* host.idle
      assert.deepInclude(yield* connection, stopped)
      assert.lengthOf(asked, 1)
      yield* host.reconnect(REF, URL)
      yield* host.idle
      assert.deepInclude(yield* connection, stopped)
      yield* host.restart(REF)
      yield* fake.remote(URL)
      assert.lengthOf(asked, 3)
      assert.deepStrictEqual((yield* rowOf(REF)).diagnosticCounts, {})
    }).pipe(asking(resolve))
  })

  it.effect(
    "rule 1: stops a source for an answer that isn't granted, shows nothing of it, and isn't asked again",
    () => {
      const { asked, resolve } = answering("ws://127.0.0.1:7700/elsewhere?ticket=secret")
      return Effect.gen(function* () {
        const { fake, host } = yield* both
        yield* host.idle
        yield* TestClock.adjust("1 day")
        yield* host.idle
        assert.deepInclude(yield* connection, { state: "stopped", stopReason: "grant", attempts: 1 })
        assert.lengthOf(asked, 1)
        assert.deepStrictEqual(yield* fake.dials, [])
        const shown = JSON.stringify(yield* host.status)
        assert.notInclude(shown, "secret")
        assert.notInclude(shown, "elsewhere")
      }).pipe(asking(resolve))
    }
  )

  it.effect("says never, and the plugin can't lift that", () => {
    const { resolve } = answering(URL, SourceUrl.never)
    const pkg = plugin({
      sources: [URL],
      websocket,
      handlers: {
        gateway: {
          websocket_open: () => Exit.succeed({ commands: [OutputCommand.setTimer("lift", { afterMs: 60_000 })] }),
          timer: () => Exit.succeed({ commands: [OutputCommand.reconnect(URL, { epoch: "any" })] })
        }
      }
    })
    return Effect.gen(function* () {
      const { fake, host } = yield* both
      const remote = yield* fake.remote(URL)
      yield* host.idle
      remote.breakOff()
      yield* TestClock.adjust("1 minute")
      yield* host.idle
      const last = (yield* rowOf(REF)).outputCommandResults.at(-1)
      assert.deepInclude(last, { kind: "websocket_reconnect", status: "rejected" })
      assert.strictEqual(last?.error?.tag, "ReconnectDenied")
      assert.deepInclude(yield* connection, { state: "stopped", stopReason: "never" })
    }).pipe(Effect.provide(Layer.provide(onFake({ plugins: [pkg] }), Layer.succeed(SourceUrl.SourceUrl, { resolve }))))
  })

  it.effect(
    "says why it failed, in the diagnostic and in the log: bounded, masked, and of URLs where they lead",
    () => {
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => lines.push(JSON.stringify(message)))
      const failures: ReadonlyArray<readonly [unknown, string]> = [
        [
          new Error("no ticket from https://u:p@tickets.example/v1/hello?key=abc#x, 503"),
          "Error: no ticket from https://tickets.example 503"
        ],
        [{ _tag: "TicketRefused", message: "not for hello there" }, "TicketRefused: not for ***"],
        [{ _tag: "TicketRefused", message: "" }, "TicketRefused"],
        [new TypeError(), "TypeError"],
        ["plain", "plain"],
        [7, "number"],
        [null, "object"],
        [undefined, "undefined"],
        [{}, "an object"],
        [
          {
            get message() {
              throw new Error("boom")
            }
          },
          ""
        ],
        [{ name: 5, message: {} }, "an object"],
        ["\u{1b}[31mred\u{202e}", "\u{fffd}[31mred\u{fffd}"],
        ["x".repeat(100_000), `${"x".repeat(511)}\u{2026}`]
      ]
      let asked = 0
      const resolve: Resolve = () => Effect.suspend(() => Effect.fail(failures[asked++]?.[0]))
      return Effect.gen(function* () {
        const { host } = yield* both
        for (const [, reason] of failures) {
          yield* host.idle
          const diagnostic = (yield* rowOf(REF)).diagnostics.at(-1)
          assert.deepStrictEqual(diagnostic?.error, {
            _tag: "DialFailed",
            url: GATEWAY,
            phase: "url",
            code: "EUNRESOLVED",
            reason
          })
          assert.notInclude(diagnostic?.message, reason === "" ? "boom" : reason)
          assert.isTrue(lines.some((line) => line.includes(JSON.stringify(reason).slice(1, -1))))
          if (asked < failures.length) yield* again(host)
        }
      }).pipe(asking(resolve, { change: { sources: patient } }), Effect.provide(Logger.layer([logger])))
    }
  )

  it.effect("has failed where its answer is none", () => {
    const answers: ReadonlyArray<unknown> = [
      undefined,
      null,
      7,
      {},
      { url: URL },
      { kind: "dial", url: URL },
      { kind: "dial", url: URL, headers: { host: "elsewhere" } },
      { kind: "dial", url: URL, headers: { "x-a": "b\r\nc: d" } },
      { kind: "not_before" },
      { kind: "not_before", at: Number.NaN },
      { kind: "not_before", at: "tomorrow" },
      { kind: "later" }
    ]
    let asked = 0
    // The application need not be written in TypeScript.
    const resolve: Resolve = () => Effect.suspend(() => Effect.succeed(answers[asked++] as SourceUrl.Answer))
    return Effect.gen(function* () {
      const { fake, host } = yield* both
      for (const _ of answers) {
        yield* host.idle
        assert.include(JSON.stringify((yield* rowOf(REF)).diagnostics.at(-1)?.error), "its answer is neither")
        if (asked < answers.length) yield* again(host)
      }
      assert.deepStrictEqual(yield* fake.dials, [])
    }).pipe(asking(resolve, { change: { sources: patient } }))
  })

  it.effect.each<readonly [what: string, resolve: () => unknown]>([
    ["an async function that throws", gone],
    ["an async function", () => Promise.resolve(URL)],
    ["no effect", () => URL],
    ["an effect of a promise", () => Effect.succeed(gone())],
    ["a URL that is a promise", () => Effect.succeed({ kind: "dial", url: gone(), headers: {} })],
    ["a failure that is a promise", () => Effect.fail(gone())],
    ["a thrown promise", () => Effect.suspend(() => thrown(gone()))],
    ["a promise thrown at once", () => thrown(gone())]
  ])("takes a promise for a failure of the application's, and ends no process: %s", ([, resolve]) => {
    const dialled = Effect.gen(function* () {
      const { host } = yield* both
      yield* host.idle
      const { lastError, state } = yield* connection
      assert.deepInclude(lastError, {
        tag: "DialFailed",
        message: `${GATEWAY} can't be reached: url failed with EUNRESOLVED`
      })
      assert.strictEqual(state, "waiting")
    })
    const run = Effect.map(unhandled(dialled), (seen) => assert.deepStrictEqual(seen, []))
    return run.pipe(asking(resolve as Resolve), Effect.provide(Logger.layer([])))
  })

  it("the reason of a failure shows of a URL no more than where it leads", () => {
    const cases: ReadonlyArray<readonly [string, string]> = [
      ["wss://a.example:8443/x?y#z", "wss://a.example:8443"],
      ["at 'https://u:p%40@h/' and \"ws://h?q=1\"", "at 'https://h' and \"ws://h\""],
      ["<HTTP://H/secret>", "<HTTP://H>"],
      ["https://user@name:secret@h/x", "https://h"],
      ["a//b /c?d=e http: //x", "a//b /c?d=e http: //x"],
      ["http://[::1]:80/secret", "http://[::1]:80"]
    ]
    for (const [text, expected] of cases) assert.strictEqual(Reason.of(text), expected, text)
  })

  it("rule 11: is shown so that no piece of what is masked is, wherever it is cut", () => {
    const value = `tok_${"A1b2C3d4E5".repeat(8)}`
    const { foreign } = Redaction.make({ secrets: [], config: { value } })
    for (const url of ["", `https://u:p@h/${"q".repeat(1000)} `.repeat(3), ` wss://h/?${"q".repeat(3900)} `]) {
      for (const most of [512, 4096]) {
        for (let offset = most - url.length - value.length - 20; offset < most - url.length + 20; offset++) {
          if (offset < 0) continue
          const shown = foreign(Reason.of(new Error(`${url}${"-".repeat(offset)}${value}${"-".repeat(5000)}`)))
          assert.notMatch(shown, /tok|[A-E][1-5]/i, `at ${offset}`)
          assert.notMatch(shown, /qq|u:p/, `at ${offset}`)
          assert.isAtMost(shown.length, 512)
        }
      }
    }
  })

  it("rule 3: is read no further than it is shown", () => {
    for (const text of ["a.", "://", "://@", "://a@", "a://"]) {
      assert.isAtMost(Reason.of(text.repeat(4_000_000)).length, Redaction.READ_TEXT)
    }
  })
})
