import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { CommandResult } from "mooring"
import { int } from "../support/arbitraries.ts"

const origin = { key: "run-0-0", source: "websocket:ws://h/", id: "1b2c3d4e", url: "ws://h/", ingressName: "gateway" }

const recorded = (index: number, change: Partial<CommandResult.Recorded> = {}): CommandResult.Recorded => ({
  origin,
  sequence: 7,
  index,
  ids: {},
  kind: "websocket_send",
  status: "executed",
  error: null,
  at: 0,
  ...change
})

describe("CommandResult", () => {
  it.effect.prop(
    "rule 3: the last so many results are kept, the oldest first",
    { capacity: int(1, 8), count: int(0, 30) },
    ({ capacity, count }) =>
      Effect.sync(() => {
        const results = new CommandResult.Results(capacity)
        const ids = Array.from({ length: count }, (_, index) => `id-${index}`)
        for (const [index, commandId] of ids.entries()) results.add(recorded(index, { ids: { commandId } }))
        assert.deepStrictEqual(
          results.all().map(({ commandId }) => commandId),
          ids.slice(-capacity)
        )
      }),
    { arbitrary: { runs: 200 } }
  )

  it("fills in the ids that the plugin didn't give, from the event and the position", () => {
    const [first, second] = [recorded(0), recorded(1)].map(CommandResult.fromRecorded)
    assert.strictEqual(first?.correlationId, "run-0-0.7")
    assert.strictEqual(first?.sourceEventId, "run-0-0.7")
    assert.match(first?.commandId ?? "", /^[A-Za-z0-9._:-]{1,128}$/)
    assert.notStrictEqual(first?.commandId, second?.commandId)
  })

  it("keeps the ids that the plugin gave, and says which event it answers", () => {
    const ids = { commandId: "reply-1", correlationId: "flow-9" }
    const result = CommandResult.fromRecorded(recorded(3, { ids }))
    assert.strictEqual(result.commandId, "reply-1")
    assert.strictEqual(result.correlationId, "flow-9")
    assert.strictEqual(result.sourceEventId, "run-0-0.7")
  })

  it("has on the wire the form of the contract, with an error only where something is not well", () => {
    const encode = Schema.encodeSync(CommandResult.CommandResult)
    assert.deepStrictEqual(encode(CommandResult.fromRecorded(recorded(0, { ids: { commandId: "a" } }))), {
      command_id: "a",
      correlation_id: "run-0-0.7",
      source_event_id: "run-0-0.7",
      kind: "websocket_send",
      status: "executed",
      recorded_at: "1970-01-01T00:00:00.000Z"
    })
    const error = { tag: "CommandMalformed", message: "no" }
    const rejected = encode(CommandResult.fromRecorded(recorded(0, { kind: null, status: "rejected", error })))
    assert.isNull(rejected.kind)
    assert.deepStrictEqual(rejected.error, error)
  })
})
