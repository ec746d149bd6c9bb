import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { IngressEvent, OutputCommand, type PluginRuntime } from "mooring"
import { DevLines } from "../../../src/cli/internal/devLines.ts"
import * as Redaction from "../../../src/diagnostics/Redaction.ts"

const TOKEN = "xoxb-s3cr3t-t0ken"

const made = Effect.gen(function* () {
  const written: Array<string> = []
  const lines = new DevLines((line) => written.push(line), yield* Clock.clockWith(Effect.succeed))
  lines.mask(Redaction.make({ secrets: [TOKEN], config: null }))
  return { lines, written }
})

const sent = (text: string): PluginRuntime.Output => ({
  commands: [{ kind: "websocket_send", payload: { url: "ws://a/b", text } }]
})

describe("the lines of dev", () => {
  it.effect("are bounded to 50 a second for what passes, and tell how many more there were; others always come", () =>
    Effect.gen(function* () {
      const { lines, written } = yield* made
      for (let nth = 0; nth < 120; nth++) lines.output(sent(String(nth)))
      assert.strictEqual(written.length, 50)
      lines.say("error", "this one")
      assert.match(written.at(-1) ?? "", /^00:00:00\.000 error {4}this one$/)
      lines.flush()
      assert.strictEqual(written.length, 51)
      yield* TestClock.adjust(999)
      lines.output(sent("still within"))
      assert.strictEqual(written.length, 51)
      yield* TestClock.adjust(1)
      lines.flush()
      assert.match(written.at(-1) ?? "", / dev +71 more lines of events, answers, commands and results$/)
      lines.output(sent("next"))
      assert.match(written.at(-1) ?? "", / command +\{.*"text":"next"\}\}$/)
      assert.strictEqual(written.length, 53)
    })
  )

  it.effect("show what was left out before what comes after it, though nobody flushed", () =>
    Effect.gen(function* () {
      const { lines, written } = yield* made
      for (let nth = 0; nth < 51; nth++) lines.output(sent(String(nth)))
      yield* TestClock.adjust(5000)
      lines.output(sent("later"))
      assert.match(written.at(-2) ?? "", /1 more line of events/)
      assert.match(written.at(-1) ?? "", /later/)
    })
  )

  it.effect("mask secrets wherever they stand, as JSON writes them too, and nothing moves a cursor", () =>
    Effect.gen(function* () {
      const { lines, written } = yield* made
      lines.say("error", `own ${TOKEN}\n\u001b[2J`)
      lines.foreign("console", `foreign ${TOKEN}\u202e`)
      lines.output({ status: { [TOKEN]: `${TOKEN}"\n` }, state: [TOKEN], ...sent(`x${TOKEN}y`) })
      lines.output({ commands: [OutputCommand.send("ws://a/b", TOKEN)] })
      lines.result({
        commandId: TOKEN,
        correlationId: "c",
        sourceEventId: "e",
        kind: null,
        status: "rejected",
        error: { tag: "CommandUngranted", message: TOKEN },
        recordedAt: "2026-01-01T00:00:00.000Z"
      })
      assert.strictEqual(written.length, 6)
      for (const line of written) {
        assert.notInclude(line, TOKEN)
        assert.include(line, "***")
        assert.notMatch(line, /[\p{Cc}\u202e]/u)
      }
    })
  )

  it.effect("show an event with the names that the plugin's code finds in it, and bytes as it is handed them", () =>
    Effect.gen(function* () {
      const { lines, written } = yield* made
      const url = "ws://a/b"
      const origin = { key: "run-0", source: `websocket:${url}`, id: "1b2c3d4e", url, ingressName: "gateway" }
      const ids = { commandId: "c", requestId: "q", durationMs: 12 }
      const end = { code: 4000, reason: "bye", clean: true, unconfirmed: 2 }
      lines.event(new IngressEvent.HostResponse(origin, 1, 0, ids, { answer: { status: 204, headers: {}, body: "" } }))
      lines.event(new IngressEvent.WebSocketClose(origin, 2, 1, 0, end, false))
      lines.event(new IngressEvent.WebSocketBinary(origin, 3, 1, 0, 1, new Uint8Array([255, 0])))
      assert.deepStrictEqual(
        written.map((line) => line.slice(13)),
        [
          'event    host_response gateway 1b2c3d4e #1 {"command_id":"c","request_id":"q","duration_ms":12,"status":204,"headers":{},"text":""}',
          'event    websocket_close gateway 1b2c3d4e #2 {"code":4000,"reason":"bye","clean":true,"unconfirmed":2,"will_reconnect":false}',
          'event    websocket_binary gateway 1b2c3d4e #3 {"base64":"/wA="}'
        ]
      )
    })
  )

  it.effect("show any answer that a guest can give, and of a long one its beginning", () =>
    Effect.gen(function* () {
      const { lines, written } = yield* made
      // A guest's answer is JSON, whatever its type says.
      const answers: ReadonlyArray<unknown> = [
        { commands: 5 },
        { commands: [null, 5, "x", []] },
        { accepted: false },
        { status: null, state: null },
        { status: "x".repeat(1_000_000) },
        {}
      ]
      for (const answer of answers) lines.output(answer as PluginRuntime.Output)
      assert.deepStrictEqual(
        written.map((line) => line.slice(13, 60).trimEnd()),
        [
          "command  null",
          "command  5",
          'command  "x"',
          "command  []",
          'answer   {"accepted":false}',
          'answer   {"status":null,"state":null}',
          `answer   {"status":"${"x".repeat(27)}`
        ]
      )
      for (const line of written) assert.isBelow(line.length, 600)
    })
  )
})
