/** Binary frames in a real guest, and out of it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { opened, rowOf } from "../support/host.ts"
import { beside, GATEWAY } from "./support/host.ts"

/** Sends each frame back as it came, and the bytes turned around behind it. */
const MIRROR = `
import { fromBase64, websocketSend } from "mooring/guest"
export function handleIngress(name, event) {
  if (event.kind === "websocket_text") return { output_commands: [websocketSend(event, event.payload.text)] }
  if (event.kind !== "websocket_binary") return {}
  const bytes = fromBase64(event.payload.base64)
  const whole = { kind: "websocket_send", payload: { url: event.payload.url, base64: event.payload.base64 } }
  return { output_commands: [whole, websocketSend(event, bytes.toReversed())], status: event.frame }
}`

/** A send as a guest may write it by hand. */
const send = (payload: string) => `{ kind: "websocket_send", payload: { url: "${GATEWAY}", ${payload} } }`

const bytes = (length: number) => Uint8Array.from({ length }, (_, index) => (index * 7 + length) % 256)

describe("a guest", () => {
  it.live("is handed binary frames of any length among its texts, and sends such ones, in their order", () =>
    Effect.gen(function* () {
      const { host, remote } = yield* opened(GATEWAY)
      const sent = [0, 1, 2, 3, 125, 126, 65_535, 65_536].flatMap((length): ReadonlyArray<string | Uint8Array> => [
        bytes(length),
        `${length}`
      ])
      remote.sendBurst(sent)
      const expected = sent.flatMap((frame): ReadonlyArray<string | Uint8Array> =>
        typeof frame === "string" ? [frame] : [frame, frame.toReversed()]
      )
      const got = yield* remote.receivedFrames(expected.length)
      assert.deepStrictEqual(
        got.map((frame) => Buffer.from(frame).toString("hex")),
        expected.map((frame) => Buffer.from(frame).toString("hex"))
      )
      assert.deepStrictEqual(
        got.map((frame) => typeof frame),
        expected.map((frame) => typeof frame)
      )
      yield* host.idle
      const row = yield* rowOf("project:test.plugin")
      assert.deepInclude(row.websocketConnections[0], {
        receivedBinaryFrames: 8,
        enqueuedBinary: 8,
        sentBinaryFrames: 16,
        receivedTextFrames: 8,
        sentTextFrames: 8
      })
      assert.strictEqual(row.reportedStatus, 15)
    }).pipe(Effect.provide(beside({ code: MIRROR, deadlineMs: 5000 })))
  )

  it.live("has base64 of another form, or beside a text, refused, and no other command with it", () =>
    Effect.gen(function* () {
      const { host, remote } = yield* opened(GATEWAY)
      const commands = [`base64: "_-8="`, `base64: "AQ"`, `base64: "AQI=", text: "a"`, `epoch: 1`, `base64: "AQI="`]
      remote.sendText(`({ output_commands: [${commands.map(send).join()}] })`)
      yield* remote.receivedFrames(1)
      assert.deepStrictEqual(remote.sentFrames, [Uint8Array.of(1, 2)])
      yield* host.idle
      const row = yield* rowOf("project:test.plugin")
      assert.deepStrictEqual(
        row.outputCommandResults.map(({ error, status }) => error?.tag ?? status),
        ["CommandMalformed", "CommandMalformed", "CommandMalformed", "CommandMalformed", "executed"]
      )
    }).pipe(Effect.provide(beside({ deadlineMs: 5000 })))
  )
})
