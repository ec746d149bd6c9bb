import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { OutputCommand } from "mooring"
import { byKind } from "../../src/commands/OutputCommandWire.ts"
import * as Wire from "../../src/internal/wire.ts"
import { either, oneOf } from "../support/arbitraries.ts"

const text: Arbitrary.Arbitrary<unknown> = either<unknown>(
  Arbitrary.schema(Schema.String),
  oneOf<unknown>("", "ws://a/", "\ud800", "x\udc00y", "\u{1f600}", "\u2028", 1, null, true, undefined)
)

const base64: Arbitrary.Arbitrary<unknown> = either<unknown>(
  Arbitrary.map(Arbitrary.schema(Schema.Uint8Array), (bytes) => Buffer.from(bytes).toString("base64")),
  Arbitrary.schema(Schema.String),
  oneOf<unknown>("", "YQ==", "YWI=", "YR==", "YQ=", "YQ", "YQ==\n", "_-8=", "=YQ=", "Y===", "====", 1, null, undefined)
)

/** A send, nearly or exactly: something is missing, another thing, or too much. */
const values: Arbitrary.Arbitrary<unknown> = Arbitrary.map(
  Arbitrary.all({
    kind: oneOf<unknown>("websocket_send", "websocket_send", "websocket_send", "websocket_close", "x", undefined),
    url: text,
    data: either<object>(
      Arbitrary.map(text, (sent) => ({ text: sent })),
      Arbitrary.map(base64, (sent) => ({ base64: sent }))
    ),
    more: oneOf<object>({}, {}, {}, { command_id: "a" }, { command_id: "?" }, { x: 1 }, { [Symbol.iterator]: 1 }),
    within: oneOf<object>(
      {},
      {},
      {},
      { epoch: 1 },
      { epoch: "any" },
      { ingress_name: "a" },
      { x: 1 },
      { url: "b" },
      { text: "a" },
      { base64: "YQ==" }
    ),
    without: oneOf("", "", "", "kind", "payload", "url", "text", "base64"),
    shape: oneOf("plain", "plain", "plain", "null", "list", "inherited", "half", "proto")
  }),
  ({ data, kind, more, shape, url, within, without }) => {
    const payload: Record<string, unknown> = { url, ...data, ...within }
    delete payload[without]
    const made: Record<string, unknown> = { kind, payload, ...more }
    delete made[without]
    if (shape === "null") return { ...made, payload: null }
    if (shape === "list") return [made]
    if (shape === "inherited") return Object.create(made)
    if (shape === "half") return Object.assign(Object.create({ kind }), { payload, x: 1 })
    return shape === "proto" ? JSON.parse(`{"__proto__":1,${JSON.stringify(made).slice(1)}`) : made
  }
)

/** What the schema alone says. */
const bySchema = Schema.decodeUnknownResult(byKind.websocket_send, Wire.strict)

describe("a send that is decoded without its schema", () => {
  it.effect.prop(
    "is what the schema makes of it, and anything that the schema refuses is left to it",
    { value: values },
    ({ value }) =>
      Effect.sync(() => {
        const plain = OutputCommand.plainSend(value)
        const whole = OutputCommand.decode(value)
        const expected = bySchema(value)
        if (plain !== undefined) {
          assert.isTrue(Result.isSuccess(expected), JSON.stringify(value))
          assert.isTrue(Result.isSuccess(whole))
        }
        if (Result.isFailure(expected) || Result.isFailure(whole)) {
          assert.isUndefined(plain)
          return
        }
        const { commandId, correlationId, kind, payload, requestedAt, sourceEventId } = expected.success
        const ids = JSON.parse(JSON.stringify({ commandId, correlationId, sourceEventId }))
        const content = OutputCommand.content(whole.success)
        assert.deepStrictEqual({ ...content }, { kind, payload, ids })
        // All that has no more than that is decoded so.
        const isPlain = Object.keys(payload).length === 2 && Object.keys(ids).length === 0 && requestedAt === undefined
        if (plain === undefined) assert.isFalse(isPlain && Reflect.ownKeys(Object(value)).length === 2)
      }),
    { arbitrary: { runs: 1000 } }
  )

  it("is never one that can't be looked at", () => {
    const throwing = new Proxy(
      {},
      {
        getOwnPropertyDescriptor: () => {
          throw new Error("no")
        }
      }
    )
    assert.isTrue(Result.isFailure(OutputCommand.decode(throwing)))
    const read: Array<string> = []
    const getters = {
      get kind() {
        read.push("kind")
        return "websocket_send"
      },
      get payload() {
        read.push("payload")
        return { url: "ws://a/", text: "x" }
      }
    }
    assert.isTrue(Result.isSuccess(OutputCommand.decode(getters)))
    assert.deepStrictEqual(read, ["kind", "payload"])
  })
})
