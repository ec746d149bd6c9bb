import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import * as Effect from "effect/Effect"
import {
  Timer,
  WebSocketBinary,
  WebSocketOpen,
  WebSocketText,
  type Frame,
  type SourceOrigin
} from "../../src/ingress/IngressEvent.ts"
import * as IngressEventWire from "../../src/ingress/IngressEventWire.ts"
import { EventTexts } from "../../src/sandbox/internal/eventText.ts"
import { either, int, list, oneOf } from "../support/arbitraries.ts"

const texts: Arbitrary.Arbitrary<string> = either<string>(
  Arbitrary.schema(Schema.String),
  oneOf("", '"', "\\", '\\"},"kind":"timer', "\u2028\u2029", "\ud800", "\udc00x", "\u0000\u001f\u007f", "é\u{1f600}")
)

const origins: Arbitrary.Arbitrary<SourceOrigin> = Arbitrary.all({
  key: texts,
  source: texts,
  id: texts,
  url: texts,
  ingressName: texts
})

const bySchema = (event: Frame) => JSON.stringify([event.ingressName, IngressEventWire.encode(event)])

describe("an event as a guest is handed it", () => {
  it.effect.prop(
    "a text or a binary frame is written as by the schema, whatever stands in it and whatever was written before",
    {
      sources: list(origins, 1, 3),
      events: list(
        Arbitrary.all({
          source: int(0, 2),
          data: either<string | Uint8Array>(texts, Arbitrary.schema(Schema.Uint8Array)),
          sequence: int(1, 2_000_000_000),
          epoch: int(0, 1_000_000),
          frame: int(0, 1_000_000),
          at: int(0, 2_000_000_000),
          droppedBefore: int(0, 1_000_000)
        }),
        1,
        6
      )
    },
    ({ events, sources }) =>
      Effect.sync(() => {
        const { of } = new EventTexts()
        for (const { at, data, droppedBefore, epoch, frame, sequence, source } of events) {
          const origin = sources[source % sources.length] ?? assert.fail()
          const millis = at * 1000 + (sequence % 1000)
          const event =
            typeof data === "string"
              ? new WebSocketText(origin, sequence, epoch, millis, frame, data, 0)
              : new WebSocketBinary(origin, sequence, epoch, millis, frame, data)
          event.droppedBefore = droppedBefore
          assert.strictEqual(of(event), bySchema(event))
        }
      }),
    { arbitrary: { runs: 300 } }
  )

  it("any other is written by its schema", () => {
    const origin = { key: "k", source: "websocket:ws://a/", id: "a", url: "ws://a/", ingressName: "main" }
    const { of } = new EventTexts()
    for (const event of [new WebSocketOpen(origin, 1, 1, 0, 1, null), new Timer(origin, 2, 1, 0, "beat")]) {
      assert.deepStrictEqual(JSON.parse(of(event)), ["main", IngressEventWire.encode(event)])
    }
  })
})
